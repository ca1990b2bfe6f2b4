//! Whether a resumed stream goes on where it stopped. Cursors are inclusive, so one of the last
//! events must come again; else the stream has a gap (the host lost its past, its clock was set
//! back, or another machine answers under the same name).

use crate::frame::At;

/// Frames that may pass before one of the last events must have come again.
const FRAMES: usize = 2_000;
/// How far from the cursor the stream may be before one of them has come again, in microseconds:
/// more than the clocks of two machines differ by.
const DISTANCE: u64 = 60 * 1_000_000;

/// What the stored cursor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A time, which several machines behind one name may tell differently.
    Time,
    /// A number of the host's own: the very first frame has it, and is the same as before.
    Number,
}

/// Watches the beginning of a resumed stream.
pub struct Overlap {
    expected: Vec<u64>,
    position: u64,
    unit: Unit,
    frames: usize,
}

impl Overlap {
    /// `expected`: keys of the last events before the stored position.
    pub fn new(position: u64, unit: Unit, expected: Vec<u64>) -> Overlap {
        Overlap {
            expected,
            position,
            unit,
            frames: 0,
        }
    }

    /// For a stream that is new to us.
    pub fn none() -> Overlap {
        Overlap::new(0, Unit::Time, Vec::new())
    }

    /// The host's own number of the last event before, where it told one.
    pub fn number(&self) -> Option<u64> {
        (self.unit == Unit::Number).then_some(self.position)
    }

    /// Looks at a frame; answers `true`, once, when it shows a gap.
    pub fn is_gap(&mut self, key: u64, at: Option<At>) -> bool {
        if self.expected.is_empty() {
            return false;
        }
        self.frames += 1;
        if self.expected.contains(&key) {
            self.expected.clear();
            return false;
        }
        let far = at.is_some_and(|at| match self.unit {
            Unit::Number => true,
            Unit::Time => at.time.is_some_and(|time| {
                u64::try_from(time).is_ok_and(|time| time.abs_diff(self.position) > DISTANCE)
            }),
        });
        let gap = far || self.frames >= FRAMES;
        if gap {
            self.expected.clear();
        }
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 1_000 * DISTANCE;

    fn at(time: u64) -> Option<At> {
        Some(At {
            cursor: time,
            time: i64::try_from(time).ok(),
        })
    }

    #[test]
    fn an_event_that_comes_again_is_no_gap() {
        let mut overlap = Overlap::new(AT, Unit::Time, vec![1, 2, 3]);
        assert!(!overlap.is_gap(9, at(AT)));
        assert!(!overlap.is_gap(3, at(AT + 1)));
        assert!(!overlap.is_gap(9, at(AT * 2)));
    }

    #[test]
    fn far_frames_or_many_show_a_gap_once() {
        for far in [AT - DISTANCE - 1, AT + DISTANCE + 1] {
            let mut overlap = Overlap::new(AT, Unit::Time, vec![1]);
            assert!(overlap.is_gap(9, at(far)));
            assert!(!overlap.is_gap(9, at(far)));
        }
        for unit in [Unit::Time, Unit::Number] {
            let mut overlap = Overlap::new(AT, unit, vec![1]);
            let gaps = (0..FRAMES * 2).filter(|_| overlap.is_gap(9, None)).count();
            assert_eq!(gaps, 1);
        }
        assert!(!Overlap::none().is_gap(9, at(1)));
    }

    #[test]
    fn a_numbered_stream_begins_with_the_same_frame() {
        let mut overlap = Overlap::new(70, Unit::Number, vec![1, 2]);
        assert!(!overlap.is_gap(2, at(70)));
        for other in [69, 70, 71] {
            let mut overlap = Overlap::new(70, Unit::Number, vec![1, 2]);
            assert!(overlap.is_gap(9, at(other)));
        }
    }
}
