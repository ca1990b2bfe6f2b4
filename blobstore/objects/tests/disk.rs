//! The disk keeps what every store must, and what only a disk can break.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use plyr_objects::conformance::{self, BoxError, Checked, Place};
use plyr_objects::{Disk, ObjectKey, Objects, ObjectsError, Put, objects_conformance};
use tempfile::TempDir;

struct OnDisk {
    folder: TempDir,
    disk: Disk,
}

impl OnDisk {
    fn new() -> OnDisk {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(&folder.path().join("objects")).unwrap();
        OnDisk { folder, disk }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root().join(key.as_str())
    }
}

#[async_trait]
impl Place for OnDisk {
    fn objects(&self) -> &dyn Objects {
        &self.disk
    }

    async fn plant(&self, path: &str) -> Checked {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(fs::write(path, "foreign")?)
    }

    async fn drafts(&self) -> Result<usize, BoxError> {
        Ok(fs::read_dir(self.root().join("tmp"))?.count())
    }
}

objects_conformance! { Some(OnDisk::new());
    i09_what_was_put_is_read_back,
    i09_a_second_put_changes_nothing,
    i09_of_puts_at_once_one_creates,
    i09_a_put_that_is_cut_off_leaves_nothing_half,
    ranges_are_cut_to_what_is_there,
    what_is_deleted_is_gone_and_may_come_back,
    a_copy_is_an_object_of_its_own,
    a_list_has_every_object_once_in_order,
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::original(&conformance::cid_of(name.as_bytes()).unwrap())
}

async fn put(disk: &Disk, key: &ObjectKey, bytes: &[u8]) -> Put {
    let file = conformance::file(bytes).unwrap();
    let about = conformance::about();
    disk.put(key, file.path(), &about).await.unwrap()
}

fn problem(folder: &Path) -> String {
    let problem = Disk::open(folder).err().unwrap();
    assert!(!problem.is_passing(), "{problem}");
    problem.to_string()
}

#[tokio::test]
async fn a_folder_is_made_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/and/deep");
    for put_is in [Put::Created, Put::AlreadyThere] {
        let disk = Disk::open(&root).unwrap();
        assert_eq!(disk.name(), format!("disk:{}", root.display()));
        assert_eq!(put(&disk, &key("kept"), b"kept").await, put_is);
        assert!(disk.room().await.unwrap().unwrap() > 0);
        let about = conformance::about();
        let life = Duration::from_secs(9);
        let link = disk.direct(&key("kept"), life, &about, None).await.unwrap();
        assert_eq!(link, None);
    }
}

#[test]
fn a_folder_that_holds_what_is_not_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "mine").unwrap();
    assert!(problem(folder.path()).contains("thesis.tex"));
    assert!(!folder.path().join("plyr-objects").exists());

    fs::remove_file(folder.path().join("thesis.tex")).unwrap();
    // Cut off before it had a marker.
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    fs::write(folder.path().join("plyr-objects.new"), "").unwrap();
    drop(Disk::open(folder.path()).unwrap());
    fs::write(folder.path().join("thesis.tex"), "mine").unwrap();
    drop(Disk::open(folder.path()).unwrap());

    fs::write(folder.path().join("plyr-objects"), "layout 2").unwrap();
    assert!(problem(folder.path()).contains("version"));

    let file = folder.path().join("thesis.tex");
    assert!(problem(&file).contains("name a folder"));
}

#[tokio::test]
async fn i09_a_file_that_is_cut_short_underneath_ends_with_an_error() {
    let place = OnDisk::new();
    let key = key("short");
    put(&place.disk, &key, &conformance::bytes(1, 3 << 20)).await;
    let reading = place.disk.read(&key, None).await.unwrap().unwrap();
    let file = File::options().write(true).open(place.path(&key)).unwrap();
    file.set_len(1 << 20).unwrap();
    let pieces: Vec<Result<_, ObjectsError>> =
        futures_util::StreamExt::collect(reading.bytes).await;
    let whole = pieces
        .iter()
        .flatten()
        .map(bytes::Bytes::len)
        .sum::<usize>();
    assert_eq!(whole, 1 << 20);
    let last = pieces.last().unwrap().as_ref().unwrap_err();
    assert!(last.is_passing(), "{last}");
    assert!(last.to_string().contains("too early"), "{last}");
}

#[tokio::test]
async fn what_is_no_plain_file_is_no_object() {
    let place = OnDisk::new();
    let (folder, link) = (key("folder"), key("link"));
    fs::create_dir_all(place.path(&folder)).unwrap();
    let path = place.path(&link);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    for key in [&folder, &link] {
        assert_eq!(place.disk.find(key).await.unwrap(), None);
        assert!(place.disk.read(key, None).await.unwrap().is_none());
        let file = conformance::file(b"bytes").unwrap();
        let about = conformance::about();
        let put = place.disk.put(key, file.path(), &about).await;
        let problem = put.unwrap_err().to_string();
        assert!(problem.contains("move it away"), "{problem}");
    }
    assert_eq!(place.disk.list("", None, 10).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn drafts_are_tidied_once_they_are_old() {
    let place = OnDisk::new();
    let draft = place.root().join("tmp/put-lost");
    fs::write(&draft, "half").unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(place.disk.tidy(hour).await.unwrap(), 0);
    let old = SystemTime::now() - hour * 2;
    let file = File::options().write(true).open(&draft).unwrap();
    file.set_modified(old).unwrap();
    assert_eq!(place.disk.tidy(hour).await.unwrap(), 1);
    assert!(!draft.exists());
}

#[tokio::test]
async fn a_file_that_is_missing_is_told() {
    let place = OnDisk::new();
    let about = conformance::about();
    let missing = place.folder.path().join("missing");
    let put = place.disk.put(&key("missing"), &missing, &about).await;
    assert!(put.unwrap_err().is_passing());
    assert_eq!(place.disk.find(&key("missing")).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_written_long_ago_counts_as_put_now() {
    let place = OnDisk::new();
    let began = SystemTime::now() - Duration::from_secs(60);
    let file = conformance::file(b"fetched slowly").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(48 * 3600);
    file.as_file().set_modified(long_ago).unwrap();
    let (key, about) = (key("slow"), conformance::about());
    place.disk.put(&key, file.path(), &about).await.unwrap();
    let listed = place.disk.list("", None, 1).await.unwrap();
    let found = place.disk.find(&key).await.unwrap().unwrap();
    assert_eq!(listed[0].found, found);
    assert!(found.put_at > began, "{:?}", found.put_at);
}
