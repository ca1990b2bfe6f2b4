//! The folder itself: made where it isn't there, and refused where it holds what isn't ours.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::ObjectsError;
use crate::key::ObjectKey;

/// Says that the folder is ours, and how it is laid out.
const MARKER: &str = "plyr-objects";
const MARKER_DRAFT: &str = "plyr-objects.new";
const LAYOUT: &str = "plyr objects, layout 1\n";
/// Where files are written before they have a name.
const DRAFTS: &str = "tmp";
/// What the root of a file system of its own holds from the beginning.
const LOST_AND_FOUND: &str = "lost+found";

/// Where files lie.
pub(super) struct Root {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) drafts: PathBuf,
}

impl Root {
    pub(super) fn open(folder: &Path) -> Result<Root, ObjectsError> {
        let name = format!("disk:{}", folder.display());
        let unusable = |problem: String| ObjectsError::Unusable {
            store: name.clone(),
            problem,
        };
        let denied = |problem: io::Error| {
            unusable(format!(
                "{problem}; name a folder that this user may make and write"
            ))
        };
        make_synced(folder).map_err(denied)?;
        match fs::read_to_string(folder.join(MARKER)) {
            Ok(layout) if layout == LAYOUT => {}
            Ok(_) => {
                let problem = format!(
                    "its file {MARKER} is not one of this version's; use the version of plyr that \
                     wrote it"
                );
                return Err(unusable(problem));
            }
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
                if let Some(foreign) = foreign_entry(folder).map_err(denied)? {
                    let problem = format!(
                        "it holds {}, which is not plyr's; name an empty folder, or one that plyr \
                         has made",
                        foreign.display()
                    );
                    return Err(unusable(problem));
                }
                mark(folder).map_err(denied)?;
            }
            Err(problem) => return Err(denied(problem)),
        }
        let drafts = folder.join(DRAFTS);
        fs::create_dir_all(&drafts).map_err(denied)?;
        // A folder that can be read alone is told now, not at the first put.
        tempfile::tempfile_in(&drafts).map_err(denied)?;
        sync_folder(folder).map_err(denied)?;
        Ok(Root {
            folder: folder.to_owned(),
            drafts,
            name,
        })
    }

    pub(super) fn path(&self, key: &ObjectKey) -> PathBuf {
        self.folder.join(key.as_str())
    }
}

/// Makes the folder and those above it, and syncs each that got an entry.
fn make_synced(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => Path::new("/"),
    };
    make_synced(above)?;
    match fs::create_dir(folder) {
        Err(problem) if !folder.is_dir() => return Err(problem),
        _ => {}
    }
    sync_folder(above)
}

/// Something in a folder without a marker that we wouldn't have put there.
fn foreign_entry(folder: &Path) -> io::Result<Option<OsString>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let ours = [MARKER, MARKER_DRAFT, DRAFTS, LOST_AND_FOUND];
        if !ours.iter().any(|ours| name == *ours) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn mark(folder: &Path) -> io::Result<()> {
    let draft = folder.join(MARKER_DRAFT);
    let mut file = File::create(&draft)?;
    file.write_all(LAYOUT.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, folder.join(MARKER))
}

/// Makes durable which names a folder holds.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
