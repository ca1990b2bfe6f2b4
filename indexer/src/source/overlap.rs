//! Whether a resumed stream goes on where it stopped. Cursors are inclusive, so one of the last
//! events must come again; else the stream has a gap (the host lost its past, its clock was set
//! back, or another machine answers under the same name).

/// Frames that may pass before one of the last events must have come again.
const FRAMES: usize = 2_000;
/// How far from the cursor the stream may be before one of them has come again, in microseconds:
/// more than the clocks of two machines differ by.
const DISTANCE: u64 = 60 * 1_000_000;

/// Watches the beginning of a resumed stream.
pub struct Overlap {
    expected: Vec<u64>,
    position: u64,
    frames: usize,
}

impl Overlap {
    /// `expected`: keys of the last events before the stored position; none for a new stream.
    pub fn new(position: u64, expected: Vec<u64>) -> Overlap {
        Overlap {
            expected,
            position,
            frames: 0,
        }
    }

    /// Looks at a frame; answers `true`, once, when it shows a gap.
    pub fn is_gap(&mut self, key: u64, cursor: Option<u64>) -> bool {
        if self.expected.is_empty() {
            return false;
        }
        self.frames += 1;
        if self.expected.contains(&key) {
            self.expected.clear();
            return false;
        }
        let far = cursor.is_some_and(|cursor| cursor.abs_diff(self.position) > DISTANCE);
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

    #[test]
    fn an_event_that_comes_again_is_no_gap() {
        let mut overlap = Overlap::new(AT, vec![1, 2, 3]);
        assert!(!overlap.is_gap(9, Some(AT)));
        assert!(!overlap.is_gap(3, Some(AT + 1)));
        assert!(!overlap.is_gap(9, Some(AT * 2)));
    }

    #[test]
    fn far_frames_or_many_show_a_gap_once() {
        for far in [AT - DISTANCE - 1, AT + DISTANCE + 1] {
            let mut overlap = Overlap::new(AT, vec![1]);
            assert!(overlap.is_gap(9, Some(far)));
            assert!(!overlap.is_gap(9, Some(far)));
        }
        let mut overlap = Overlap::new(AT, vec![1]);
        let gaps = (0..FRAMES * 2).filter(|_| overlap.is_gap(9, None)).count();
        assert_eq!(gaps, 1);
        assert!(!Overlap::new(AT, Vec::new()).is_gap(9, Some(1)));
    }
}
