//! A state of an index, and its answers.

use serde::Serialize;
use tantivy::{ReloadPolicy, SegmentReader};

use crate::budget::{Budget, Cancel, Purse};
use crate::collect::{Collector, Filters, Place};
use crate::document::{Key, Kind};
use crate::error::SearchError;
use crate::excluded::Excluded;
use crate::layout::Texts;
use crate::query::Query;
use crate::rank::{Field, Popularity, Tier};
use crate::search::Search;
use crate::segment::Segment;
use crate::stage::Stop;
use crate::tags::TagFound;
use crate::words::Pieces;

/// Hits that pages reach, and up to which hits are counted.
pub const REACH: usize = 1000;
/// Artists that one word may name. A word in more names than that is a word and no name.
pub const MOST_ARTISTS: usize = 64;

/// Which hits are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Hits to pass over.
    pub from: usize,
    /// Hits to answer, at most. Nothing beyond [`REACH`] is answered.
    pub size: usize,
    /// Whether hits are counted beyond the page.
    pub count: bool,
}

/// A hit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// The at-uri of a record, the DID of an artist, the spelling of a tag.
    pub subject: String,
    /// The key of its address: of an at-uri or a DID, and of a tag's folded form, so that it stays
    /// the same when most tracks come to write the tag in another way.
    pub key: Key,
    /// How well it matches.
    pub tier: Tier,
    /// The field that decided: of the fields that the words were found in, the lightest one.
    pub field: Field,
    /// Whether its name is found whole: it is the query (*exact*), begins with all of the query's
    /// words as whole words (*prefix*), or has as many words as the query, each found in it.
    pub is_whole: bool,
    /// How many like it; of a tag, how many accounts use it, up to [`crate::MOST_USERS`].
    pub popularity: Popularity,
    /// Where it stands in time, microseconds since 1970.
    pub sort_at: i64,
    /// Of a tag: the tracks that show and carry it, of each spelling at most
    /// [`crate::MOST_COUNTED`].
    pub tracks: Option<u64>,
}

/// How many hits there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Total {
    /// Hits that were counted.
    pub count: u64,
    /// Whether these are all; else there may be more.
    pub is_exact: bool,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The hits of the page, in order.
    pub hits: Vec<Hit>,
    /// How many there are on all pages.
    pub total: Total,
    /// Whether the query was cancelled at its budget: what it had found by then is answered, and
    /// hits may be missing from the page.
    pub is_partial: bool,
    /// What is left of the budget, for the next search of the same request: nothing where the
    /// query was cancelled, but for tags that were cut at their share.
    pub left: Budget,
}

/// A state of an index, as one commit left it.
pub struct Searcher {
    pub(crate) segments: Vec<Segment>,
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Searcher")
            .field("segments", &self.segments.len())
            .finish()
    }
}

impl Searcher {
    pub(crate) fn open(index: &tantivy::Index, texts: Texts) -> Result<Searcher, SearchError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let snapshot = reader.try_into()?.searcher();
        let readers = snapshot.segment_readers().iter();
        let open = |reader: &SegmentReader| Segment::open(reader, texts);
        Ok(Searcher {
            segments: readers.map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Answers a query.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn search(
        &self,
        query: &Query,
        filters: &Filters,
        page: Page,
        excluded: &dyn Excluded,
        budget: Budget,
    ) -> Result<Found, SearchError> {
        self.search_until(query, filters, page, excluded, Purse::of(budget))
    }

    /// The same, but ends early when it is cancelled: for who may go away meanwhile. What it
    /// answers then is partial.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn search_while_wanted(
        &self,
        query: &Query,
        filters: &Filters,
        page: Page,
        excluded: &dyn Excluded,
        budget: Budget,
        cancel: &Cancel,
    ) -> Result<Found, SearchError> {
        let purse = Purse::until_cancelled(budget, cancel.clone());
        self.search_until(query, filters, page, excluded, purse)
    }

    fn search_until(
        &self,
        query: &Query,
        filters: &Filters,
        page: Page,
        excluded: &dyn Excluded,
        purse: Purse,
    ) -> Result<Found, SearchError> {
        let end = page.from.saturating_add(page.size).min(REACH);
        let words = query.name_words;
        let segments = self.segments.len();
        let collector = Collector::new(filters.clone(), excluded, words, end, segments);
        let enough = if page.count { REACH } else { end } as u64;
        let mut search = Search::new(&self.segments, query, enough, purse, collector);
        let outcome = search.run();
        let (is_whole, is_partial) = match outcome {
            Ok(is_whole) => (is_whole && !search.is_cut, search.is_cut),
            Err(Stop::Spent) => (false, true),
            Err(Stop::Broken(problem)) => return Err(problem),
        };
        let total = Total {
            count: search.collector.total(),
            is_exact: is_whole,
        };
        let left = search.purse.left();
        let tags = search.tags;
        let hits = search.collector.into_hits();
        let hits = hits.into_iter().skip(page.from).map(|found| {
            let (kind, subject) = self.named(found.place, &tags)?;
            let tracks = match found.place {
                Place::Tag(tag) => tags.get(tag).map(|tag| tag.tracks),
                Place::Document { .. } => None,
            };
            Ok(Hit {
                kind,
                subject,
                key: Key(found.merit.subject),
                tier: found.rank.tier(),
                field: found.rank.field(),
                is_whole: found.rank.is_whole(),
                popularity: found.merit.popularity,
                sort_at: found.merit.sort_at,
                tracks,
            })
        });
        Ok(Found {
            hits: hits.collect::<Result<_, SearchError>>()?,
            total,
            is_partial,
            left,
        })
    }

    fn named(&self, place: Place, tags: &[TagFound]) -> Result<(Kind, String), SearchError> {
        match place {
            Place::Document { segment, doc } => {
                let segment = &self.segments[segment];
                let kind = segment.kind(doc).unwrap_or(Kind::Track);
                Ok((kind, segment.subject(doc)?))
            }
            Place::Tag(tag) => Ok((Kind::Tag, tags[tag].spelling.clone())),
        }
    }

    /// Every document: its subject and its fingerprint ([`crate::Document::fingerprint`]), to be
    /// compared with what the store would give. A subject that comes twice is a fault.
    pub fn documents(&self) -> impl Iterator<Item = Result<(String, u64), SearchError>> + '_ {
        self.segments.iter().flat_map(|segment| {
            let docs = (0..segment.size).filter(|doc| segment.is_alive(*doc));
            docs.map(|doc| Ok((segment.subject(doc)?, segment.fingerprint(doc))))
        })
    }

    /// The fingerprint of a subject's document; none where there is no such document.
    pub fn fingerprint(&self, subject: &str) -> Result<Option<u64>, SearchError> {
        for segment in &self.segments {
            if let Some(doc) = segment.find(subject)? {
                return Ok(Some(segment.fingerprint(doc)));
            }
        }
        Ok(None)
    }

    /// DIDs of actors whose whole name or handle is this, however it is written; at most `most`.
    pub fn actors_called(&self, name: &str, most: usize) -> Result<Vec<String>, SearchError> {
        let key = Pieces::of(name).key();
        let mut dids = Vec::new();
        for segment in &self.segments {
            for doc in segment.actors_called(&key, most - dids.len())? {
                dids.push(segment.subject(doc)?);
            }
        }
        Ok(dids)
    }

    /// Documents that can be found.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(Segment::alive).sum()
    }
}
