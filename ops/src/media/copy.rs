//! `plyr blobs copy`: all bytes from one place to another, verified on their way.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use clap::ArgMatches;
use futures_util::StreamExt;
use plyr_blobstore::Staging;
use plyr_objects::{
    About, CopyOptions, CopyProgress, Describe, Disk, ObjectKey, Objects, copy_all,
};

use super::bucket;
use crate::config::{BlobsChoice, Config, read_blobs};
use crate::error::OpsError;
use crate::store::progress;

/// Objects copied at the same time.
const AT_ONCE: usize = 4;
/// What bytes begin with, where in them, and what a bucket is to call them: a hint for those who
/// read it directly. Who serves them says what they were found to be.
const BEGINNINGS: [(usize, &[u8], &str); 11] = [
    (8, b"WAVE", "audio/wav"),
    (8, b"AIFF", "audio/aiff"),
    (8, b"AIFC", "audio/aiff"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftyp", "audio/mp4"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1a\x45\xdf\xa3", "audio/webm"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG", "image/png"),
];

/// Says what objects are by how they begin.
struct ByBeginning(Arc<dyn Objects>);

#[async_trait]
impl Describe for ByBeginning {
    async fn about(&self, key: &ObjectKey) -> Result<About, String> {
        let reading = self.0.read(key, Some(0..16)).await;
        let reading = reading.map_err(|problem| problem.to_string())?;
        let mut bytes = Vec::new();
        if let Some(mut reading) = reading {
            while let Some(piece) = reading.bytes.next().await {
                bytes.extend_from_slice(&piece.map_err(|problem| problem.to_string())?);
            }
        }
        let begins = |(at, with, _): &&(usize, &[u8], &str)| {
            bytes.get(*at..).is_some_and(|rest| rest.starts_with(with))
        };
        let known = BEGINNINGS.iter().find(begins).map(|(_, _, name)| *name);
        let is_mpeg = bytes.first() == Some(&0xff);
        let media_type = known.unwrap_or(match is_mpeg {
            true => "audio/mpeg",
            false => "application/octet-stream",
        });
        Ok(About {
            media_type: media_type.to_owned(),
        })
    }
}

/// Runs the command: exit code 1 where an object could not be copied.
pub async fn copy(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let from = place(config, arguments, "from").await?;
    let to = place(config, arguments, "to").await?;
    if from.name() == to.name() {
        return Err(OpsError::Usage("--from and --to are one place".to_owned()));
    }
    let bar = progress::bar("copying {msg} {spinner} {human_pos} objects, {per_sec}");
    let told_at = Mutex::new(Instant::now());
    let told = |so_far: &CopyProgress| {
        let CopyProgress {
            objects,
            bytes,
            copied,
            already,
            failed,
        } = *so_far;
        bar.set_position(objects);
        bar.set_message(format!(
            "{copied} copied, {already} there already, {failed} failed"
        ));
        let mut told_at = told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if bar.is_hidden() && told_at.elapsed() >= progress::TOLD_EVERY {
            *told_at = Instant::now();
            tracing::info!(objects, bytes, failed, "copying");
        }
    };
    // On the data folder's disk: what is for files that last a moment is often memory.
    // Who takes it next empties it, if this is broken off.
    let staging = Staging::take(&config.data_dir.join(super::STAGING));
    let staging = staging.map_err(|problem| OpsError::Start(problem.to_string()))?;
    let options = CopyOptions {
        staging: staging.folder().to_owned(),
        at_once: AT_ONCE,
    };
    let describe = ByBeginning(from.clone());
    let report = copy_all(from.as_ref(), to.as_ref(), &describe, &options, &told).await;
    bar.finish_and_clear();
    let report = report.map_err(|problem| OpsError::Start(problem.to_string()))?;
    for failure in &report.failures {
        tracing::error!(key = %failure.key, problem = failure.problem, "an object is not copied");
    }
    let CopyProgress {
        objects,
        bytes,
        copied,
        already,
        failed,
    } = report.progress;
    progress::say(&format!(
        "{objects} objects: {copied} copied ({bytes} bytes), {already} were there, {failed} failed"
    ));
    Ok(ExitCode::from(u8::from(failed > 0)))
}

async fn place(
    config: &Config,
    arguments: &ArgMatches,
    name: &str,
) -> Result<Arc<dyn Objects>, OpsError> {
    let text = arguments.get_one::<String>(name).map_or("", String::as_str);
    let choice = read_blobs(text)
        .map_err(|(problem, fix)| OpsError::Usage(format!("--{name} {text} {problem}; {fix}")))?;
    match choice {
        BlobsChoice::Disk(folder) => {
            let folder: PathBuf = folder.unwrap_or_else(|| config.data_dir.join(super::BLOBS));
            if name == "from" && !folder.is_dir() {
                return Err(OpsError::Usage(format!(
                    "--from {text}: there is no folder {}; name the one that holds originals/",
                    folder.display()
                )));
            }
            let disk = Disk::open(&folder);
            Ok(Arc::new(
                disk.map_err(|problem| OpsError::Start(problem.to_string()))?,
            ))
        }
        BlobsChoice::S3 {
            bucket: name,
            prefix,
        } => bucket(config, &name, &prefix).await,
    }
}
