//! What a call changes, with all that it takes to undo it.

use std::path::{Path, PathBuf};

/// Which file: device and inode.
pub type Id = (u64, u64);

/// One change.
#[derive(Debug)]
pub enum Change {
    /// Bytes of a file.
    Write {
        file: Id,
        at: u64,
        length: u64,
        /// What stood there, as far as the file reached.
        old: Vec<u8>,
        old_length: u64,
    },
    /// A file's length.
    Length {
        file: Id,
        new_length: u64,
        old_length: u64,
        /// What stood beyond the new length.
        tail: Vec<u8>,
    },
    /// A file or folder was made.
    Made { path: PathBuf },
    /// A file's name was taken away; the file is kept elsewhere.
    Removed { path: PathBuf, kept: PathBuf },
    /// An empty folder was taken away.
    RemovedFolder { path: PathBuf },
    /// A file has another name now; one that had that name before is kept elsewhere.
    Renamed {
        from: PathBuf,
        to: PathBuf,
        kept: Option<PathBuf>,
    },
}

impl Change {
    /// The file whose content it changes; none for one of names.
    pub fn file(&self) -> Option<Id> {
        match self {
            Change::Write { file, .. } | Change::Length { file, .. } => Some(*file),
            _ => None,
        }
    }

    /// The folder whose names it changes.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Change::Write { .. } | Change::Length { .. } => None,
            Change::Made { path }
            | Change::Removed { path, .. }
            | Change::RemovedFolder { path }
            | Change::Renamed { to: path, .. } => path.parent(),
        }
    }
}

/// A change that isn't durable yet.
#[derive(Debug)]
pub struct Note {
    /// Names it while its call is under way.
    pub number: u64,
    /// Whether the call has come back: a sync that begins later makes it durable.
    pub is_done: bool,
    pub change: Change,
}
