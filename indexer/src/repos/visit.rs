//! One visit to a repo: ask its head; where that says nothing new, it is verified; else fetch and
//! merge. Its row says what came of it, and when it is due again.

use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::{Did, Namespace, RecordUri, Rev};
use plyr_schemas::{
    AccountState, Change, DueCheck, DueRepo, Micros, Repo, RepoHead, RepoState, Store, StoreError,
    Urgency,
};

use super::merge::{Cause, MOST_TOLD, Manner, Merge, MergeError, Merged};
use super::named;
use super::network::{Fault, Fetched, Network, State, Trouble};
use super::pace::{Pace, micros};
use super::turns::Turns;

/// Times a repo is asked that other visits merge meanwhile.
const TRIES: usize = 5;

/// How long an answer that failed may come from memory, and a little more.
const REMEMBERED: Duration = Duration::from_secs(35);

/// Who visits.
#[derive(Clone)]
pub struct Visitor {
    /// Where what is found is written.
    pub store: Arc<dyn Store>,
    /// Who is asked.
    pub network: Arc<dyn Network>,
    /// Whose collections.
    pub namespace: Namespace,
    /// When again.
    pub pace: Pace,
    /// Whose merge is under way.
    pub turns: Turns,
}

/// What came of a visit.
#[derive(Debug)]
pub struct Visit {
    /// The repo as known now.
    pub repo: Repo,
    /// When it is due again: how urgently, after how long, and why.
    pub next: (Urgency, Duration, &'static str),
    /// What a merge came to, where there was one.
    pub merged: Option<Merged>,
    /// Why it came to nothing.
    pub trouble: Option<Trouble>,
}

/// A repo as held before a visit.
struct Before {
    repo: Repo,
    /// The least of its collections' floors.
    floor: Rev,
    /// The greatest of them.
    top: Rev,
    /// Whether nothing was told since the last merge.
    is_clean: bool,
}

impl Visitor {
    async fn before(&self, did: &Did, now: Micros) -> Result<Before, StoreError> {
        let snapshot = self.store.snapshot().await?;
        let repo = snapshot.repos(std::slice::from_ref(did)).await?;
        let repo = repo.into_iter().next().flatten();
        let repo = repo.unwrap_or_else(|| Repo::met(did.clone(), now));
        let floors = snapshot.floors(did, self.namespace.nsids()).await?;
        let floor = floors.iter().copied().min().unwrap_or(Rev::MIN);
        let top = floors.into_iter().max().unwrap_or(Rev::MIN);
        let told = snapshot.told(did).await?;
        let is_clean = repo.is_settled && repo.ahead.is_none() && told.newest <= floor;
        Ok(Before {
            repo,
            floor,
            top,
            is_clean,
        })
    }

    /// Visits a repo. Nothing of the row is written yet: [`Visitor::keep`] does. An error is the
    /// store's alone.
    pub async fn visit(&self, did: &Did, by_force: bool) -> Result<Visit, StoreError> {
        let mut tries = 1;
        loop {
            let asked_at = crate::now();
            let mut before = self.before(did, asked_at).await?;
            before.is_clean &= !by_force;
            let repo = before.repo.clone();
            let trouble = match self.ask(before, asked_at).await {
                Ok(visit) => return Ok(visit),
                Err(MergeError::Overtaken) if tries < TRIES => {
                    tries += 1;
                    continue;
                }
                Err(MergeError::Store(problem)) => return Err(problem),
                Err(MergeError::Network(trouble)) => trouble,
                Err(problem @ MergeError::Overtaken) => Trouble {
                    fault: Fault::Here,
                    reason: "overtaken",
                    detail: problem.to_string(),
                },
            };
            return Ok(self.failed(repo, trouble, asked_at));
        }
    }

    /// A repo whose host could not be found out.
    pub async fn not_found(&self, did: &Did, trouble: Trouble) -> Result<Visit, StoreError> {
        let now = crate::now();
        let before = self.before(did, now).await?;
        Ok(self.failed(before.repo, trouble, now))
    }

    /// A visit that took longer than one may.
    pub async fn gave_up(&self, did: &Did) -> Result<Visit, StoreError> {
        let trouble = Trouble {
            fault: Fault::Host,
            reason: "slow",
            detail: "the visit took too long".to_owned(),
        };
        self.not_found(did, trouble).await
    }

