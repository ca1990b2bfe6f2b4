//! A commit that a cut of the power tore. Of what was not synced yet a disk may have written any
//! pages: the engine discards a commit that it can't read to its end, but where only a page within
//! a long value is missing, it refuses to open at all. Each commit is synced before the next one
//! begins, so only the last of the newest journal can be torn, and nobody was told of it: it is
//! left out. (One that rots later can't be told from it. A cursor is written after what it covers,
//! so that streams tell again what the last commit held.)

use std::fs::File;
use std::io::Error;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fjall::{Database, JournalRecoveryError};

use super::layers::failed;
use crate::store::StoreError;

/// The bytes that a commit ends with in the engine's journal.
const END: [u8; 4] = *b"FJL\x03";
/// Bytes looked through at a time, from the end of the journal on.
const BLOCK: u64 = 64 << 10;

/// Opens the engine; where its last commit is torn, without that.
pub fn open(
    store: &Path,
    open: impl Fn() -> fjall::Result<Database>,
) -> Result<Database, StoreError> {
    let problem = match open() {
        Ok(database) => return Ok(database),
        Err(problem) => problem,
    };
    if !is_torn(&problem) {
        return Err(failed("open", &problem));
    }
    let mending = |problem: Error| failed("mend a torn commit", &fjall::Error::Io(problem));
    let Some((journal, at)) = last_end(store).map_err(mending)? else {
        return Err(failed("open", &problem));
    };
    let write = |bytes: &[u8]| {
        let written = journal.write_all_at(bytes, at);
        written.and_then(|()| journal.sync_all()).map_err(mending)
    };
    // Without its end the engine discards it as any other that was cut off.
    write(&[0; END.len()])?;
    match open() {
        Ok(database) => {
            tracing::warn!(
                "the last commit can't be read and is left out: the store goes on from the one \
                 before. If a cut of the power tore it, nobody had been told of it; if it rotted, \
                 streams tell again what it held"
            );
            Ok(database)
        }
        // Something else is broken: nothing is thrown away.
        Err(_) => {
            write(&END)?;
            Err(failed("open", &problem))
        }
    }
}

fn is_torn(problem: &fjall::Error) -> bool {
    use JournalRecoveryError::{ChecksumMismatch, InsufficientLength, TooManyItems};
    matches!(
        problem,
        fjall::Error::JournalRecovery(ChecksumMismatch | InsufficientLength | TooManyItems)
    )
}

/// The newest journal, and where its last commit's end lies; none where it ends otherwise. Behind
/// the end there are only zeros: room that the engine took beforehand.
fn last_end(store: &Path) -> std::io::Result<Option<(File, u64)>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for entry in std::fs::read_dir(store)? {
        let path = entry?.path();
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        let Some(number) = number.filter(|_| is_journal) else {
            continue;
        };
        if newest.as_ref().is_none_or(|(newest, _)| *newest < number) {
            newest = Some((number, path));
        }
    }
    let Some((_, path)) = newest else {
        return Ok(None);
    };
    let journal = File::options().read(true).write(true).open(path)?;
    let mut end = journal.metadata()?.len();
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        let mut block = vec![0; (end - from) as usize];
        journal.read_exact_at(&mut block, from)?;
        if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
            end = from + last as u64 + 1;
            break;
        }
        end = from;
    }
    let Some(at) = end.checked_sub(END.len() as u64) else {
        return Ok(None);
    };
    let mut found = [0; END.len()];
    journal.read_exact_at(&mut found, at)?;
    Ok((found == END).then_some((journal, at)))
}

#[cfg(test)]
mod tests {
    use fjall::{KeyspaceCreateOptions, PersistMode};

    use super::*;

    type Checked = Result<(), Box<dyn std::error::Error>>;

    fn database(store: &Path) -> fjall::Result<Database> {
        Database::builder(store).worker_threads(1).open()
    }

    /// Commits that fill some pages, one after the other. Answers where in the journal each ends.
    fn commits(store: &Path) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
        let database = database(store)?;
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
        let mut ends = Vec::new();
        for number in 0..3u8 {
            let mut batch = database.batch().durability(Some(PersistMode::SyncData));
            // What can't be packed, so that a page of zeros in its midst still reads as a value.
            let mut state = 1u64;
            let value = (0..40_000).map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 56) as u8
            });
            batch.insert(&rows, [number, 0], value.collect::<Vec<u8>>());
            batch.commit()?;
            let (_, at) = last_end(store)?.ok_or("no commit")?;
            ends.push(at + END.len() as u64);
        }
        Ok(ends)
    }

    fn zero_page_before(store: &Path, end: u64) -> std::io::Result<()> {
        let journal = File::options().write(true).open(store.join("0.jnl"))?;
        journal.write_all_at(&[0; 4_096], (end / 4_096 - 2) * 4_096)
    }

    fn held(database: &Database) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
        let mut held = Vec::new();
        for row in rows.iter() {
            held.push(row.key()?[0]);
        }
        held.dedup();
        Ok(held)
    }

    #[test]
    fn i03_a_last_commit_that_lacks_a_page_is_left_out() -> Checked {
        let folder = tempfile::tempdir()?;
        let ends = commits(folder.path())?;
        zero_page_before(folder.path(), ends[2])?;
        assert!(
            database(folder.path()).is_err(),
            "the engine mends it by itself now: this file has no reason any more"
        );
        let opened = open(folder.path(), || database(folder.path()))?;
        assert_eq!(held(&opened)?, [0, 1]);
        drop(opened);
        assert_eq!(held(&database(folder.path())?)?, [0, 1]);
        Ok(())
    }

    #[test]
    fn a_broken_commit_before_others_is_refused_and_nothing_is_thrown_away() -> Checked {
        let folder = tempfile::tempdir()?;
        let ends = commits(folder.path())?;
        zero_page_before(folder.path(), ends[1])?;
        let journal = folder.path().join("0.jnl");
        let before = std::fs::read(&journal)?;
        let opened = open(folder.path(), || database(folder.path()));
        assert!(opened.is_err());
        assert!(std::fs::read(&journal)? == before);
        Ok(())
    }
}
