//! Tags as hits. A tag is no document: it is there as long as a track that shows carries it, and is
//! as popular as the accounts that use it are many: nobody makes a tag popular alone.

use std::collections::{BTreeMap, HashSet};

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED};

use crate::budget::Purse;
use crate::collect::Collector;
use crate::document::Key;
use crate::rank::{Merit, Popularity};
use crate::segment::{Dictionary, Segment};
use crate::sources::{OPENING, after_all_with};
use crate::stage::Stop;
use crate::terms::Sort;

/// Tracks of one spelling of a tag that are counted.
pub const MOST_COUNTED: u64 = 4096;
/// Accounts that use a tag that are counted; a tag with more is as popular.
pub const MOST_USERS: usize = 1024;

/// A tag that was found.
pub(crate) struct TagFound {
    /// Folded.
    pub key: String,
    /// As most tracks write it; of two as many, the lesser text.
    pub spelling: String,
    /// Tracks that carry it, as far as they were counted.
    pub tracks: u64,
    pub merit: Merit,
}

/// Bytes of a text from which tags are found by their beginning: one letter begins too many.
const LEAST_START: usize = 2;

/// Tags while they are counted.
pub(crate) struct Tags<'a> {
    collector: &'a Collector<'a>,
    purse: &'a Purse,
    /// By folded form.
    counts: BTreeMap<String, Count>,
}

/// What is known of a tag.
#[derive(Default)]
struct Count {
    /// Tracks that show, by spelling.
    spellings: BTreeMap<String, u64>,
    /// Accounts that published them.
    users: HashSet<Key>,
}

impl<'a> Tags<'a> {
    pub(crate) fn new(collector: &'a Collector<'a>, purse: &'a Purse) -> Tags<'a> {
        Tags {
            collector,
            purse,
            counts: BTreeMap::new(),
        }
    }

    /// Counts the tags whose folded form begins with a text, the one that is the text first: there
    /// may be more than the purse pays for.
    pub(crate) fn count(&mut self, start: &str, segments: &[Segment]) -> Result<(), Stop> {
        let (mut whole, mut longer) = (Sort::Tag.term(start), Sort::Tag.term(start));
        let end = after_all_with(&whole);
        // A zero byte stands behind the folded form, and nothing lesser than a space in it.
        whole.push(0);
        longer.push(1);
        for segment in segments {
            self.count_in(segment, &whole, Some(&longer))?;
        }
        if start.len() < LEAST_START {
            return Ok(());
        }
        for segment in segments {
            self.count_in(segment, &longer, end.as_deref())?;
        }
        Ok(())
    }

    /// Counts those whose terms are not less than one and less than another.
    fn count_in(&mut self, segment: &Segment, from: &[u8], to: Option<&[u8]>) -> Result<(), Stop> {
        let terms = segment.dictionary(Dictionary::Starts).terms();
        let mut range = terms.range().ge(from);
        if let Some(to) = to {
            range = range.lt(to);
        }
        let mut stream = range.into_stream()?;
        while stream.advance() {
            let Some((key, spelling)) = parts_of(stream.key()) else {
                continue;
            };
            let Count { spellings, users } = self.counts.entry(key).or_default();
            let count = spellings.entry(spelling).or_default();
            // Only what has been counted to its end doesn't depend on which tracks come first.
            let mut is_full = *count >= MOST_COUNTED && users.len() >= MOST_USERS;
            if is_full {
                continue;
            }
            let dictionary = Dictionary::Starts;
            let basic = IndexRecordOption::Basic;
            self.purse.pay(OPENING)?;
            let mut postings = segment.postings(dictionary, stream.value(), basic)?;
            while postings.doc() != TERMINATED && !is_full {
                self.purse.pay(1)?;
                if self.collector.shows(segment, postings.doc()) {
                    *count = (*count + 1).min(MOST_COUNTED);
                    if users.len() < MOST_USERS {
                        users.insert(segment.author(postings.doc()));
                    }
                    is_full = *count >= MOST_COUNTED && users.len() >= MOST_USERS;
                }
                postings.advance();
            }
        }
        Ok(())
    }

    /// What was counted, in the order of folded forms.
    pub(crate) fn into_found(self) -> Vec<TagFound> {
        let found = self.counts.into_iter().filter_map(|(key, count)| {
            let tracks = count.spellings.values().sum();
            // Of spellings with as many tracks the first one: the lesser text.
            let spellings = count.spellings.into_iter().rev();
            let (spelling, _) = spellings.max_by_key(|(_, tracks)| *tracks)?;
            let merit = Merit {
                popularity: Popularity::of_likes(count.users.len() as u64),
                sort_at: 0,
                subject: Key::of(&key).0,
            };
            let tag = TagFound {
                key,
                spelling,
                tracks,
                merit,
            };
            (tracks > 0).then_some(tag)
        });
        found.collect()
    }
}

/// The folded form and the spelling of a tag's term.
fn parts_of(term: &[u8]) -> Option<(String, String)> {
    let term = std::str::from_utf8(term.get(1..)?).ok()?;
    let (key, spelling) = term.split_once('\0')?;
    Some((key.to_owned(), spelling.to_owned()))
}
