//! The data folder: one process at a time, one format, one namespace. What can't be used is
//! refused untouched.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use plyr_lexicons::Namespace;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// The format this version writes. Rises with every change that an older one can't read; each rise
/// brings a step in [`MIGRATIONS`].
pub const FORMAT: u32 = 1;

/// One step from a format to the next.
type Migration = fn(&Path) -> Result<(), StoreError>;

/// Steps by the format they begin at, oldest first. There has been one format so far.
const MIGRATIONS: &[(u32, Migration)] = &[];

#[derive(Serialize, Deserialize)]
struct About {
    format: u32,
    engine: String,
    namespace: String,
}

/// The lock; given up when dropped, and by the system when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

fn unusable(folder: &Path, problem: impl ToString) -> StoreError {
    StoreError::Unusable {
        path: folder.display().to_string(),
        problem: problem.to_string(),
    }
}

/// Takes the folder for this process and writes down who holds it.
pub fn lock(folder: &Path) -> Result<Lock, StoreError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|problem| unusable(folder, format!("its lock can't be opened: {problem}")))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
        let holder = if known {
            holder.trim().to_owned()
        } else {
            "another process".to_owned()
        };
        return Err(StoreError::Locked {
            path: folder.display().to_string(),
            holder,
        });
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "pid {}", std::process::id()));
    written.map_err(|problem| unusable(folder, format!("its lock can't be written: {problem}")))?;
    Ok(Lock { _file: file })
}

/// Checks what the folder says of itself, migrates an older format, or marks a new folder.
pub fn prepare(folder: &Path, namespace: &Namespace) -> Result<(), StoreError> {
    let path = folder.join("format.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => {
            if folder.join("store").exists() {
                return Err(unusable(
                    folder,
                    "it has a store/ but no format.json beside it",
                ));
            }
            return mark(folder, FORMAT, namespace);
        }
        Err(problem) => return Err(unusable(folder, problem)),
    };
    let about: About = serde_json::from_str(&text)
        .map_err(|problem| unusable(folder, format!("format.json: {problem}")))?;
    if about.format > FORMAT {
        return Err(StoreError::NewerFormat {
            path: folder.display().to_string(),
            found: about.format,
            known: FORMAT,
        });
    }
    if about.engine != super::NAME {
        return Err(unusable(
            folder,
            format!("it belongs to the {} engine", about.engine),
        ));
    }
    if about.namespace != namespace.as_str() {
        let problem = format!(
            "it holds the namespace {}, not {namespace}; use another --data-dir",
            about.namespace
        );
        return Err(unusable(folder, problem));
    }
    for (from, migration) in MIGRATIONS.iter().filter(|(from, _)| *from >= about.format) {
        migration(folder)?;
        mark(folder, from + 1, namespace)?;
    }
    Ok(())
}

fn mark(folder: &Path, format: u32, namespace: &Namespace) -> Result<(), StoreError> {
    let about = About {
        format,
        engine: super::NAME.to_owned(),
        namespace: namespace.as_str().to_owned(),
    };
    let problem = |problem: std::io::Error| unusable(folder, format!("format.json: {problem}"));
    let text = serde_json::to_string(&about).map_err(|detail| unusable(folder, detail))?;
    let draft = folder.join("format.json.new");
    let mut file = File::create(&draft).map_err(problem)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(problem)?;
    std::fs::rename(&draft, folder.join("format.json")).map_err(problem)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(problem)
}