    /// What differs between a repo and what is held of it; changes nothing.
    pub async fn compare(&self, did: &Did, most_told: usize) -> Result<Merged, MergeError> {
        let mut tries = 1;
        loop {
            match self.compare_once(did, most_told).await {
                Err(MergeError::Overtaken) if tries < TRIES => tries += 1,
                compared => return compared,
            }
        }
    }

    async fn compare_once(&self, did: &Did, most_told: usize) -> Result<Merged, MergeError> {
        let now = crate::now();
        let before = self.before(did, now).await?;
        let Fetched::Records(state, mut pages) = self.network.fetch(did, None).await? else {
            return Ok(Merged::default());
        };
        let manner = Manner {
            repair: false,
            most_told,
            ..self.manner(None, before.top, now)
        };
        let (store, pages) = (&self.store, pages.as_mut());
        Merge::run(store, &self.namespace, did, &state, pages, manner).await
    }

    /// Settles one record by proof. `is_late`: it was asked about before, long enough ago, so that
    /// what is above the head up to `rev` never was. None where the head is still below `rev`.
    pub async fn prove(
        &self,
        uri: &RecordUri,
        rev: Rev,
        is_late: bool,
    ) -> Result<Option<Merged>, MergeError> {
        let mut tries = 1;
        let merged = loop {
            let snapshot = self.store.snapshot().await?;
            let collections = std::slice::from_ref(&uri.collection);
            let floors = snapshot.floors(&uri.did, collections).await?;
            let floor = floors.into_iter().max().unwrap_or(Rev::MIN);
            let proof = self.network.prove(uri).await?;
            if proof.head.rev < rev && !is_late {
                return Ok(None);
            }
            let manner = Manner {
                void_up_to: if is_late { rev } else { Rev::MIN },
                ..self.manner(None, floor, crate::now())
            };
            let _turn = self.turns.of(&uri.did).await;
            match Merge::one(&self.store, &self.namespace, uri, proof, manner).await {
                Err(MergeError::Overtaken) if tries < TRIES => tries += 1,
                merged => break merged?,
            }
        };
        count(&merged);
        Ok(Some(merged))
    }

    fn manner(&self, ahead: Option<(Rev, Micros)>, floor: Rev, now: Micros) -> Manner {
        let long_ago = now - micros(self.pace.ask_again);
        let void_up_to = ahead.filter(|(_, since)| *since <= long_ago);
        Manner {
            repair: true,
            quota: self.pace.quota,
            most_told: MOST_TOLD,
            floor,
            void_up_to: void_up_to.map_or(Rev::MIN, |(rev, _)| rev),
            void_before: long_ago,
            now,
        }
    }

    async fn ask(&self, before: Before, now: Micros) -> Result<Visit, MergeError> {
        let held = &before.repo;
        let host = self.network.host(&held.did).await?;
        let repo = Repo {
            pds: Some(host),
            asked_at: now,
            unreachable_since: 0,
            failures: 0,
            last_error: None,
            ..held.clone()
        };
        if let Some(known) = &held.head {
            let head = self.network.head(&held.did).await?;
            if head == *known && before.is_clean {
                return Ok(self.verified(repo, head, now));
            }
            if let Some(visit) = self.went_back(&repo, &head, now) {
                return Ok(visit);
            }
        }
        let known = held.range.as_deref().filter(|_| before.is_clean);
        let (state, mut pages) = match self.network.fetch(&held.did, known).await? {
            // A range that wasn't known can't be unchanged.
            Fetched::Unchanged(state) if before.is_clean => {
                return Ok(self.verified(repo, state.head, now));
            }
            Fetched::Unchanged(_) => return Err(unasked().into()),
            Fetched::Records(state, pages) => (state, pages),
        };
        if let Some(visit) = self.went_back(&repo, &state.head, now) {
            return Ok(visit);
        }
        let manner = self.manner(held.ahead, before.top, now);
        let (store, did) = (&self.store, &held.did);
        let turn = self.turns.of(did).await;
        let merged = Merge::run(store, &self.namespace, did, &state, pages.as_mut(), manner);
        let merged = merged.await?;
        drop(turn);
        if before.floor > Rev::MIN {
            count(&merged);
        }
        Ok(self.merged(repo, state, merged, now))
    }

    fn verified(&self, repo: Repo, head: RepoHead, now: Micros) -> Visit {
        let went_back = repo.went_back && repo.head.as_ref() == Some(&head);
        Visit {
            repo: Repo {
                state: match went_back {
                    true => RepoState::RolledBack,
                    false => RepoState::Verified,
                },
                head: Some(head),
                went_back,
                verified_at: now,
                ..repo
            },
            next: self.steady(),
            merged: None,
            trouble: None,
        }
    }

