//! What a query may cost. A query that would cost more is cancelled where it stands, and its answer
//! says that it is partial.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Bounds of one query.
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
}

impl Purse {
    pub(crate) fn of(budget: Budget) -> Purse {
        Purse {
            left: Cell::new(budget.steps),
            next_look: Cell::new(budget.steps.saturating_sub(STEPS_A_LOOK)),
            until: Instant::now().checked_add(budget.time),
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
            if self.until.is_some_and(|until| Instant::now() > until) {
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
        }
    }

    /// Pays what was spent of a share, of as many parts.
    pub(crate) fn take_back(&self, parts: u64, share: &Purse) {
        let spent = self.left.get() / parts - share.left.get();
        self.left.set(self.left.get() - spent);
    }

    /// Whether there is nothing left.
    pub(crate) fn is_empty(&self) -> bool {
        self.left.get() == 0
    }
}
