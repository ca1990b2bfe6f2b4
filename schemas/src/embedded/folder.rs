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
pub const FORMAT: u32 = 3;

/// One step from a format to the next. It may be begun again after it was cut off anywhere.
type Migration = fn(&Path) -> Result<(), StoreError>;

/// Steps by the format they begin at, oldest first.
const MIGRATIONS: &[(u32, Migration)] = &[(1, repos_have_rows), (2, uses_and_hides)];

/// Format 2 knows repos as wholes. What an older one holds was never verified: nothing is to be
/// written, but an older program would not remember what streams told.
fn repos_have_rows(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Format 3 knows which records name a blob, and what the operator hides. What an older one holds
/// gets those rows when the store is opened ([`super::EmbeddedStore::rejudge`]), but an older
/// program would leave them as they are, and show what is hidden.
fn uses_and_hides(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

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

pub fn unusable(folder: &Path, problem: impl ToString) -> StoreError {
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

/// Refuses a folder that says it isn't for us, before anything is written into it.
pub fn look(folder: &Path, namespace: &Namespace) -> Result<(), StoreError> {
    match said(folder)? {
        Some(about) => fits(&about, folder, namespace, FORMAT),
        None => Ok(()),
    }
}

/// What the folder says of itself; none for a new one.
fn said(folder: &Path) -> Result<Option<About>, StoreError> {
    let text = match std::fs::read_to_string(folder.join("format.json")) {
        Ok(text) => text,
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(unusable(folder, problem)),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|problem| unusable(folder, format!("format.json: {problem}")))
}

fn fits(about: &About, folder: &Path, namespace: &Namespace, known: u32) -> Result<(), StoreError> {
    if about.format > known {
        return Err(StoreError::NewerFormat {
            path: folder.display().to_string(),
            found: about.format,
            known,
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
    Ok(())
}

/// Checks what the folder says of itself, migrates an older format, or marks a new folder.
pub fn prepare(folder: &Path, namespace: &Namespace) -> Result<(), StoreError> {
    prepare_for(folder, namespace, FORMAT, MIGRATIONS)
}

/// The same for a program of another format: how tests see migrations at work.
fn prepare_for(
    folder: &Path,
    namespace: &Namespace,
    known: u32,
    migrations: &[(u32, Migration)],
) -> Result<(), StoreError> {
    let Some(about) = said(folder)? else {
        if folder.join("store").exists() {
            return Err(unusable(
                folder,
                "it has a store/ but no format.json beside it",
            ));
        }
        return mark(folder, known, namespace);
    };
    fits(&about, folder, namespace, known)?;
    for from in about.format..known {
        let step = migrations.iter().find(|(format, _)| *format == from);
        let (_, migration) = step.ok_or_else(|| {
            let problem = format!("no way is known from store format {from} to {known}");
            unusable(folder, problem)
        })?;
        tracing::info!(from, to = from + 1, "migrating the store");
        // A step that is cut off is begun again: the mark follows it.
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

#[cfg(test)]
mod tests {
    use super::*;

    type Checked = Result<(), Box<dyn std::error::Error>>;

    fn note(folder: &Path, word: &str) -> Result<(), StoreError> {
        let path = folder.join("steps");
        let said = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, format!("{said}{word} ")).map_err(|why| unusable(folder, why))
    }

    const STEPS: &[(u32, Migration)] = &[
        (1, |folder| note(folder, "one")),
        (2, |folder| match folder.join("stop").exists() {
            true => Err(unusable(folder, "cut off")),
            false => note(folder, "two"),
        }),
    ];

    fn format_of(folder: &Path) -> Result<u32, Box<dyn std::error::Error>> {
        let text = std::fs::read_to_string(folder.join("format.json"))?;
        Ok(serde_json::from_str::<About>(&text)?.format)
    }

    #[test]
    fn an_older_store_is_migrated_step_by_step_and_goes_on_where_it_was_cut_off() -> Checked {
        let (folder, namespace) = (tempfile::tempdir()?, "fm.plyr".parse()?);
        let folder = folder.path();
        prepare_for(folder, &namespace, 1, &[])?;
        std::fs::write(folder.join("stop"), "")?;
        assert!(prepare_for(folder, &namespace, 3, STEPS).is_err());
        assert_eq!(format_of(folder)?, 2);
        std::fs::remove_file(folder.join("stop"))?;
        prepare_for(folder, &namespace, 3, STEPS)?;
        prepare_for(folder, &namespace, 3, STEPS)?;
        assert_eq!(format_of(folder)?, 3);
        let steps = std::fs::read_to_string(folder.join("steps"))?;
        assert_eq!(steps, "one two ", "a step was left out or done again");
        let lost = prepare_for(folder, &namespace, 4, STEPS);
        assert!(matches!(lost, Err(StoreError::Unusable { .. })));
        Ok(())
    }

    #[test]
    fn a_newer_store_is_refused_untouched_with_what_to_do() -> Checked {
        let (folder, namespace) = (tempfile::tempdir()?, "fm.plyr".parse()?);
        prepare_for(folder.path(), &namespace, FORMAT + 1, &[])?;
        let path = folder.path().join("format.json");
        let before = std::fs::read(&path)?;
        let refused = prepare(folder.path(), &namespace)
            .err()
            .map(|why| why.to_string());
        let refused = refused.unwrap_or_default();
        assert!(refused.contains("use a newer plyr"), "{refused}");
        assert_eq!(std::fs::read(&path)?, before);
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
