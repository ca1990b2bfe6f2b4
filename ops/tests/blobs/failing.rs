//! A disk that fails when it is told to.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use plyr_objects::{About, Disk, Found, Listed, ObjectKey, Objects, ObjectsError, Put, Reading};
use url::Url;

/// What its failures say, which is nobody else's business.
pub const SECRET: &str = "/var/lib/secret";

/// The disk.
pub struct Failing {
    disk: Arc<Disk>,
    /// Whether it takes nothing.
    pub puts: AtomicBool,
    /// The one that it doesn't take.
    pub refused: Mutex<Option<ObjectKey>>,
    /// Whether it gives nothing.
    pub reads: AtomicBool,
    /// What lies where it can't read, until it is deleted.
    pub unreadable: Mutex<Option<ObjectKey>>,
}

impl Failing {
    pub fn over(disk: &Arc<Disk>) -> Arc<Failing> {
        Arc::new(Failing {
            disk: disk.clone(),
            puts: AtomicBool::new(false),
            reads: AtomicBool::new(false),
            unreadable: Mutex::default(),
            refused: Mutex::default(),
        })
    }
}

fn fails(flag: &AtomicBool) -> Result<(), ObjectsError> {
    match flag.load(Ordering::SeqCst) {
        false => Ok(()),
        true => Err(ObjectsError::Failed {
            store: SECRET.to_owned(),
            doing: "do as it is told",
            detail: "it was told to fail".to_owned(),
        }),
    }
}

#[async_trait]
impl Objects for Failing {
    fn name(&self) -> &str {
        self.disk.name()
    }

    async fn put(&self, key: &ObjectKey, file: &Path, about: &About) -> Result<Put, ObjectsError> {
        fails(&self.puts)?;
        let is_refused = self.refused.lock().unwrap().as_ref() == Some(key);
        fails(&AtomicBool::new(is_refused))?;
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
        fails(&self.reads)?;
        let is_unreadable = self.unreadable.lock().unwrap().as_ref() == Some(key);
        fails(&AtomicBool::new(is_unreadable))?;
        self.disk.read(key, range).await
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<bool, ObjectsError> {
        self.disk.copy(from, to).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        self.unreadable.lock().unwrap().take_if(|one| one == key);
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
        self.disk.direct(key, lives, about, disposition).await
    }

    async fn tidy(&self, older_than: Duration) -> Result<usize, ObjectsError> {
        self.disk.tidy(older_than).await
    }

    async fn room(&self) -> Result<Option<u64>, ObjectsError> {
        self.disk.room().await
    }
}