    /// A head below one that was merged: an old backup restored, or an old copy that answers. It is
    /// followed only when the host stands by it.
    fn went_back(&self, repo: &Repo, head: &RepoHead, now: Micros) -> Option<Visit> {
        let known = repo.head.as_ref().filter(|known| head.rev < known.rev)?;
        let long_ago = now - micros(self.pace.ask_again);
        let (rev, since) = repo.ahead.unwrap_or((known.rev, now));
        if repo.ahead.is_some() && rev >= known.rev && since <= long_ago {
            return None;
        }
        let since = if rev >= known.rev { since } else { now };
        Some(Visit {
            repo: Repo {
                state: RepoState::Desynchronized,
                ahead: Some((rev.max(known.rev), since)),
                last_error: Some(format!("the head went back to {}", head.rev)),
                ..repo.clone()
            },
            next: (Urgency::Soon, self.pace.ask_again, "went-back"),
            merged: None,
            trouble: None,
        })
    }

    fn merged(&self, held: Repo, state: State, merged: Merged, now: Micros) -> Visit {
        let several = self.store.has_several_writers();
        let is_same = held.head.as_ref() == Some(&state.head);
        let long_ago = now - micros(self.pace.once_more);
        let was_merged = held.merged_at > 0 && held.merged_at <= long_ago;
        let is_settled = merged.is_sure && (!several || (is_same && was_merged));
        let known = held.head.as_ref().map_or(Rev::MIN, |known| known.rev);
        let is_news = state.head.rev < known;
        // Kept while the head is the same, whatever comes between. The floor can't tell: it is
        // above the head too where differences were settled after the head had been merged.
        let went_back = is_news || (held.went_back && is_same);
        // One that was there before keeps its time, so that it ends as void.
        let ahead = merged.ahead.as_ref().map(|(rev, _)| *rev);
        let ahead = ahead.map(|rev| match held.ahead {
            Some((before, since)) if rev <= before => (before, since),
            _ => (rev, now),
        });
        let never = held.verified_at == 0;
        let (state_now, next) = match (state.is_proven, ahead, is_settled) {
            (false, ..) => (RepoState::Desynchronized, self.steady()),
            (true, Some(_), _) => {
                let next = (Urgency::Soon, self.pace.ask_again, "ahead");
                (RepoState::Desynchronized, next)
            }
            (true, None, false) => {
                let state = match (went_back, never) {
                    (true, _) => RepoState::RolledBack,
                    (false, true) => RepoState::Backfilling,
                    (false, false) => RepoState::Desynchronized,
                };
                // What was seen to be written meanwhile need not wait for what may have been.
                let wait = match several && merged.is_sure {
                    true => self.pace.once_more,
                    false => self.pace.soon_again,
                };
                (state, (Urgency::Soon, wait, "once-more"))
            }
            (true, None, true) if went_back => (RepoState::RolledBack, self.steady()),
            (true, None, true) => (RepoState::Verified, self.steady()),
        };
        if is_news {
            metrics::counter!("plyr_repos_rolled_back_total").increment(1);
        }
        let is_verified = state.is_proven && ahead.is_none() && is_settled;
        Visit {
            repo: Repo {
                state: state_now,
                head: Some(state.head),
                range: state.range,
                merged_at: match is_same && several && !was_merged {
                    // The wait goes on from the first merge of this head.
                    true => held.merged_at.max(1),
                    false => now,
                },
                verified_at: if is_verified { now } else { held.verified_at },
                is_settled: is_settled && state.is_proven,
                went_back,
                ahead,
                records: merged.records,
                bytes: merged.bytes,
                last_error: (!state.is_proven).then(|| "listed by its host, not proven".to_owned()),
                ..held
            },
            next,
            merged: Some(merged),
            trouble: None,
        }
    }

