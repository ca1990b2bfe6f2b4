//! A disk in trouble. Full for a while: of the first call that needs room half is written, the
//! next ones are refused. And slow: each sync takes its time.

use std::ops::Range;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::change::Change;
use super::registers::Registers;
use crate::Arguments;

/// What a call that needs room meets.
#[derive(Debug, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// For so many bytes.
    Less(u64),
    None,
}

#[derive(Default)]
pub struct Trouble {
    /// Which of the calls that need room, from 1 on.
    full: Range<u64>,
    slow: Duration,
    /// Calls that needed room.
    needed: u64,
    /// Threads whose sync takes its time, and until when.
    held: Vec<(Pid, Instant)>,
    /// Calls that were refused.
    pub refused: u64,
    /// Syncs that were held up.
    pub slowed: u64,
}

impl Trouble {
    pub fn new(arguments: &Arguments) -> Trouble {
        let first = arguments.full_at.unwrap_or(u64::MAX);
        Trouble {
            full: first..first.saturating_add(arguments.full_for),
            slow: Duration::from_millis(arguments.slow),
            ..Trouble::default()
        }
    }

    /// Whether there is room for a call.
    pub fn room(&mut self, changes: &[Change], registers: &Registers) -> Room {
        let needs = |change: &Change| match change {
            Change::Write { .. } | Change::Made { .. } => true,
            Change::Length {
                new_length,
                old_length,
                ..
            } => new_length > old_length,
            Change::Removed { .. } | Change::RemovedFolder { .. } | Change::Renamed { .. } => false,
        };
        if !changes.iter().any(needs) {
            return Room::Enough;
        }
        self.needed += 1;
        if !self.full.contains(&self.needed) {
            return Room::Enough;
        }
        let half = registers.to_write().unwrap_or_default() / 2;
        if self.needed == self.full.start && half > 0 {
            return Room::Less(half);
        }
        self.refused += 1;
        Room::None
    }

    /// Holds up a thread that syncs; answers whether.
    pub fn holds(&mut self, thread: Pid) -> bool {
        if self.slow.is_zero() {
            return false;
        }
        self.slowed += 1;
        self.held.push((thread, Instant::now() + self.slow));
        true
    }

    /// Whether anybody is held up.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Those who were held up long enough.
    pub fn released(&mut self) -> Vec<Pid> {
        let now = Instant::now();
        let due = self.held.extract_if(.., |(_, until)| *until <= now);
        due.map(|(thread, _)| thread).collect()
    }
}
