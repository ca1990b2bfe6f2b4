//! How the index stands: told to whoever answers, to whoever waits, to logs and metrics.

use std::sync::Arc;

use plyr_search::{Index, Live, Progress, Serving, Standing};
use tokio::sync::watch;

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
            let gauge = |name: &'static str, value: f64| metrics::gauge!(name).set(value);
            let serving = standing.serving.as_ref();
            let (documents, behind) =
                serving.map_or((0, 0), |serving| (serving.documents, serving.behind));
            let since = serving.and_then(|serving| serving.behind_since);
            let lag = since.map_or(0, |since| crate::now().saturating_sub(since).max(0));
            gauge("plyr_search_documents", documents as f64);
            gauge("plyr_search_lag_entries", behind as f64);
            gauge("plyr_search_lag_seconds", lag as f64 / 1_000_000.0);
        });
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

    /// A build has ended; what it built serves from now on, if it came that far.
    pub(super) fn has_ended(&self, built: Option<(Index, Serving)>) {
        let outcome = if built.is_some() { "served" } else { "failed" };
        metrics::counter!("plyr_search_builds_total", "outcome" => outcome).increment(1);
        let serving = built.map(|(index, serving)| {
            tracing::info!(documents = serving.documents, "a new search index serves");
            self.live.serve(Some(index));
            serving
        });
        self.change(|standing| {
            standing.building = None;
            if let Some(serving) = serving {
                standing.serving = Some(serving);
                standing.builds += 1;
            }
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