    fn failed(&self, held: Repo, trouble: Trouble, now: Micros) -> Visit {
        // A directory that failed is remembered for a while: told again, it is the same failure.
        let is_recent = now - held.asked_at < micros(REMEMBERED);
        let is_same = trouble.reason == "identity" && held.failures > 0 && is_recent;
        let before = held.failures - u32::from(is_same);
        let failures = before.saturating_add(1);
        let Pace {
            retry,
            longest_retry,
            verify_every,
            ..
        } = self.pace;
        let wait = |least: Duration, most| crate::backoff(before, least, most);
        let (state, wait) = match trouble.fault {
            Fault::Host => (RepoState::Unreachable, wait(retry, longest_retry)),
            Fault::Content => (RepoState::Desynchronized, wait(retry * 10, verify_every)),
            Fault::Account => (RepoState::Gone, wait(retry * 10, verify_every * 7)),
            Fault::Quota => (RepoState::OverQuota, verify_every),
            Fault::Here => (held.state, wait(retry, longest_retry)),
        };
        metrics::counter!("plyr_repo_troubles_total", "reason" => trouble.reason).increment(1);
        tracing::info!(
            did = held.did.as_str(), reason = trouble.reason, problem = %trouble.detail, failures,
            next_try_seconds = wait.as_secs(), "a repo could not be verified; what is held stays"
        );
        let is_unreachable = state == RepoState::Unreachable;
        Visit {
            repo: Repo {
                state,
                unreachable_since: match (is_unreachable, held.unreachable_since) {
                    (true, 0) => now,
                    (true, since) => since,
                    (false, _) => 0,
                },
                failures,
                last_error: Some(format!("{}: {}", trouble.reason, trouble.detail)),
                asked_at: now,
                ..held
            },
            next: (Urgency::Soon, wait, "retry"),
            merged: None,
            trouble: Some(trouble),
        }
    }

    fn steady(&self) -> (Urgency, Duration, &'static str) {
        let wait = self
            .pace
            .verify_every
            .mul_f64(rand::random_range(0.6..0.95));
        (Urgency::Steady, wait, "steady")
    }

    /// Writes what came of a visit, and when the repo is due again.
    pub async fn keep(&self, due: &DueRepo, visit: &Visit) -> Result<(), StoreError> {
        let now = crate::now();
        let did = &due.did;
        let (urgency, wait, cause) = visit.next;
        let mut changes = vec![
            Change::Repo(visit.repo.clone()),
            Change::RepoDone {
                did: did.clone(),
                wanted_at: due.wanted_at,
            },
            Change::RepoDue(DueRepo {
                did: did.clone(),
                wanted_at: now.max(due.wanted_at + 1),
                urgency,
                due_at: now + micros(wait),
                tries: 0,
                cause: cause.to_owned(),
            }),
        ];
        let fault = visit.trouble.as_ref().map(|trouble| trouble.fault);
        let snapshot = self.store.snapshot().await?;
        let before = snapshot.repos(std::slice::from_ref(did)).await?.pop();
        let was_gone = before
            .flatten()
            .is_some_and(|repo| repo.state == RepoState::Gone);
        if fault == Some(Fault::Account) && !was_gone {
            changes.push(Change::Due(DueCheck::triggered(did.clone(), now)));
        }
        let named = visit.merged.iter().flat_map(|merged| merged.named.iter());
        let named = named.cloned().collect();
        // Of whom no stream ever told, nobody knows yet what they are called.
        let known = snapshot.observed(std::slice::from_ref(did)).await?;
        let is_unknown = known.iter().any(|actor| {
            let account = actor.account.as_ref();
            account.is_none_or(|account| account.state == AccountState::Unknown)
        });
        if fault.is_none() && is_unknown {
            changes.push(Change::Due(DueCheck::triggered(did.clone(), now)));
        }
        for did in named::unmet(snapshot.as_ref(), named).await? {
            changes.extend(wanted(did, Urgency::Soon, "named", now));
        }
        self.store.apply(changes).await.map(drop)
    }
}

/// A repo that is wanted, and may never have been met. Its row comes last: over a cluster the
/// changes are written one after another, and a repo that has a row is taken for one that was
/// wanted.
pub fn wanted(did: Did, urgency: Urgency, cause: &str, now: Micros) -> [Change; 2] {
    let due = DueRepo {
        did: did.clone(),
        wanted_at: now,
        urgency,
        due_at: now,
        tries: 0,
        cause: cause.to_owned(),
    };
    [Change::RepoDue(due), Change::Repo(Repo::met(did, now))]
}

fn unasked() -> Trouble {
    Trouble {
        fault: Fault::Here,
        reason: "here",
        detail: "a state counts as unchanged that was not known".to_owned(),
    }
}

fn count(merged: &Merged) {
    for cause in Cause::ALL {
        let found = merged.of(cause);
        if found > 0 {
            metrics::counter!("plyr_repo_differences_total", "cause" => cause.as_str())
                .increment(found);
        }
    }
}
