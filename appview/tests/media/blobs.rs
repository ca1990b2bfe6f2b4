//! Objects on a disk, put by hand, which may also be had from elsewhere.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use plyr_blobstore::objects::{
    About, Disk, Found, Listed, ObjectKey, Objects, ObjectsError, Put, Reading,
};
use url::Url;

pub struct Kept {
    disk: Disk,
    folder: tempfile::TempDir,
    /// Where objects can be had from, if not from here.
    pub elsewhere: Mutex<Option<Url>>,
    /// What was asked for there: the media type and the name to save under.
    pub told: Mutex<Vec<(String, Option<String>)>>,
}

impl Kept {
    pub fn new() -> Kept {
        let folder = tempfile::tempdir().unwrap();
        Kept {
            disk: Disk::open(&folder.path().join("objects")).unwrap(),
            folder,
            elsewhere: Mutex::default(),
            told: Mutex::default(),
        }
    }

    pub async fn put_bytes(&self, key: &ObjectKey, bytes: &[u8]) {
        let file = self.folder.path().join(key.as_str().replace('/', "-"));
        std::fs::write(&file, bytes).unwrap();
        let about = About {
            media_type: "text/html".to_owned(),
        };
        self.disk.put(key, &file, &about).await.unwrap();
    }
}

#[async_trait]
impl Objects for Kept {
    fn name(&self) -> &str {
        self.disk.name()
    }

    async fn put(&self, key: &ObjectKey, file: &Path, about: &About) -> Result<Put, ObjectsError> {
        self.disk.put(key, file, about).await
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>, ObjectsError> {
        self.disk.find(key).await
    }

    async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<Reading>, ObjectsError> {
        self.disk.read(key, range).await
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<bool, ObjectsError> {
        self.disk.copy(from, to).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        self.disk.delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, ObjectsError> {
        self.disk.list(prefix, after, limit).await
    }

    async fn direct(
        &self,
        key: &ObjectKey,
        lives: Duration,
        about: &About,
        disposition: Option<&str>,
    ) -> Result<Option<Url>, ObjectsError> {
        assert!(lives <= Duration::from_secs(60), "a link outlives a minute");
        let told = (about.media_type.clone(), disposition.map(str::to_owned));
        self.told.lock().unwrap().push(told);
        let elsewhere = self.elsewhere.lock().unwrap().clone();
        Ok(elsewhere.map(|base| base.join(key.as_str()).unwrap()))
    }

    async fn tidy(&self, older_than: Duration) -> Result<usize, ObjectsError> {
        self.disk.tidy(older_than).await
    }

    async fn room(&self) -> Result<Option<u64>, ObjectsError> {
        self.disk.room().await
    }
}
