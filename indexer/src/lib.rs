//! From the network into the store, in order: sources, checks, lanes, the cursor that never leads
//! the data, and the checks of accounts and identities.

pub mod accounts;
pub mod check;
pub mod frame;
pub mod hints;
mod lane;
pub mod progress;
mod source;

use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::Namespace;
use plyr_outbound::Outbound;
use plyr_schemas::Store;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use accounts::{AccountPace, OnRepoChange, RepoChange};
pub use source::{Patience, SourceStatus};

/// What the indexer needs to know.
#[derive(Clone, Debug)]
pub struct IndexerConfig {
    /// Whose collections.
    pub namespace: Namespace,
    /// Jetstream hosts, in order of preference; one is read at a time.
    pub jetstreams: Vec<Url>,
    /// Whether Bluesky profile changes are followed.
    pub bluesky_hints: bool,
    /// How long a source waits for what.
    pub patience: Patience,
    /// When accounts are asked again, and erased.
    pub accounts: AccountPace,
}

/// What can go wrong with a source.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// The host could not be reached or ended the connection.
    #[error("{0}")]
    Stream(String),
    /// A frame above the limit, told by its length.
    #[error("a frame of {bytes} bytes, more than is taken")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// A text frame that isn't UTF-8.
    #[error("a text frame that isn't UTF-8")]
    NotText,
    /// The store.
    #[error(transparent)]
    Store(#[from] plyr_schemas::StoreError),
}

/// Lanes that write; repos are spread over them by a hash of the DID.
const LANES: usize = 4;
/// Events that wait for a lane; then the socket waits.
const LANE_QUEUE: usize = 1_000;

/// The running indexer.
pub struct IndexerHandle {
    status: Arc<source::Status>,
    hosts: Arc<accounts::Hosts>,
    tasks: TaskTracker,
}

impl IndexerHandle {
    /// What limps, for people: hosts and a directory that can't be reached, and why.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = self.status.missing();
        missing.extend(self.hosts.missing());
        missing
    }

    /// How each source is doing.
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.status.sources()
    }

    /// Waits until everything taken in is durable and the tasks have ended.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Starts it.
pub struct Indexer;

impl Indexer {
    /// Starts all tasks; they end after `cancel`, when what they had taken in is durable.
    pub fn start(
        config: IndexerConfig,
        store: Arc<dyn Store>,
        outbound: Outbound,
        cancel: CancellationToken,
    ) -> IndexerHandle {
        let tasks = TaskTracker::new();
        let due = Arc::new(Notify::new());
        let status = Arc::new(source::Status::new(&config.jetstreams));
        let lanes = (0..LANES)
            .map(|number| {
                let (sender, receiver) = mpsc::channel(LANE_QUEUE);
                let lane =
                    lane::Lane::new(number, config.namespace.clone(), store.clone(), due.clone());
                tasks.spawn(lane.run(receiver, cancel.clone()));
                sender
            })
            .collect();
        let jetstream = source::jetstream::Jetstream {
            hosts: config.jetstreams.clone(),
            namespace: config.namespace.clone(),
            store: store.clone(),
            lanes,
            room: source::Room::new(),
            status: status.clone(),
            patience: config.patience,
        };
        tasks.spawn(jetstream.run(cancel.clone()));
        let hosts = Arc::new(accounts::Hosts::default());
        let namespace = config.namespace.clone();
        let (kept, asked) = (store.clone(), hosts.clone());
        let checks = accounts::Checks::new(kept, namespace, outbound, asked, due.clone());
        tasks.spawn(checks.with_pace(config.accounts).run(cancel.clone()));
        if let (true, Some(host)) = (config.bluesky_hints, config.jetstreams.first()) {
            tasks.spawn(hints::run(host.clone(), store, due, cancel));
        }
        tasks.close();
        IndexerHandle {
            status,
            hosts,
            tasks,
        }
    }
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// A wait before the next try: doubles from `least` to `most`, with jitter so that many clients
/// don't come back together.
pub(crate) fn backoff(failures: u32, least: Duration, most: Duration) -> Duration {
    let doubled = least.saturating_mul(1 << failures.min(16)).min(most);
    doubled.mul_f64(rand::random_range(0.5..1.0))
}
