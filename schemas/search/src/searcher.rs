//! Answering queries: tier by tier, the best first, no further than the page needs.

use std::collections::HashMap;
use std::sync::Arc;

use plyr_lexicons::AtIdentifier;
use serde::Serialize;
use tantivy::{ReloadPolicy, SegmentReader};

use crate::budget::{Budget, Purse};
use crate::collect::{Collector, Filters, Place};
use crate::document::{Key, Kind};
use crate::error::SearchError;
use crate::excluded::Excluded;
use crate::gather::gather;
use crate::layout::Layout;
use crate::query::{Query, Scope, Without};
use crate::rank::{Field, Popularity, Tier};
use crate::segment::Segment;
use crate::sources::{Looked, Need, Source, Sources, Stage, Stop, Terms, Wanted};
use crate::tags::{TagFound, tags_with};

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
    /// How well it matches.
    pub tier: Tier,
    /// The field that decided: of the fields that the words were found in, the lightest one.
    pub field: Field,
    /// How many like it.
    pub popularity: Popularity,
    /// Where it stands in time, microseconds since 1970.
    pub sort_at: i64,
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
    pub(crate) fn open(
        index: &tantivy::Index,
        layout: Arc<Layout>,
    ) -> Result<Searcher, SearchError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let snapshot = reader.try_into()?.searcher();
        let readers = snapshot.segment_readers().iter();
        let open = |reader: &SegmentReader| Segment::open(reader, &layout);
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
        let end = page.from.saturating_add(page.size).min(REACH);
        let filters = filters.with(query);
        let mut search = Search {
            segments: &self.segments,
            query,
            wanted: wanted(&filters),
            enough: if page.count { REACH } else { end } as u64,
            purse: Purse::of(budget),
            collector: Collector::new(filters, excluded, end, self.segments.len()),
            terms: HashMap::new(),
            tags: Vec::new(),
        };
        let outcome = search.run();
        let (is_whole, is_partial) = match outcome {
            Ok(is_whole) => (is_whole, false),
            Err(Stop::Spent) => (false, true),
            Err(Stop::Broken(problem)) => return Err(problem),
        };
        let total = Total {
            count: search.collector.total(),
            is_exact: is_whole,
        };
        let tags = search.tags;
        let hits = search.collector.into_hits();
        let hits = hits.into_iter().skip(page.from).map(|found| {
            let (kind, subject) = self.named(found.place, &tags)?;
            Ok(Hit {
                kind,
                subject,
                tier: found.tier,
                field: found.field,
                popularity: found.merit.popularity,
                sort_at: found.merit.sort_at,
            })
        });
        Ok(Found {
            hits: hits.collect::<Result<_, SearchError>>()?,
            total,
            is_partial,
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

    /// Documents that can be found.
    pub fn size(&self) -> u64 {
        let sizes = self.segments.iter().map(|segment| {
            let docs = 0..segment.size;
            docs.filter(|doc| segment.is_alive(*doc)).count() as u64
        });
        sizes.sum()
    }
}

fn wanted(filters: &Filters) -> Wanted {
    let records = [Kind::Track, Kind::Album, Kind::Playlist];
    Wanted {
        records: records.into_iter().any(|kind| filters.wants(kind)),
        // Artists have no duration.
        actors: filters.wants(Kind::Artist) && !filters.are_of_tracks(),
    }
}

/// The stages behind the exact and the prefix one, in the order of what they find.
const STAGES: [Stage; 6] = [
    Stage {
        reach: Tier::Word,
        with_notes: false,
    },
    Stage {
        reach: Tier::Word,
        with_notes: true,
    },
    Stage {
        reach: Tier::Start,
        with_notes: false,
    },
    Stage {
        reach: Tier::Start,
        with_notes: true,
    },
    Stage {
        reach: Tier::TwoTypos,
        with_notes: false,
    },
    Stage {
        reach: Tier::TwoTypos,
        with_notes: true,
    },
];

/// One query while it runs.
struct Search<'a> {
    segments: &'a [Segment],
    query: &'a Query,
    wanted: Wanted,
    /// Hits after which nothing more is looked for.
    enough: u64,
    purse: Purse,
    collector: Collector<'a>,
    /// By segment and word.
    terms: HashMap<(usize, usize), Terms>,
    tags: Vec<TagFound>,
}

