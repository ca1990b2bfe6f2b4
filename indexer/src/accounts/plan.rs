//! What an answer, or none, makes of a check: what is kept of it, when the account is asked again,
//! and whether it is erased. Pure.

use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::Did;
use plyr_schemas::{Account, AccountState, Change, DueCheck, Micros, Observed};

use super::ask::{End, Missing, Said, nobody};

/// When accounts are asked again.
#[derive(Clone, Debug)]
pub struct AccountPace {
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

impl Default for AccountPace {
    fn default() -> AccountPace {
        let seconds = |of: &[u64]| of.iter().map(|s| Duration::from_secs(*s)).collect();
        AccountPace {
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

impl AccountPace {
    /// The usual, with another grace time. A deletion is confirmed in half of it at the latest.
    pub fn erasing_after(grace: Duration) -> AccountPace {
        let usual = AccountPace::default();
        AccountPace {
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

/// Asked when a repo has changed, at this time; what it answers is written before what was
/// observed, in the same batch, so that neither can be lost without the other.
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

impl FollowUp {
    /// Whether the account was seen to be active.
    pub fn is_active(&self) -> bool {
        self.observed.iter().any(|change| {
            matches!(change, Change::Account(account) if account.state == AccountState::Active)
        })
    }
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

impl AccountPace {
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
        let due_at = [times, in_grace, missing].into_iter().flatten().min();
        let Some(due_at) = due_at else {
            return false;
        };
        next.due_at = due_at.max(now.saturating_add(micros(self.between)));
        true
    }
}

#[cfg(test)]
mod tests {
    use plyr_outbound::OutboundError;
    use plyr_schemas::Identity;

    use super::*;

    const MINUTE: Micros = 60_000_000;
    const HOUR: Micros = 60 * MINUTE;
    const DAY: Micros = 24 * HOUR;
    const START: Micros = 1_800_000_000_000_000;

    fn did() -> Did {
        Did::new("did:plc:a".to_owned()).unwrap()
    }

    fn problem() -> OutboundError {
        OutboundError::Unreachable {
            url: "https://pds.example".to_owned(),
            detail: "it hangs".to_owned(),
        }
    }

    fn says(state: AccountState) -> (Said, End) {
        let said = Said {
            state: Some(state),
            ..Said::default()
        };
        (said, End::Answered)
    }

    /// Asks whenever a check is due, as long as it goes on; answers when (in seconds after the
    /// trigger) and what is held at the end.
    fn follow(
        held: Option<Account>,
        until: Micros,
        answer: impl Fn(Micros) -> (Said, End),
    ) -> (Vec<i64>, Observed, Option<Micros>) {
        let pace = AccountPace::default();
        let mut held = Observed {
            did: did(),
            account: held,
            identity: None,
            bluesky: None,
        };
        let (mut check, mut times) = (DueCheck::triggered(did(), START), Vec::new());
        loop {
            let now = check.due_at;
            if now > START + until {
                return (times, held, None);
            }
            times.push((now - START) / 1_000_000);
            let (said, end) = answer(now - START);
            let follow_up = pace.follow_up(&check, &held, said, end, (now, now));
            for change in follow_up.observed {
                match change {
                    Change::Account(account) => held.account = Some(account),
                    Change::Identity(identity) => held.identity = Some(identity),
                    _ => {}
                }
            }
            if follow_up.erase {
                assert!(follow_up.next.is_none());
                return (times, held, Some(now - START));
            }
            match follow_up.next {
                Some(next) => {
                    assert!(next.due_at > now && next.asked > check.asked);
                    check = next;
                }
                None => return (times, held, None),
            }
        }
    }

    #[test]
    fn i02_an_answer_is_asked_for_again_within_ten_minutes() {
        let (times, held, erased) = follow(None, DAY, |_| says(AccountState::Active));
        assert_eq!(times, [0, 10, 60, 600]);
        assert_eq!((held.account.map(|a| a.since), erased), (Some(START), None));
        // What passed while nobody answered isn't made up for.
        let (times, ..) = follow(None, DAY, |at| match at {
            ..30_000_000 => (Said::default(), End::Missing(Missing::Account(problem()))),
            _ => says(AccountState::Active),
        });
        assert_eq!(times, [0, 10, 70, 600]);
    }

    #[test]
    fn who_does_not_answer_is_asked_less_and_less_and_keeps_what_is_held() {
        let account = Account {
            did: did(),
            state: AccountState::TakenDown,
            since: 5,
            asked_at: 7,
        };
        let silent = |_| (Said::default(), End::Missing(Missing::Account(problem())));
        let (times, held, erased) = follow(Some(account.clone()), 7 * DAY, silent);
        assert_eq!(times[..6], [0, 10, 70, 670, 2_470, 6_070]);
        assert!(times.len() < 25, "{times:?}");
        assert_eq!(times[times.len() - 1] - times[times.len() - 2], 43_200);
        assert_eq!((held.account, erased), (Some(account), None));
        // Without the directory nobody can help it: it is tried again soon.
        let silent = |_| (Said::default(), End::Missing(Missing::Directory(problem())));
        let (times, ..) = follow(None, DAY, silent);
        let waits = times.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!(waits.max(), Some(600));
        // A handle that can't be proven is not asked about for ever.
        let unproven = |_| {
            let (said, _) = says(AccountState::Active);
            (said, End::Missing(Missing::Handle(problem())))
        };
        let (times, ..) = follow(None, 30 * DAY, unproven);
        assert_eq!(times, [0, 10, 70, 670, 2_470]);
    }

    #[test]
    fn i08_a_deletion_hides_is_confirmed_and_erases_after_thirty_days() {
        let deleted = |_| says(AccountState::Deleted);
        let (times, held, erased) = follow(None, 100 * DAY, deleted);
        assert_eq!(times[..5], [0, 10, 60, 600, 3_600]);
        assert_eq!(times[5], 3_600 + 86_400);
        assert_eq!(erased, Some(30 * DAY));
        assert!(times.len() < 40, "{}", times.len());
        assert_eq!(
            held.account.map(|held| held.state),
            Some(AccountState::Deleted)
        );
        // Coming back ends it.
        let back = |at| match at {
            0..=HOUR => says(AccountState::Deleted),
            _ => says(AccountState::Active),
        };
        let (_, held, erased) = follow(None, 100 * DAY, back);
        assert_eq!(
            held.account.map(|held| held.state),
            Some(AccountState::Active)
        );
        assert_eq!(erased, None);
        // A confirmed one is erased though its host is gone by then.
        let then_silent = |at| match at {
            0..=HOUR => says(AccountState::Deleted),
            _ => (Said::default(), End::Missing(Missing::Account(problem()))),
        };
        let (_, _, erased) = follow(None, 100 * DAY, then_silent);
        assert!(
            erased.is_some_and(|at| (30 * DAY..31 * DAY).contains(&at)),
            "{erased:?}"
        );
        // One that was told only once is not.
        let once = |at| match at {
            0 => says(AccountState::Deleted),
            _ => (Said::default(), End::Missing(Missing::Account(problem()))),
        };
        let (_, _, erased) = follow(None, 100 * DAY, once);
        assert_eq!(erased, None);
        // Deactivation never erases.
        let (times, _, erased) = follow(None, 100 * DAY, |_| says(AccountState::Deactivated));
        assert_eq!((times.len(), erased), (4, None));
    }

    #[test]
    fn an_unregistered_did_is_believed_an_hour_later() {
        let unregistered = |_| (Said::default(), End::Unregistered);
        let (times, held, erased) = follow(None, 2 * HOUR, unregistered);
        assert_eq!(times, [0, 10, 60, 600, 3_600]);
        let account = held.account.unwrap();
        assert_eq!(
            (account.state, account.since),
            (AccountState::Deleted, START)
        );
        assert_eq!(held.identity.map(|held| held.pds), Some(None));
        assert_eq!(erased, None);
        let (_, held, _) = follow(None, HOUR - MINUTE, unregistered);
        assert_eq!(held.account, None);
        let (_, _, erased) = follow(None, 100 * DAY, unregistered);
        assert_eq!(erased, Some(30 * DAY));
        // A document in between: it was a mistake, and whatever follows begins anew.
        let mistaken = |at| match at {
            0..=MINUTE => (Said::default(), End::Unregistered),
            600_000_000 => {
                let (said, end) = says(AccountState::Active);
                let identity = Some(nobody(&did(), START + at));
                (Said { identity, ..said }, end)
            }
            _ => (Said::default(), End::Unregistered),
        };
        let (times, held, _) = follow(None, DAY, mistaken);
        assert_eq!(times, [0, 10, 60, 600]);
        assert_eq!(
            held.account.map(|held| held.state),
            Some(AccountState::Active)
        );
    }

    #[test]
    fn a_move_a_new_key_and_a_return_change_the_repo() {
        let identity = |pds: Option<&str>, key: Option<&str>| Identity {
            pds: pds.map(str::to_owned),
            signing_key: key.map(str::to_owned),
            ..nobody(&did(), START)
        };
        let changes = |before: (AccountState, Identity), after: (AccountState, Identity)| {
            let held = Observed {
                did: did(),
                account: Some(Account {
                    did: did(),
                    state: before.0,
                    since: 1,
                    asked_at: 1,
                }),
                identity: Some(before.1),
                bluesky: None,
            };
            let said = Said {
                state: Some(after.0),
                identity: Some(after.1),
                bluesky: None,
            };
            let check = DueCheck::triggered(did(), START);
            let pace = AccountPace::default();
            pace.follow_up(&check, &held, said, End::Answered, (START, START))
                .repo
        };
        use AccountState::{Active, Deactivated, TakenDown};
        let (one, two) = (Some("https://one"), Some("https://two"));
        let old = || identity(one, Some("zA"));
        assert_eq!(changes((Active, old()), (Active, old())), []);
        assert_eq!(changes((Active, old()), (TakenDown, old())), []);
        let moved = identity(two, Some("zB"));
        assert_eq!(
            changes((Active, old()), (Active, moved)),
            [RepoChange::Moved, RepoChange::Rekeyed]
        );
        assert_eq!(
            changes((Deactivated, old()), (Active, old())),
            [RepoChange::Activated]
        );
        // The first sight of a host is no move, nor is its disappearance.
        assert_eq!(changes((Active, identity(None, None)), (Active, old())), []);
        assert_eq!(changes((Active, old()), (Active, identity(None, None))), []);
    }
}
