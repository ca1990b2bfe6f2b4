//! One query while it runs: tier by tier, the best first, no further than the page needs.

use std::collections::HashMap;

use crate::artists::LookedPhrase;
use crate::budget::Purse;
use crate::collect::{Collector, Filters};
use crate::document::{Key, Kind};
use crate::fold::{CharKind, kind_of};
use crate::gather::gather;
use crate::query::{Phrase, Query, Scope};
use crate::rank::{Field, Tier};
use crate::segment::Segment;
use crate::sources::{Looked, Need, Sources, Terms};
use crate::stage::{Rank, Source, Stage, Stop, Wanted};
use crate::tags::{TagFound, Tags};

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

/// The parts of a budget of which tags get one.
const TAGS_SHARE: u64 = 4;

/// How names may begin with the query, in the order of what they find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Beginning {
    /// The name is the query.
    Exact,
    /// The query ends where a word of the name does.
    AtWordEnd,
    /// It ends inside a word.
    InsideWord,
}

impl Beginning {
    const ALL: [Beginning; 3] = [
        Beginning::Exact,
        Beginning::AtWordEnd,
        Beginning::InsideWord,
    ];

    /// How a longer text begins with another.
    fn of(text: &str, start: &str) -> Option<Beginning> {
        let rest = text.strip_prefix(start)?;
        Some(match rest.chars().next() {
            None => Beginning::Exact,
            Some(' ') => Beginning::AtWordEnd,
            Some(_) => Beginning::InsideWord,
        })
    }

    fn rank(self) -> Rank {
        match self {
            Beginning::Exact => Rank::whole(Tier::Exact),
            Beginning::AtWordEnd => Rank::whole(Tier::Prefix),
            Beginning::InsideWord => Rank::new(Tier::Prefix, Field::Name),
        }
    }
}

/// One query while it runs.
pub(crate) struct Search<'a> {
    pub segments: &'a [Segment],
    pub query: &'a Query,
    pub wanted: Wanted,
    /// Hits after which nothing more is looked for.
    enough: u64,
    pub purse: Purse,
    pub collector: Collector<'a>,
    /// By segment and word.
    terms: HashMap<(usize, usize), Terms>,
    pub tags: Vec<TagFound>,
    /// Whether something was not looked for to its end, though the search went on.
    pub is_cut: bool,
}

/// What a query asks for, with the accounts that its names stand for.
struct Asked<'q> {
    words: Vec<Looked<'q>>,
    phrases: Vec<LookedPhrase<'q>>,
    /// Runs of scripts without spaces, whose pairs are among the words.
    runs: Vec<LookedPhrase<'q>>,
    /// One of each of these, by address.
    artists: Vec<Vec<Key>>,
    tags: &'q [String],
}

