//! What an answer, or none, makes of a check: what is kept of it, when the account is asked again,
//! and whether it is erased. Pure.

use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::Did;
use plyr_schemas::{Account, AccountState, Change, DueCheck, Micros, Observed};

use super::ask::{End, Missing, Said, nobody};

/// When accounts are asked again.
#[derive(Clone, Debug)]
pub struct Pace {
    /// This long after the trigger, once there is an answer: what is asked may lag behind what
    /// triggered it.
    pub repeats: Vec<Duration>,
    /// This long after a failure, the next after the next; then always the last.
    pub retries: Vec<Duration>,
    /// Least time between two questions about one account, whatever triggers come.
    pub between: Duration,
    /// How often the PLC directory is tried while it can't be asked.
    pub directory: Duration,
    /// A deletion must have lasted this long to be believed.
    pub confirm: Duration,
    /// How often a deleted account is asked about before it is erased.
    pub grace_check: Duration,
    /// How long after its deletion an account is erased.
    pub grace: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        let seconds = |of: &[u64]| of.iter().map(|s| Duration::from_secs(*s)).collect();
        Pace {
            repeats: seconds(&[10, 60, 600]),
            retries: seconds(&[10, 60, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200]),
            between: Duration::from_secs(1),
            directory: Duration::from_secs(10),
            confirm: Duration::from_secs(3_600),
            grace_check: Duration::from_secs(86_400),
            grace: Duration::from_secs(30 * 86_400),
        }
    }
}

impl Pace {
    /// The usual, with another grace time. A deletion is confirmed in half of it at the latest.
    pub fn erasing_after(grace: Duration) -> Pace {
        let usual = Pace::default();
        Pace {
            confirm: usual.confirm.min(grace / 2),
            grace,
            ..usual
        }
    }
}

/// Why what is held of a repo may not be what it holds now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RepoChange {
    /// The account is active again: nobody followed it meanwhile.
    Activated,
    /// The DID document names another PDS.
    Moved,
    /// The DID document names another signing key.
    Rekeyed,
    /// Everything held of it was taken away.
    Erased,
}

impl RepoChange {
    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            RepoChange::Activated => "activated",
            RepoChange::Moved => "moved",
            RepoChange::Rekeyed => "rekeyed",
            RepoChange::Erased => "erased",
        }
    }
}

/// Asked when a repo has changed, at this time; what it answers is written before what was observed,
/// in the same batch, so that neither can be lost without the other.
pub type OnRepoChange = Arc<dyn Fn(&Did, RepoChange, Micros) -> Vec<Change> + Send + Sync>;

/// What follows from a check.
#[derive(Debug)]
pub struct FollowUp {
    /// What changed about the repo.
    pub repo: Vec<RepoChange>,
    /// What was observed.
    pub observed: Vec<Change>,
    /// Whether all that the account made is to be erased now.
    pub erase: bool,
    /// Whether that was to be done at an earlier check already.
    pub erased_before: bool,
    /// When it is asked again; none when its checks are done.
    pub next: Option<DueCheck>,
    /// Why there was no answer.
    pub problem: Option<String>,
}

/// A check's count of questions ends here.
const MOST_ASKED: u8 = 254;
/// Tries to prove a handle; after that what is known stays until the next trigger.
const HANDLE_TRIES: u8 = 4;
/// The longest wait for another account's try while the directory can't be asked.
const DIRECTORY_WAIT: Duration = Duration::from_secs(600);