impl<'a> Search<'a> {
    /// Whether everything was looked for.
    fn run(&mut self) -> Result<bool, Stop> {
        if !self.query.has_words() {
            return Ok(true);
        }
        self.leave_out()?;
        self.find_tags()?;
        for tier in [Tier::Exact, Tier::Prefix] {
            if self.has_enough() {
                return Ok(false);
            }
            if !self.query.key.is_empty() {
                self.take_tags(tier);
                self.by_key(tier)?;
            }
        }
        let query = self.query;
        let mut words: Vec<Looked<'_>> = query.words.iter().map(Looked::new).collect();
        let mut resolved = None;
        for stage in STAGES {
            if self.has_enough() {
                return Ok(false);
            }
            if resolved != Some(stage.reach) {
                self.resolve(stage.reach, &mut words)?;
                resolved = Some(stage.reach);
            }
            self.by_words(stage, &words)?;
        }
        Ok(true)
    }

    fn has_enough(&self) -> bool {
        self.collector.total() >= self.enough
    }

    fn sources<'s>(&'s self, segment: &'s Segment) -> Sources<'s> {
        Sources {
            segment,
            wanted: self.wanted,
            purse: &self.purse,
        }
    }

    /// Finds the documents that have what must not be there.
    fn leave_out(&mut self) -> Result<(), Stop> {
        let segments = self.segments;
        let stage = Stage {
            reach: Tier::Word,
            with_notes: true,
        };
        for (number, segment) in segments.iter().enumerate() {
            for without in &self.query.without {
                let need = match without {
                    Without::Phrase(phrase) => Need::Phrase(phrase),
                    Without::Tag(tag) => Need::Tag(tag),
                };
                let sources = self
                    .sources(segment)
                    .of(&need, &mut Terms::default(), stage)?;
                if sources.is_empty() {
                    continue;
                }
                let gathered = gather(vec![sources], segment.size, &self.purse)?;
                let mut left_out = std::mem::take(&mut self.collector.without[number]);
                gathered.each(&self.purse, |doc, _| {
                    left_out.insert(doc, segment.size);
                })?;
                self.collector.without[number] = left_out;
            }
        }
        Ok(())
    }

    fn find_tags(&mut self) -> Result<(), Stop> {
        let key = self.query.key.as_str();
        if key.is_empty() || !self.query.is_plain() || !self.collector.filters.want_tags() {
            return Ok(());
        }
        self.tags = tags_with(key, self.segments, &self.collector, &self.purse)?;
        Ok(())
    }

    fn take_tags(&mut self, tier: Tier) {
        for (place, tag) in self.tags.iter().enumerate() {
            if (tag.key == self.query.key) == (tier == Tier::Exact) {
                self.collector.take_tag(place, tier, tag.merit);
            }
        }
    }