impl Asked<'_> {
    /// Needs of all but the words.
    fn needs(&self) -> Vec<Need<'_>> {
        let mut needs: Vec<Need<'_>> = Vec::new();
        needs.extend(self.tags.iter().map(|tag| Need::Tag(tag)));
        let artists = self.artists.iter();
        needs.extend(artists.map(|accounts| Need::Artists(accounts)));
        needs.extend(self.phrases.iter().map(Need::Phrase));
        needs
    }

    /// Needs of operators alone.
    fn needs_of_operators(&self) -> Vec<Need<'_>> {
        let mut needs = self.needs();
        needs.extend(self.words.iter().map(Need::Word));
        needs.retain(Need::is_of_operator);
        needs
    }
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        segments: &'a [Segment],
        query: &'a Query,
        enough: u64,
        purse: Purse,
        collector: Collector<'a>,
    ) -> Search<'a> {
        Search {
            segments,
            query,
            wanted: wanted(&collector.filters),
            enough,
            purse,
            collector,
            terms: HashMap::new(),
            tags: Vec::new(),
            is_cut: false,
        }
    }

    /// Whether everything was looked for.
    pub(crate) fn run(&mut self) -> Result<bool, Stop> {
        let query = self.query;
        if !query.has_words() {
            return Ok(true);
        }
        if self.wanted.are_any() {
            self.find_as_typed()?;
        }
        self.collector.filters = self.collector.filters.with(query);
        self.wanted = wanted(&self.collector.filters);
        if !self.wanted.are_any() {
            self.find_tags()?;
            for beginning in Beginning::ALL {
                self.take_tags(beginning);
            }
            return Ok(true);
        }
        self.leave_out()?;
        self.find_tags()?;
        let mut asked = self.asked()?;
        if asked.words.iter().any(is_scoped) {
            self.name_artists(Tier::Start, &mut asked.words)?;
        }
        for beginning in Beginning::ALL {
            if self.has_enough() {
                return Ok(false);
            }
            let may_be = beginning != Beginning::InsideWord || !must_end(query);
            if may_be && !query.key.is_empty() {
                self.take_tags(beginning);
                self.by_key(beginning, &asked)?;
            }
        }
        for stage in STAGES {
            if self.has_enough() {
                return Ok(false);
            }
            self.name_artists(stage.reach, &mut asked.words)?;
            self.by_words(stage, &asked)?;
        }
        Ok(true)
    }

    fn has_enough(&self) -> bool {
        self.collector.total() >= self.enough
    }

    pub(crate) fn sources(&self, number: usize, wanted: Wanted) -> Sources<'_> {
        Sources {
            segment: &self.segments[number],
            wanted,
            read: self.wanted.with_actors(),
            purse: &self.purse,
        }
    }

    /// Names that are all that was typed, to the sign, whatever operators are in it: `Colors
    /// -Melody-` may be a title.
    fn find_as_typed(&mut self) -> Result<(), Stop> {
        let Some(typed) = &self.query.typed else {
            return Ok(());
        };
        self.take_all(&[Need::Typed(typed)], Beginning::Exact.rank())
    }

    fn find_tags(&mut self) -> Result<(), Stop> {
        let key = self.query.key.as_str();
        if key.is_empty() || !self.query.is_plain() || !self.collector.filters.want_tags() {
            return Ok(());
        }
        // However many begin alike, what they leave is enough to find anything else.
        let parts = if self.wanted.are_any() { TAGS_SHARE } else { 1 };
        let purse = self.purse.share(parts);
        let mut tags = Tags::new(&self.collector, &purse);
        self.is_cut = match tags.count(key, self.segments) {
            Ok(()) => false,
            Err(Stop::Spent) => true,
            Err(broken) => return Err(broken),
        };
        self.tags = tags.into_found();
        self.purse.take_back(parts, &purse);
        Ok(())
    }

    fn take_tags(&mut self, beginning: Beginning) {
        for (place, tag) in self.tags.iter().enumerate() {
            if Beginning::of(&tag.key, &self.query.key) == Some(beginning) {
                self.collector.take_tag(place, beginning.rank(), tag.merit);
            }
        }
    }

    /// Names what the query asks for.
    fn asked(&self) -> Result<Asked<'a>, Stop> {
        let query = self.query;
        let mut words: Vec<Looked<'a>> = query.words.iter().map(Looked::new).collect();
        let artists = self.named_by_address(&query.artists, &mut words)?;
        let looked = |phrases: &'a [Phrase]| -> Result<Vec<LookedPhrase<'a>>, Stop> {
            let phrases = phrases.iter();
            phrases.map(|phrase| self.looked_phrase(phrase)).collect()
        };
        Ok(Asked {
            words,
            phrases: looked(&query.phrases)?,
            runs: looked(&query.runs)?,
            artists,
            tags: &query.tags,
        })
    }

    /// Titles and names that are the query, or begin with it.
    fn by_key(&mut self, beginning: Beginning, asked: &Asked<'_>) -> Result<(), Stop> {
        let key = self.query.key.as_str();
        let mut needs = vec![match beginning {
            Beginning::Exact => Need::Exact(key),
            Beginning::AtWordEnd => Need::PrefixAtWordEnd(key),
            Beginning::InsideWord => Need::Prefix(key),
        }];
        // Plain phrases stand in such a name as they are.
        needs.extend(asked.needs_of_operators());
        self.take_all(&needs, beginning.rank())
    }

    /// Takes the documents that have all of these, in one rank.
    fn take_all(&mut self, needs: &[Need<'_>], rank: Rank) -> Result<(), Stop> {
        let stage = Stage {
            reach: Tier::Start,
            with_notes: false,
        };
        for (number, segment) in self.segments.iter().enumerate() {
            let mut all = Vec::with_capacity(needs.len());
            for need in needs {
                let sources = self.sources(number, self.wanted);
                all.push(sources.of(need, &mut Terms::default(), stage)?);
                if all.last().is_some_and(Vec::is_empty) {
                    break;
                }
            }
            let gathered = gather(all, segment, &self.purse)?;
            gathered.each(&self.purse, |doc, _| {
                self.collector.take(number, segment, doc, rank);
            })?;
        }
        Ok(())
    }

    /// Documents with all the words. Beside words and phrases an operator only narrows: it doesn't
    /// say where they were found.
    fn by_words(&mut self, stage: Stage, asked: &Asked<'_>) -> Result<(), Stop> {
        let mut needs = asked.needs();
        // Pairs that are there but apart are found later, with what begins as the words do: what
        // has them side by side was taken before, unless another word is no better.
        let best = match stage.reach {
            Tier::Word => {
                needs.extend(asked.runs.iter().map(Need::Phrase));
                Tier::Word
            }
            _ if asked.runs.is_empty() => Tier::Word,
            _ => Tier::Start,
        };
        let has_plain = !self.query.key.is_empty();
        let weighed = |need: &Need<'_>, sources: Vec<Source>| -> Vec<Source> {
            match has_plain && need.is_of_operator() {
                true => sources.into_iter().map(Source::narrowing).collect(),
                false => sources,
            }
        };
        for (number, segment) in self.segments.iter().enumerate() {
            let mut all = Vec::with_capacity(asked.words.len() + needs.len());
            for (place, word) in asked.words.iter().enumerate() {
                let sources = self.of_word(number, place, word, stage, self.wanted)?;
                all.push(weighed(&Need::Word(word), sources));
                if all.last().is_some_and(Vec::is_empty) {
                    break;
                }
            }
            for need in &needs {
                let sources = self.sources(number, self.wanted);
                let sources = sources.of(need, &mut Terms::default(), stage)?;
                all.push(weighed(need, sources));
            }
            let gathered = gather(all, segment, &self.purse)?;
            gathered.each(&self.purse, |doc, rank| {
                self.collector
                    .take(number, segment, doc, rank.at_best(best));
            })?;
        }
        Ok(())
    }

    /// Sources of a word in a segment.
    pub(crate) fn of_word(
        &mut self,
        number: usize,
        place: usize,
        word: &Looked<'_>,
        stage: Stage,
        wanted: Wanted,
    ) -> Result<Vec<Source>, Stop> {
        let terms = self.terms.entry((number, place)).or_default();
        let sources = Sources {
            segment: &self.segments[number],
            wanted,
            read: self.wanted.with_actors(),
            purse: &self.purse,
        };
        sources.of(&Need::Word(word), terms, stage)
    }
}

fn is_scoped(word: &Looked<'_>) -> bool {
    word.asked.scope != Scope::Any
}

/// Whether no name begins with a query that goes on inside its last word: that is of a phrase, or
/// an emoji. Scripts without spaces have no such words.
fn must_end(query: &Query) -> bool {
    match query.key.chars().next_back().map(kind_of) {
        Some(CharKind::Symbol) => true,
        Some(CharKind::Word | CharKind::Between) => query.ends_whole,
        Some(CharKind::Unspaced) | None => false,
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
