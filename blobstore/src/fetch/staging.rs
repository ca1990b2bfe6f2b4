//! Where fetches are staged: a folder that one process holds and finds empty. What a killed one
//! left in it goes at the next start.

use std::fs::File;
use std::path::{Path, PathBuf};

use plyr_lexicons::Cid;
use rustix::fs::{FlockOperation, flock};

use crate::error::BlobstoreError;

/// Processes that may stage in one folder at the same time.
const MOST: usize = 64;

/// A folder of this process's own; the lock goes with it.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    _lock: File,
}

impl Staging {
    /// Takes the first folder below `parent` that no living process holds, and empties it.
    ///
    /// # Errors
    /// When it can't be made or emptied, or too many processes stage there.
    pub fn take(parent: &Path) -> Result<Staging, BlobstoreError> {
        let staging = |problem| BlobstoreError::Staging {
            path: parent.display().to_string(),
            problem,
        };
        std::fs::create_dir_all(parent).map_err(staging)?;
        for number in 0..MOST {
            let lock = parent.join(format!("{number}.lock"));
            let lock = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(lock)
                .map_err(staging)?;
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let folder = parent.join(number.to_string());
            match std::fs::remove_dir_all(&folder) {
                Ok(()) => {}
                Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => {}
                Err(problem) => return Err(staging(problem)),
            }
            std::fs::create_dir(&folder).map_err(staging)?;
            for later in number + 1..MOST {
                empty(parent, later).map_err(staging)?;
            }
            return Ok(Staging {
                folder,
                _lock: lock,
            });
        }
        let problem = std::io::Error::other(format!("{MOST} processes stage there already"));
        Err(staging(problem))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new file for a blob's bytes.
    pub(super) fn file(&self, cid: &Cid) -> PathBuf {
        self.folder
            .join(format!("{cid}.{:016x}", rand::random::<u64>()))
    }
}

/// Removes what a process left that staged beside another, where no living one holds it.
fn empty(parent: &Path, number: usize) -> std::io::Result<()> {
    let lock = match File::open(parent.join(format!("{number}.lock"))) {
        Ok(lock) => lock,
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(problem) => return Err(problem),
    };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    match std::fs::remove_dir_all(parent.join(number.to_string())) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => Err(problem),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_a_folder_of_its_own_and_finds_it_empty() {
        let parent = tempfile::tempdir().unwrap();
        let first = Staging::take(parent.path()).unwrap();
        let second = Staging::take(parent.path()).unwrap();
        assert_ne!(first.folder(), second.folder());
        let left = first.folder().join("left");
        std::fs::write(&left, b"half").unwrap();
        let beside = second.folder().join("left");
        std::fs::write(&beside, b"half").unwrap();
        let folder = first.folder().to_owned();
        drop(first);
        let third = Staging::take(parent.path()).unwrap();
        assert_eq!(third.folder(), folder);
        assert!(!left.exists());
        assert!(beside.exists(), "a living process holds it");
        drop((second, third));
        let fourth = Staging::take(parent.path()).unwrap();
        assert_eq!(fourth.folder(), folder);
        assert!(!beside.exists());
    }
}
