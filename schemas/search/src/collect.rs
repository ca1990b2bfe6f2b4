//! Hits while they are found: each document once, none that is deleted, filtered out or excluded,
//! the best of each tier and field dealt among artists.

use std::collections::HashSet;

use tantivy::DocId;

use crate::deal::Deal;
use crate::document::{Key, Kind};
use crate::excluded::Excluded;
use crate::layout::{NO_DURATION, NO_TIME};
use crate::query::Query;
use crate::rank::{Field, Merit, Tier};
use crate::segment::Segment;
use crate::stage::Rank;

/// What hits are narrowed to, besides what the query itself says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filters {
    /// Kinds of hits; empty for all.
    pub kinds: Vec<Kind>,
    /// Hits by this account alone.
    pub author: Option<Key>,
    /// At least this long, in seconds. What has no duration isn't found.
    pub min_duration: Option<u64>,
    /// At most this long, in seconds. What has no duration isn't found.
    pub max_duration: Option<u64>,
    /// With a `sortAt` not before this, microseconds since 1970.
    pub after: Option<i64>,
    /// With a `sortAt` before this, microseconds since 1970.
    pub before: Option<i64>,
}

impl Filters {
    /// Whether a kind may be found.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// These and the bounds of a query.
    pub(crate) fn with(&self, query: &Query) -> Filters {
        Filters {
            kinds: self.kinds.clone(),
            author: self.author,
            min_duration: self.min_duration.max(query.min),
            max_duration: least(self.max_duration, query.max),
            after: self.after.max(query.after),
            before: least(self.before, query.before),
        }
    }

    /// Whether they ask for a duration, which only tracks have.
    pub(crate) fn are_of_tracks(&self) -> bool {
        self.min_duration.is_some() || self.max_duration.is_some()
    }

    /// Whether tags may be found: they are nobody's and of no time.
    pub(crate) fn want_tags(&self) -> bool {
        self.wants(Kind::Tag)
            && !self.are_of_tracks()
            && self.author.is_none()
            && self.after.is_none()
            && self.before.is_none()
    }

    fn pass(&self, segment: &Segment, doc: DocId) -> bool {
        if !self.kinds.is_empty() && !segment.kind(doc).is_some_and(|kind| self.wants(kind)) {
            return false;
        }
        if self
            .author
            .is_some_and(|author| segment.author(doc) != author)
        {
            return false;
        }
        if self.min_duration.is_some() || self.max_duration.is_some() {
            let duration = segment.duration(doc);
            let is_within = duration != NO_DURATION
                && self.min_duration.is_none_or(|min| duration >= min)
                && self.max_duration.is_none_or(|max| duration <= max);
            if !is_within {
                return false;
            }
        }
        if self.after.is_none() && self.before.is_none() {
            return true;
        }
        let sort_at = segment.sort_at(doc);
        if sort_at == NO_TIME {
            return false;
        }
        self.after.is_none_or(|after| sort_at >= after)
            && self.before.is_none_or(|before| sort_at < before)
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Who has all tags, where hits are dealt.
const TAGS: u64 = 0;

/// A hit, before its address is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// A document.
    Document {
        /// Which segment.
        segment: usize,
        /// Which document of it.
        doc: DocId,
    },
    /// A tag, as its place among those found.
    Tag(usize),
}

/// A hit in its place.
pub(crate) struct Placed {
    pub rank: Rank,
    pub merit: Merit,
    pub place: Place,
}

/// A set of a segment's documents.
#[derive(Default)]
pub(crate) struct DocsSet(Vec<u64>);

impl DocsSet {
    /// Adds one; whether it is new.
    pub(crate) fn insert(&mut self, doc: DocId, size: u32) -> bool {
        if self.0.is_empty() {
            self.0.resize(size as usize / 64 + 1, 0);
        }
        let bit = 1 << (doc % 64);
        match self.0.get_mut(doc as usize / 64) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn contains(&self, doc: DocId) -> bool {
        let word = self.0.get(doc as usize / 64);
        word.is_some_and(|word| word & (1 << (doc % 64)) != 0)
    }
}

pub(crate) struct Collector<'a> {
    pub filters: Filters,
    pub excluded: &'a dyn Excluded,
    /// Words that a query has; a name of as many that has them all is found whole.
    words: u64,
    most: usize,
    total: u64,
    groups: Vec<Option<Deal<Place>>>,
    seen: Vec<DocsSet>,
    /// Documents that have what must not be there.
    pub without: Vec<DocsSet>,
    /// Accounts of which nothing must be there.
    pub without_authors: HashSet<Key>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(
        filters: Filters,
        excluded: &'a dyn Excluded,
        words: usize,
        most: usize,
        segments: usize,
    ) -> Collector<'a> {
        let sets = || {
            std::iter::repeat_with(DocsSet::default)
                .take(segments)
                .collect()
        };
        let groups = std::iter::repeat_with(|| None).take(Rank::COUNT);
        Collector {
            filters,
            excluded,
            words: words as u64,
            most,
            total: 0,
            groups: groups.collect(),
            seen: sets(),
            without: sets(),
            without_authors: HashSet::new(),
        }
    }

