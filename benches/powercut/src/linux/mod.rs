//! The tool on Linux.

mod calls;
mod change;
mod cut;
mod disk;
mod registers;
mod trace;
mod trouble;

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::Arguments;
use disk::Disk;
use trace::Tracer;
use trouble::Trouble;

/// Why a cut could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// A file.
    #[error("{path}: {detail}", path = .0.display(), detail = .1)]
    File(PathBuf, std::io::Error),
    /// The program can't be watched.
    #[error("the program can't be watched ({doing}): {detail}; ptrace must be allowed here")]
    Trace {
        /// What failed.
        doing: &'static str,
        /// Why.
        detail: nix::Error,
    },
    /// A call that the model doesn't know.
    #[error("a call that no model of a cut is known for: {0}; teach it to `calls.rs`")]
    Unknown(String),
    /// The folder is otherwise than the notes say.
    #[error("the notes don't fit the folder: {0}")]
    Unfit(String),
}

/// An error of a file, with its path.
pub fn on<T>(path: &Path, done: std::io::Result<T>) -> Result<T, PowerError> {
    done.map_err(|detail| PowerError::File(path.to_owned(), detail))
}

/// Runs the program to its end or to the cut. Answers the exit code: the program's own, or 0 after
/// a cut.
pub fn run(arguments: &Arguments) -> Result<u8, PowerError> {
    let folder = on(&arguments.folder, arguments.folder.canonicalize())?;
    on(&arguments.grave, std::fs::create_dir_all(&arguments.grave))?;
    let mut disk = Disk::new(folder, arguments.grave.clone());
    let mut trouble = Trouble::new(arguments);
    let tracer = Tracer::start(&arguments.program)?;
    let ended = tracer.run(&mut disk, &mut trouble, arguments.at)?;
    let taken = match ended.is_cut {
        true => cut::cut(&mut disk, arguments.way, arguments.seed)?,
        false => cut::Taken::default(),
    };
    let seen = &disk.seen;
    let report = json!({
        "cut": ended.is_cut,
        "code": ended.code,
        "calls": seen.calls,
        "writes": seen.writes,
        "written": seen.written,
        "syncs": seen.syncs,
        "folderSyncs": seen.folder_syncs,
        "names": seen.names,
        "refused": trouble.refused,
        "slowed": trouble.slowed,
        "unsyncedBytes": taken.unsynced,
        "takenBack": taken.bytes,
        "namesTakenBack": taken.names,
        "last": seen.last,
    });
    on(
        &arguments.report,
        std::fs::write(&arguments.report, report.to_string()),
    )?;
    Ok(ended.code)
}
