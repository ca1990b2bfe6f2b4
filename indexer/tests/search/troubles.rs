//! Nothing that goes wrong ends the follower, nor is it silent: it is told, and tried again.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use plyr_schemas::{
    Change, LogEntry, LogPosition, Outcome, Pass, Passing, Snapshot, Store, StoreError, Whole,
};

use crate::Checked;
use crate::world::{Kept, World, track, uri};

/// A store whose reads fail for a while.
struct Failing {
    inner: Arc<dyn Store>,
    fails: AtomicBool,
}

impl Failing {
    fn answers(&self) -> Result<(), StoreError> {
        match self.fails.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(StoreError::Overloaded {
                engine: "failing",
                detail: "as the test wants it".to_owned(),
            }),
        }
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
        self.answers()?;
        self.inner.snapshot().await
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        self.answers()?;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_told_of_and_asked_again() -> Checked {
    let world = World::embedded();
    let failing = Arc::new(Failing {
        inner: world.store.clone(),
        fails: AtomicBool::new(true),
    });
    let kept = Kept::start(failing.clone(), world.folder.path(), None);
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    for times in 1..=2 {
        kept.stands("told of", |standing| {
            let problem = standing.problem.as_ref();
            problem.is_some_and(|problem| problem.contains("as the test wants it"))
        })
        .await;
        failing.fails.store(false, Ordering::SeqCst);
        kept.caught_up().await;
        assert_eq!(kept.found("night drive").len(), times);
        kept.stands("well again", |standing| standing.problem.is_none())
            .await;
        failing.fails.store(true, Ordering::SeqCst);
        let next = uri("ana", "track", &format!("next-{times}"));
        world.apply(vec![track(&next, 1, "Night Drive")]).await;
    }
    failing.fails.store(false, Ordering::SeqCst);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_used_is_told_of_and_tried_again() -> Checked {
    let world = World::embedded();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    let current = world.path().join("current");
    // It is there and can't be read.
    fs::create_dir_all(&current)?;
    let kept = world.start();
    kept.stands("told of", |standing| {
        let problem = standing.problem.as_ref();
        problem.is_some_and(|problem| problem.contains("current"))
    })
    .await;
    assert!(kept.standing().serving.is_none());
    fs::remove_dir(&current)?;
    kept.caught_up().await;
    assert_eq!(kept.found("night"), [one.to_string()]);
    kept.stands("well again", |standing| standing.problem.is_none())
        .await;
    kept.right_and_stopped().await
}
