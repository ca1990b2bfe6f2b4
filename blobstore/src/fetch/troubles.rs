//! What this machine couldn't do lately: put bytes, or look at them. Until that is over nothing is
//! downloaded for it; then one job tries.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::reason::Reason;

/// How long nothing is tried, after the first failure and after many.
const FIRST: Duration = Duration::from_secs(60);
const LAST: Duration = Duration::from_secs(3600);

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
    failures: u32,
    until: Instant,
}

/// Both parts' troubles.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<[Option<Trouble>; 2]>);

impl Troubles {
    fn all(&self) -> std::sync::MutexGuard<'_, [Option<Trouble>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It failed.
    pub fn failed(&self, part: Part) {
        let trouble = &mut self.all()[part as usize];
        let failures = trouble.map_or(0, |trouble| trouble.failures);
        let wait = FIRST.saturating_mul(1 << failures.min(6)).min(LAST);
        *trouble = Some(Trouble {
            failures: failures + 1,
            until: Instant::now() + wait,
        });
    }

    /// It is over.
    pub fn succeeded(&self, part: Part) {
        self.all()[part as usize] = None;
    }

    /// What isn't to be tried now.
    pub fn now(&self) -> Option<Reason> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<Reason> {
        let is_on = |trouble: &Option<Trouble>| trouble.is_some_and(|one| one.until > now);
        let [put, look] = &*self.all();
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
            for trouble in self.all().iter_mut().flatten() {
                trouble.until = now + FIRST;
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_what_fails_here_is_tried_by_one_and_less_and_less_often() {
        let troubles = Troubles::default();
        assert_eq!((troubles.hold(), troubles.now()), (None, None));
        let mut waits = Vec::new();
        for _ in 0..9 {
            troubles.failed(Part::Put);
            let until = troubles.all()[0].unwrap().until;
            waits.push(until - Instant::now());
        }
        assert!(waits.is_sorted_by(|one, next| *next > *one || *next > LAST - FIRST));
        assert!(waits[0] > FIRST - Duration::from_secs(5) && waits[0] <= FIRST);
        assert!(waits[8] <= LAST && waits[8] > LAST - FIRST, "{waits:?}");

        let over = Instant::now() + LAST;
        assert_eq!(troubles.at(over), None);
        assert_eq!(troubles.hold_at(over), None, "one tries");
        assert_eq!(troubles.hold_at(over), Some(Reason::Store));
        troubles.succeeded(Part::Look);
        assert_eq!(troubles.at(over), Some(Reason::Store));
        troubles.succeeded(Part::Put);
        assert_eq!(troubles.now(), None);
    }
}
