//! Whether a process is ready, told by its one line on stdout and by `/ready`.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plyr_indexer::IndexerHandle;
use plyr_indexer::search::SearchIndex;
use plyr_schemas::Store;
use plyr_search::Standing;

use super::heartbeat::Heart;
use crate::error::OpsError;
use crate::probes::{AskReadiness, Readiness};

/// What the process waits for, and the parts that know what is missing. Filled as they start.
#[derive(Default)]
pub struct State {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    phase: Phase,
    store: Option<Arc<dyn Store>>,
    heart: Option<Arc<Heart>>,
    indexer: Option<Arc<IndexerHandle>>,
    search: Option<Arc<SearchIndex>>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Starting,
    /// The store, and why it isn't there.
    Waiting(String),
    Running,
    Stopping,
}

impl State {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store can't be opened yet.
    pub fn waits_for(&self, why: String) {
        self.known().phase = Phase::Waiting(why);
    }

    /// All parts are there.
    pub fn runs(&self) {
        self.known().phase = Phase::Running;
    }

    /// It was asked to stop.
    pub fn stops(&self) {
        self.known().phase = Phase::Stopping;
    }

    pub fn watches(&self, store: Arc<dyn Store>) {
        self.known().store = Some(store);
    }

    pub fn listens_to(&self, heart: Arc<Heart>) {
        self.known().heart = Some(heart);
    }

    pub fn asks(&self, indexer: Arc<IndexerHandle>) {
        self.known().indexer = Some(indexer);
    }

    pub fn searches(&self, search: Arc<SearchIndex>) {
        self.known().search = Some(search);
    }

    /// What the probes ask. Requests can be answered once all parts are there; what limps is named.
    pub fn asked(self: &Arc<State>) -> AskReadiness {
        let state = self.clone();
        Arc::new(move || state.known().readiness())
    }
}

impl Known {
    fn readiness(&self) -> Readiness {
        let mut missing = Vec::new();
        let mut ready = false;
        match &self.phase {
            Phase::Starting => missing.push("the store is being opened".to_owned()),
            Phase::Waiting(why) => missing.push(why.clone()),
            Phase::Running => ready = true,
            Phase::Stopping => missing.push("the server is stopping".to_owned()),
        }
        if let Some(store) = &self.store
            && let Err(problem) = store.writable()
        {
            missing.push(problem.to_string());
        }
        if let Some(heart) = &self.heart {
            missing.extend(heart.problem());
            ready &= heart.beats();
        }
        if let Some(indexer) = &self.indexer {
            missing.extend(indexer.missing());
        }
        if let Some(search) = &self.search {
            missing.extend(of_search(search));
        }
        Readiness { ready, missing }
    }
}

/// What is missing of the search index. All else is answered without it, so it holds up nobody.
fn of_search(search: &SearchIndex) -> Option<String> {
    if search.has_ended() {
        return Some("the search index is no longer kept: restart the process".to_owned());
    }
    let Standing {
        serving,
        building,
        failed,
        problem,
        ..
    } = search.live().standing();
    let mut words = Vec::new();
    match (&serving, &building) {
        (_, Some(progress)) => {
            let of = match &serving {
                None => "searches wait for it",
                Some(_) => "an older one answers meanwhile",
            };
            let (documents, reason) = (progress.documents, &progress.reason);
            let mut told =
                format!("the search index is being built ({reason}): {documents} documents, {of}");
            if let Some(problem) = &progress.problem {
                told.push_str(&format!("; it waits: {problem}"));
            }
            words.push(told);
        }
        (None, None) => words.push("no search index answers yet".to_owned()),
        (Some(serving), None) if serving.is_outdated => {
            words.push("the search index is outdated, a new one is to be built".to_owned());
        }
        (Some(_), None) => {}
    }
    if let Some(failed) = failed {
        let (times, problem) = (failed.times, failed.problem);
        words.push(format!(
            "building the search index failed {times} times: {problem}"
        ));
    }
    words.extend(problem.map(|problem| format!("the search index doesn't go on: {problem}")));
    (!words.is_empty()).then(|| words.join("; "))
}

/// The one line on stdout: where each part listens.
pub struct ReadyLine {
    pub appview: Option<SocketAddr>,
    pub metrics: SocketAddr,
}

impl ReadyLine {
    /// Prints it. A part prints the keys it serves.
    pub fn say(&self) -> Result<(), OpsError> {
        let mut line = serde_json::json!({
            "event": "ready",
            "metrics": format!("http://{}", self.metrics),
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let Some(appview) = self.appview {
            line["appview"] = format!("http://{appview}").into();
        }
        let mut out = std::io::stdout();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .map_err(|detail| OpsError::Start(format!("stdout can't be written: {detail}")))
    }
}
