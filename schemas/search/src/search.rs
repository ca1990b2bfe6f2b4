//! One query while it runs: tier by tier, the best first, no further than the page needs.

use std::collections::HashMap;

use plyr_lexicons::AtIdentifier;

use crate::budget::{Budget, Purse};
use crate::collect::{Collector, Filters};
use crate::document::{Key, Kind};
use crate::gather::gather;
use crate::query::{Query, Scope, Without};
use crate::rank::{Field, Tier};
use crate::searcher::MOST_ARTISTS;
use crate::segment::Segment;
use crate::sources::{Looked, Need, Sources, Terms};
use crate::stage::{Source, Stage, Stop, Wanted};
use crate::tags::{TagFound, tags_with};

/// The stages behind the exact and the prefix one, in the order of what they find.
const STAGES: [Stage; 8] = [
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
        reach: Tier::OneTypo,
        with_notes: false,
    },
    Stage {
        reach: Tier::OneTypo,
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
pub(crate) struct Search<'a> {
    segments: &'a [Segment],
    query: &'a Query,
    wanted: Wanted,
    /// Hits after which nothing more is looked for.
    enough: u64,
    purse: Purse,
    pub collector: Collector<'a>,
    /// By segment and word.
    terms: HashMap<(usize, usize), Terms>,
    pub tags: Vec<TagFound>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        segments: &'a [Segment],
        query: &'a Query,
        enough: u64,
        budget: Budget,
        collector: Collector<'a>,
    ) -> Search<'a> {
        Search {
            segments,
            query,
            wanted: wanted(&collector.filters),
            enough,
            purse: Purse::of(budget),
            collector,
            terms: HashMap::new(),
            tags: Vec::new(),
        }
    }

    /// Whether everything was looked for.
    pub(crate) fn run(&mut self) -> Result<bool, Stop> {
        if !self.query.has_words() {
            return Ok(true);
        }
        self.leave_out()?;
        self.find_tags()?;
        let query = self.query;
        let mut words: Vec<Looked<'_>> = query.words.iter().map(Looked::new).collect();
        if words.iter().any(is_scoped) {
            self.resolve(Tier::Start, &mut words)?;
        }
        for tier in [Tier::Exact, Tier::Prefix] {
            if self.has_enough() {
                return Ok(false);
            }
            if !self.query.key.is_empty() {
                self.take_tags(tier);
                self.by_key(tier, &words)?;
            }
        }
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
                let gathered = gather(vec![sources], segment, &self.purse)?;
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
    fn by_key(&mut self, tier: Tier, words: &[Looked<'_>]) -> Result<(), Stop> {
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
            let mut needs: Vec<Need<'_>> = self.operators();
            let scoped = words.iter().filter(|word| is_scoped(word));
            needs.extend(scoped.map(Need::Word));
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
            let gathered = gather(all, segment, &self.purse)?;
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
            let gathered = gather(all, segment, &self.purse)?;
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
                let gathered = gather(vec![sources], segment, &self.purse)?;
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

fn is_scoped(word: &Looked<'_>) -> bool {
    word.asked.scope != Scope::Any
}

fn wanted(filters: &Filters) -> Wanted {
    let records = [Kind::Track, Kind::Album, Kind::Playlist];
    Wanted {
        records: records.into_iter().any(|kind| filters.wants(kind)),
        // Artists have no duration.
        actors: filters.wants(Kind::Artist) && !filters.are_of_tracks(),
    }
}
