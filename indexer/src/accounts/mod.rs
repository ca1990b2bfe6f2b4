//! Checks of accounts and identities. An event only makes a check due; the answer comes from the
//! DID document and the PDS it names, stamped with the time of asking.

mod ask;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::Did;
use plyr_outbound::Outbound;
use plyr_schemas::{Change, DueCheck, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use ask::{Asked, Missing};

/// After the first answer the question is asked again this much later, in microseconds.
const AGAIN: &[i64] = &[10_000_000];
/// Without an answer, in microseconds.
const RETRY: &[i64] = &[10_000_000, 60_000_000, 600_000_000];
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
    store: Arc<dyn Store>,
    outbound: Outbound,
    due: Arc<Notify>,
}

/// Checks under way, by their tasks.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Vec<Change>>,
    dids: HashMap<Id, Did>,
}

impl Checks {
    /// `due` is notified whenever a check became due.
    pub fn new(store: Arc<dyn Store>, outbound: Outbound, due: Arc<Notify>) -> Checks {
        Checks {
            store,
            outbound,
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
            Some(done) = running.tasks.join_next_with_id() => self.finish(running, done).await,
            () = self.due.notified() => Ok(()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Starts checks that are due, as many as there are places; answers how long until the next.
    async fn start_due(&self, running: &mut Running) -> Result<Duration, StoreError> {
        // Nobody is asked while the answer could not be kept.
        self.store.writable()?;
        let asking: HashSet<Did> = running.dids.values().cloned().collect();
        let snapshot = self.store.snapshot().await?;
        let checks = snapshot.due_checks(i64::MAX, AT_ONCE + 1).await?;
        metrics::gauge!("plyr_queue_depth", "queue" => "account_checks").set(checks.len() as f64);
        let mut wait = LOOK;
        for check in checks {
            if asking.contains(&check.did) {
                continue;
            }
            let early = check.due_at.saturating_sub(crate::now());
            if early > 0 {
                wait = wait.min(Duration::from_micros(early.unsigned_abs()));
                break;
            }
            if running.dids.len() >= AT_ONCE {
                break;
            }
            let did = check.did.clone();
            let held = snapshot.actors(std::slice::from_ref(&did)).await?;
            let handle = held.into_iter().next().and_then(|actor| actor.handle);
            let outbound = self.outbound.clone();
            let task = running.tasks.spawn(async move {
                let asking = ask::ask(&outbound, &check.did, handle, crate::now());
                let asked = tokio::time::timeout(PATIENCE, asking).await;
                follow_up(check, asked.unwrap_or_else(|_| Asked::took_too_long()))
            });
            running.dids.insert(task.id(), did);
        }
        Ok(wait)
    }

    async fn finish(
        &self,
        running: &mut Running,
        done: Result<(Id, Vec<Change>), JoinError>,
    ) -> Result<(), StoreError> {
        match done {
            Ok((id, changes)) => {
                running.dids.remove(&id);
                self.store.apply(changes).await.map(drop)
            }
            Err(problem) => {
                running.dids.remove(&problem.id());
                tracing::warn!(%problem, "an account check broke off");
                Ok(())
            }
        }
    }
}

/// What an answer, or none, makes of a check.
fn follow_up(check: DueCheck, asked: Asked) -> Vec<Change> {
    let DueCheck {
        did,
        triggered_at,
        answered,
        ..
    } = check;
    let again = |answered: u8, wait: i64| {
        let due_at = crate::now() + wait;
        Change::Due(DueCheck {
            did: did.clone(),
            triggered_at,
            answered,
            due_at,
        })
    };
    let mut changes = asked.changes;
    let tries = answered.saturating_sub(NO_ANSWER);
    let outcome = match asked.missing {
        None => Ok(()),
        // A handle that can't be proven is no reason to ask for ever.
        Some(Missing::Handle(_)) if usize::from(tries) >= RETRY.len() => Ok(()),
        Some(Missing::Handle(problem) | Missing::Account(problem)) => Err(problem),
    };
    match outcome {
        Ok(()) => {
            metrics::counter!("plyr_account_checks_total", "outcome" => "answered").increment(1);
            // Tries without an answer are counted from 128 on.
            let answers = if answered >= NO_ANSWER { 0 } else { answered };
            match AGAIN.get(usize::from(answers)) {
                Some(wait) => changes.push(again(answers + 1, *wait)),
                None => changes.push(Change::Checked { did, triggered_at }),
            }
        }
        Err(problem) => {
            metrics::counter!("plyr_account_checks_total", "outcome" => "no_answer").increment(1);
            let wait = RETRY[usize::from(tries).min(RETRY.len() - 1)];
            tracing::info!(
                did = did.as_str(), %problem, next_try_seconds = wait / 1_000_000,
                "an account check is not answered; what is held stays"
            );
            changes.push(again(NO_ANSWER + (tries + 1).min(100), wait));
        }
    }
    changes
}

/// From here on `answered` counts tries that got no answer.
const NO_ANSWER: u8 = 128;
