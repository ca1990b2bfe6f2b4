//! Repos as wholes: found, fetched, merged, and verified again and again. The streams bring news;
//! what a repo's signed head says is the truth.

mod discover;
mod doubts;
mod hosts;
mod judged;
mod merge;
mod named;
mod network;
mod pace;
mod progress;
mod schedule;
mod signed;
mod turns;
mod visit;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::{Did, Namespace, RecordUri, Rev};
use plyr_outbound::Outbound;
use plyr_schemas::{Change, DueRepo, Store, StoreError, Urgency};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use merge::{Cause, Difference, MergeError, Merged};
pub use network::{Entry, Fault, Fetched, Network, Pages, Proof, State, Trouble};
pub use pace::Pace;
pub use progress::{Failure, Progress, UnderWay};
pub use schedule::LEASE;
pub use signed::Signed;

use discover::Discovery;
use doubts::Doubts;
pub(crate) use named::{by as named_by, unmet};
use progress::Shared;
use schedule::Scheduler;
use visit::Visitor;
pub(crate) use visit::wanted;

use crate::accounts::{OnRepoChange, RepoChange};
use crate::suspicion::{Doubt, Suspected};

/// Makes a repo due in the very batch that says that its account changed; not when it is gone.
pub(crate) fn on_account_change() -> OnRepoChange {
    Arc::new(|did, change, now| match change {
        RepoChange::Erased => Vec::new(),
        RepoChange::Activated | RepoChange::Moved | RepoChange::Rekeyed => {
            wanted(did.clone(), Urgency::Now, change.as_str(), now).to_vec()
        }
    })
}

/// Why a repo is due that somebody asked for.
pub(crate) const BY_HAND: &str = "by-hand";
/// Repos made due in one batch.
const BATCH: usize = 500;
/// How often the states are counted.
const COUNTED_EVERY: Duration = Duration::from_secs(60);
/// Due repos that are counted at most.
const MOST_WAITING: usize = 10_000;

/// The part, for who steers it or asks how it is doing. Cheap to clone.
#[derive(Clone)]
pub struct Repos {
    visitor: Visitor,
    shared: Arc<Shared>,
}

impl Repos {
    /// The part at rest: it answers who asks, and does nothing by itself until started.
    pub fn new(
        namespace: Namespace,
        pace: Pace,
        store: Arc<dyn Store>,
        network: Arc<dyn Network>,
    ) -> Repos {
        let visitor = Visitor {
            store,
            network,
            namespace,
            pace,
            turns: turns::Turns::default(),
        };
        let shared = Arc::new(Shared::default());
        Repos { visitor, shared }
    }

    /// Starts to visit what is due; the tasks end after `cancel`.
    pub fn start(&self, tasks: &TaskTracker, cancel: &CancellationToken) {
        let scheduler = Scheduler::new(self.visitor.clone(), self.shared.clone());
        tasks.spawn(scheduler.run(cancel.clone()));
        tasks.spawn(self.clone().count(cancel.clone()));
    }

    /// Starts to find out which repos there are.
    pub fn discover(
        &self,
        relays: Vec<Url>,
        outbound: Outbound,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        let discovery = Discovery {
            repos: self.clone(),
            outbound,
            relays,
            collections: self.visitor.namespace.nsids().to_vec(),
            pace: self.visitor.pace,
        };
        tasks.spawn(discovery.run(cancel.clone()));
    }

    /// Starts to follow up what streams give reason to doubt; `disproved` hears of what never was.
    pub fn follow(
        &self,
        suspected: Suspected,
        disproved: impl Fn(&Doubt) + Send + Sync + 'static,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        let doubts = Doubts::new(self.clone(), suspected, Arc::new(disproved));
        tasks.spawn(doubts.run(cancel.clone()));
    }

    fn store(&self) -> &Arc<dyn Store> {
        &self.visitor.store
    }

    /// Makes those due that were never met; answers who they are.
    pub(crate) async fn meet(&self, dids: &[Did], cause: &str) -> Result<Vec<Did>, StoreError> {
        let mut all = Vec::new();
        for dids in dids.chunks(BATCH) {
            let snapshot = self.store().snapshot().await?;
            let unmet = named::unmet(snapshot.as_ref(), dids.to_vec()).await?;
            if unmet.is_empty() {
                continue;
            }
            metrics::counter!("plyr_repos_discovered_total", "cause" => cause.to_owned())
                .increment(unmet.len() as u64);
            let now = crate::now();
            let wanted = unmet
                .iter()
                .flat_map(|did| wanted(did.clone(), Urgency::Soon, cause, now));
            self.store().apply(wanted.collect()).await?;
            self.shared.woken.notify_one();
            all.extend(unmet);
        }
        Ok(all)
    }

