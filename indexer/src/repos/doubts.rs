//! What the streams give reason to doubt: an event that one host alone carried is proven by its
//! repo, deletes first; where a stream had a gap, or a host is blind, all repos are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plyr_schemas::StoreError;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Repos;
use super::merge::{MergeError, Merged};
use crate::suspicion::{Distrust, Doubt, Suspected, Suspicion};

/// Proofs under way at once.
const AT_ONCE: usize = 16;
const LEAST_WAIT: Duration = Duration::from_millis(500);
const MOST_WAIT: Duration = Duration::from_secs(30);

/// Who follows them up.
pub struct Doubts {
    repos: Repos,
    suspected: Suspected,
    disproved: Disproved,
    all: Arc<All>,
}

/// Hears of events that never were.
pub type Disproved = Arc<dyn Fn(&Doubt) + Send + Sync>;

/// Whether all repos are to be made due.
#[derive(Default)]
struct All {
    wanted: AtomicBool,
    woken: Notify,
}

impl Doubts {
    pub fn new(repos: Repos, suspected: Suspected, disproved: Disproved) -> Doubts {
        Doubts {
            repos,
            suspected,
            disproved,
            all: Arc::default(),
        }
    }

    /// Runs until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let mut tasks = JoinSet::new();
        let (repos, all) = (self.repos.clone(), self.all.clone());
        tasks.spawn(async move { make_all_due(&repos, &all).await });
        loop {
            // One place is the task's above.
            while tasks.len() > AT_ONCE {
                tokio::select! {
                    () = cancel.cancelled() => return tasks.shutdown().await,
                    _ = tasks.join_next() => {}
                }
            }
            let suspicion = tokio::select! {
                () = cancel.cancelled() => return tasks.shutdown().await,
                suspicion = self.suspected.next() => suspicion,
                _ = tasks.join_next() => continue,
            };
            match suspicion {
                Suspicion::Doubt(doubt) => {
                    let (repos, disproved) = (self.repos.clone(), self.disproved.clone());
                    tasks.spawn(async move { prove(&repos, doubt, &disproved).await });
                }
                Suspicion::Repo(did) => {
                    let repos = self.repos.clone();
                    tasks.spawn(async move { suspect(&repos, &did).await });
                }
                Suspicion::Host(distrust) => {
                    tell(&distrust);
                    self.all_are_due();
                }
                Suspicion::Everything => {
                    tracing::warn!("more is doubted than can be proven one by one");
                    self.all_are_due();
                }
            }
        }
    }

    fn all_are_due(&self) {
        self.all.wanted.store(true, Ordering::Release);
        self.all.woken.notify_one();
    }
}

fn tell(distrust: &Distrust) {
    match distrust {
        Distrust::Gap { source } => {
            tracing::warn!(host = &**source, "a stream had a gap: all repos are due");
        }
        Distrust::Blind {
            source, collection, ..
        } => tracing::warn!(
            host = &**source,
            collection,
            "a host carries next to nothing of a collection: all repos are due"
        ),
        Distrust::Recovered { source, collection } => tracing::info!(
            host = &**source,
            collection,
            "a host carries a collection again: all repos are due once more"
        ),
        Distrust::Canary { source } => {
            tracing::warn!(
                host = &**source,
                "the canary did not arrive: all repos are due"
            );
        }
    }
}

/// Makes all repos due whenever that is wanted; wants in between are one.
async fn make_all_due(repos: &Repos, all: &All) {
    loop {
        all.woken.notified().await;
        while all.wanted.swap(false, Ordering::AcqRel) {
            let mut failures = 0;
            while let Err(problem) = repos.suspect_all("streams").await {
                let wait = crate::backoff(failures, LEAST_WAIT, MOST_WAIT);
                failures += 1;
                tracing::warn!(%problem, "not all repos are due yet; trying again");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Proves one event; where that can't be done its repo is due.
async fn prove(repos: &Repos, doubt: Doubt, disproved: &Disproved) {
    match proven(repos, &doubt).await {
        Ok(Some(merged)) => {
            let undone = merged.differences.iter().sum::<u64>() > 0;
            let outcome = if undone { "undone" } else { "confirmed" };
            metrics::counter!("plyr_doubts_settled_total", "outcome" => outcome).increment(1);
            // It was superseded since, or told twice over: then nothing is said about its host.
            if undone {
                disproved(&doubt);
            }
            // Who tells one thing that isn't so may tell more.
            if undone || merged.ahead.is_some() || !merged.is_sure {
                suspect(repos, &doubt.uri.did).await;
            }
        }
        Ok(None) => suspect(repos, &doubt.uri.did).await,
        Err(problem) => {
            metrics::counter!("plyr_doubts_settled_total", "outcome" => "unproven").increment(1);
            tracing::info!(uri = %doubt.uri, %problem, "a doubt was not proven; its repo is due");
            suspect(repos, &doubt.uri.did).await;
        }
    }
}

/// The head may only have been asked too early: it is asked again, at last as one that had time.
async fn proven(repos: &Repos, doubt: &Doubt) -> Result<Option<Merged>, MergeError> {
    let patience = repos.visitor.pace.ask_again;
    for wait in [Duration::ZERO, patience / 3, patience] {
        tokio::time::sleep(wait).await;
        let is_late = wait == patience;
        if let Some(merged) = repos.prove(&doubt.uri, doubt.rev, is_late).await? {
            return Ok(Some(merged));
        }
    }
    Ok(None)
}

/// Makes a repo due, however long the store takes.
async fn suspect(repos: &Repos, did: &plyr_lexicons::Did) {
    let mut failures = 0;
    while let Err(problem) = repos.suspect(did, "doubt").await {
        if matches!(problem, StoreError::Closed) {
            return;
        }
        let wait = crate::backoff(failures, LEAST_WAIT, MOST_WAIT);
        failures += 1;
        tracing::warn!(%problem, "a repo is not due yet; trying again");
        tokio::time::sleep(wait).await;
    }
}
