//! From the network into the store, in order: sources, checks, lanes, the cursor that never leads
//! the data, the checks of accounts and identities; and from the store's log into the search index.

pub mod accounts;
mod archive;
pub mod check;
pub mod frame;
pub mod hints;
mod lane;
pub mod progress;
pub mod repos;
pub mod search;
mod source;
pub mod suspicion;

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
pub use archive::{Block, BlockError, Row};
pub use repos::{Pace, Repos};
pub use source::{Canary, ComparisonOptions, MOST_HOSTS, Patience, SourceStatus};
pub use source::{Protocol, Unzip, Unzipped};

/// What the indexer needs to know.
#[derive(Clone, Debug)]
pub struct IndexerConfig {
    /// Whose collections.
    pub namespace: Namespace,
    /// Jetstream hosts. All groups are read at the same time; of a group one, in order of
    /// preference. [`MOST_HOSTS`] at most in all.
    pub jetstreams: Vec<Vec<Url>>,
    /// Whether Bluesky profile changes are followed.
    pub bluesky_hints: bool,
    /// How long a source waits for what.
    pub patience: Patience,
    /// How hosts are compared.
    pub comparison: ComparisonOptions,
    /// When accounts are asked again, and erased.
    pub accounts: AccountPace,
    /// Relays asked which repos there are.
    pub relays: Vec<Url>,
    /// The pace at which repos are found, fetched and verified.
    pub pace: Pace,
}

/// What can go wrong with a source.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// The host could not be reached or ended the connection.
    #[error("{0}")]
    Stream(String),
    /// The host refused the connection.
    #[error("it answered {status}: {body}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The XRPC error's name, if it has one.
        name: Option<String>,
        /// What it said, shortened.
        body: String,
    },
    /// The host speaks another protocol.
    #[error("it does not offer the protocol")]
    NotOffered,
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
    comparison: Arc<source::Comparison>,
    hosts: Arc<accounts::Hosts>,
    repos: Repos,
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

    /// The repos: how complete they are, and who wants them sooner.
    pub fn repos(&self) -> &Repos {
        &self.repos
    }

    /// Hears from those who ask the repos that a doubted event never was: its host told of what
    /// isn't, and that others did not carry it says nothing about them.
    pub fn disproved(&self, doubt: &suspicion::Doubt) {
        self.comparison.disproved(doubt);
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
        let IndexerConfig {
            namespace,
            jetstreams,
            bluesky_hints,
            patience,
            comparison,
            accounts: account_pace,
            relays,
            pace,
        } = config;
        let (suspicions, suspected) = suspicion::channel();
        let hosts = jetstreams.iter().flatten();
        let comparison = Arc::new(source::Comparison::new(
            hosts.map(|host| source::name(host).into()).take(MOST_HOSTS),
            namespace.clone(),
            comparison,
            suspicions.clone(),
        ));
        let status = source::Status::new(&jetstreams, comparison.clone(), namespace.clone());
        let status = Arc::new(status);
        let watch = lane::Watch {
            comparison: comparison.clone(),
            suspicions,
        };
        let lanes = (0..LANES)
            .map(|number| {
                let (sender, receiver) = mpsc::channel(LANE_QUEUE);
                let (namespace, store) = (namespace.clone(), store.clone());
                let lane = lane::Lane::new(number, namespace, store, due.clone(), watch.clone());
                tasks.spawn(lane.run(receiver, cancel.clone()));
                sender
            })
            .collect();
        tasks.spawn(comparison.clone().run(cancel.clone()));
        let network = Arc::new(repos::Signed::new(
            outbound.clone(),
            namespace.clone(),
            store.clone(),
            &pace,
        ));
        let repos = Repos::new(namespace.clone(), pace, store.clone(), network);
        repos.start(&tasks, &cancel);
        let disproved = {
            let comparison = comparison.clone();
            move |doubt: &suspicion::Doubt| comparison.disproved(doubt)
        };
        repos.follow(suspected, disproved, &tasks, &cancel);
        repos.discover(relays, outbound.clone(), &tasks, &cancel);
        let hosts = jetstreams.iter().flatten().take(MOST_HOSTS);
        let archives = hosts.map(|host| {
            let news = archive::News::default();
            let archive = archive::Archive {
                stream: host.clone(),
                host: source::name(host),
                news: news.clone(),
                collections: namespace.nsids().to_vec(),
                pace,
                outbound: outbound.clone(),
                repos: repos.clone(),
            };
            tasks.spawn(archive.run(cancel.clone()));
            news
        });
        let archives = archives.collect();
        if jetstreams.is_empty() {
            tracing::warn!("no jetstream is configured: nothing new will be heard of");
        }
        let ways = source::Ways {
            lanes,
            room: source::Room::new(),
            comparison: comparison.clone(),
            archives,
        };
        let mut places = 0..MOST_HOSTS;
        for group in &jetstreams {
            let group = group.iter().cloned().zip(places.by_ref());
            let jetstream = source::jetstream::Jetstream {
                hosts: group.collect(),
                namespace: namespace.clone(),
                store: store.clone(),
                ways: ways.clone(),
                status: status.clone(),
                patience,
            };
            tasks.spawn(jetstream.run(cancel.clone()));
        }
        drop(ways);
        let hosts = Arc::new(accounts::Hosts::default());
        let (kept, asked) = (store.clone(), hosts.clone());
        let checks = accounts::Checks::new(kept, namespace, outbound, asked, due.clone());
        let checks = checks.with_pace(account_pace);
        let checks = checks.on_repo_change(repos::on_account_change());
        tasks.spawn(checks.run(cancel.clone()));
        if bluesky_hints && !jetstreams.is_empty() {
            let streams = jetstreams.into_iter().flatten().collect();
            tasks.spawn(hints::run(streams, store, due, cancel));
        }
        tasks.close();
        IndexerHandle {
            status,
            comparison,
            hosts,
            repos,
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
