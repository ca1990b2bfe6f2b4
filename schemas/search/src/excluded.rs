//! What must not be found: accounts that aren't active, and subjects that are hidden. Asked while
//! hits are collected, so that they are neither found nor counted.

use std::collections::HashSet;

use plyr_lexicons::Did;

use crate::document::Key;

/// Who and what is left out.
pub trait Excluded: Sync {
    /// Whether nothing is; then nothing is asked.
    fn is_empty(&self) -> bool;
    /// Whether everything of an account is, by the key of its DID.
    fn has_author(&self, author: Key) -> bool;
    /// Whether a record is, by the key of its at-uri.
    fn has_subject(&self, subject: Key) -> bool;
}

/// Nothing is left out.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Excluded for Nothing {
    fn is_empty(&self) -> bool {
        true
    }

    fn has_author(&self, _: Key) -> bool {
        false
    }

    fn has_subject(&self, _: Key) -> bool {
        false
    }
}

/// A set of what is left out: eight bytes for each.
#[derive(Clone, Default, Debug)]
pub struct Hidden {
    authors: HashSet<Key>,
    subjects: HashSet<Key>,
}

impl Hidden {
    /// Hides an account, or shows it again.
    pub fn set_author(&mut self, did: &Did, is_hidden: bool) {
        set(&mut self.authors, did.as_str(), is_hidden);
    }

    /// Hides a record, or shows it again.
    pub fn set_subject(&mut self, uri: &str, is_hidden: bool) {
        set(&mut self.subjects, uri, is_hidden);
    }
}

fn set(keys: &mut HashSet<Key>, address: &str, is_hidden: bool) {
    let key = Key::of(address);
    match is_hidden {
        true => keys.insert(key),
        false => keys.remove(&key),
    };
}

impl Excluded for Hidden {
    fn is_empty(&self) -> bool {
        self.authors.is_empty() && self.subjects.is_empty()
    }

    fn has_author(&self, author: Key) -> bool {
        self.authors.contains(&author)
    }

    fn has_subject(&self, subject: Key) -> bool {
        self.subjects.contains(&subject)
    }
}