    /// Needs besides the plain words: those of operators.
    fn operators(&self) -> Vec<Need<'a>> {
        let query = self.query;
        let mut needs: Vec<Need<'a>> = Vec::new();
        needs.extend(query.tags.iter().map(|tag| Need::Tag(tag)));
        needs.extend(query.artists.iter().map(|artist| match artist {
            AtIdentifier::Did(did) => Need::Artist(Key::of(did.as_str())),
            // Nobody resolved it: no account has this key.
            AtIdentifier::Handle(_) => Need::Artist(Key(0)),
        }));
        needs
    }

    /// Titles and names that are the query, or begin with it.
    fn by_key(&mut self, tier: Tier) -> Result<(), Stop> {
        let (segments, query) = (self.segments, self.query);
        let stage = Stage {
            reach: Tier::Start,
            with_notes: false,
        };
        for (number, segment) in segments.iter().enumerate() {
            let key = match tier {
                Tier::Exact => Need::Exact(&query.key),
                _ => Need::Prefix(&query.key),
            };
            let mut needs = self.operators();
            let scoped = query.words.iter().filter(|word| word.scope != Scope::Any);
            let scoped: Vec<Looked<'_>> = scoped.map(Looked::new).collect();
            needs.extend(scoped.iter().map(Need::Word));
            let scoped = query.phrases.iter();
            let scoped = scoped.filter(|phrase| phrase.scope != Scope::Any);
            needs.extend(scoped.map(Need::Phrase));
            let by_key = self
                .sources(segment)
                .of(&key, &mut Terms::default(), stage)?;
            if by_key.is_empty() {
                continue;
            }
            let mut all = vec![by_key];
            for need in &needs {
                all.push(
                    self.sources(segment)
                        .of(need, &mut Terms::default(), stage)?,
                );
            }
            let gathered = gather(all, segment.size, &self.purse)?;
            gathered.each(&self.purse, |doc, _| {
                self.collector.take(number, segment, doc, tier, Field::Name);
            })?;
        }
        Ok(())
    }

    /// Documents with all the words.
    fn by_words(&mut self, stage: Stage, words: &[Looked<'_>]) -> Result<(), Stop> {
        let (segments, query) = (self.segments, self.query);
        let mut needs = self.operators();
        needs.extend(query.phrases.iter().map(Need::Phrase));
        for (number, segment) in segments.iter().enumerate() {
            let mut all = Vec::with_capacity(words.len() + needs.len());
            for (place, word) in words.iter().enumerate() {
                all.push(self.of_word(number, place, word, stage, self.wanted)?);
                if all.last().is_some_and(Vec::is_empty) {
                    break;
                }
            }
            for need in &needs {
                all.push(
                    self.sources(segment)
                        .of(need, &mut Terms::default(), stage)?,
                );
            }
            let gathered = gather(all, segment.size, &self.purse)?;
            gathered.each(&self.purse, |doc, rank| {
                self.collector
                    .take(number, segment, doc, rank.tier(), rank.field());
            })?;
        }
        Ok(())
    }

    /// Sources of a word in a segment.
    fn of_word(
        &mut self,
        segment: usize,
        place: usize,
        word: &Looked<'_>,
        stage: Stage,
        wanted: Wanted,
    ) -> Result<Vec<Source>, Stop> {
        let terms = self.terms.entry((segment, place)).or_default();
        let sources = Sources {
            segment: &self.segments[segment],
            wanted,
            purse: &self.purse,
        };
        sources.of(&Need::Word(word), terms, stage)
    }

    /// Which artists each word names: by their present names and handles, which their tracks don't
    /// carry. A word that names more than [`MOST_ARTISTS`] names none.
    fn resolve(&mut self, reach: Tier, words: &mut [Looked<'_>]) -> Result<(), Stop> {
        let segments = self.segments;
        let stage = Stage {
            reach,
            with_notes: false,
        };
        let actors = Wanted {
            records: false,
            actors: true,
        };
        for (place, word) in words.iter_mut().enumerate() {
            if !self.wanted.records || word.asked.scope == Scope::Album {
                continue;
            }
            let mut named: HashMap<Key, Tier> = HashMap::new();
            for (number, segment) in segments.iter().enumerate() {
                let sources = self.of_word(number, place, word, stage, actors)?;
                let gathered = gather(vec![sources], segment.size, &self.purse)?;
                let collector = &self.collector;
                gathered.each(&self.purse, |doc, rank| {
                    if named.len() <= MOST_ARTISTS && collector.shows(segment, doc) {
                        named.insert(segment.author(doc), rank.tier());
                    }
                })?;
            }
            if named.len() <= MOST_ARTISTS {
                word.artists = named;
            }
        }
        Ok(())
    }
}
