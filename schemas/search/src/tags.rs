//! Tags as hits. A tag is no document: it is there as long as a track that shows carries it, and is
//! as popular as such tracks are many.

use std::collections::BTreeMap;

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

/// Tracks of one spelling of a tag that are counted; a tag with more is as popular.
pub const MOST_COUNTED: u64 = 4096;

/// A tag that was found.
pub(crate) struct TagFound {
    /// Folded.
    pub key: String,
    /// As most tracks write it; of two as many, the lesser text.
    pub spelling: String,
    pub merit: Merit,
}

/// Bytes of a text from which tags are found by their beginning: one letter begins too many.
const LEAST_START: usize = 2;

/// Tags whose folded form begins with a text, in the order of that form.
pub(crate) fn tags_with(
    start: &str,
    segments: &[Segment],
    collector: &Collector<'_>,
    purse: &Purse,
) -> Result<Vec<TagFound>, Stop> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for segment in segments {
        count(start, segment, collector, purse, &mut counts)?;
    }
    let mut tags: Vec<(TagFound, u64, u64)> = Vec::new();
    for ((key, spelling), count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        if let Some((last, best, total)) = tags.last_mut()
            && last.key == key
        {
            *total += count;
            if count > *best {
                (last.spelling, *best) = (spelling, count);
            }
            continue;
        }
        let merit = Merit {
            popularity: Popularity::default(),
            sort_at: 0,
            subject: Key::of(&key).0,
        };
        let tag = TagFound {
            key,
            spelling,
            merit,
        };
        tags.push((tag, count, count));
    }
    let tags = tags.into_iter().map(|(mut tag, _, total)| {
        tag.merit.popularity = Popularity::of_likes(total);
        tag
    });
    Ok(tags.collect())
}

fn count(
    start: &str,
    segment: &Segment,
    collector: &Collector<'_>,
    purse: &Purse,
    counts: &mut BTreeMap<(String, String), u64>,
) -> Result<(), Stop> {
    let mut start = Sort::Tag.term(start);
    if start.len() <= LEAST_START {
        start.push(0);
    }
    let terms = segment.dictionary(Dictionary::Starts).terms();
    let mut range = terms.range().ge(&start);
    if let Some(end) = after_all_with(&start) {
        range = range.lt(end);
    }
    let mut stream = range.into_stream()?;
    while stream.advance() {
        let Some((key, spelling)) = parts_of(stream.key()) else {
            continue;
        };
        let count = counts.entry((key, spelling)).or_default();
        if *count >= MOST_COUNTED {
            continue;
        }
        let dictionary = Dictionary::Starts;
        let basic = IndexRecordOption::Basic;
        let mut postings = segment.postings(dictionary, stream.value(), basic)?;
        purse.pay(OPENING)?;
        while postings.doc() != TERMINATED && *count < MOST_COUNTED {
            purse.pay(1)?;
            if collector.shows(segment, postings.doc()) {
                *count += 1;
            }
            postings.advance();
        }
    }
    Ok(())
}

/// The folded form and the spelling of a tag's term.
fn parts_of(term: &[u8]) -> Option<(String, String)> {
    let term = std::str::from_utf8(term.get(1..)?).ok()?;
    let (key, spelling) = term.split_once('\0')?;
    Some((key.to_owned(), spelling.to_owned()))
}
