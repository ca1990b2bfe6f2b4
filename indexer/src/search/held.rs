//! One process for a folder of indexes: whoever keeps it holds its lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use plyr_search::SearchError;

use super::KeepError;

/// The file that is locked, beside the indexes.
const LOCK: &str = "lock";

/// The lock; given up when dropped, and by the system when the process dies.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
}

/// Takes a folder for this process, making it where there is none, and writes down who holds it.
pub(super) fn hold(folder: &Path) -> Result<Held, KeepError> {
    let path = folder.join(LOCK);
    let wrong = |problem: std::io::Error| {
        let path = path.clone();
        KeepError::Index(SearchError::File { path, problem })
    };
    std::fs::create_dir_all(folder).map_err(wrong)?;
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(problem)) => return Err(wrong(problem)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let is_known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
            return Err(KeepError::Held {
                folder: folder.display().to_string(),
                holder: match is_known {
                    true => holder.trim().to_owned(),
                    false => "another process".to_owned(),
                },
            });
        }
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "pid {}", std::process::id()));
    written.map_err(wrong)?;
    Ok(Held { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_and_says_who() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("search");
        let held = hold(&folder).unwrap();
        let refused = hold(&folder).unwrap_err().to_string();
        let holder = format!("pid {}", std::process::id());
        assert!(refused.contains(&holder), "{refused}");
        assert!(refused.contains("stop that process"), "{refused}");
        drop(held);
        hold(&folder).unwrap();
    }
}
