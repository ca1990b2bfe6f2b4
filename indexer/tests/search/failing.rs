//! A store that fails in ways that a test chooses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use plyr_schemas::{
    Change, LogEntry, LogPosition, Outcome, Pass, Passing, Snapshot, Store, StoreError, Whole,
};

/// A store that fails where it is told to.
pub(crate) struct Failing {
    inner: Arc<dyn Store>,
    /// Nothing can be read but the log.
    pub(crate) fails: AtomicBool,
    /// Nobody is told that the log has grown.
    pub(crate) tells_nothing: AtomicBool,
    /// The disk is full.
    pub(crate) is_full: AtomicBool,
    /// The log has another stream, of which all was read long ago.
    pub(crate) has_another: AtomicBool,
    stuck: Mutex<Option<LogPosition>>,
}

impl Failing {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Failing {
        Failing {
            inner,
            fails: AtomicBool::new(false),
            tells_nothing: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            has_another: AtomicBool::new(false),
            stuck: Mutex::new(None),
        }
    }

    /// The log can't be read from a position on, but from any other.
    pub(crate) fn stick(&self, position: LogPosition) {
        *self.stuck.lock().unwrap() = Some(position);
    }

    fn answers(&self, fails: &AtomicBool) -> Result<(), StoreError> {
        match fails.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(overloaded()),
        }
    }
}

fn overloaded() -> StoreError {
    StoreError::Overloaded {
        engine: "failing",
        detail: "as the test wants it".to_owned(),
    }
}

#[async_trait]
impl Store for Failing {
    fn engine(&self) -> &'static str {
        self.inner.engine()
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError> {
        self.inner.apply(changes).await
    }

    async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        self.inner.pass(pass, so_far).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.answers(&self.fails)?;
        self.inner.snapshot().await
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        self.answers(&self.fails)?;
        self.inner.whole().await
    }

    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        if self.stuck.lock().unwrap().as_ref() == Some(after) {
            return Err(overloaded());
        }
        self.inner.log_after(after, limit).await
    }

    async fn log_head(&self) -> Result<LogPosition, StoreError> {
        let mut head = self.inner.log_head().await?;
        if self.has_another.load(Ordering::SeqCst) {
            head.advance("another", 7);
        }
        Ok(head)
    }

    async fn log_changed(&self, after: &LogPosition) -> Result<(), StoreError> {
        self.answers(&self.tells_nothing)?;
        self.inner.log_changed(after).await
    }

    fn writable(&self) -> Result<(), StoreError> {
        match self.is_full.load(Ordering::SeqCst) {
            false => self.inner.writable(),
            true => Err(StoreError::DiskFull {
                free_bytes: 1,
                reserve_bytes: 2,
            }),
        }
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
