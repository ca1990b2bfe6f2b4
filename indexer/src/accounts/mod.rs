//! Checks of accounts and identities. An event only makes a check due; the answer comes from the
//! DID document and the PDS it names, stamped with the time of asking.

mod ask;
mod hosts;
mod plan;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_lexicons::{Collection, Did, Namespace};
use plyr_outbound::{Outbound, OutboundError};
use plyr_schemas::{Change, DueCheck, Outcome, RepoState, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use ask::{Asker, End, Missing, Said, is_in_directory, no_profile};
pub use hosts::Hosts;
pub use plan::{AccountPace, OnRepoChange, RepoChange};

/// Checks at the same time. One that hangs holds up no other while there are places.
const AT_ONCE: usize = 32;
/// Longest wait for a check to become due before the table is looked at again.
const LOOK: Duration = Duration::from_secs(5);
/// One check, all its questions together.
const PATIENCE: Duration = Duration::from_secs(45);
const LEAST_WAIT: Duration = Duration::from_millis(200);
const MOST_WAIT: Duration = Duration::from_secs(10);

/// The follower of due checks.
pub struct Checks {
    shared: Arc<Shared>,
    due: Arc<Notify>,
}

/// What the checks under way share.
struct Shared {
    store: Arc<dyn Store>,
    namespace: Namespace,
    asker: Asker,
    pace: AccountPace,
    on_repo_change: OnRepoChange,
}

/// Checks under way, by their tasks, and who was asked about just now.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Result<(), StoreError>>,
    dids: HashMap<Id, Did>,
    lately: HashMap<Did, Instant>,
}

impl Checks {
    /// `due` is notified whenever a check became due; `hosts` tells how asking goes.
    pub fn new(
        store: Arc<dyn Store>,
        namespace: Namespace,
        outbound: Outbound,
        hosts: Arc<Hosts>,
        due: Arc<Notify>,
    ) -> Checks {
        let asker = Asker { outbound, hosts };
        let shared = Shared {
            store,
            namespace,
            asker,
            pace: AccountPace::default(),
            on_repo_change: Arc::new(|_, _, _| Vec::new()),
        };
        Checks {
            shared: Arc::new(shared),
            due,
        }
    }

