//! Revisions: the TIDs that order a repo's commits.

use std::fmt;
use std::str::FromStr;

/// A repo revision or any other TID, as its 64-bit integer (53 bits of microseconds since 1970,
/// 10 bits of clock id), so that revs compare as numbers. Spec: <https://atproto.com/specs/tid>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rev(u64);

/// The text is no TID: 13 characters of `234567abcdefghijklmnopqrstuvwxyz`, the first at most `b`,
/// since the top bit of the 64 is always 0. (The lexicons' format `tid` lets it be at most `j`.)
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no TID: 13 characters of 2-7 and a-z, the first one 2-7, a or b")]
pub struct RevError(pub String);

const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 13;
/// The first character stands for 4 bits of the 64, of which the top one is 0.
const LARGEST_FIRST: u8 = b'b';

impl Rev {
    /// The smallest rev; below it there is nothing.
    pub const MIN: Rev = Rev(0);

    /// A rev from its integer; the top bit of a TID is always 0 and is cleared.
    pub const fn from_u64(value: u64) -> Rev {
        Rev(value & (u64::MAX >> 1))
    }

    /// A rev from microseconds since 1970 and a clock id (0–1023).
    pub const fn from_micros(micros: i64, clock_id: u16) -> Rev {
        let micros = if micros < 0 { 0 } else { micros as u64 };
        Rev::from_u64((micros << 10) | (clock_id as u64 & 1023))
    }

    /// The integer behind the text.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Microseconds since 1970 that the TID names.
    pub const fn micros(self) -> i64 {
        (self.0 >> 10) as i64
    }

    /// The next greater TID; the greatest one itself.
    pub const fn next(self) -> Rev {
        let greatest = Rev::from_u64(u64::MAX);
        if self.0 == greatest.0 {
            return greatest;
        }
        Rev(self.0 + 1)
    }

    /// Reads a TID in its 13 characters.
    pub fn parse(text: &str) -> Option<Rev> {
        let bytes = text.as_bytes();
        if bytes.len() != LENGTH || bytes[0] > LARGEST_FIRST {
            return None;
        }
        let mut value = 0u64;
        for byte in bytes {
            let digit = match byte {
                b'2'..=b'7' => byte - b'2',
                b'a'..=b'z' => byte - b'a' + 6,
                _ => return None,
            };
            value = (value << 5) | u64::from(digit);
        }
        Some(Rev(value))
    }
}

impl FromStr for Rev {
    type Err = RevError;

    fn from_str(text: &str) -> Result<Rev, RevError> {
        Rev::parse(text).ok_or_else(|| RevError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; LENGTH];
        let mut rest = self.0;
        for slot in text.iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tid_survives_the_round_trip_and_keeps_its_order() {
        let earlier: Rev = "3lfvhszifvc2c".parse().unwrap();
        let later: Rev = "3n2vnklioeg25".parse().unwrap();
        assert_eq!(earlier.to_string(), "3lfvhszifvc2c");
        assert!(earlier < later);
        assert_eq!(Rev::from_micros(later.micros(), 3).micros(), later.micros());
    }

    #[test]
    fn what_is_no_tid_is_refused() {
        for text in [
            "",
            "3lfvhszifvc2",
            "3lfvhszifvc2cc",
            "zlfvhszifvc2c",
            "3lfvhszifvc1c",
            // The top bit is not 0: read as a number and written again it would be another TID.
            "c222222222222",
            "jzzzzzzzzzzzz",
        ] {
            assert!(Rev::parse(text).is_none(), "{text}");
        }
        assert_eq!(Rev::parse("2222222222222"), Some(Rev::MIN));
        let greatest = Rev::from_u64(u64::MAX);
        assert_eq!(Rev::parse("bzzzzzzzzzzzz"), Some(greatest));
        assert_eq!(greatest.next(), greatest);
    }
}
