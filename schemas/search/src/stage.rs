//! What stages of a search hand to one another: lists of documents, each with the tier and the
//! field that a document found in it has.

use tantivy::DocId;
use tantivy::postings::TermInfo;

use crate::budget::Spent;
use crate::error::SearchError;
use crate::layout::Class;
use crate::rank::{Field, Tier};
use crate::segment::Dictionary;

/// A tier and a field in one byte, the better the less. A whole name stands above all fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Rank(u8);

impl Rank {
    /// No match.
    pub(crate) const NONE: Rank = Rank(0xff);
    /// Ranks of one tier: the fields, and before them whole names.
    const OF_A_TIER: usize = Field::ALL.len() + 1;
    /// How many ranks there are.
    pub(crate) const COUNT: usize = Tier::ALL.len() * Rank::OF_A_TIER;

    pub(crate) fn new(tier: Tier, field: Field) -> Rank {
        Rank((tier as u8) << 4 | (field as u8 + 1))
    }

    /// Of a name that is found whole: see [`crate::Hit::is_whole`].
    pub(crate) fn whole(tier: Tier) -> Rank {
        Rank((tier as u8) << 4)
    }

    /// The same, but in no better tier than this one.
    pub(crate) fn at_best(self, tier: Tier) -> Rank {
        Rank((self.0 & 0xf0).max((tier as u8) << 4) | (self.0 & 0xf))
    }

    /// Of two words that both have to be there: the worse tier, and the worse field.
    #[inline]
    pub(crate) fn and(self, other: Rank) -> Rank {
        Rank((self.0 & 0xf0).max(other.0 & 0xf0) | (self.0 & 0xf).max(other.0 & 0xf))
    }

    pub(crate) fn tier(self) -> Tier {
        let tier = Tier::ALL.get(usize::from(self.0 >> 4));
        tier.copied().unwrap_or(Tier::TwoTypos)
    }

    pub(crate) fn field(self) -> Field {
        let field = usize::from(self.0 & 0xf).saturating_sub(1);
        let field = Field::ALL.get(field);
        field.copied().unwrap_or(Field::Description)
    }

    pub(crate) fn is_whole(self) -> bool {
        self.0 & 0xf == 0
    }

    /// Its place among all ranks, the best first; below [`Rank::COUNT`].
    pub(crate) fn place(self) -> usize {
        usize::from(self.0 >> 4) * Rank::OF_A_TIER + usize::from(self.0 & 0xf)
    }

    /// All of them, the best first.
    pub(crate) fn all() -> impl Iterator<Item = Rank> {
        Tier::ALL.into_iter().flat_map(|tier| {
            let fields = Field::ALL.map(|field| Rank::new(tier, field));
            std::iter::once(Rank::whole(tier)).chain(fields)
        })
    }
}

/// Documents of a segment that have one thing in common.
pub(crate) struct Source {
    pub docs: Docs,
    pub rank: Rank,
}

pub(crate) enum Docs {
    /// Those of a term; read when they are needed.
    Term(Dictionary, TermInfo),
    List(Vec<DocId>),
}

impl Source {
    /// The same where it only narrows what is found: it keeps its tier, and no field is worse for it.
    pub(crate) fn narrowing(self) -> Source {
        Source {
            rank: Rank::new(self.rank.tier(), Field::Name),
            ..self
        }
    }

    /// How many documents, at most.
    pub(crate) fn size(&self) -> u64 {
        match &self.docs {
            Docs::Term(_, info) => u64::from(info.doc_freq),
            Docs::List(docs) => docs.len() as u64,
        }
    }
}

/// What stops a search early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The budget is spent: the answer is partial.
    Spent,
    /// The index can't be read.
    Broken(SearchError),
}

impl From<Spent> for Stop {
    fn from(_: Spent) -> Stop {
        Stop::Spent
    }
}

impl From<SearchError> for Stop {
    fn from(problem: SearchError) -> Stop {
        Stop::Broken(problem)
    }
}

impl From<std::io::Error> for Stop {
    fn from(problem: std::io::Error) -> Stop {
        Stop::Broken(problem.into())
    }
}

/// How far a search goes at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stage {
    /// The worst tier looked for: `Word`, `Start`, `OneTypo` or `TwoTypos`.
    pub reach: Tier,
    /// Whether descriptions are looked into.
    pub with_notes: bool,
}

/// Which kinds of documents are looked for at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    /// Tracks or lists.
    pub records: bool,
    /// Actors.
    pub actors: bool,
}

impl Wanted {
    /// Actors alone.
    pub(crate) const ACTORS: Wanted = Wanted {
        records: false,
        actors: true,
    };

    /// Whether anything but tags is looked for.
    pub(crate) fn are_any(self) -> bool {
        self.records || self.actors
    }

    /// These and actors: whose terms are read for words that may name somebody.
    pub(crate) fn with_actors(self) -> Wanted {
        Wanted {
            actors: true,
            ..self
        }
    }

    pub(crate) fn has(self, class: Class) -> bool {
        match class {
            Class::Actor => self.actors,
            Class::Description => self.are_any(),
            _ => self.records,
        }
    }
}
