//! A hostile Jetstream: whatever it sends is counted in exactly one of the four outcomes, what is
//! refused is quarantined with a reason, and the stream goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // helpers of tests

mod compared;
mod events;
mod fake;
mod frames;
mod hosts;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use plyr_indexer::{
    AccountPace, ComparisonOptions, Indexer, IndexerConfig, IndexerHandle, Patience,
};
use plyr_lexicons::Namespace;
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Snapshot, Store, StoreError};
use tokio_util::sync::CancellationToken;

static METRICS: LazyLock<PrometheusHandle> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().unwrap());

/// How long a condition may take to come true on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// An indexer over a store of its own.
pub(crate) struct Running {
    pub(crate) handle: IndexerHandle,
    pub(crate) store: Arc<EmbeddedStore>,
    cancel: CancellationToken,
}

impl Running {
    /// Follows all hosts at once.
    pub(crate) fn start(folder: &Path, hosts: &[&str]) -> Running {
        let hosts: Vec<[&str; 1]> = hosts.iter().map(|host| [*host]).collect();
        let groups: Vec<&[&str]> = hosts.iter().map(|host| &host[..]).collect();
        Running::grouped(folder, &groups, ComparisonOptions::default())
    }

    /// Follows one of each group.
    pub(crate) fn grouped(
        folder: &Path,
        groups: &[&[&str]],
        comparison: ComparisonOptions,
    ) -> Running {
        // A machine that stands still is no silent host.
        Running::bearing(folder, groups, comparison, PATIENCE * 10)
    }

    /// The same, bearing so long a silence of a host.
    pub(crate) fn bearing(
        folder: &Path,
        groups: &[&[&str]],
        comparison: ComparisonOptions,
        silence: Duration,
    ) -> Running {
        LazyLock::force(&METRICS);
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.to_owned(), namespace.clone());
        let began = Instant::now();
        let store = loop {
            match EmbeddedStore::open(options.clone()) {
                // The store before lets go of the folder when all who read it have ended.
                Err(StoreError::Engine { .. }) if began.elapsed() < PATIENCE => {}
                opened => break Arc::new(opened.unwrap()),
            }
        };
        Running::over(store, namespace, groups, comparison, silence)
    }

    fn over(
        store: Arc<EmbeddedStore>,
        namespace: Namespace,
        groups: &[&[&str]],
        comparison: ComparisonOptions,
        silence: Duration,
    ) -> Running {
        let hosts = |group: &&[&str]| group.iter().map(|url| url.parse().unwrap()).collect();
        let config = IndexerConfig {
            namespace,
            jetstreams: groups.iter().map(hosts).collect(),
            bluesky_hints: false,
            patience: Patience {
                handshake: PATIENCE,
                ping: Duration::from_millis(200),
                silence,
                least_wait: Duration::from_millis(20),
                most_wait: Duration::from_millis(200),
                good: Duration::from_secs(30),
            },
            comparison,
            accounts: AccountPace::default(),
            relays: Vec::new(),
            pace: Default::default(),
        };
        let outbound = Outbound::new(OutboundConfig {
            plc_url: "http://127.0.0.1:1".parse().unwrap(),
            handle_resolvers: Vec::new(),
            dev: true,
            contact: "test".to_owned(),
        });
        let cancel = CancellationToken::new();
        let handle = Indexer::start(config, store.clone(), outbound.unwrap(), cancel.clone());
        Running {
            handle,
            store,
            cancel,
        }
    }

    /// What limps but the PLC directory: there is none here.
    pub(crate) fn streams_missing(&self) -> Vec<String> {
        let mut missing = self.handle.missing();
        missing.retain(|told| !told.contains("PLC directory"));
        missing
    }

    /// Stops it as a server does.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.handle.stopped().await;
        self.store.close().await.unwrap();
    }

    pub(crate) async fn snapshot(&self) -> Box<dyn Snapshot> {
        self.store.snapshot().await.unwrap()
    }

    /// The stored cursor of a host; 0 for none.
    pub(crate) async fn cursor(&self, host: &str) -> u64 {
        let cursor = self.snapshot().await.cursor(host).await.unwrap();
        cursor.map_or(0, |cursor| cursor.position)
    }

    /// Whether a track is held.
    pub(crate) async fn holds(&self, rkey: &str) -> bool {
        let uri = format!("at://{}/fm.plyr.track/{rkey}", fake::REPO);
        let uri = uri.parse().unwrap();
        let found = self.snapshot().await.records(&[uri]).await.unwrap();
        found.iter().any(Option::is_some)
    }

    /// Reasons in the quarantine, counted.
    pub(crate) async fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for entry in self.snapshot().await.quarantine(None, 1_000).await.unwrap() {
            *reasons.entry(entry.reason).or_default() += 1;
        }
        reasons
    }
}

/// The sum of a counter's rows that have all of some words.
pub(crate) fn count(name: &str, words: &[&str]) -> u64 {
    let page = METRICS.render();
    let rows = page
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")));
    let rows = rows.filter(|line| words.iter().all(|word| line.contains(word)));
    rows.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum::<f64>() as u64
}

/// Received, applied, superseded, out of scope, quarantined.
pub(crate) fn counts(host: &str) -> [u64; 5] {
    let outcome = |outcome: &str| count("plyr_events_total", &[host, outcome]);
    [
        count("plyr_events_received_total", &[host]),
        outcome("\"applied\""),
        outcome("\"superseded\""),
        outcome("\"out_of_scope\""),
        outcome("\"quarantined\""),
    ]
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let so = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(so.is_ok(), "still not so: {what}");
}
