//! The quota: what is kept in all stays below it. Asked for, what nobody played for longest makes
//! room: most originals can be fetched again. A mirror that is full takes nothing more instead.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use plyr_lexicons::Cid;
use plyr_objects::{ImageSize, ObjectKey};
use plyr_schemas::{Blob, BlobState, Micros};

use super::order::{first_to_go, sum};
use crate::error::BlobstoreError;
use crate::fetch::FetchingParts;
use crate::options::MediaPolicy;
use crate::serve::{Blobstore, now};

/// How long a sum is believed that others add to as well.
const BELIEVED: Duration = Duration::from_secs(600);
/// How long the deleting of one blob's objects may take, in microseconds.
const DELETING: Micros = 600_000_000;
/// Which part of the quota is left free where something is let go, and by a mirror.
const SPARE: u64 = 20;

/// What is kept in all, in bytes, about: several processes may add to it.
#[derive(Debug, Default)]
pub struct Usage {
    known: Mutex<Option<(u64, Instant)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Usage {
    fn known(&self) -> Option<u64> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, at) = known?;
        (at.elapsed() < BELIEVED).then_some(bytes)
    }

    fn learn(&self, bytes: u64) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((bytes, Instant::now()));
    }

    /// The last sum, however old: for who would rather have that than sum up all rows.
    fn about(&self) -> Option<u64> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.map(|(bytes, _)| bytes)
    }

    /// So much more is kept.
    pub(crate) fn add(&self, bytes: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((sum, _)) = known.as_mut() {
            *sum = sum.saturating_add(bytes);
        }
    }
}

/// Lets a blob go. Its row says so first, so that nobody is sent to bytes that aren't there, and
/// none but this process touches it meanwhile; who asks for it then has it fetched again. Answers
/// whether it went.
pub(crate) async fn let_go(blobstore: &Blobstore, row: &Blob) -> Result<bool, BlobstoreError> {
    let mut going = row.clone();
    going.state = BlobState::Wanted;
    going.kept_at = None;
    going.leased_by = format!("{:016x}", rand::random::<u64>());
    going.leased_until = now() + DELETING;
    // Broken off in between, a job looks at what is left.
    going.due_at = Some(going.leased_until);
    if !blobstore.rows.replace_blob(going.clone()).await? {
        return Ok(false);
    }
    delete_objects(blobstore, &row.cid).await?;
    if !blobstore
        .rows
        .remove_blob(&row.cid, row.revision + 1)
        .await?
    {
        want_again(blobstore, &row.cid, &going.leased_by).await?;
    }
    Ok(true)
}

/// Ends the lease of what was deleted while somebody asked for it.
async fn want_again(blobstore: &Blobstore, cid: &Cid, process: &str) -> Result<(), BlobstoreError> {
    let wanted = blobstore.change(cid, |row| {
        if row.leased_by != process {
            return false;
        }
        row.leased_by.clear();
        row.leased_until = 0;
        row.due_at = Some(now());
        true
    });
    wanted.await?;
    blobstore.moved.notify_waiters();
    Ok(())
}

/// Deletes all objects of a blob, the public copy first.
async fn delete_objects(blobstore: &Blobstore, cid: &Cid) -> Result<(), BlobstoreError> {
    let original = ObjectKey::original(cid);
    let original_public = original.public();
    let images = ImageSize::ALL.map(|size| ObjectKey::image(cid, size));
    let keys: Vec<ObjectKey> = images.into_iter().chain([original]).collect();
    blobstore.objects.delete(&original_public).await?;
    for key in &keys {
        blobstore.objects.delete(key).await?;
    }
    Ok(())
}

impl FetchingParts {
    /// Whether the disk that is staged on is nearly full.
    ///
    /// # Errors
    /// When it can't be asked.
    pub(crate) fn is_short_of_disk(&self) -> Result<bool, BlobstoreError> {
        let folder = self.staging.folder();
        let disk = rustix::fs::statvfs(folder).map_err(|why| BlobstoreError::Staging {
            path: folder.display().to_string(),
            problem: why.into(),
        })?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok(free < self.blobstore.options.reserve)
    }

