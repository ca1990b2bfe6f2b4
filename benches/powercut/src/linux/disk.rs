//! The folder as it is, and which changes of it would not outlive a cut. A change is noted before
//! it is made; a sync that has come back makes durable what was done before it began.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::change::{Change, Id, Note};
use super::{PowerError, on};

/// What was seen.
#[derive(Default)]
pub struct Seen {
    /// Calls that change or sync the folder.
    pub calls: u64,
    pub writes: u64,
    /// Bytes.
    pub written: u64,
    pub syncs: u64,
    pub folder_syncs: u64,
    /// Changes of names.
    pub names: u64,
    /// The last call.
    pub last: String,
}

/// What a sync makes durable.
#[derive(Debug)]
pub enum Synced {
    File(Id),
    Folder(PathBuf),
    Everything,
}

pub struct Disk {
    folder: PathBuf,
    grave: PathBuf,
    /// Things that were put there.
    graves: Cell<u64>,
    numbers: u64,
    pub notes: Vec<Note>,
    pub files: HashMap<Id, File>,
    pub seen: Seen,
}

impl Disk {
    pub fn new(folder: PathBuf, grave: PathBuf) -> Disk {
        Disk {
            folder,
            grave,
            graves: Cell::new(0),
            numbers: 0,
            notes: Vec::new(),
            files: HashMap::new(),
            seen: Seen::default(),
        }
    }

    /// Whether a path is watched.
    pub fn watches(&self, path: &Path) -> bool {
        path.starts_with(&self.folder)
    }

    /// A path that nothing has yet, where something can be kept.
    pub fn grave(&self) -> PathBuf {
        let (mut number, mut path) = (self.graves.get(), self.grave.clone());
        while path.symlink_metadata().is_ok() {
            number += 1;
            path = self.grave.join(number.to_string());
        }
        self.graves.set(number);
        path
    }

    /// Keeps a handle of a file, through which its content is put right whatever its name is then.
    pub fn know(&mut self, path: &Path) -> Result<Id, PowerError> {
        let about = on(path, std::fs::metadata(path))?;
        let id = (about.dev(), about.ino());
        if let Entry::Vacant(place) = self.files.entry(id) {
            let file = File::options().read(true).write(true).open(path);
            place.insert(on(path, file)?);
        }
        Ok(id)
    }

    pub fn file(&self, id: Id) -> Result<&File, PowerError> {
        let unknown = || PowerError::Unfit(format!("no file {id:?} is known"));
        self.files.get(&id).ok_or_else(unknown)
    }

    pub fn length(&self, id: Id) -> Result<u64, PowerError> {
        let about = self.file(id)?.metadata();
        Ok(on(Path::new("a changed file"), about)?.len())
    }

    /// What stands in a file, as far as it reaches.
    pub fn read(&self, id: Id, at: u64, length: u64) -> Result<Vec<u8>, PowerError> {
        let length = length.min(self.length(id)?.saturating_sub(at));
        let mut bytes = vec![0; length as usize];
        let read = self.file(id)?.read_exact_at(&mut bytes, at);
        on(Path::new("a changed file"), read)?;
        Ok(bytes)
    }

    /// Notes a change that is about to be made; answers its number.
    pub fn note(&mut self, change: Change) -> u64 {
        if let Change::Write { length, .. } = &change {
            self.seen.writes += 1;
            self.seen.written += length;
        } else if change.folder().is_some() {
            self.seen.names += 1;
        }
        self.numbers += 1;
        self.notes.push(Note {
            number: self.numbers,
            is_done: false,
            change,
        });
        self.numbers
    }

    /// A noted change was made, or has failed.
    pub fn settle(&mut self, numbers: &[u64], has_failed: bool) {
        if has_failed {
            self.notes.retain(|note| !numbers.contains(&note.number));
            return;
        }
        for note in &mut self.notes {
            note.is_done |= numbers.contains(&note.number);
        }
    }

    /// The changes that a sync beginning now would make durable.
    pub fn under(&self, synced: &Synced) -> Vec<u64> {
        let covered = |note: &&Note| match synced {
            Synced::File(id) => note.change.file() == Some(*id),
            Synced::Folder(folder) => note.change.folder() == Some(folder),
            Synced::Everything => true,
        };
        let done = self.notes.iter().filter(|note| note.is_done);
        done.filter(covered).map(|note| note.number).collect()
    }

    /// A sync has come back.
    pub fn durable(&mut self, synced: &Synced, numbers: &[u64]) {
        match synced {
            Synced::Folder(_) => self.seen.folder_syncs += 1,
            Synced::File(_) | Synced::Everything => self.seen.syncs += 1,
        }
        self.notes.retain(|note| !numbers.contains(&note.number));
    }
}
