//! `sortAt`: where a record stands in time, the same on every instance.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use ipld_core::ipld::Ipld;

use crate::Rev;

/// The years that the protocol's times can name, in UTC: 0000 to 9999, as microseconds since 1970.
/// (With an offset, a `createdAt` may lie just outside of them.)
const NAMED: std::ops::RangeInclusive<i64> = -62_167_219_200_000_000..=253_402_300_799_999_999;

/// Microseconds since 1970: the record's `createdAt`, or the time in its record key if that is a
/// TID and earlier; 1970 when neither can be read. Always a time that can be written. A function of
/// the record and its address alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SortAt(pub i64);

impl SortAt {
    /// Computes it for a record under a record key.
    pub fn of(record: &Ipld, rkey: &str) -> SortAt {
        let created = match record {
            Ipld::Map(fields) => match fields.get("createdAt") {
                Some(Ipld::String(text)) => parse_datetime(text),
                _ => None,
            },
            _ => None,
        };
        let keyed = Rev::parse(rkey).map(Rev::micros);
        let micros = match (created, keyed) {
            (Some(created), Some(keyed)) => created.min(keyed),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => 0,
        };
        SortAt(micros.clamp(*NAMED.start(), *NAMED.end()))
    }
}

impl fmt::Display for SortAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// Microseconds since 1970 of a datetime as records write it (RFC 3339 with any offset).
pub fn parse_datetime(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(created_at: &str) -> Ipld {
        Ipld::Map([("createdAt".to_owned(), Ipld::String(created_at.to_owned()))].into())
    }

    #[test]
    fn the_earlier_of_record_and_key_counts() {
        let tid = Rev::from_micros(1_700_000_000_000_000, 0).to_string();
        let early = SortAt::of(&record("2001-01-01T00:00:00Z"), &tid);
        assert_eq!(early.to_string(), "2001-01-01T00:00:00.000000Z");
        let late = SortAt::of(&record("2099-01-01T00:00:00Z"), &tid);
        assert_eq!(late, SortAt(1_700_000_000_000_000));
        assert_eq!(
            SortAt::of(&record("2099-01-01T02:00:00+02:00"), "self"),
            SortAt::of(&record("2099-01-01T00:00:00.000Z"), "self")
        );
    }

    #[test]
    fn what_lies_outside_the_years_stands_at_their_border() {
        for (created_at, shown) in [
            ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00.000000Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"),
        ] {
            let sorted = SortAt::of(&record(created_at), "self");
            assert_eq!(sorted.to_string(), shown, "{created_at}");
        }
    }

    #[test]
    fn what_cant_be_read_sorts_at_the_beginning() {
        assert_eq!(SortAt::of(&record("yesterday"), "self").0, 0);
        assert_eq!(
            SortAt::of(&Ipld::Null, "self").to_string(),
            "1970-01-01T00:00:00.000000Z"
        );
    }
}
