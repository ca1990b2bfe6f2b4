//! Opening the store that the configuration names.

use std::sync::Arc;
use std::time::Duration;

use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore, Rejudging};
use plyr_schemas::scylla::{ScyllaOptions, ScyllaStore};
use plyr_schemas::{BlobRows, FileJournal, OwnJournal, Store, StoreError};

use super::crash;
use crate::config::{Config, StoreChoice};
use crate::error::OpsError;

/// Block cache of the embedded store, in bytes.
const CACHE: u64 = 32 << 20;
/// Records judged again between two lines of the log.
const TOLD_EVERY: u64 = 100_000;
/// One try at a cluster.
const TRY: Duration = Duration::from_secs(30);
/// First wait between tries; doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait between tries.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A store, the journal of own state beside it, and the embedded engine's own handle where it is
/// that.
pub struct Opened {
    pub store: Arc<dyn Store>,
    /// The same store's rows of blobs.
    pub blobs: Arc<dyn BlobRows>,
    pub journal: Arc<dyn OwnJournal>,
    pub embedded: Option<Arc<EmbeddedStore>>,
}

impl Opened {
    fn cluster(store: ScyllaStore) -> Opened {
        let store = Arc::new(store);
        Opened {
            store: store.clone(),
            blobs: store.clone(),
            journal: store,
            embedded: None,
        }
    }

    /// Waits until the store has to be opened anew; a cluster never has.
    pub async fn broken(&self) -> StoreError {
        match &self.embedded {
            Some(embedded) => embedded.broken().await,
            None => std::future::pending().await,
        }
    }
}

/// How to reach the configured cluster; none for the embedded store.
pub fn cluster_options(config: &Config) -> Result<Option<ScyllaOptions>, OpsError> {
    match &config.store {
        StoreChoice::Embedded => Ok(None),
        StoreChoice::Cluster(url) => Ok(Some(ScyllaOptions::parse(url, config.namespace.clone())?)),
    }
}

/// Opens the configured store for a command that runs once: a cluster that can't be reached within
/// a minute is an error.
pub async fn once(config: &Config) -> Result<Opened, OpsError> {
    match cluster_options(config)? {
        None => embedded(config).await,
        Some(options) => Ok(Opened::cluster(ScyllaStore::open(options).await?)),
    }
}

/// Opens the embedded store of the data folder, judged by the rules of this version.
pub async fn embedded(config: &Config) -> Result<Opened, OpsError> {
    std::fs::create_dir_all(&config.data_dir).map_err(|detail| {
        OpsError::Start(format!(
            "data-dir = {}: {detail}; name a folder that this user can write",
            config.data_dir.display()
        ))
    })?;
    let mut options = EmbeddedOptions::new(config.data_dir.clone(), config.namespace.clone());
    options.reserve_bytes = config.disk_reserve;
    options.cache_bytes = CACHE;
    options.fault = crash::hook()?;
    let store = EmbeddedStore::open(options)?;
    let mut told = 0;
    let rejudged = store.rejudge(|progress| {
        if progress.judged >= told + TOLD_EVERY {
            told = progress.judged;
            tracing::info!(judged = told, "judging kept records by new rules");
        }
    });
    match rejudged.await {
        Ok(Rejudging {
            judged,
            changed,
            written,
            ..
        }) => {
            if judged > 0 {
                tracing::info!(judged, changed, "kept records were judged by new rules");
            }
            if written > 0 {
                tracing::info!(
                    written,
                    "kept records derive more than before; rows were written"
                );
            }
        }
        // Reads go on without it.
        Err(problem @ StoreError::DiskFull { .. }) => {
            tracing::warn!(%problem, "kept records are judged by new rules at the next start");
        }
        Err(problem) => return Err(problem.into()),
    }
    // The store holds the folder's lock.
    let journal = Arc::new(FileJournal::open(&config.data_dir)?);
    let store = Arc::new(store);
    Ok(Opened {
        store: store.clone(),
        blobs: store.clone(),
        journal,
        embedded: Some(store),
    })
}

/// Opens a cluster's keyspace however long it takes to be reached; `waits` hears why it isn't there
/// yet. What waiting won't mend (a keyspace that isn't migrated, is newer, or is of another
/// namespace) is an error at once.
pub async fn patiently(
    mut options: ScyllaOptions,
    waits: impl Fn(String),
) -> Result<Opened, OpsError> {
    // The waiting is ours, so that the probes can tell of it.
    options.connect_patience = Duration::ZERO;
    options.fault = crash::hook()?;
    let mut wait = FIRST_WAIT;
    loop {
        let problem = match tokio::time::timeout(TRY, ScyllaStore::open(options.clone())).await {
            Ok(Ok(store)) => return Ok(Opened::cluster(store)),
            Ok(Err(problem)) if is_mended_by_waiting(&problem) => problem,
            Ok(Err(refused)) => return Err(refused.into()),
            Err(_) => StoreError::Unreachable {
                nodes: options.nodes.join(", "),
                detail: format!("no answer within {} s", TRY.as_secs()),
            },
        };
        tracing::warn!(
            store = %options.url(), %problem, next_try_seconds = wait.as_secs(),
            "the store can't be opened yet"
        );
        waits(problem.to_string());
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn is_mended_by_waiting(problem: &StoreError) -> bool {
    // The engine's own failures too: nodes that are just starting refuse in many ways.
    problem.is_passing() || matches!(problem, StoreError::Engine { .. })
}
