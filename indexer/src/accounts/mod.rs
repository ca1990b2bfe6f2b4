//! Checks of accounts and identities. An event only makes a check due; the answer comes from the
//! DID document and the PDS it names, stamped with the time of asking.

use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::{Did, Ipld};
use plyr_outbound::{Freshness, Outbound, OutboundError, RepoStatus};
use plyr_schemas::{
    Account, AccountState, BlueskyProfile, Change, DueCheck, Identity, Store, StoreError,
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// After the first answer the question is asked again this much later, in microseconds.
const AGAIN: &[i64] = &[10_000_000];
/// Without an answer, in microseconds.
const RETRY: &[i64] = &[10_000_000, 60_000_000, 600_000_000];
/// Checks at the same time.
const AT_ONCE: usize = 8;
/// Longest wait for a check to become due before the table is looked at again.
const LOOK: Duration = Duration::from_secs(5);
/// One check, all its questions together.
const PATIENCE: Duration = Duration::from_secs(45);
/// Longest display name kept, in bytes (the Bluesky lexicon's limit).
const LONGEST_NAME: usize = 640;

/// The follower of due checks.
pub struct Checks {
    store: Arc<dyn Store>,
    outbound: Outbound,
    due: Arc<Notify>,
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
        loop {
            let handled = tokio::select! {
                () = cancel.cancelled() => return,
                handled = self.round() => handled,
            };
            let idle = match handled {
                Ok(handled) => handled == 0,
                Err(problem) => {
                    tracing::warn!(%problem, "account checks wait for the store");
                    true
                }
            };
            if idle {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = self.due.notified() => {}
                    () = tokio::time::sleep(self.until_next().await) => {}
                }
            }
        }
    }

    /// How long until the soonest check is due.
    async fn until_next(&self) -> Duration {
        let soonest = async {
            let snapshot = self.store.snapshot().await.ok()?;
            let checks = snapshot.due_checks(i64::MAX, 1).await.ok()?;
            let wait = checks.first()?.due_at.saturating_sub(crate::now()).max(0);
            Some(Duration::from_micros(wait.unsigned_abs()))
        };
        soonest.await.map_or(LOOK, |wait| wait.min(LOOK))
    }

    /// Handles what is due now; answers how many.
    async fn round(&self) -> Result<usize, StoreError> {
        let checks = self
            .store
            .snapshot()
            .await?
            .due_checks(crate::now(), AT_ONCE * 8)
            .await?;
        metrics::gauge!("plyr_queue_depth", "queue" => "account_checks").set(checks.len() as f64);
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = tokio::task::JoinSet::new();
        let handled = checks.len();
        for check in checks {
            let (outbound, places) = (self.outbound.clone(), places.clone());
            running.spawn(async move {
                let _place = places.acquire().await;
                let asked_at = crate::now();
                let asking = ask(&outbound, &check.did, asked_at);
                let answer = match tokio::time::timeout(PATIENCE, asking).await {
                    Ok(answer) => answer,
                    Err(_) => Err(OutboundError::Unreachable {
                        url: check.did.as_str().to_owned(),
                        detail: "the check took too long".to_owned(),
                    }),
                };
                follow_up(check, answer)
            });
        }
        while let Some(done) = running.join_next().await {
            match done {
                Ok(changes) => {
                    self.store.apply(changes).await?;
                }
                Err(problem) => tracing::warn!(%problem, "an account check broke off"),
            }
        }
        Ok(handled)
    }
}

/// What an answer, or none, makes of a check.
fn follow_up(check: DueCheck, answer: Result<Vec<Change>, OutboundError>) -> Vec<Change> {
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
    match answer {
        Ok(mut changes) => {
            metrics::counter!("plyr_account_checks_total", "outcome" => "answered").increment(1);
            // Tries without an answer are counted from 128 on.
            let answers = if answered >= NO_ANSWER { 0 } else { answered };
            match AGAIN.get(usize::from(answers)) {
                Some(wait) => changes.push(again(answers + 1, *wait)),
                None => changes.push(Change::Checked { did, triggered_at }),
            }
            changes
        }
        Err(problem) => {
            metrics::counter!("plyr_account_checks_total", "outcome" => "no_answer").increment(1);
            let tries = answered.saturating_sub(NO_ANSWER);
            let wait = RETRY[usize::from(tries).min(RETRY.len() - 1)];
            tracing::info!(
                did = did.as_str(), %problem, next_try_seconds = wait / 1_000_000,
                "an account check got no answer; nothing changes"
            );
            vec![again(NO_ANSWER + (tries + 1).min(100), wait)]
        }
    }
}

/// From here on `answered` counts tries that got no answer.
const NO_ANSWER: u8 = 128;

/// Asks the DID document and the PDS that it names.
async fn ask(outbound: &Outbound, did: &Did, asked_at: i64) -> Result<Vec<Change>, OutboundError> {
    let no_document = || OutboundError::Malformed {
        url: did.as_str().to_owned(),
        detail: "there is no DID document".to_owned(),
    };
    let document = outbound
        .did_document(did, Freshness::Fresh)
        .await?
        .ok_or_else(no_document)?;
    let mut handle = None;
    if let Some(claimed) = document.handle {
        match outbound.resolve_handle(&claimed, Freshness::Fresh).await {
            Ok(Some(named)) if named == *did => handle = Some(claimed),
            Ok(_) => {}
            Err(problem) => tracing::debug!(%problem, did = did.as_str(), "handle not proven"),
        }
    }
    let mut changes = vec![Change::Identity(Identity {
        did: did.clone(),
        pds: document.pds.clone(),
        signing_key: document.signing_key,
        handle,
        asked_at,
    })];
    let Some(pds) = document.pds else {
        return Ok(changes);
    };
    let status = outbound.repo_status(&pds, did).await?;
    if let Some(state) = state_of(&status) {
        changes.push(Change::Account(Account {
            did: did.clone(),
            state,
            asked_at,
        }));
    }
    if status.active {
        match outbound
            .record(&pds, did, "app.bsky.actor.profile", "self")
            .await
        {
            Ok(record) => changes.push(Change::Bluesky(profile(did, record.as_ref(), asked_at))),
            Err(problem) => tracing::debug!(%problem, did = did.as_str(), "no Bluesky profile"),
        }
    }
    Ok(changes)
}

/// What a PDS's answer says of an account; none for words that hide nobody.
fn state_of(status: &RepoStatus) -> Option<AccountState> {
    if status.active {
        return Some(AccountState::Active);
    }
    match status.status.as_deref() {
        Some("deactivated") => Some(AccountState::Deactivated),
        Some("deleted") => Some(AccountState::Deleted),
        Some("takendown") => Some(AccountState::TakenDown),
        Some("suspended") => Some(AccountState::Suspended),
        _ => None,
    }
}

fn profile(did: &Did, record: Option<&Ipld>, asked_at: i64) -> BlueskyProfile {
    let field = |name: &str| match record {
        Some(Ipld::Map(fields)) => fields.get(name),
        _ => None,
    };
    let display_name = match field("displayName") {
        Some(Ipld::String(name)) if !name.is_empty() && name.len() <= LONGEST_NAME => {
            Some(name.clone())
        }
        _ => None,
    };
    let avatar = match field("avatar") {
        Some(Ipld::Map(blob)) => match blob.get("ref") {
            Some(Ipld::Link(cid)) => Some(cid.to_string()),
            _ => None,
        },
        _ => None,
    };
    BlueskyProfile {
        did: did.clone(),
        display_name,
        avatar,
        asked_at,
    }
}
