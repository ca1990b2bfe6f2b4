//! The change log as its followers see it: entries that say *look again at this*, and how far a
//! follower has come. A log is as many streams as there are writers; each stream is in order.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::model::LogEntry;

/// How far a follower has come: for each stream the number of its last entry seen. Opaque to
/// clients; its text form is `stream.number` joined by `_`, empty for the beginning.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogPosition {
    seen: BTreeMap<String, u64>,
}

/// The text is no position of a log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no position of the change log; hand back one that was given out")]
pub struct LogPositionError(pub String);

/// Streams that a position read from a text may name: far more than there are ever writers.
const MOST_STREAMS: usize = 10_000;

impl LogPosition {
    /// The number of the last entry seen of a stream; 0 for none.
    pub fn of(&self, stream: &str) -> u64 {
        self.seen.get(stream).copied().unwrap_or(0)
    }

    /// Moves a stream on to a number; never back.
    pub fn advance(&mut self, stream: &str, number: u64) {
        if number > self.of(stream) {
            self.seen.insert(stream.to_owned(), number);
        }
    }

    /// Moves on past an entry.
    pub fn pass(&mut self, entry: &LogEntry) {
        self.advance(&entry.stream, entry.number);
    }

    /// Whether everything `other` has seen was seen here too.
    pub fn covers(&self, other: &LogPosition) -> bool {
        other
            .seen
            .iter()
            .all(|(stream, number)| self.of(stream) >= *number)
    }

    /// Forgets streams that are no more.
    pub fn retain(&mut self, mut is_there: impl FnMut(&str) -> bool) {
        self.seen.retain(|stream, _| is_there(stream));
    }

    /// Streams and numbers, in the order of the streams' names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.seen
            .iter()
            .map(|(stream, number)| (stream.as_str(), *number))
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (stream, number)) in self.seen.iter().enumerate() {
            let between = if place == 0 { "" } else { "_" };
            write!(f, "{between}{stream}.{number}")?;
        }
        Ok(())
    }
}

impl FromStr for LogPosition {
    type Err = LogPositionError;

    fn from_str(text: &str) -> Result<LogPosition, LogPositionError> {
        let wrong = || LogPositionError(text.chars().take(80).collect());
        let mut position = LogPosition::default();
        for part in text.split('_').filter(|_| !text.is_empty()) {
            let (stream, number) = part.split_once('.').ok_or_else(wrong)?;
            let is_name = |name: &str| {
                let letters = name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                letters && (1..=32).contains(&name.len())
            };
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let number = number
                .parse()
                .ok()
                .filter(|_| is_number)
                .ok_or_else(wrong)?;
            if !is_name(stream)
                || position.seen.len() >= MOST_STREAMS
                || position.seen.insert(stream.to_owned(), number).is_some()
            {
                return Err(wrong());
            }
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_only_moves_on() {
        let mut position = LogPosition::default();
        assert_eq!(position.to_string(), "");
        assert_eq!("".parse(), Ok(position.clone()));
        position.advance("b2", 7);
        position.advance("a", 3);
        position.advance("b2", 5);
        assert_eq!(position.to_string(), "a.3_b2.7");
        assert_eq!("a.3_b2.7".parse(), Ok(position.clone()));
        let mut further = position.clone();
        further.advance("c", 1);
        assert!(further.covers(&position) && !position.covers(&further));
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            "7",
            "a.",
            "a.x",
            ".3",
            "a.3_",
            "a.3_a.4",
            "A.3",
            "a.-1",
            "a.+1",
            "a.99999999999999999999",
        ] {
            assert!(text.parse::<LogPosition>().is_err(), "{text}");
        }
    }
}