    /// Why nothing may be staged or put now; none where something may.
    pub(crate) async fn is_short_of_room(&self) -> Result<Option<String>, BlobstoreError> {
        let reserve = self.blobstore.options.reserve;
        let room = self.blobstore.objects.room().await?;
        let is_short = self.is_short_of_disk()? || room.is_some_and(|room| room < reserve);
        let reason = "the disk is nearly full: nothing is fetched below --disk-reserve";
        Ok(is_short.then(|| reason.to_owned()))
    }

    fn is_full(&self) -> String {
        let quota = self.blobstore.options.quota;
        format!("--media-quota ({quota} bytes) is used up")
    }

    /// What of the quota is left free where that can be chosen.
    fn spare(&self) -> u64 {
        self.blobstore.options.quota / SPARE
    }

    /// Bytes that one more blob may have: all that may be kept, where others make room for it.
    pub(crate) fn room_for_one(&self) -> u64 {
        let quota = self.blobstore.options.quota;
        match self.blobstore.policy() {
            MediaPolicy::Mirror => quota.saturating_sub(self.usage.about().unwrap_or_default()),
            MediaPolicy::OnDemand | MediaPolicy::Off => quota,
        }
    }

    /// Why so many bytes would find no room, where nothing is let go for them. A mirror that has
    /// less left than its spare part is full: hardly anything would fit, and each try would cost.
    pub(crate) async fn is_full_for(&self, needed: u64) -> Result<Option<String>, BlobstoreError> {
        if self.blobstore.policy() != MediaPolicy::Mirror {
            return Ok(None);
        }
        let used = match self.usage.known() {
            Some(used) => used,
            None => {
                let bytes = sum(&self.blobstore).await?;
                self.usage.learn(bytes);
                bytes
            }
        };
        let needed = needed.max(self.spare()).max(1);
        let fits = used.saturating_add(needed) <= self.blobstore.options.quota;
        Ok((!fits).then(|| self.is_full()))
    }

    /// Makes room for so many bytes more. Answers why there is none, where there is none. Where
    /// nothing is fetched the bytes are here already, and what went for them would be gone.
    pub(crate) async fn make_room(&self, needed: u64) -> Result<Option<String>, BlobstoreError> {
        if self.blobstore.policy() == MediaPolicy::Off {
            return Ok(None);
        }
        let quota = self.blobstore.options.quota;
        let fits = |bytes: u64| bytes.saturating_add(needed) <= quota;
        if self.usage.known().is_some_and(fits) {
            return Ok(None);
        }
        // One at a time looks at everything, and makes room for those who come after as well.
        let _turn = self.usage.turn.lock().await;
        if self.usage.known().is_some_and(fits) {
            return Ok(None);
        }
        let spare = self.spare();
        // What may go is looked up some hundreds at a time.
        loop {
            let mut bytes = sum(&self.blobstore).await?;
            self.usage.learn(bytes);
            if fits(bytes) {
                return Ok(None);
            }
            if needed > quota || self.blobstore.policy() == MediaPolicy::Mirror {
                return Ok(Some(self.is_full()));
            }
            let mut went = false;
            for row in first_to_go(&self.blobstore).await? {
                if bytes.saturating_add(needed).saturating_add(spare) <= quota {
                    break;
                }
                if let_go(&self.blobstore, &row).await? {
                    went = true;
                    let size = row.size.unwrap_or_default();
                    bytes = bytes.saturating_sub(size);
                    metrics::counter!("plyr_media_evicted_total").increment(1);
                    tracing::info!(cid = %row.cid, size, "a blob makes room");
                }
            }
            self.usage.learn(bytes);
            if fits(bytes) || !went {
                return Ok((!fits(bytes)).then(|| self.is_full()));
            }
        }
    }
}
