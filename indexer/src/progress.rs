//! The cursor of a source: the point of its stream up to which all frames are finished, in
//! whichever lane. It never passes a frame that isn't.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events whose keys are kept with the cursor.
const RECENT: usize = 32;

/// Frames of one connection, in the order they came.
#[derive(Debug, Default)]
pub struct Progress {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Sequence number of the oldest frame in `open`.
    first: u64,
    open: VecDeque<OpenFrame>,
    position: Option<u64>,
    time: Option<i64>,
    recent: VecDeque<u64>,
}

#[derive(Debug)]
struct OpenFrame {
    cursor: u64,
    time: Option<i64>,
    key: Option<u64>,
    finished: bool,
}

impl Progress {
    /// Begins after what a stored cursor says.
    pub fn resumed(position: Option<u64>, recent: &[u64]) -> Progress {
        let recent = recent.iter().copied().collect();
        Progress {
            inner: Mutex::new(Inner {
                position,
                recent,
                ..Inner::default()
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame was received; answers its number. `time`: when the host saw the event, in
    /// microseconds since 1970. `key` names the event, where it is one of ours.
    pub fn begin(&self, cursor: u64, time: Option<i64>, key: Option<u64>) -> u64 {
        let mut inner = self.inner();
        inner.open.push_back(OpenFrame {
            cursor,
            time,
            key,
            finished: false,
        });
        inner.first + inner.open.len() as u64 - 1
    }

    /// Everything that came of a frame is durable.
    pub fn finish(&self, number: u64) {
        let mut inner = self.inner();
        let place = number
            .checked_sub(inner.first)
            .and_then(|place| usize::try_from(place).ok());
        if let Some(frame) = place.and_then(|place| inner.open.get_mut(place)) {
            frame.finished = true;
        }
        while inner.open.front().is_some_and(|frame| frame.finished) {
            let Some(frame) = inner.open.pop_front() else {
                break;
            };
            inner.first += 1;
            inner.position = Some(frame.cursor);
            inner.time = frame.time.or(inner.time);
            if let Some(key) = frame.key {
                inner.recent.push_back(key);
                if inner.recent.len() > RECENT {
                    inner.recent.pop_front();
                }
            }
        }
    }

    /// The cursor that may be made durable now, with the keys of the last events before it.
    pub fn position(&self) -> Option<(u64, Vec<u64>)> {
        let inner = self.inner();
        Some((inner.position?, inner.recent.iter().copied().collect()))
    }

    /// When the host saw the last finished event, if it told, in microseconds since 1970.
    pub fn time(&self) -> Option<i64> {
        self.inner().time
    }

    /// Frames that are not finished.
    pub fn unfinished(&self) -> usize {
        self.inner().open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i03_the_cursor_never_passes_an_unfinished_frame() {
        // Every order of finishing six frames.
        let mut orders = vec![vec![]];
        for _ in 0..6 {
            let longer = orders.iter().flat_map(|order: &Vec<u64>| {
                (0..6).filter(|next| !order.contains(next)).map(|next| {
                    let mut order = order.clone();
                    order.push(next);
                    order
                })
            });
            orders = longer.collect();
        }
        for order in orders {
            let progress = Progress::default();
            let numbers: Vec<u64> = (10..16)
                .map(|cursor| progress.begin(cursor, None, None))
                .collect();
            for (done, place) in order.iter().enumerate() {
                progress.finish(numbers[*place as usize]);
                let finished = &order[..=done];
                let whole = (0..6).take_while(|frame| finished.contains(frame)).count() as u64;
                let expected = whole.checked_sub(1).map(|last| 10 + last);
                assert_eq!(
                    progress.position().map(|(cursor, _)| cursor),
                    expected,
                    "{order:?}"
                );
            }
        }
    }

    #[test]
    fn the_last_events_travel_with_the_cursor() {
        let progress = Progress::resumed(Some(5), &[1, 2]);
        for cursor in 6..100 {
            let number = progress.begin(cursor, None, (cursor % 2 == 0).then_some(cursor));
            progress.finish(number);
        }
        let (position, recent) = progress.position().unwrap();
        assert_eq!(
            (position, recent.len(), recent.last()),
            (99, RECENT, Some(&98))
        );
        assert_eq!(progress.unfinished(), 0);
    }
}
