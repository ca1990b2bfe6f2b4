//! What changes files. Blocks; runs on threads of its own.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::root::{Root, sync_folder};
use crate::key::ObjectKey;
use crate::objects::Put;

/// Bytes that are copied before it is asked whether they are still wanted.
const STRETCH: u64 = 4 << 20;

/// Gives the file's bytes the key's name. A file on the same file system isn't copied but linked:
/// who puts it may not change it afterwards.
pub(super) fn put(
    root: &Root,
    key: &ObjectKey,
    file: &Path,
    is_wanted: &AtomicBool,
) -> io::Result<Put> {
    let target = root.path(key);
    if is_taken(&target)? {
        sync_above(root, &target)?;
        return Ok(Put::AlreadyThere);
    }
    let source = File::open(file)?;
    make_folders(&target)?;
    let put = match link(&source, file, &target, is_wanted)? {
        Some(put) => put,
        None => copy_in(root, source, &target, is_wanted)?,
    };
    sync_above(root, &target)?;
    Ok(put)
}

/// As a put of the object `from`. Answers whether that is there.
pub(super) fn copy(
    root: &Root,
    from: &ObjectKey,
    to: &ObjectKey,
    is_wanted: &AtomicBool,
) -> io::Result<bool> {
    match put(root, to, &root.path(from), is_wanted) {
        Ok(_) => Ok(true),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(problem) => Err(problem),
    }
}

pub(super) fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        // Who deleted it may not have come to syncing that.
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    match sync_folder(folder) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

/// Removes files that never got a name.
pub(super) fn tidy(root: &Root, older_than: Duration) -> io::Result<usize> {
    let now = SystemTime::now();
    let mut removed = 0;
    for entry in fs::read_dir(&root.drafts)? {
        let path = entry?.path();
        let about = match fs::symlink_metadata(&path) {
            Ok(about) => about,
            // Its put is done.
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => continue,
            Err(problem) => return Err(problem),
        };
        let age = now.duration_since(about.modified()?).unwrap_or_default();
        if !about.is_file() || age < older_than {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => removed += 1,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(removed)
}

/// Whether an object has that name already.
fn is_taken(target: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(target) {
        Ok(about) if about.is_file() => Ok(true),
        Ok(_) => {
            let detail = format!("{} is no plain file; move it away", target.display());
            Err(io::Error::other(detail))
        }
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// Links; none where this file or file system can't be linked.
fn link(
    source: &File,
    file: &Path,
    target: &Path,
    is_wanted: &AtomicBool,
) -> io::Result<Option<Put>> {
    if !fs::symlink_metadata(file)?.is_file() {
        return Ok(None);
    }
    source.sync_all()?;
    still(is_wanted)?;
    match fs::hard_link(file, target) {
        Ok(()) => Ok(Some(Put::Created)),
        Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => {
            Ok(Some(Put::AlreadyThere))
        }
        // It is on another file system, somebody else's, or has all the names it may have.
        Err(_) => Ok(None),
    }
}

/// Copies to a file without a name, and names it once it is synced.
fn copy_in(root: &Root, source: File, target: &Path, is_wanted: &AtomicBool) -> io::Result<Put> {
    let mut draft = tempfile::Builder::new()
        .prefix("put-")
        // This very file gets the object's name; it is for whoever the umask lets read.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(&root.drafts)?;
    let mut rest = source;
    loop {
        still(is_wanted)?;
        let mut stretch = (&mut rest).take(STRETCH);
        if io::copy(&mut stretch, draft.as_file_mut())? == 0 {
            break;
        }
    }
    draft.as_file().sync_all()?;
    still(is_wanted)?;
    match draft.persist_noclobber(target) {
        Ok(_) => Ok(Put::Created),
        Err(problem) if problem.error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(Put::AlreadyThere)
        }
        Err(problem) => Err(problem.error),
    }
}

fn still(is_wanted: &AtomicBool) -> io::Result<()> {
    match is_wanted.load(Ordering::Acquire) {
        true => Ok(()),
        false => Err(io::Error::other("given up")),
    }
}

fn make_folders(target: &Path) -> io::Result<()> {
    match target.parent() {
        Some(folder) => fs::create_dir_all(folder),
        None => Ok(()),
    }
}

/// Syncs the folders from the file up to the root: whoever made one of them may not have come to
/// that yet.
fn sync_above(root: &Root, target: &Path) -> io::Result<()> {
    let folders = target.ancestors().skip(1);
    for folder in folders.take_while(|folder| folder.starts_with(&root.folder)) {
        sync_folder(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::cid_of;

    #[test]
    fn i09_what_is_wanted_no_more_gets_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(&folder.path().join("objects")).unwrap();
        let key = ObjectKey::original(&cid_of(b"key").unwrap());
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "bytes").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            let put = put(&root, &key, path, &AtomicBool::new(false));
            assert_eq!(put.unwrap_err().to_string(), "given up");
            assert!(!root.path(&key).exists());
            assert_eq!(fs::read_dir(&root.drafts).unwrap().count(), 0);
        }
        let put = put(&root, &key, &file, &AtomicBool::new(true));
        assert_eq!(put.unwrap(), Put::Created);
    }

    #[test]
    fn a_copied_object_is_for_whom_the_umask_lets_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(&folder.path().join("objects")).unwrap();
        let (file, target) = (
            folder.path().join("file"),
            folder.path().join("objects/copied"),
        );
        fs::write(&file, "bytes").unwrap();
        let wanted = AtomicBool::new(true);
        let copied = copy_in(&root, File::open(&file).unwrap(), &target, &wanted);
        assert_eq!(copied.unwrap(), Put::Created);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&target), mode(&file));
    }

    #[test]
    fn i09_a_name_that_was_taken_meanwhile_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(&folder.path().join("objects")).unwrap();
        let (file, target) = (
            folder.path().join("file"),
            folder.path().join("objects/taken"),
        );
        fs::write(&file, "second").unwrap();
        fs::write(&target, "first").unwrap();
        let wanted = AtomicBool::new(true);
        let linked = link(&File::open(&file).unwrap(), &file, &target, &wanted);
        assert_eq!(linked.unwrap(), Some(Put::AlreadyThere));
        let copied = copy_in(&root, File::open(&file).unwrap(), &target, &wanted);
        assert_eq!(copied.unwrap(), Put::AlreadyThere);
        assert_eq!(fs::read_to_string(&target).unwrap(), "first");
    }
}