    /// Hits so far, those that no page shows among them.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Whether a document shows at all.
    pub(crate) fn shows(&self, segment: &Segment, doc: DocId) -> bool {
        segment.is_alive(doc)
            && (self.excluded.is_empty()
                || !(self.excluded.has_author(segment.author(doc))
                    || self.excluded.has_subject(segment.subject_key(doc))))
    }

    /// Takes a document that matches. It counts once, where it is found first.
    pub(crate) fn take(&mut self, number: usize, segment: &Segment, doc: DocId, rank: Rank) {
        let is_in = |sets: &[DocsSet]| sets.get(number).is_some_and(|set| set.contains(doc));
        if is_in(&self.seen)
            || is_in(&self.without)
            || self.is_without_author(segment, doc)
            || !self.filters.pass(segment, doc)
            || !self.shows(segment, doc)
        {
            return;
        }
        let is_new = |seen: &mut DocsSet| seen.insert(doc, segment.size);
        if !self.seen.get_mut(number).is_some_and(is_new) {
            return;
        }
        self.total += 1;
        let most = self.most;
        let rank = self.ranked(segment, doc, rank);
        let deal = self.group(rank).get_or_insert_with(|| Deal::new(most));
        let popularity = segment.popularity(doc);
        if popularity < deal.least_popularity() {
            return;
        }
        let merit = segment.merit(doc, popularity);
        if deal.reaches(merit) {
            let place = Place::Document {
                segment: number,
                doc,
            };
            deal.add(segment.author(doc).0, merit, place);
        }
    }

    fn is_without_author(&self, segment: &Segment, doc: DocId) -> bool {
        !self.without_authors.is_empty() && self.without_authors.contains(&segment.author(doc))
    }

    /// A name that has all the words of the query, and no other, is found whole.
    fn ranked(&self, segment: &Segment, doc: DocId, rank: Rank) -> Rank {
        let (tier, field) = (rank.tier(), rank.field());
        let is_whole =
            tier >= Tier::Word && field == Field::Name && segment.name_words(doc) == self.words;
        if is_whole { Rank::whole(tier) } else { rank }
    }

    /// Takes a tag.
    pub(crate) fn take_tag(&mut self, tag: usize, rank: Rank, merit: Merit) {
        self.total += 1;
        let most = self.most;
        let deal = self.group(rank).get_or_insert_with(|| Deal::new(most));
        // Dealt as if one artist had them all: however many begin alike, they flood no page.
        deal.add(TAGS, merit, Place::Tag(tag));
    }

    fn group(&mut self, rank: Rank) -> &mut Option<Deal<Place>> {
        // There is a group for every rank.
        &mut self.groups[rank.place()]
    }

    /// The first hits, in order.
    pub(crate) fn into_hits(self) -> Vec<Placed> {
        let mut hits = Vec::new();
        for (rank, group) in Rank::all().zip(self.groups) {
            if hits.len() >= self.most {
                break;
            }
            let dealt = group.map(Deal::into_hits).unwrap_or_default();
            let dealt = dealt.into_iter();
            hits.extend(dealt.map(|(merit, place)| Placed { rank, merit, place }));
        }
        hits.truncate(self.most);
        hits
    }
}
