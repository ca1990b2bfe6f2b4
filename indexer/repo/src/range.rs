//! The part of a tree that is ours: keys sort, so that each collection is one range of them.

use std::fmt;

use plyr_lexicons::{Collection, Namespace};

/// Ranges of keys, in ascending order, none touching another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranges(Vec<Range>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Range {
    /// The least key in it.
    pub from: Vec<u8>,
    /// The least key behind it.
    pub to: Vec<u8>,
    pub collection: Collection,
}

impl Ranges {
    /// All collections of a namespace.
    pub fn of(namespace: &Namespace) -> Ranges {
        let ranges = Collection::ALL.into_iter().map(|collection| {
            let nsid = namespace.nsid(collection).as_str().as_bytes();
            Range {
                from: [nsid, b"/"].concat(),
                // What follows the slash.
                to: [nsid, b"0"].concat(),
                collection,
            }
        });
        let mut ranges: Vec<Range> = ranges.collect();
        ranges.sort_by(|one, other| one.from.cmp(&other.from));
        Ranges(ranges)
    }

    /// One record's key alone.
    pub fn one(namespace: &Namespace, collection: Collection, rkey: &str) -> Ranges {
        let from = key(namespace, collection, rkey);
        let to = [&from[..], &[0]].concat();
        Ranges(vec![Range {
            from,
            to,
            collection,
        }])
    }

    pub(crate) fn all(&self) -> &[Range] {
        &self.0
    }

    /// The range that a key is in.
    pub(crate) fn holding(&self, key: &[u8]) -> Option<usize> {
        let holds = |range: &Range| *range.from <= *key && *key < *range.to;
        self.0.iter().position(holds)
    }

    /// The range that keys between two others (none: no bound) all are in, if there is one.
    pub(crate) fn around(&self, low: Option<&[u8]>, high: Option<&[u8]>) -> Option<usize> {
        let (low, high) = (low?, high?);
        let holds = |range: &Range| *range.from <= *low && *high <= *range.to;
        self.0.iter().position(holds)
    }

    /// Whether a key between two others may be in one of the ranges.
    pub(crate) fn meet(&self, low: Option<&[u8]>, high: Option<&[u8]>) -> bool {
        self.0.iter().any(|range| {
            let begins_before = |low: &[u8]| {
                // Between a key and itself with a zero behind it there is none.
                *low < *range.to && range.to.strip_prefix(low) != Some(&[0])
            };
            low.is_none_or(begins_before) && high.is_none_or(|high| *high > *range.from)
        })
    }
}

/// The key of a record in the tree.
pub(crate) fn key(namespace: &Namespace, collection: Collection, rkey: &str) -> Vec<u8> {
    format!("{}/{rkey}", namespace.nsid(collection).as_str()).into_bytes()
}

/// What our ranges of a tree hold, in 32 bytes: equal exactly if the same keys have the same
/// records, whatever else the repo holds. It is made of the few nodes that bound the ranges.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..8] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
