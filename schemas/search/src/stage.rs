//! What stages of a search hand to one another: lists of documents, each with the tier and the field
//! that a document found in it has.

use tantivy::DocId;
use tantivy::postings::TermInfo;

use crate::budget::Spent;
use crate::error::SearchError;
use crate::layout::Class;
use crate::rank::{Field, Tier};
use crate::segment::Dictionary;

/// A tier and a field in one byte, the better the less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Rank(pub u8);

impl Rank {
    /// No match.
    pub(crate) const NONE: Rank = Rank(0xff);

    pub(crate) fn new(tier: Tier, field: Field) -> Rank {
        Rank((tier as u8) << 4 | field as u8)
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
        let field = Field::ALL.get(usize::from(self.0 & 0xf));
        field.copied().unwrap_or(Field::Description)
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
    pub(crate) fn has(self, class: Class) -> bool {
        match class {
            Class::Actor => self.actors,
            Class::Description => true,
            _ => self.records,
        }
    }
}
