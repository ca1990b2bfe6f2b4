//! A store that takes nothing until it is told to.

use std::sync::Arc;

use async_trait::async_trait;
use plyr_schemas::conformance::Checked;
use plyr_schemas::{
    Change, LogEntry, LogPosition, Outcome, Pass, Passing, Snapshot, Store, StoreError, Whole,
};
use tokio::sync::watch;

pub struct Refusing {
    inner: Arc<dyn Store>,
    refuses: watch::Sender<bool>,
    /// Batches that it took.
    taken: watch::Sender<usize>,
}

impl Refusing {
    pub fn over(inner: Arc<dyn Store>) -> Refusing {
        Refusing {
            inner,
            refuses: watch::Sender::new(true),
            taken: watch::Sender::new(0),
        }
    }

    pub fn refuse(&self) {
        self.refuses.send_replace(true);
    }

    pub fn take_again(&self) {
        self.refuses.send_replace(false);
    }

    /// Waits until it has taken so many batches.
    pub async fn took(&self, number: usize) -> Checked {
        let mut taken = self.taken.subscribe();
        taken.wait_for(|taken| *taken >= number).await?;
        Ok(())
    }
}

#[async_trait]
impl Store for Refusing {
    fn engine(&self) -> &'static str {
        self.inner.engine()
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError> {
        if *self.refuses.borrow() {
            return Err(StoreError::Overloaded {
                engine: "refusing",
                detail: "it takes nothing".to_owned(),
            });
        }
        let outcomes = self.inner.apply(changes).await?;
        self.taken.send_modify(|taken| *taken += 1);
        Ok(outcomes)
    }

    async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        self.inner.pass(pass, so_far).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot().await
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        self.inner.whole().await
    }

    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.inner.log_after(after, limit).await
    }

    async fn log_head(&self) -> Result<LogPosition, StoreError> {
        self.inner.log_head().await
    }

    async fn log_changed(&self, after: &LogPosition) -> Result<(), StoreError> {
        self.inner.log_changed(after).await
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.inner.writable()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
