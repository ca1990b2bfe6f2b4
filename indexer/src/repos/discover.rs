//! Discovery: every repo that some relay lists for some collection of ours, for ever and gently;
//! and what is held already but was never met as a repo.

use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::{Did, Nsid};
use plyr_outbound::{Outbound, OutboundError};
use plyr_schemas::StoreError;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Repos;
use super::pace::Pace;

/// Actors looked through at a time.
const PAGE: usize = 1_000;
/// Pages of one list; beyond it a relay repeats itself.
const MOST_PAGES: usize = 100_000;
const LEAST_WAIT: Duration = Duration::from_secs(10);

/// Who discovers.
pub struct Discovery {
    pub repos: Repos,
    pub outbound: Outbound,
    pub relays: Vec<Url>,
    pub collections: Vec<Nsid>,
    pub pace: Pace,
}

/// Why a list was not read to its end.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Relay(#[from] OutboundError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Discovery {
    /// Runs until cancelled: each relay in its own time.
    pub async fn run(self, cancel: CancellationToken) {
        let discovery = Arc::new(self);
        let mut tasks = tokio::task::JoinSet::new();
        for relay in discovery.relays.clone() {
            let discovery = discovery.clone();
            tasks.spawn(async move { discovery.follow(&relay).await });
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = discovery.meet_held() => {
                cancel.cancelled().await;
            }
        }
        tasks.shutdown().await;
    }

    /// Reads a relay's lists again and again.
    async fn follow(&self, relay: &Url) {
        let mut failures = 0;
        loop {
            let wait = match self.read_all(relay).await {
                Ok(()) => {
                    failures = 0;
                    let every = self.pace.discover_every;
                    every.mul_f64(rand::random_range(0.8..1.0))
                }
                Err(problem) => {
                    let least = LEAST_WAIT.min(self.pace.discover_every);
                    let wait = crate::backoff(failures, least, self.pace.discover_every);
                    failures += 1;
                    metrics::counter!(
                        "plyr_discovery_failures_total", "relay" => relay.to_string()
                    )
                    .increment(1);
                    tracing::warn!(
                        relay = relay.as_str(), %problem, wait_seconds = wait.as_secs(),
                        "a relay doesn't say which repos there are"
                    );
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn read_all(&self, relay: &Url) -> Result<(), Stopped> {
        for collection in &self.collections {
            let mut cursor: Option<String> = None;
            let mut listed = 0;
            for _ in 0..MOST_PAGES {
                let asked = self
                    .outbound
                    .repos_by_collection(relay, collection, cursor.as_deref());
                let page = asked.await?;
                listed += page.dids.len();
                self.repos.meet(&page.dids, "discovered").await?;
                // One that names no next page, or the same again, is at its end.
                if page.cursor.is_none() || page.cursor == cursor {
                    break;
                }
                cursor = page.cursor;
                tokio::time::sleep(self.pace.page_pause).await;
            }
            metrics::gauge!(
                "plyr_relay_listed_repos",
                "relay" => relay.to_string(), "collection" => collection.as_str().to_owned()
            )
            .set(listed as f64);
        }
        Ok(())
    }

    /// Meets the repos of which something is held that was written before repos were known as
    /// wholes, or by a process that died. Once a start.
    async fn meet_held(&self) {
        let (mut after, mut failures): (Option<Did>, u32) = (None, 0);
        loop {
            let page = async {
                let whole = self.repos.store().whole().await?;
                let actors = whole.all_actors(after.as_ref(), PAGE).await?;
                let dids: Vec<Did> = actors.into_iter().map(|actor| actor.did).collect();
                let last = dids.last().cloned();
                self.repos.meet(&dids, "held").await?;
                Ok::<_, StoreError>(last)
            };
            match page.await {
                Ok(None) => return,
                Ok(last) => (after, failures) = (last, 0),
                Err(problem) => {
                    let wait = crate::backoff(failures, Duration::from_secs(1), LEAST_WAIT);
                    failures += 1;
                    tracing::warn!(%problem, "looking for repos that were never met; trying again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}
