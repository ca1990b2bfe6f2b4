//! How the index stands: told to whoever answers, to whoever waits, to logs and metrics.

use std::sync::Arc;
use std::time::Duration;

use plyr_search::{FailedBuild, Index, Live, Progress, Serving, Standing};
use tokio::sync::watch;

/// How often metrics are set while nothing changes: a lag grows by itself.
const MEASURED_EVERY: Duration = Duration::from_secs(5);

/// Tells how the index stands.
pub(super) struct Told {
    pub(super) live: Arc<Live>,
    standing: watch::Sender<Standing>,
}

impl Told {
    pub(super) fn new(live: Arc<Live>) -> Told {
        Told {
            live,
            standing: watch::channel(Standing::default()).0,
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(|standing| {
            change(standing);
            self.live.tell(standing.clone());
            measure(standing);
        });
    }

    /// Sets the metrics of how the index stands, now and then; never ends.
    pub(super) async fn measured(&self) {
        let mut ticks = tokio::time::interval(MEASURED_EVERY);
        loop {
            ticks.tick().await;
            measure(&self.standing.borrow());
        }
    }

    /// Another index serves from now on.
    pub(super) fn serves(&self, index: Index, serving: Serving) {
        self.live.serve(Some(index));
        self.change(|standing| standing.serving = Some(serving));
    }

    /// The index that serves has come further.
    pub(super) fn stands(&self, serving: Serving) {
        self.change(|standing| standing.serving = Some(serving));
    }

    /// Nothing serves any more.
    pub(super) fn serves_nothing(&self) {
        self.live.serve(None);
        self.change(|standing| standing.serving = None);
    }

    /// A build has begun.
    pub(super) fn begins(&self, reason: &str) {
        tracing::info!(reason, "a search index is being built");
        let progress = Progress {
            reason: reason.to_owned(),
            ..Progress::default()
        };
        self.change(|standing| standing.building = Some(progress));
    }

    /// A build has come further.
    pub(super) fn has_built(&self, documents: u64) {
        self.change(|standing| {
            if let Some(progress) = &mut standing.building {
                progress.documents = documents;
                progress.problem = None;
            }
        });
    }

    /// A build no longer waits for anything.
    pub(super) fn build_goes_on(&self) {
        self.standing.send_if_modified(|standing| {
            let progress = standing.building.as_mut();
            let waited = progress.and_then(|progress| progress.problem.take());
            if waited.is_some() {
                self.live.tell(standing.clone());
            }
            waited.is_some()
        });
    }

    /// A build waits for something.
    pub(super) fn build_waits(&self, problem: String) {
        let is_new = |standing: &Standing| {
            let progress = standing.building.as_ref();
            progress.is_some_and(|progress| progress.problem.as_ref() != Some(&problem))
        };
        if is_new(&self.standing.borrow()) {
            tracing::warn!(problem, "the search index that is being built waits");
        }
        self.change(|standing| {
            if let Some(progress) = &mut standing.building {
                progress.problem = Some(problem);
            }
        });
    }

    /// A build has ended, and what it built serves from now on.
    pub(super) fn has_taken_place(&self, index: Index, serving: Serving) {
        metrics::counter!("plyr_search_builds_total", "outcome" => "served").increment(1);
        tracing::info!(documents = serving.documents, "a new search index serves");
        self.live.serve(Some(index));
        self.change(|standing| {
            standing.building = None;
            standing.failed = None;
            standing.serving = Some(serving);
            standing.builds += 1;
        });
    }

    /// A build has failed.
    pub(super) fn has_failed(&self, problem: String) {
        metrics::counter!("plyr_search_builds_total", "outcome" => "failed").increment(1);
        self.change(|standing| {
            let progress = standing.building.take().unwrap_or_default();
            let before = standing.failed.take();
            standing.failed = Some(FailedBuild {
                reason: progress.reason,
                problem,
                times: before.map_or(0, |before| before.times) + 1,
            });
        });
    }

    /// What keeps it from going on; none when nothing does any more.
    pub(super) fn problem(&self, problem: Option<String>) {
        let before = self.standing.borrow().problem.clone();
        if before == problem && problem.is_none() {
            return;
        }
        match &problem {
            Some(problem) if before.as_ref() != Some(problem) => {
                tracing::warn!(problem, "the search index doesn't go on; it is tried again");
            }
            Some(_) => {}
            None => tracing::info!("the search index goes on"),
        }
        self.change(|standing| standing.problem = problem);
    }
}

fn measure(standing: &Standing) {
    let gauge = |name: &'static str, value: f64| metrics::gauge!(name).set(value);
    let serving = standing.serving.as_ref();
    let (documents, behind) = serving.map_or((0, 0), |serving| (serving.documents, serving.behind));
    let since = serving.and_then(|serving| serving.behind_since);
    let lag = since.map_or(0, |since| crate::now().saturating_sub(since).max(0));
    gauge("plyr_search_documents", documents as f64);
    gauge("plyr_search_lag_entries", behind as f64);
    gauge("plyr_search_lag_seconds", lag as f64 / 1_000_000.0);
}
