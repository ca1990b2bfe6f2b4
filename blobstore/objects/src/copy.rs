//! Copying everything from one store to another, as often as it takes: what is there already is
//! passed over.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use plyr_lexicons::Cid;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::error::ObjectsError;
use crate::key::{IMAGES, ORIGINALS, ObjectKey, RENDITIONS};
use crate::objects::{About, Listed, Objects, Put};

/// What is copied. What the public may read now isn't: who serves it decides that again.
const COPIED: [&str; 3] = [ORIGINALS, IMAGES, RENDITIONS];
/// Objects that are listed at once.
const PAGE: usize = 500;
/// Failures that are kept with their words; all are counted.
const MOST_FAILURES: usize = 1000;
/// The codec of bytes that are nothing else, and the code of SHA-256, in CIDs.
const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;

/// How a copy goes about it.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// A folder where objects lie while they are on their way; as large as the largest `at_once`.
    pub staging: PathBuf,
    /// Objects on their way at the same time; 0 is taken for 1.
    pub at_once: usize,
}

/// How far a copy has come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CopyProgress {
    /// Objects that were looked at: the sum of the others, and those deleted meanwhile.
    pub objects: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// Objects that were copied.
    pub copied: u64,
    /// Objects that were there.
    pub already: u64,
    /// Objects that weren't copied.
    pub failed: u64,
}

/// An object that wasn't copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyFailure {
    /// Which.
    pub key: ObjectKey,
    /// Why.
    pub problem: String,
}

/// What became of a copy.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CopyReport {
    /// The sums.
    pub progress: CopyProgress,
    /// The first thousand failures.
    pub failures: Vec<CopyFailure>,
}

/// Tells what an object is: a store doesn't say what it was told with a put.
#[async_trait]
pub trait Describe: Send + Sync {
    /// What to put an object with.
    ///
    /// # Errors
    /// Why that can't be said; the object isn't copied then.
    async fn about(&self, key: &ObjectKey) -> Result<About, String>;
}

/// What became of an object.
enum Outcome {
    Copied(u64),
    Already,
    /// Deleted meanwhile.
    Gone,
    Failed(String),
}

/// Copies all objects that `to` hasn't yet. Originals are hashed on their way and must have the
/// hash that their CID says; of what was made from them the length is compared. An object that
/// can't be copied is no reason to leave out the others. `told` is called after each object.
///
/// # Errors
/// Where `from` can't be listed, or `to` takes nothing more. Copying again goes on.
pub async fn copy_all(
    from: &dyn Objects,
    to: &dyn Objects,
    describe: &dyn Describe,
    options: &CopyOptions,
    told: &(dyn Fn(&CopyProgress) + Send + Sync),
) -> Result<CopyReport, ObjectsError> {
    let mut report = CopyReport::default();
    for prefix in COPIED {
        let mut after = None;
        loop {
            let page = from.list(prefix, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.key.clone());
            let mut running = FuturesUnordered::new();
            for listed in page {
                if running.len() >= options.at_once.max(1) {
                    note(running.next().await, &mut report, told)?;
                }
                running.push(copy_one(from, to, describe, options, listed));
            }
            while !running.is_empty() {
                note(running.next().await, &mut report, told)?;
            }
        }
    }
    Ok(report)
}

fn note(
    done: Option<(ObjectKey, Result<Outcome, ObjectsError>)>,
    report: &mut CopyReport,
    told: &(dyn Fn(&CopyProgress) + Send + Sync),
) -> Result<(), ObjectsError> {
    let Some((key, outcome)) = done else {
        return Ok(());
    };
    let progress = &mut report.progress;
    progress.objects += 1;
    match outcome? {
        Outcome::Copied(bytes) => {
            progress.copied += 1;
            progress.bytes += bytes;
        }
        Outcome::Already => progress.already += 1,
        Outcome::Gone => {}
        Outcome::Failed(problem) => {
            progress.failed += 1;
            if report.failures.len() < MOST_FAILURES {
                report.failures.push(CopyFailure { key, problem });
            }
        }
    }
    told(&report.progress);
    Ok(())
}