    /// Runs until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let mut running = Running::default();
        let mut failures = 0;
        loop {
            let step = tokio::select! {
                () = cancel.cancelled() => return,
                step = self.step(&mut running) => step,
            };
            let Err(problem) = step else {
                failures = 0;
                continue;
            };
            // What was asked meanwhile stays due and is asked again.
            let wait = crate::backoff(failures, LEAST_WAIT, MOST_WAIT);
            failures += 1;
            tracing::warn!(
                %problem, wait_seconds = wait.as_secs_f64(), "account checks wait for the store"
            );
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Starts what is due, then waits until something happens.
    async fn step(&self, running: &mut Running) -> Result<(), StoreError> {
        let wait = self.start_due(running).await?;
        tokio::select! {
            Some(done) = running.tasks.join_next_with_id() => finish(running, done),
            () = self.due.notified() => Ok(()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Starts checks that are due, as many as there are places; answers how long until the next.
    async fn start_due(&self, running: &mut Running) -> Result<Duration, StoreError> {
        let (shared, pace) = (&self.shared, &self.shared.pace);
        // Nobody is asked while the answer could not be kept.
        shared.store.writable()?;
        running
            .lately
            .retain(|_, asked| asked.elapsed() < pace.between);
        let asking: HashSet<Did> = running.dids.values().cloned().collect();
        let snapshot = shared.store.snapshot().await?;
        let most = asking.len() + running.lately.len() + AT_ONCE + 1;
        let checks = snapshot.due_checks(i64::MAX, most).await?;
        metrics::gauge!("plyr_queue_depth", "queue" => "account_checks").set(checks.len() as f64);
        let mut in_directory = asking.iter().filter(|did| is_in_directory(did)).count();
        let mut wait = LOOK;
        for check in checks {
            let early = check.due_at.saturating_sub(crate::now());
            if early > 0 {
                wait = wait.min(Duration::from_micros(early.unsigned_abs()));
                break;
            }
            if running.dids.len() >= AT_ONCE {
                break;
            }
            if asking.contains(&check.did) {
                continue;
            }
            if let Some(asked) = running.lately.get(&check.did) {
                wait = wait.min(pace.between.saturating_sub(asked.elapsed()));
                continue;
            }
            if is_in_directory(&check.did) {
                // While the directory can't be asked one check at a time tries.
                if let Some(ago) = shared.asker.hosts.directory_outage() {
                    let rest = pace.directory.saturating_sub(ago);
                    if in_directory > 0 || !rest.is_zero() {
                        wait = wait.min(if rest.is_zero() { LOOK } else { rest });
                        continue;
                    }
                }
                in_directory += 1;
            }
            let did = check.did.clone();
            let task = running.tasks.spawn(shared.clone().check(check));
            running.lately.insert(did.clone(), Instant::now());
            running.dids.insert(task.id(), did);
        }
        Ok(wait)
    }
}

impl Checks {
    /// With other times than the usual ones.
    pub fn with_pace(mut self, pace: AccountPace) -> Checks {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.pace = pace;
        }
        self
    }

    /// With somebody who is told when a repo may not be what is held of it any more.
    pub fn on_repo_change(mut self, told: OnRepoChange) -> Checks {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.on_repo_change = told;
        }
        self
    }
}

fn finish(
    running: &mut Running,
    done: Result<(Id, Result<(), StoreError>), JoinError>,
) -> Result<(), StoreError> {
    match done {
        Ok((id, checked)) => {
            running.dids.remove(&id);
            checked
        }
        Err(problem) => {
            running.dids.remove(&problem.id());
            tracing::warn!(%problem, "an account check broke off");
            Ok(())
        }
    }
}

impl Shared {
    /// One check, from what is held to what is due next.
    async fn check(self: Arc<Shared>, check: DueCheck) -> Result<(), StoreError> {
        let did = check.did.clone();
        let snapshot = self.store.snapshot().await?;
        let held = snapshot.observed(std::slice::from_ref(&did)).await?.pop();
        let Some(held) = held else { return Ok(()) };
        let actor = snapshot.actors(std::slice::from_ref(&did)).await?.pop();
        let shown = actor.and_then(|actor| actor.handle);
        let repo = snapshot.repos(std::slice::from_ref(&did)).await?.pop();
        drop(snapshot);
        let asked_at = crate::now();
        let mut said = Said::default();
        let asking = self.asker.ask(&did, shown, asked_at, &mut said);
        let end = match tokio::time::timeout(PATIENCE, asking).await {
            Ok(end) => end,
            Err(_) => End::Missing(Missing::Account(took_too_long(&did))),
        };
        let mut follow_up = self
            .pace
            .follow_up(&check, &held, said, end, (asked_at, crate::now()));
        // Its repo was asked for just while it was inactive, and no check saw it so.
        let was_gone = repo
            .flatten()
            .is_some_and(|repo| repo.state == RepoState::Gone && repo.asked_at < asked_at);
        if was_gone && follow_up.is_active() && !follow_up.repo.contains(&RepoChange::Activated) {
            follow_up.repo.push(RepoChange::Activated);
        }
        let outcome = match &follow_up.problem {
            None => "answered",
            Some(problem) => {
                let next = follow_up
                    .next
                    .as_ref()
                    .map(|next| next.due_at - crate::now());
                tracing::info!(
                    did = did.as_str(),
                    problem,
                    next_try_seconds = next.unwrap_or(0) / 1_000_000,
                    "an account check is not answered; what is held stays"
                );
                "no_answer"
            }
        };
        metrics::counter!("plyr_account_checks_total", "outcome" => outcome).increment(1);
        let changed = follow_up.repo.iter();
        let mut changes: Vec<Change> = changed
            .flat_map(|change| self.repo_changed(&did, *change, asked_at))
            .collect();
        // What is observed is written when it is done: till then the check begins it again.
        if follow_up.erase && (!follow_up.erased_before || self.holds_records(&did).await?) {
            self.erase(&did).await?;
            changes.extend(self.repo_changed(&did, RepoChange::Erased, asked_at));
            changes.push(Change::Bluesky(no_profile(&did, asked_at)));
        }
        changes.extend(follow_up.observed);
        let triggered_at = check.triggered_at;
        changes.push(match follow_up.next {
            Some(next) => Change::Due(next),
            None => Change::Checked { did, triggered_at },
        });
        self.store.apply(changes).await.map(drop)
    }

    fn repo_changed(&self, did: &Did, change: RepoChange, now: i64) -> Vec<Change> {
        let cause = change.as_str();
        metrics::counter!("plyr_repo_changes_total", "cause" => cause).increment(1);
        tracing::info!(did = did.as_str(), cause, "a repo is not what it was");
        (self.on_repo_change)(did, change, now)
    }

    async fn holds_records(&self, did: &Did) -> Result<bool, StoreError> {
        let snapshot = self.store.snapshot().await?;
        for collection in Collection::ALL {
            let nsid = self.namespace.nsid(collection).as_str();
            let any = snapshot.repo_records(did, nsid, None, false, 1).await?;
            if !any.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes away what a deleted account made.
    async fn erase(&self, did: &Did) -> Result<(), StoreError> {
        let began = Instant::now();
        loop {
            let erasing = vec![Change::Erase { did: did.clone() }];
            if self.store.apply(erasing).await? != [Outcome::Applied] {
                break;
            }
        }
        metrics::counter!("plyr_accounts_erased_total").increment(1);
        tracing::info!(
            did = did.as_str(),
            seconds = began.elapsed().as_secs_f64(),
            "a deleted account is erased"
        );
        Ok(())
    }
}

/// Nothing came in time.
fn took_too_long(did: &Did) -> OutboundError {
    OutboundError::Unreachable {
        url: format!(
            "{}'s directory, the handle's domain or the PDS",
            did.as_str()
        ),
        detail: "the check took too long".to_owned(),
    }
}
