//! The journal of one machine: a file that only grows, a line of JSON for each action, synced
//! before it counts. Whoever holds the data folder's lock is the only one to write it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Action, Hear, OwnJournal, Standing, keep_latest};
use crate::hide::HiddenSubject;
use crate::store::StoreError;

/// The folder of own state, in the data folder.
const FOLDER: &str = "own";
/// The journal, in that folder.
const NAME: &str = "journal.ndjson";
/// Longest line, in bytes: what is longer was not written by us.
const LONGEST_LINE: u64 = 64 << 10;
/// Looked at together for the end of the last whole line.
const PIECE: u64 = 4 << 10;
/// Actions that are read ahead of whoever hears them.
const AHEAD: usize = 500;

/// The journal in a data folder.
pub struct FileJournal {
    path: PathBuf,
    end: Arc<Mutex<End>>,
    /// What holds, as the file says: nobody else writes it while it is open.
    standing: Mutex<Standing>,
}

/// Where the next line goes.
struct End {
    file: File,
    /// Bytes of whole lines; nothing lies behind them.
    length: u64,
    /// Set where what lies behind them isn't known any more.
    is_lost: bool,
}

impl FileJournal {
    /// Opens the journal of a data folder whose lock this process holds, and reads it once. A last
    /// line without an end was cut off while it was written, and counts for nothing: it goes. Any
    /// other line that can't be read is refused, and the message names it.
    pub fn open(data_dir: &Path) -> Result<FileJournal, StoreError> {
        let folder = data_dir.join(FOLDER);
        let path = folder.join(NAME);
        let failed = |detail: std::io::Error| unusable(&path, &detail);
        if !folder.is_dir() {
            std::fs::create_dir_all(&folder).map_err(failed)?;
            sync_folder(data_dir).map_err(failed)?;
        }
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed)?;
        if is_new {
            sync_folder(&folder).map_err(failed)?;
        }
        let length = whole_lines(&mut file).map_err(failed)?;
        let held = file.metadata().map_err(failed)?.len();
        if held > length {
            let (path, bytes) = (path.display(), held - length);
            tracing::warn!(%path, bytes, "the journal's last line was cut off, and is taken away");
            file.set_len(length).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        let mut standing = Standing::new();
        read(&path, length, &mut |action| {
            keep_latest(&mut standing, action);
            true
        })?;
        let end = End {
            file,
            length,
            is_lost: false,
        };
        Ok(FileJournal {
            path,
            end: Arc::new(Mutex::new(end)),
            standing: Mutex::new(standing),
        })
    }
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unusable(path: &Path, detail: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unusable {
        path: path.display().to_string(),
        problem: detail.to_string(),
    }
}

/// A new name is durable once its folder is synced.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// How many bytes the whole lines of a file have together.
fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut piece)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Hands over the actions of the first bytes of a file, line by line.
fn read(path: &Path, length: u64, hear: &mut dyn FnMut(Action) -> bool) -> Result<(), StoreError> {
    let file = File::open(path).map_err(|detail| unusable(path, &detail))?;
    let mut lines = BufReader::new(file.take(length));
    let (mut line, mut number) = (Vec::new(), 0u64);
    loop {
        line.clear();
        number += 1;
        let mut bounded = (&mut lines).take(LONGEST_LINE);
        let bytes = bounded.read_until(b'\n', &mut line);
        if bytes.map_err(|detail| unusable(path, &detail))? == 0 {
            return Ok(());
        }
        let action = serde_json::from_slice(&line).map_err(|detail| {
            let problem = format!(
                "line {number} is no action ({detail}). It says what is taken down, and nothing is \
                 served without it: correct that line, put back a copy of the file, or take the \
                 line out if nothing depends on it"
            );
            unusable(path, &problem)
        })?;
        if !hear(action) {
            return Ok(());
        }
    }
}

impl End {
    /// Writes a line and syncs it. What could not be written whole is taken back, so that the next
    /// one doesn't stand behind half a line.
    fn write(&mut self, path: &Path, line: &[u8]) -> Result<(), StoreError> {
        if self.is_lost {
            return Err(StoreError::Broken {
                engine: "own",
                detail: format!("{} could not be synced before", path.display()),
            });
        }
        let written = self.file.write_all(line);
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(detail) => {
                let taken_back = self.file.set_len(self.length);
                let taken_back = taken_back.and_then(|()| self.file.sync_all());
                self.is_lost = taken_back.is_err();
                Err(unusable(
                    path,
                    &format!("{detail}; see that the disk has room and is sound"),
                ))
            }
        }
    }
}

#[async_trait]
impl OwnJournal for FileJournal {
    async fn append(&self, action: &Action) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(action).map_err(|p| unusable(&self.path, &p))?;
        line.push(b'\n');
        let (end, path) = (self.end.clone(), self.path.clone());
        let written = spawn_blocking(move || locked(&end).write(&path, &line));
        written.await.map_err(|p| unusable(&self.path, &p))??;
        keep_latest(&mut locked(&self.standing), action.clone());
        Ok(())
    }

    async fn each(&self, hear: Hear<'_>) -> Result<(), StoreError> {
        // A line that is being written meanwhile isn't read.
        let length = locked(&self.end).length;
        let path = self.path.clone();
        let (hand, mut handed) = mpsc::channel(AHEAD);
        let mut pass_on = move |action| hand.blocking_send(action).is_ok();
        let reading = spawn_blocking(move || read(&path, length, &mut pass_on));
        while let Some(action) = handed.recv().await {
            if !hear(action) {
                return Ok(());
            }
        }
        reading.await.map_err(|p| unusable(&self.path, &p))?
    }

    async fn standing(&self) -> Result<Standing, StoreError> {
        Ok(locked(&self.standing).clone())
    }

    async fn standing_of(&self, subject: &HiddenSubject) -> Result<Option<Action>, StoreError> {
        Ok(locked(&self.standing).get(subject).cloned())
    }
}
