//! How the repos are doing, for who asks: what is under way, what came of it, what failed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plyr_lexicons::Did;
use plyr_schemas::{DueRepo, Micros, RepoState};
use tokio::sync::Notify;

use super::visit::Visit;

/// Failures that are told one by one.
const MOST_FAILURES: usize = 100;

/// A repo that could not be verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Whose.
    pub did: Did,
    /// When.
    pub at: Micros,
    /// Why, for people.
    pub why: String,
}

/// A repo under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnderWay {
    /// Whose.
    pub did: Did,
    /// The host it is fetched from; none while that is looked up.
    pub host: Option<String>,
    /// Why it is visited.
    pub cause: String,
}

/// How it goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Whether it is paused.
    pub is_paused: bool,
    /// Repos in each state.
    pub states: Vec<(RepoState, u64)>,
    /// Repos due now that nobody has taken up, up to ten thousand.
    pub waiting: u64,
    /// Under way now.
    pub under_way: Vec<UnderWay>,
    /// Visits since the start of the process.
    pub visits: u64,
    /// Of them those that ended in a failure.
    pub failed: u64,
    /// Records merged since the start of the process.
    pub records: u64,
    /// The newest failures, newest last.
    pub failures: Vec<Failure>,
}

/// What the scheduler and its handles share.
#[derive(Default)]
pub struct Shared {
    /// Something became due.
    pub woken: Notify,
    paused: AtomicBool,
    cancels: AtomicU64,
    visits: AtomicU64,
    failed: AtomicU64,
    records: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    under_way: Vec<UnderWay>,
    failures: VecDeque<Failure>,
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
        self.woken.notify_one();
    }

    pub fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Acquire)
    }

    pub fn cancelled(&self) {
        self.cancels.fetch_add(1, Ordering::AcqRel);
    }

    pub fn under_way<'a>(&self, repos: impl Iterator<Item = &'a (DueRepo, Option<String>)>) {
        let under_way = repos.map(|(due, host)| UnderWay {
            did: due.did.clone(),
            host: host.clone(),
            cause: due.cause.clone(),
        });
        let under_way: Vec<UnderWay> = under_way.collect();
        metrics::gauge!("plyr_queue_depth", "queue" => "repos").set(under_way.len() as f64);
        self.told().under_way = under_way;
    }

    pub fn ended(&self, visit: &Visit) {
        self.visits.fetch_add(1, Ordering::Relaxed);
        let merged = visit.merged.as_ref().map_or(0, |merged| merged.records);
        self.records.fetch_add(merged, Ordering::Relaxed);
        let outcome = match (&visit.trouble, &visit.merged) {
            (Some(_), _) => "failed",
            (None, Some(_)) => "merged",
            (None, None) => "unchanged",
        };
        metrics::counter!("plyr_repo_visits_total", "outcome" => outcome).increment(1);
        metrics::counter!("plyr_repo_records_merged_total").increment(merged);
        if let Some(trouble) = &visit.trouble {
            self.failed.fetch_add(1, Ordering::Relaxed);
            let mut told = self.told();
            if told.failures.len() >= MOST_FAILURES {
                told.failures.pop_front();
            }
            told.failures.push_back(Failure {
                did: visit.repo.did.clone(),
                at: visit.repo.asked_at,
                why: format!("{}: {}", trouble.reason, trouble.detail),
            });
        }
    }

    /// All but what the store knows.
    pub fn progress(&self) -> Progress {
        let told = self.told();
        Progress {
            is_paused: self.is_paused(),
            states: Vec::new(),
            waiting: 0,
            under_way: told.under_way.clone(),
            visits: self.visits.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            failures: told.failures.iter().cloned().collect(),
        }
    }
}
