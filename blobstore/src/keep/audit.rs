//! Whether every kept blob is there and is what its CID says. What isn't is wanted again: the job
//! for it hashes what is here, keeps what is right, and fetches what isn't.

use futures_util::StreamExt;
use plyr_lexicons::Cid;
use plyr_objects::{ImageSize, ObjectKey};
use plyr_probe::Fact;
use plyr_schemas::{Blob, BlobState};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::BlobstoreError;
use crate::serve::{Blobstore, now};
use crate::standing::Standing;

/// Rows read at once.
const PAGE: usize = 200;

/// How to audit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditOptions {
    /// Whether only to see that objects are there with their sizes, without reading them.
    pub is_quick: bool,
    /// Whether only to tell.
    pub is_dry: bool,
}

/// How far an audit has come.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Audit {
    /// Kept blobs that were looked at.
    pub blobs: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Not there.
    pub missing: u64,
    /// There, with other bytes.
    pub wrong: u64,
    /// Those that the disk or the bucket would not read.
    pub unreadable: u64,
    /// The CIDs of all these, the first hundred.
    pub found: Vec<String>,
}

/// Why a row that was kept is wanted again.
const FOUND: &str = "an audit found it missing or damaged";
/// CIDs named in an audit's answer.
const MOST_NAMED: usize = 100;

/// Audits. `told` hears how far it has come; when it answers `false` it ends there.
pub async fn audit(
    blobstore: &Blobstore,
    options: &AuditOptions,
    mut told: impl FnMut(&Audit) -> bool,
) -> Result<Audit, BlobstoreError> {
    let mut audit = Audit::default();
    let mut after: Option<Cid> = None;
    loop {
        let rows = blobstore.rows.all_blobs(after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.cid);
        for row in rows.iter().filter(|row| row.state == BlobState::Kept) {
            audit.blobs += 1;
            let finding = match look_at(blobstore, options, row, &mut audit).await {
                Ok(finding) => finding,
                // One file that can't be read hides none of the others.
                Err(BlobstoreError::Objects(problem)) if problem.is_passing() => {
                    tracing::error!(cid = %row.cid, %problem, "a kept blob can't be read");
                    Finding::Unreadable
                }
                Err(problem) => return Err(problem),
            };
            if finding != Finding::Sound && is_still_kept(blobstore, row).await? {
                audit.note(row, finding);
                // A store that doesn't answer at all may have it still.
                let is_known =
                    finding != Finding::Unreadable || blobstore.has_object(&row.cid).await;
                if !options.is_dry && is_known {
                    mend(blobstore, row, FOUND).await?;
                }
            }
            if !told(&audit) {
                return Ok(audit);
            }
        }
    }
    Ok(audit)
}

/// What became of looking at one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    Sound,
    Missing,
    Wrong,
    Unreadable,
}

impl Audit {
    fn note(&mut self, row: &Blob, finding: Finding) {
        match finding {
            Finding::Sound => return,
            Finding::Missing => self.missing += 1,
            Finding::Wrong => self.wrong += 1,
            Finding::Unreadable => self.unreadable += 1,
        }
        if self.found.len() < MOST_NAMED {
            self.found.push(row.cid.to_string());
        }
    }
}

/// Whether it wasn't let go, or fetched anew, while it was looked at.
async fn is_still_kept(blobstore: &Blobstore, row: &Blob) -> Result<bool, BlobstoreError> {
    let held = blobstore.rows.blobs(std::slice::from_ref(&row.cid)).await?;
    let is_it = |held: &Blob| held.state == BlobState::Kept && held.kept_at == row.kept_at;
    Ok(held.into_iter().flatten().any(|held| is_it(&held)))
}

/// Looks at a kept blob's objects.
async fn look_at(
    blobstore: &Blobstore,
    options: &AuditOptions,
    row: &Blob,
    audit: &mut Audit,
) -> Result<Finding, BlobstoreError> {
    let is_image = matches!(
        Standing::of(Some(row)),
        Standing::Kept {
            fact: Fact::Image(_),
            ..
        }
    );
    if is_image {
        for size in ImageSize::ALL {
            let key = ObjectKey::image(&row.cid, size);
            if blobstore.objects.find(&key).await?.is_none() {
                return Ok(Finding::Missing);
            }
        }
    }
    let key = ObjectKey::original(&row.cid);
    let Some(found) = blobstore.objects.find(&key).await? else {
        return Ok(Finding::Missing);
    };
    if Some(found.size) != row.size {
        return Ok(Finding::Wrong);
    }
    if options.is_quick {
        return Ok(Finding::Sound);
    }
    let Some(mut reading) = blobstore.objects.read(&key, None).await? else {
        return Ok(Finding::Missing);
    };
    let mut hash = Sha256::new();
    while let Some(piece) = reading.bytes.next().await {
        let piece = piece?;
        audit.bytes += piece.len() as u64;
        hash.update(&piece);
    }
    match hash.finalize().as_slice() == row.cid.hash().digest() {
        true => Ok(Finding::Sound),
        false => Ok(Finding::Wrong),
    }
}

/// Has it fetched again, or made anew from what is here. Nothing is deleted: a cover that lost one
/// of its sizes has its original still, and its host may be gone.
pub(super) async fn mend(
    blobstore: &Blobstore,
    row: &Blob,
    reason: &str,
) -> Result<(), BlobstoreError> {
    tracing::warn!(cid = %row.cid, reason, "a kept blob is looked after");
    let wanted = blobstore.change(&row.cid, |held| {
        if held.state != BlobState::Kept {
            return false;
        }
        held.state = BlobState::Wanted;
        held.reason = Some(reason.to_owned());
        held.kept_at = None;
        held.due_at = Some(now());
        true
    });
    wanted.await?;
    // Made from bytes that may be wrong; made again when somebody asks.
    let public = ObjectKey::original(&row.cid).public();
    blobstore.objects.delete(&public).await?;
    blobstore.moved.notify_waiters();
    Ok(())
}