async fn copy_one(
    from: &dyn Objects,
    to: &dyn Objects,
    describe: &dyn Describe,
    options: &CopyOptions,
    listed: Listed,
) -> (ObjectKey, Result<Outcome, ObjectsError>) {
    let outcome = copy_listed(from, to, describe, options, &listed).await;
    let outcome = match outcome {
        Err(ObjectsError::Failed { .. }) | Ok(_) => outcome,
        // It will say so of every other object too.
        Err(problem) => return (listed.key, Err(problem)),
    };
    let outcome = outcome.unwrap_or_else(|problem| Outcome::Failed(problem.to_string()));
    (listed.key, Ok(outcome))
}

async fn copy_listed(
    from: &dyn Objects,
    to: &dyn Objects,
    describe: &dyn Describe,
    options: &CopyOptions,
    listed: &Listed,
) -> Result<Outcome, ObjectsError> {
    let key = &listed.key;
    match to.find(key).await? {
        Some(there) if there.size == listed.found.size => return Ok(Outcome::Already),
        Some(there) => {
            let problem = format!(
                "{} has {} bytes under this key, {} has {}; delete the wrong one and copy again",
                to.name(),
                there.size,
                from.name(),
                listed.found.size,
            );
            return Ok(Outcome::Failed(problem));
        }
        None => {}
    }
    let about = match describe.about(key).await {
        Ok(about) => about,
        Err(problem) => return Ok(Outcome::Failed(problem)),
    };
    let Some(staged) = stage(from, options, key).await? else {
        return Ok(Outcome::Gone);
    };
    if let Some(problem) = staged.problem(key, listed.found.size) {
        return Ok(Outcome::Failed(format!("in {} {problem}", from.name())));
    }
    match to.put(key, staged.file.path(), &about).await? {
        Put::Created => Ok(Outcome::Copied(staged.size)),
        Put::AlreadyThere => Ok(Outcome::Already),
    }
}

/// An object that is on its way.
struct Staged {
    file: NamedTempFile,
    size: u64,
    hash: [u8; 32],
}

impl Staged {
    /// What is wrong with the bytes that came.
    fn problem(&self, key: &ObjectKey, size: u64) -> Option<String> {
        if self.size != size {
            return Some(format!(
                "it was listed with {size} bytes and has {}",
                self.size
            ));
        }
        if !key.as_str().starts_with(ORIGINALS) {
            return None;
        }
        let is_named = key.cid().is_some_and(|cid| is_hash(&cid, &self.hash));
        let problem =
            "the bytes are not those that the CID names; delete it, and it is fetched again";
        (!is_named).then(|| problem.to_owned())
    }
}

fn is_hash(cid: &Cid, hash: &[u8; 32]) -> bool {
    cid.codec() == RAW && cid.hash().code() == SHA2_256 && cid.hash().digest() == hash
}

/// Brings an object to the staging folder; none if it isn't there.
async fn stage(
    from: &dyn Objects,
    options: &CopyOptions,
    key: &ObjectKey,
) -> Result<Option<Staged>, ObjectsError> {
    let failed = |problem: std::io::Error| ObjectsError::Failed {
        store: format!("the folder {}", options.staging.display()),
        doing: "keep an object on its way",
        detail: problem.to_string(),
    };
    let Some(mut reading) = from.read(key, None).await? else {
        return Ok(None);
    };
    let file = tempfile::Builder::new()
        .prefix("copy-")
        // A disk gives this very file the object's name; it is for whoever the umask lets read.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(&options.staging)
        .map_err(failed)?;
    let mut writing = tokio::fs::File::from_std(file.reopen().map_err(failed)?);
    let mut hash = Sha256::new();
    let mut size = 0;
    while let Some(piece) = reading.bytes.next().await {
        let piece = piece?;
        hash.update(&piece);
        size += piece.len() as u64;
        writing.write_all(&piece).await.map_err(failed)?;
    }
    writing.flush().await.map_err(failed)?;
    let hash = hash.finalize().into();
    Ok(Some(Staged { file, size, hash }))
}
