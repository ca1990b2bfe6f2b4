//! Whether a folder holds a whole index, is to be built anew, or can't be told just now.

use std::io;
use std::path::Path;

use rustix::io::Errno;
use tantivy::TantivyError;
use tantivy::directory::Directory;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

use crate::document::Key;
use crate::error::SearchError;

/// The library's list of the files that it wrote.
const LIST: &str = ".managed.json";

/// Why an index can't be opened.
pub(crate) enum Fault {
    /// Files are missing, cut or changed: it has to be built anew.
    Damaged(String),
    /// The system doesn't let it be read: nothing is known of it.
    Unreadable(SearchError),
}

impl From<TantivyError> for Fault {
    fn from(problem: TantivyError) -> Fault {
        match io_error(&problem).is_some_and(is_of_the_system) {
            true => Fault::Unreadable(problem.into()),
            false => Fault::Damaged(problem.to_string()),
        }
    }
}

impl From<SearchError> for Fault {
    fn from(problem: SearchError) -> Fault {
        match problem {
            SearchError::Index(problem) => problem.into(),
            SearchError::Read(problem) => TantivyError::from(problem).into(),
            SearchError::Position => Fault::Damaged(problem.to_string()),
            SearchError::File { .. } | SearchError::OtherSchema => Fault::Unreadable(problem),
        }
    }
}

fn io_error(problem: &TantivyError) -> Option<&io::Error> {
    match problem {
        TantivyError::IoError(problem)
        | TantivyError::LockFailure(LockError::IoError(problem), _)
        | TantivyError::OpenReadError(OpenReadError::IoError {
            io_error: problem, ..
        })
        | TantivyError::OpenWriteError(OpenWriteError::IoError {
            io_error: problem, ..
        })
        | TantivyError::OpenDirectoryError(
            OpenDirectoryError::FailedToCreateTempDir(problem)
            | OpenDirectoryError::IoError {
                io_error: problem, ..
            },
        ) => Some(problem),
        _ => None,
    }
}

/// Whether an error tells of the system (no more files may be open, none of these may be read)
/// rather than of what is in a folder.
fn is_of_the_system(problem: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    // What can't be mapped is no file.
    let is_no_file = problem.raw_os_error() == Some(Errno::NODEV.raw_os_error())
        || matches!(problem.kind(), NotFound | NotADirectory | IsADirectory);
    match problem.raw_os_error() {
        Some(_) => !is_no_file,
        None => problem.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// Compares everything that has a checksum with it.
pub(crate) fn damage(index: &tantivy::Index, folder: &Path) -> Result<(), Fault> {
    let list = folder.join(LIST);
    if !list.try_exists().map_err(SearchError::file(&list))? {
        return Err(Fault::Damaged(format!("{} is missing", list.display())));
    }
    let metas = index.load_metas()?;
    let was_committed = metas.opstamp > 0 || !metas.segments.is_empty();
    let is_as_committed = match &metas.payload {
        Some(payload) => position_of(payload).is_some(),
        None => !was_committed,
    };
    if !is_as_committed {
        return Err(SearchError::Position.into());
    }
    let directory = index.directory();
    for file in metas.list_segment_files() {
        // Not every segment has every file; one that it needs is missed when it is opened.
        let exists = directory.exists(&file).map_err(TantivyError::from)?;
        if exists
            && !directory
                .validate_checksum(&file)
                .map_err(TantivyError::from)?
        {
            return Err(Fault::Damaged(format!("{} was changed", file.display())));
        }
    }
    Ok(())
}

/// What a commit carries: the position that it covers, and a checksum of it.
pub(crate) fn covered(position: &str) -> String {
    format!("{position} {:016x}", Key::of(position).0)
}

/// The position that a commit carries; none if it isn't as it was written.
pub(crate) fn position_of(payload: &str) -> Option<&str> {
    let (position, _) = payload.rsplit_once(' ')?;
    (covered(position) == payload).then_some(position)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn is_damage(problem: io::Error) -> bool {
        let problem = OpenReadError::IoError {
            io_error: Arc::new(problem),
            filepath: "x".into(),
        };
        matches!(TantivyError::from(problem).into(), Fault::Damaged(_))
    }

    #[test]
    fn too_many_open_files_are_no_damage() {
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::ACCESS,
            Errno::PERM,
            Errno::NOMEM,
        ] {
            let problem = io::Error::from_raw_os_error(errno.raw_os_error());
            assert!(!is_damage(problem), "{errno:?}");
        }
        for errno in [Errno::NOENT, Errno::NODEV, Errno::ISDIR] {
            let problem = io::Error::from_raw_os_error(errno.raw_os_error());
            assert!(is_damage(problem), "{errno:?}");
        }
        assert!(is_damage(io::ErrorKind::UnexpectedEof.into()));
        assert!(is_damage(io::ErrorKind::InvalidData.into()));
    }

    #[test]
    fn a_position_is_read_as_it_was_written() {
        for position in ["a.9", "", "seq 12 of 3", "é"] {
            assert_eq!(position_of(&covered(position)), Some(position));
        }
        for changed in ["", "a.9", "a.9 ", "a.8 0011223344556677"] {
            assert_eq!(position_of(changed), None, "{changed}");
        }
        let changed = covered("a.9").replacen('9', "8", 1);
        assert_eq!(position_of(&changed), None);
    }
}
