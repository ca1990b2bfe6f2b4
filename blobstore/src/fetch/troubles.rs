//! What this machine couldn't do lately: put bytes, or look at them. Until that is over nothing is
//! downloaded for it; then one job tries. What failed for one blob alone may be that one's fault:
//! it waits, and no other.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use plyr_lexicons::Cid;

use super::reason::Reason;

/// How long nothing is tried, after the first failure and after many.
const FIRST: Duration = Duration::from_secs(60);
const LAST: Duration = Duration::from_secs(3600);
/// Blobs of which it is remembered how often they failed, before all are forgotten.
const REMEMBERED: usize = 1_000;

/// What a job does here once the bytes have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Puts them.
    Put,
    /// Has them looked at.
    Look,
}

/// How often in a row it failed, and until when it isn't tried.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// For which blob first.
    first: Cid,
    /// How often since it failed for another as well; 0 before.
    failures: u32,
    until: Instant,
}

/// Both parts' troubles, and how often each blob failed.
#[derive(Debug, Default)]
struct Held {
    parts: [Option<Trouble>; 2],
    own: HashMap<Cid, u32>,
}

/// What couldn't be done lately.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<Held>);

/// How long to wait after so many failures and one.
fn wait_after(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.min(6)).min(LAST)
}

impl Troubles {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It failed for that blob. Answers how long that one waits.
    pub fn failed(&self, part: Part, cid: &Cid) -> Duration {
        let held = &mut *self.held();
        if held.own.len() >= REMEMBERED {
            held.own.clear();
        }
        let own = held.own.entry(*cid).or_default();
        let wait = wait_after(*own);
        *own += 1;
        let now = Instant::now();
        let trouble = held.parts[part as usize].get_or_insert(Trouble {
            first: *cid,
            failures: 0,
            until: now,
        });
        if trouble.failures > 0 || trouble.first != *cid {
            trouble.until = now + wait_after(trouble.failures);
            trouble.failures += 1;
        }
        wait
    }

    /// It is over.
    pub fn succeeded(&self, part: Part, cid: &Cid) {
        let mut held = self.held();
        held.parts[part as usize] = None;
        if part == Part::Put {
            held.own.remove(cid);
        }
    }

    /// What isn't to be tried now.
    pub fn now(&self) -> Option<Reason> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<Reason> {
        let is_on = |trouble: &Option<Trouble>| trouble.is_some_and(|one| one.until > now);
        let [put, look] = &self.held().parts;
        match (is_on(put), is_on(look)) {
            (true, _) => Some(Reason::Store),
            (_, true) => Some(Reason::NotLooked),
            (false, false) => None,
        }
    }

    /// The same for a job that is about to download: where a trouble may be over, it is the one
    /// that tries, and the others wait for what it finds.
    pub fn hold(&self) -> Option<Reason> {
        self.hold_at(Instant::now())
    }

    fn hold_at(&self, now: Instant) -> Option<Reason> {
        let held = self.at(now);
        if held.is_none() {
            let mut held = self.held();
            let troubles = held.parts.iter_mut().flatten();
            for trouble in troubles.filter(|trouble| trouble.failures > 0) {
                trouble.until = now + FIRST;
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(number: u8) -> Cid {
        plyr_lexicons::data::cid_of(&[number])
    }

    #[test]
    fn i11_what_fails_here_is_tried_by_one_and_less_and_less_often() {
        let troubles = Troubles::default();
        assert_eq!((troubles.hold(), troubles.now()), (None, None));
        troubles.failed(Part::Put, &cid(100));
        let mut waits = Vec::new();
        for number in 0..9 {
            troubles.failed(Part::Put, &cid(number));
            let until = troubles.held().parts[0].unwrap().until;
            waits.push(until - Instant::now());
        }
        assert!(waits.is_sorted_by(|one, next| *next > *one || *next > LAST - FIRST));
        assert!(waits[0] > FIRST - Duration::from_secs(5) && waits[0] <= FIRST);
        assert!(waits[8] <= LAST && waits[8] > LAST - FIRST, "{waits:?}");

        let over = Instant::now() + LAST;
        assert_eq!(troubles.at(over), None);
        assert_eq!(troubles.hold_at(over), None, "one tries");
        assert_eq!(troubles.hold_at(over), Some(Reason::Store));
        troubles.succeeded(Part::Look, &cid(1));
        assert_eq!(troubles.at(over), Some(Reason::Store));
        troubles.succeeded(Part::Put, &cid(1));
        assert_eq!(troubles.now(), None);
    }

    #[test]
    fn i11_what_fails_for_one_blob_alone_holds_up_no_other() {
        let troubles = Troubles::default();
        let waits: Vec<Duration> = (0..9)
            .map(|_| troubles.failed(Part::Put, &cid(1)))
            .collect();
        assert_eq!((waits[0], waits[1], waits[8]), (FIRST, 2 * FIRST, LAST));
        assert_eq!((troubles.now(), troubles.hold()), (None, None));
        assert_eq!(troubles.hold(), None, "nor is one waited for");
        // It is the store's, too, once another fails.
        troubles.failed(Part::Put, &cid(2));
        assert_eq!(troubles.now(), Some(Reason::Store));
        troubles.succeeded(Part::Put, &cid(2));
        assert_eq!(troubles.failed(Part::Put, &cid(1)), LAST);
        assert_eq!(troubles.failed(Part::Put, &cid(1)), LAST);
        assert_eq!(troubles.now(), None);
    }
}
