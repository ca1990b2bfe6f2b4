//! What pages before have answered: the place that a cursor of a search stands for.
//!
//! An index changes between two pages, and hits change their places in it: an offset would repeat
//! some and lose others, and a hit's own rank is no place either, since its round depends on what
//! else its artist has. So a cursor carries a mark of every hit that was looked at, and a page is
//! the best hits that have none: nothing is answered twice, and nothing is lost that is found at
//! all. Pages reach a thousand hits, which bounds a cursor.

use std::collections::HashSet;

use plyr_search::REACH;
use sha2::{Digest, Sha256};

use crate::cursor::ListName;
use crate::error::XrpcError;

/// Bytes of a mark. Two of a thousand hits have the same one, so that one of them is left out, less
/// than once in a hundred million searches; and since a mark depends on the list, nobody can
/// choose an address so that somebody else's is left out of many.
const MARK: usize = 6;

type Mark = [u8; MARK];

/// Marks of hits of one list, in the order in which they were looked at.
#[derive(Debug)]
pub struct Answered<'a> {
    list: &'a ListName,
    /// Has taken the list's name, so that a mark costs no more than an address is long.
    prefix: Sha256,
    marks: Vec<Mark>,
    known: HashSet<Mark>,
}

impl<'a> Answered<'a> {
    /// What a cursor of a list carries; nothing without one.
    pub fn open(list: &'a ListName, cursor: Option<&str>) -> Result<Answered<'a>, XrpcError> {
        let bytes = list.open_bytes(cursor)?.unwrap_or_default();
        let (marks, rest) = bytes.as_chunks::<MARK>();
        if !rest.is_empty() || marks.len() >= REACH {
            return Err(XrpcError::invalid("cursor: names no place"));
        }
        Ok(Answered {
            list,
            prefix: Sha256::new_with_prefix(format!("{}\0", list.as_str())),
            marks: marks.to_vec(),
            known: marks.iter().copied().collect(),
        })
    }

    /// A cursor for what comes next; none where pages end.
    pub fn seal(&self) -> Option<String> {
        let bytes = self.marks.as_flattened();
        (self.marks.len() < REACH).then(|| self.list.seal_bytes(bytes))
    }

    pub fn size(&self) -> usize {
        self.marks.len()
    }

    pub fn has(&self, address: &str) -> bool {
        self.known.contains(&self.mark(address))
    }

    pub fn add(&mut self, address: &str) {
        let mark = self.mark(address);
        self.marks.push(mark);
        self.known.insert(mark);
    }

    fn mark(&self, address: &str) -> Mark {
        let digest = self.prefix.clone().chain_update(address).finalize();
        let mut mark = [0; MARK];
        for (byte, digested) in mark.iter_mut().zip(digest) {
            *byte = digested;
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_carries_what_was_answered_and_is_bounded() {
        let list = ListName::new("fm.plyr.search.query", &["night"]);
        let other = ListName::new("fm.plyr.search.query", &["day"]);
        let mut answered = Answered::open(&list, None).unwrap();
        assert_eq!(answered.size(), 0);
        for number in 0..REACH - 1 {
            answered.add(&format!("at://did:plc:a/fm.plyr.track/{number}"));
        }
        let cursor = answered.seal().unwrap();
        assert!(cursor.len() <= 8100, "{}", cursor.len());
        let again = Answered::open(&list, Some(&cursor)).unwrap();
        assert_eq!(again.seal().unwrap(), cursor);
        assert!(Answered::open(&other, Some(&cursor)).is_err());
        for answered in [&answered, &again] {
            assert!(answered.has("at://did:plc:a/fm.plyr.track/7"));
            assert!(!answered.has("at://did:plc:b/fm.plyr.track/7"));
        }
        // Of another list the same hit has another mark.
        let address = "at://did:plc:a/fm.plyr.track/7";
        let of_other = Answered::open(&other, None).unwrap();
        assert_ne!(of_other.mark(address), answered.mark(address));
        answered.add("did:plc:a");
        assert_eq!(answered.seal(), None, "pages end here");
        for odd in [&[1; MARK + 1][..], &[1; MARK * REACH]] {
            let odd = list.seal_bytes(odd);
            assert!(Answered::open(&list, Some(&odd)).is_err());
        }
    }
}
