//! A store filled with the corpus, without a network.

use std::path::Path;
use std::sync::Arc;

use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Change, Store, StoreError};
use tokio::task::JoinHandle;

use crate::corpus::{self, Corpus};

const BATCH: usize = 500;

type Failure = Box<dyn std::error::Error>;

/// Opens a store in a folder and applies the corpus' first `count` tracks; answers it, open.
pub async fn open(folder: &Path, seed: u64, count: usize) -> Result<Arc<EmbeddedStore>, Failure> {
    let options = EmbeddedOptions::new(folder.to_owned(), "fm.plyr".parse()?);
    let store = Arc::new(EmbeddedStore::open(options)?);
    let mut corpus = Corpus::new(seed)?.take(count);
    let mut before: Option<JoinHandle<Result<(), StoreError>>> = None;
    loop {
        // The next batch is made while the one before is written.
        let batch: Vec<Change> = corpus
            .by_ref()
            .take(BATCH)
            .map(|entry| corpus::version(&entry?))
            .collect::<Result<_, _>>()?;
        if let Some(before) = before.take() {
            before.await??;
        }
        if batch.is_empty() {
            return Ok(store);
        }
        let store = store.clone();
        before = Some(tokio::spawn(
            async move { store.apply(batch).await.map(drop) },
        ));
    }
}

/// The same, closed again: ready for the binary.
pub async fn close(folder: &Path, seed: u64, count: usize) -> Result<(), Failure> {
    Ok(open(folder, seed, count).await?.close().await?)
}