    /// Wants repos visited as soon as can be, whatever was known of them.
    pub async fn want(&self, dids: &[Did]) -> Result<(), StoreError> {
        self.at_once(dids, BY_HAND).await
    }

    /// Makes a repo due because something about it is not known any more, or is known to be wrong.
    pub async fn suspect(&self, did: &Did, cause: &str) -> Result<(), StoreError> {
        self.at_once(std::slice::from_ref(did), cause).await
    }

    /// Makes repos due that something happened to which no stream told of. Those that were never
    /// met come in their turn, as all new ones do.
    pub(crate) async fn hurry(&self, dids: &[Did], cause: &str) -> Result<(), StoreError> {
        let new: HashSet<Did> = self.meet(dids, cause).await?.into_iter().collect();
        let known = dids.iter().filter(|did| !new.contains(*did)).cloned();
        let known: Vec<Did> = known.collect();
        metrics::counter!("plyr_repos_suspected_total", "cause" => cause.to_owned())
            .increment(known.len() as u64);
        self.at_once(&known, cause).await
    }

    /// Wanted later than whatever another machine's clock had written.
    async fn at_once(&self, dids: &[Did], cause: &str) -> Result<(), StoreError> {
        let now = crate::now();
        for dids in dids.chunks(BATCH) {
            let open = self.store().snapshot().await?.due_of(dids).await?;
            let changes = dids.iter().zip(open).flat_map(|(did, open)| {
                let last = open.map_or(0, |open| open.wanted_at);
                wanted(did.clone(), Urgency::Now, cause, now.max(last + 1))
            });
            self.store().apply(changes.collect()).await?;
        }
        self.shared.woken.notify_one();
        Ok(())
    }

    /// Makes every repo that was met due: a stream had a gap. Answers how many.
    pub async fn suspect_all(&self, cause: &str) -> Result<u64, StoreError> {
        let (now, mut after, mut count) = (crate::now(), None, 0);
        loop {
            let snapshot = self.store().snapshot().await?;
            let repos = snapshot.all_repos(after.as_ref(), BATCH).await?;
            let Some(last) = repos.last() else { break };
            after = Some(last.did.clone());
            count += repos.len() as u64;
            let dids: Vec<Did> = repos.into_iter().map(|repo| repo.did).collect();
            let open = snapshot.due_of(&dids).await?;
            let due = dids.into_iter().zip(open).map(|(did, open)| {
                let last = open.map_or(0, |open| open.wanted_at);
                Change::RepoDue(DueRepo {
                    did,
                    wanted_at: now.max(last + 1),
                    urgency: Urgency::Soon,
                    due_at: now,
                    tries: 0,
                    cause: cause.to_owned(),
                })
            });
            self.store().apply(due.collect()).await?;
            self.shared.woken.notify_one();
        }
        metrics::counter!("plyr_repos_suspected_total", "cause" => cause.to_owned())
            .increment(count);
        Ok(count)
    }

    /// Takes up nothing more until resumed; what is under way ends. Not remembered by a restart.
    pub fn pause(&self) {
        self.shared.pause(true);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.shared.pause(false);
    }

    /// Whether it takes up nothing more for now.
    pub fn is_paused(&self) -> bool {
        self.shared.is_paused()
    }

    /// How often was cancelled what was wanted by hand: who goes on wanting more looks at it.
    pub fn cancels(&self) -> u64 {
        self.shared.cancels()
    }

    /// Takes back what was wanted by hand and isn't under way yet: it is left to the steady pass.
    /// Answers how many.
    pub async fn cancel(&self) -> Result<u64, StoreError> {
        self.shared.cancelled();
        let mut count = 0;
        loop {
            let snapshot = self.store().snapshot().await?;
            let due = snapshot.due_repos(i64::MAX, MOST_WAITING).await?;
            let by_hand = due.into_iter().filter(|due| due.cause == BY_HAND);
            let by_hand: Vec<DueRepo> = by_hand.collect();
            if by_hand.is_empty() {
                return Ok(count);
            }
            count += by_hand.len() as u64;
            for some in by_hand.chunks(BATCH) {
                let changes = some.iter().flat_map(|due| self.left_to_the_pass(due));
                self.store().apply(changes.collect()).await?;
            }
        }
    }

