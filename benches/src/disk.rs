//! What the disk does when nine in ten records are deleted.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use plyr_schemas::Store;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};

use crate::report::Report;
use crate::{Arguments, corpus};

const BATCH: usize = 500;
const SETTLE: Duration = Duration::from_secs(60);

/// Runs the campaign.
pub async fn run(
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let entries = corpus::tracks(arguments.seed, arguments.records)?;
    let folder = tempfile::tempdir()?;
    let options = || -> Result<EmbeddedOptions, Box<dyn std::error::Error>> {
        Ok(EmbeddedOptions::new(
            folder.path().to_owned(),
            "fm.plyr".parse()?,
        ))
    };
    let store = EmbeddedStore::open(options()?)?;
    for chunk in entries.chunks(BATCH) {
        store
            .apply(
                chunk
                    .iter()
                    .map(corpus::version)
                    .collect::<Result<_, _>>()?,
            )
            .await?;
    }
    let full = size_of(folder.path())?;
    let gone: Vec<_> = entries
        .iter()
        .enumerate()
        .filter(|(number, _)| number % 10 != 0)
        .map(|(_, entry)| corpus::delete(entry))
        .collect();
    for chunk in gone.chunks(BATCH) {
        store.apply(chunk.to_vec()).await?;
    }
    let mut least = size_of(folder.path())?;
    let began = Instant::now();
    while began.elapsed() < SETTLE && least > full / 3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        least = least.min(size_of(folder.path())?);
    }
    let after = began.elapsed().as_secs_f64();
    store.close().await?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    report.add(
        &format!(
            "tables on disk, {} tracks → nine in ten deleted",
            entries.len()
        ),
        format!(
            "{:.0} MiB → {:.0} MiB after {after:.0} s",
            mebibytes(full),
            mebibytes(least)
        ),
        "the disk follows",
    );
    Ok(())
}

/// What the disk has given to a folder's files, in bytes: of a journal what was written, though the
/// file has its full size from the start.
pub fn allocated(folder: &Path) -> std::io::Result<u64> {
    /// Bytes of a block, as `stat` counts.
    const BLOCK: u64 = 512;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += match about.is_dir() {
            true => allocated(&entry.path())?,
            false => about.blocks() * BLOCK,
        };
    }
    Ok(bytes)
}

/// Bytes of what a folder holds; journals, which have their full size from the start, left out.
pub fn size_of(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = match entry.metadata() {
            Ok(about) => about,
            // Compaction takes files away while we look.
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => continue,
            Err(problem) => return Err(problem),
        };
        // A journal file has its full size from the start, whatever it holds.
        if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "jnl")
        {
            continue;
        }
        bytes += if about.is_dir() {
            size_of(&entry.path())?
        } else {
            about.len()
        };
    }
    Ok(bytes)
}
