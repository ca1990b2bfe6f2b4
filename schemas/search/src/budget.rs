//! What a query may cost. A query that would cost more is cancelled where it stands, and its answer
//! says that it is partial.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bounds of one query, or of all that one request looks for: what one search leaves
/// ([`crate::Found::left`]) is what the next one gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Steps: an entry of a posting list that is read, a byte of a dictionary that is walked over.
    /// The bound that counts: it doesn't depend on how busy the machine is.
    pub steps: u64,
    /// Time, for a machine that is too slow for its steps.
    pub time: Duration,
}

impl Budget {
    /// For a page of results.
    pub const QUERY: Budget = Budget {
        steps: 30_000_000,
        time: Duration::from_millis(500),
    };
    /// For a search box, where a late answer is worth nothing.
    pub const TYPEAHEAD: Budget = Budget {
        steps: 4_000_000,
        time: Duration::from_millis(100),
    };
}

/// Says that nobody waits for an answer any more: a search that was handed a copy of it ends where
/// it stands, as if its budget were spent, within some ten thousand steps.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the searches that have a copy.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether that was said.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Steps between two looks at the clock.
const STEPS_A_LOOK: u64 = 1 << 15;

/// The budget is spent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent;

/// What is left of a budget.
#[derive(Debug)]
pub(crate) struct Purse {
    left: Cell<u64>,
    next_look: Cell<u64>,
    until: Option<Instant>,
    cancel: Cancel,
}

impl Purse {
    pub(crate) fn of(budget: Budget) -> Purse {
        Purse::until_cancelled(budget, Cancel::default())
    }

    pub(crate) fn until_cancelled(budget: Budget, cancel: Cancel) -> Purse {
        Purse {
            left: Cell::new(budget.steps),
            next_look: Cell::new(budget.steps.saturating_sub(STEPS_A_LOOK)),
            until: Instant::now().checked_add(budget.time),
            cancel,
        }
    }

    /// Pays for steps, before they are taken.
    pub(crate) fn pay(&self, steps: u64) -> Result<(), Spent> {
        let Some(left) = self.left.get().checked_sub(steps) else {
            self.left.set(0);
            return Err(Spent);
        };
        self.left.set(left);
        if left < self.next_look.get() {
            self.next_look.set(left.saturating_sub(STEPS_A_LOOK));
            let is_late = self.until.is_some_and(|until| Instant::now() > until);
            if is_late || self.cancel.is_cancelled() {
                self.left.set(0);
                return Err(Spent);
            }
        }
        Ok(())
    }

    /// A purse of its own with one of so many parts of what is left.
    pub(crate) fn share(&self, parts: u64) -> Purse {
        let steps = self.left.get() / parts;
        Purse {
            left: Cell::new(steps),
            next_look: Cell::new(steps.saturating_sub(STEPS_A_LOOK)),
            until: self.until,
            cancel: self.cancel.clone(),
        }
    }

    /// Pays what was spent of a share, of as many parts.
    pub(crate) fn take_back(&self, parts: u64, share: &Purse) {
        let spent = self.left.get() / parts - share.left.get();
        self.left.set(self.left.get() - spent);
    }

    /// What another search may spend.
    pub(crate) fn left(&self) -> Budget {
        let time = |until: Instant| until.saturating_duration_since(Instant::now());
        Budget {
            steps: self.left.get(),
            time: self.until.map_or(Duration::MAX, time),
        }
    }

    /// Whether there is nothing left.
    pub(crate) fn is_empty(&self) -> bool {
        self.left.get() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_purse_is_spent_within_a_look() {
        let budget = Budget {
            steps: STEPS_A_LOOK * 8,
            time: Duration::from_secs(3600),
        };
        let cancel = Cancel::default();
        let purse = Purse::until_cancelled(budget, cancel.clone());
        let share = purse.share(2);
        for _ in 0..2 * STEPS_A_LOOK {
            assert!(purse.pay(1).is_ok());
        }
        cancel.cancel();
        for purse in [&purse, &share] {
            let paid = (0..budget.steps).take_while(|_| purse.pay(1).is_ok());
            assert!(paid.count() as u64 <= STEPS_A_LOOK);
            assert!(purse.is_empty());
        }
    }
}