fn micros(duration: Duration) -> Micros {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

impl Pace {
    /// What follows from what was said to a check, over what is held.
    pub fn follow_up(
        &self,
        check: &DueCheck,
        held: &Observed,
        said: Said,
        end: End,
        (asked_at, now): (Micros, Micros),
    ) -> FollowUp {
        let mut next = DueCheck {
            asked: check.asked.saturating_add(1).min(MOST_ASKED),
            ..check.clone()
        };
        let (mut state, mut identity) = (said.state, said.identity);
        let is_deleted = |account: &Account| account.state == AccountState::Deleted;
        if identity.is_some() {
            next.missing_since = 0;
        }
        if matches!(end, End::Unregistered) {
            next.missing_since = match check.missing_since {
                0 => asked_at,
                since => since,
            };
            let lasts = asked_at - next.missing_since;
            if lasts >= micros(self.confirm) || held.account.as_ref().is_some_and(is_deleted) {
                state = Some(AccountState::Deleted);
                identity = Some(nobody(&check.did, asked_at));
            }
        }
        let account = state.map(|state| {
            let same = held.account.as_ref().filter(|held| held.state == state);
            // What took its time to be believed has lasted that long, and no longer.
            let since = match next.missing_since {
                0 => asked_at,
                missing_since => missing_since.max(asked_at - micros(self.confirm)),
            };
            Account {
                did: check.did.clone(),
                state,
                since: same.map_or(since, |held| held.since),
                asked_at,
            }
        });
        let mut repo = Vec::new();
        if let (Some(before), Some(after)) = (&held.account, &account)
            && !before.state.is_visible()
            && after.state.is_visible()
        {
            repo.push(RepoChange::Activated);
        }
        if let (Some(before), Some(after)) = (&held.identity, &identity) {
            let differs = |before: &Option<String>, after: &Option<String>| {
                before.is_some() && after.is_some() && before != after
            };
            if differs(&before.pds, &after.pds) {
                repo.push(RepoChange::Moved);
            }
            if differs(&before.signing_key, &after.signing_key) {
                repo.push(RepoChange::Rekeyed);
            }
        }
        let lasting = account.as_ref().or(held.account.as_ref());
        let deleted = lasting.filter(|account| is_deleted(account));
        let problem = self.plan(&mut next, end, now);
        // Answered twice at least, as far apart as it takes; that nobody answers now, or the clock
        // says so, is no reason to keep it.
        let erase = deleted.is_some_and(|deleted| {
            deleted.asked_at - deleted.since >= micros(self.confirm)
                && now - deleted.since >= micros(self.grace)
        });
        let outlasts = |held: &Account| held.asked_at - held.since >= micros(self.grace);
        let erased_before = held.account.as_ref().is_some_and(outlasts);
        let goes_on = match problem {
            _ if erase => false,
            Some(_) => true,
            None => self.repeat(&mut next, deleted, now),
        };
        let account = account.map(Change::Account);
        let identity = identity.map(Change::Identity);
        let bluesky = said.bluesky.map(Change::Bluesky);
        FollowUp {
            repo,
            observed: [account, identity, bluesky].into_iter().flatten().collect(),
            erase,
            erased_before,
            next: goes_on.then_some(next),
            problem,
        }
    }

    /// Plans another try where there was no answer; answers why.
    fn plan(&self, next: &mut DueCheck, end: End, now: Micros) -> Option<String> {
        let tried = |next: &mut DueCheck, longest: Duration| {
            let last = self.retries.len().saturating_sub(1);
            let wait = self.retries.get(usize::from(next.failures).min(last));
            let wait = wait.copied().unwrap_or(longest).min(longest);
            next.due_at = now.saturating_add(micros(wait));
            next.failures = next.failures.saturating_add(1);
        };
        match end {
            End::Missing(Missing::Directory(problem)) => {
                tried(next, DIRECTORY_WAIT);
                Some(problem.to_string())
            }
            End::Missing(Missing::Account(problem)) => {
                tried(next, Duration::MAX);
                Some(problem.to_string())
            }
            End::Missing(Missing::Handle(problem)) if next.failures < HANDLE_TRIES => {
                tried(next, Duration::MAX);
                Some(problem.to_string())
            }
            // A handle that can't be proven is no reason to ask for ever.
            End::Missing(Missing::Handle(_)) | End::Answered | End::Unregistered => {
                next.failures = 0;
                None
            }
        }
    }

    /// When an answered check is due again, if it is.
    fn repeat(&self, next: &mut DueCheck, deleted: Option<&Account>, now: Micros) -> bool {
        let mut repeats = self.repeats.iter();
        let times = repeats.find_map(|after| {
            let due_at = next.triggered_at.saturating_add(micros(*after));
            (due_at > now).then_some(due_at)
        });
        let in_grace = deleted.map(|deleted| {
            let confirmed_at = deleted.since.saturating_add(micros(self.confirm));
            let erased_at = deleted.since.saturating_add(micros(self.grace));
            let checked_at = now.saturating_add(micros(self.grace_check)).min(erased_at);
            if deleted.asked_at < confirmed_at {
                confirmed_at.min(checked_at)
            } else {
                checked_at
            }
        });
        let missing = (next.missing_since != 0 && deleted.is_none())
            .then(|| next.missing_since.saturating_add(micros(self.confirm)));
        let Some(due_at) = times.or(in_grace).or(missing) else {
            return false;
        };
        next.due_at = due_at.max(now.saturating_add(micros(self.between)));
        true
    }
}