    fn left_to_the_pass(&self, due: &DueRepo) -> [Change; 2] {
        let now = crate::now().max(due.wanted_at + 1);
        let done = Change::RepoDone {
            did: due.did.clone(),
            wanted_at: due.wanted_at,
        };
        let steady = DueRepo {
            wanted_at: now,
            urgency: Urgency::Steady,
            due_at: now + pace::micros(self.visitor.pace.verify_every),
            tries: 0,
            cause: "steady".to_owned(),
            ..due.clone()
        };
        [done, Change::RepoDue(steady)]
    }

    /// What differs between a repo and what is held of it, asked now; nothing is changed. At most
    /// `most_told` differences are told one by one.
    pub async fn compare(&self, did: &Did, most_told: usize) -> Result<Merged, MergeError> {
        self.visitor.compare(did, most_told).await
    }

    /// Fetches a repo now, whatever was known of it, and settles what differs.
    pub async fn repair(&self, did: &Did) -> Result<Merged, MergeError> {
        self.visit(did, true).await
    }

    /// Visits a repo now, as the steady pass would. Answers what a merge came to, if there was one.
    pub async fn check(&self, did: &Did) -> Result<Merged, MergeError> {
        self.visit(did, false).await
    }

    /// Settles one record by what its repo proves. `is_late`: it was asked about before, long
    /// enough ago, so that what is told at `rev` and still above the head never was. None where the
    /// head is below `rev`: ask again.
    pub async fn prove(
        &self,
        uri: &RecordUri,
        rev: Rev,
        is_late: bool,
    ) -> Result<Option<Merged>, MergeError> {
        self.visitor.prove(uri, rev, is_late).await
    }

    async fn visit(&self, did: &Did, by_force: bool) -> Result<Merged, MergeError> {
        // What is wanted while it is asked for is not answered by this.
        let snapshot = self.store().snapshot().await?;
        let due = snapshot.due_of(std::slice::from_ref(did)).await?;
        let due = due.into_iter().next().flatten();
        let met = snapshot.repos(std::slice::from_ref(did)).await?;
        let was_met = met.iter().any(Option::is_some);
        let visit = self.visitor.visit(did, by_force).await?;
        // A slip of the pen is no repo.
        if let Some(trouble) = visit.trouble.as_ref().filter(|_| !was_met)
            && trouble.fault == Fault::Account
        {
            return Err(trouble.clone().into());
        }
        let due = due.unwrap_or_else(|| DueRepo {
            did: did.clone(),
            wanted_at: visit.repo.asked_at,
            urgency: Urgency::Now,
            due_at: visit.repo.asked_at,
            tries: 0,
            cause: BY_HAND.to_owned(),
        });
        self.visitor.keep(&due, &visit).await?;
        self.shared.ended(&visit);
        match visit.trouble {
            Some(trouble) => Err(trouble.into()),
            None => Ok(visit.merged.unwrap_or_default()),
        }
    }

    /// How it goes. Walks the states of all repos: for who asks now and then.
    pub async fn progress(&self) -> Result<Progress, StoreError> {
        let snapshot = self.store().snapshot().await?;
        let mut progress = self.shared.progress();
        progress.states = snapshot.repo_states().await?;
        let due = snapshot.due_repos(crate::now(), MOST_WAITING).await?;
        let is_waiting = |due: &&DueRepo| {
            !progress
                .under_way
                .iter()
                .any(|under_way| under_way.did == due.did)
        };
        progress.waiting = due.iter().filter(is_waiting).count() as u64;
        Ok(progress)
    }

    /// Tells the metrics how many repos are in each state.
    async fn count(self, cancel: CancellationToken) {
        loop {
            let counted = async { self.store().snapshot().await?.repo_states().await };
            match counted.await {
                Ok(states) => {
                    for (state, count) in states {
                        metrics::gauge!("plyr_coverage_repos", "state" => state.as_str())
                            .set(count as f64);
                    }
                }
                Err(problem) => tracing::debug!(%problem, "the repos could not be counted"),
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(COUNTED_EVERY) => {}
            }
        }
    }
}
