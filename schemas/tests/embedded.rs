//! The embedded engine keeps what every engine must, and what only it promises.

#![allow(clippy::unwrap_used)] // in helpers of tests

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plyr_schemas::FaultHook;
use plyr_schemas::conformance::{Checked, Place};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Change, Store, StoreError, StreamCursor, store_conformance};

struct Folder(tempfile::TempDir);

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

impl Folder {
    fn options(&self) -> EmbeddedOptions {
        EmbeddedOptions::new(self.0.path().to_owned(), "fm.plyr".parse().unwrap())
    }
}

#[async_trait::async_trait]
impl Place for Folder {
    async fn open(&self, fault: Option<FaultHook>) -> Result<Arc<dyn Store>, StoreError> {
        let mut options = self.options();
        options.fault = fault;
        // The store before lets go of the folder when its writer has ended.
        let mut tries = 0;
        loop {
            match EmbeddedStore::open(options.clone()) {
                Ok(store) => return Ok(Arc::new(store)),
                Err(StoreError::Locked { .. } | StoreError::Engine { .. }) if tries < 1_000_000 => {
                    tries += 1;
                    tokio::task::yield_now().await;
                }
                Err(problem) => return Err(problem),
            }
        }
    }
}

store_conformance! {
    folder();
    i02_any_order_ends_in_one_state,
    i02_the_greater_standing_wins_at_one_rev,
    i02_a_tie_ends_alike_in_either_order,
    i02_two_writers_end_as_one,
    i03_two_writers_one_dying_end_as_one,
    i03_a_crash_between_steps_loses_nothing,
    i04_a_delete_is_remembered,
    i04_at_or_below_the_floor_nothing_is_applied,
    i05_the_latest_version_decides,
    i07_an_actor_likes_once,
    i08_hidden_accounts_count_nowhere,
    i15_pages_neither_skip_nor_repeat,
    a_handle_belongs_to_its_newest_proof,
    the_log_names_what_changed,
    a_cursor_is_durable,
}

fn cursor(position: u64) -> Vec<Change> {
    let (source, recent) = ("wss://one".to_owned(), Vec::new());
    vec![Change::Cursor(StreamCursor {
        source,
        position,
        recent,
    })]
}

#[tokio::test]
async fn a_disk_nearly_full_stops_writes_and_not_reads() -> Checked {
    let folder = folder();
    let free = Arc::new(AtomicU64::new(100));
    let mut options = folder.options();
    options.reserve_bytes = 50;
    let probe = free.clone();
    options.probe = Some(Arc::new(move |_| Ok(probe.load(Ordering::SeqCst))));
    let store = EmbeddedStore::open(options)?;
    store.apply(cursor(1)).await?;
    free.store(49, Ordering::SeqCst);
    assert!(matches!(
        store.apply(cursor(2)).await,
        Err(StoreError::DiskFull { .. })
    ));
    assert!(matches!(
        store.writable(),
        Err(StoreError::DiskFull { free_bytes: 49, .. })
    ));
    let held = store.snapshot().await?.cursor("wss://one").await?;
    assert_eq!(held.map(|cursor| cursor.position), Some(1));
    free.store(50, Ordering::SeqCst);
    store.apply(cursor(3)).await?;
    let held = store.snapshot().await?.cursor("wss://one").await?;
    assert_eq!(held.map(|cursor| cursor.position), Some(3));
    store.close().await?;
    Ok(())
}

#[tokio::test]
async fn a_folder_in_use_or_of_another_namespace_is_refused() -> Checked {
    let folder = folder();
    let store = EmbeddedStore::open(folder.options())?;
    let second = EmbeddedStore::open(folder.options());
    let holder = format!("pid {}", std::process::id());
    assert!(matches!(&second, Err(StoreError::Locked { holder: by, .. }) if *by == holder));
    store.close().await?;
    drop(store);
    let mut other = folder.options();
    other.namespace = "fm.plyr.dev".parse()?;
    assert!(matches!(
        EmbeddedStore::open(other),
        Err(StoreError::Unusable { .. })
    ));
    Ok(())
}

#[tokio::test]
async fn i01_a_copy_is_the_same() -> Checked {
    plyr_schemas::conformance::i01_a_copy_is_the_same(&folder(), &folder()).await
}
