//! A listener's words: what they mean, read from whatever was typed. Anything is an answer or an
//! error that names the problem; reading costs no more than the text is long.

use std::ops::RangeInclusive;

use plyr_lexicons::{AtIdentifier, Did, Handle};

use crate::hangul::may_become;
use crate::named::Named;
use crate::reading::Reading;
use crate::words::Pieces;

/// Characters of a query.
pub const LONGEST_QUERY: usize = 1000;
/// Words of a query, those of phrases and of `-without` among them. A title of the longest kind has
/// as many.
pub const MOST_WORDS: usize = 128;

/// Names of a query that are looked up: what is pasted and names something, then handles behind
/// `artist:` and `-artist:`.
pub const MOST_LOOKED_UP: usize = 10;

/// Why a text is no query.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueryError {
    /// Nothing that can be looked for.
    #[error("the query has no letter, digit or sign to look for; type at least one")]
    Empty,
    /// More than [`LONGEST_QUERY`] characters.
    #[error("the query has {0} characters; ask with at most {LONGEST_QUERY}")]
    TooLong(usize),
    /// More than [`MOST_WORDS`] words.
    #[error("the query has {0} words; ask with at most {MOST_WORDS}")]
    TooManyWords(usize),
    /// Only what must not be there, or only bounds.
    #[error(
        "the query only says what to leave out; name a word, an artist:, an album: or a tag: too"
    )]
    NothingToFind,
    /// A bound behind a `-`: nothing has one to be left out by.
    #[error("`-{operator}:{operand}` leaves nothing out; write `{instead}:{operand}`")]
    Negated {
        /// The operator, as it is documented.
        operator: &'static str,
        /// What was written behind it.
        operand: String,
        /// The operator that says what was probably meant.
        instead: &'static str,
    },
    /// An operand that can't be read.
    #[error("`{operator}:{operand}` can't be read; write {expected}")]
    Operand {
        /// The operator, as it is documented.
        operator: &'static str,
        /// What was written behind it.
        operand: String,
        /// What would have been understood.
        expected: &'static str,
    },
}

/// Where a word may stand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scope {
    /// Anywhere.
    Any,
    /// In names of artists.
    Artist,
    /// In names of albums.
    Album,
}

/// A word that has to be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub text: String,
    pub scope: Scope,
    /// Typos it may have.
    pub typos: u8,
    /// Whether it may be the beginning of a longer word.
    pub can_start: bool,
    /// Whether it was typed last, and maybe not to its end.
    pub is_last: bool,
}

impl Asked {
    /// What its last character may become, where that was typed half.
    pub(crate) fn may_go_on(&self) -> Option<RangeInclusive<char>> {
        let last = self.text.chars().next_back();
        last.filter(|_| self.is_last && !self.can_start)
            .and_then(may_become)
    }

    /// Whether it was typed half and may become this.
    pub(crate) fn goes_on_in(&self, word: &str) -> bool {
        let Some(last) = self.may_go_on() else {
            return false;
        };
        let (mut own, mut other) = (self.text.chars(), word.chars());
        own.next_back();
        other.next_back().is_some_and(|end| last.contains(&end)) && own.eq(other)
    }
}

/// Words that have to stand side by side, with their places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Phrase {
    pub words: Vec<(String, usize)>,
    /// In the form in which whole names are compared.
    pub key: String,
    pub scope: Scope,
}

impl Phrase {
    pub(crate) fn of(text: &str, scope: Scope) -> Phrase {
        let pieces = Pieces::of(text);
        let words = pieces.asked_words().into_iter();
        Phrase {
            words: words.map(|word| (word.text, word.position)).collect(),
            key: pieces.key(),
            scope,
        }
    }
}

/// An account that `artist:` names by DID or handle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ByAddress {
    pub actor: AtIdentifier,
    /// A handle's words, to be looked for if it is no artist's: names look like handles (R.E.M.).
    pub words: Vec<Asked>,
}

/// What must not be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Without {
    Phrase(Phrase),
    Tag(String),
    /// Everything of an account and featuring it. The phrase is that of a handle that is no
    /// artist's.
    Artist(AtIdentifier, Phrase),
}

/// A query that was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// All plain words and phrases in one, in the form in which whole titles are compared.
    pub(crate) key: String,
    /// Whether the last of them is a phrase: nothing begins with it that goes on inside a word.
    pub(crate) ends_whole: bool,
    /// All that was typed, where signs of it were read: names are compared with that too.
    pub(crate) typed: Option<String>,
    /// How many different words the plain words and phrases are, of scripts without spaces how many
    /// characters.
    pub(crate) name_words: usize,
    pub(crate) words: Vec<Asked>,
    pub(crate) phrases: Vec<Phrase>,
    /// Of the words, those runs of scripts without spaces that are more than one pair: found as
    /// words only where the pairs stand side by side.
    pub(crate) runs: Vec<Phrase>,
    /// Whole tags, folded.
    pub(crate) tags: Vec<String>,
    pub(crate) without: Vec<Without>,
    /// Accounts that `artist:` names by DID or handle.
    pub(crate) artists: Vec<ByAddress>,
    /// At least this long, in seconds.
    pub(crate) min: Option<u64>,
    /// At most this long, in seconds.
    pub(crate) max: Option<u64>,
    /// Not before this time, microseconds since 1970.
    pub(crate) after: Option<i64>,
    /// Before this time.
    pub(crate) before: Option<i64>,
    pub(crate) named: Vec<Named>,
    /// Behind `artist:` and `-artist:`, to be looked up.
    pub(crate) handles: Vec<Handle>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// [`QueryError`] says what is wrong with the text, and what to write.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        Reading::default().read(text)
    }

    /// Reads a query of which more is to come: what stands last and is an operator that has no
    /// operand yet (`max:`), or one that can't be read (`after:20`, `min:1:`), is left out instead
    /// of refused.
    ///
    /// # Errors
    /// As [`Query::parse`]. [`QueryError::Empty`] and [`QueryError::NothingToFind`] say that there
    /// is nothing to look for so far.
    pub fn parse_while_typing(text: &str) -> Result<Query, QueryError> {
        Reading::while_typing().read(text)
    }

    /// What was pasted and names one thing, for the caller to look up: [`MOST_LOOKED_UP`] at most.
    pub fn named(&self) -> &[Named] {
        &self.named
    }

    /// Handles that `artist:` and `-artist:` name, each once, to be looked up; hand back their DIDs
    /// with [`Query::resolve`]. With [`Query::named`] no more than [`MOST_LOOKED_UP`]. One that
    /// stays a handle, as those beyond do, stands for the artists that an index knows by it, and if
    /// there are none for its words.
    pub fn artist_handles(&self) -> impl Iterator<Item = &Handle> {
        self.handles.iter()
    }

    /// Puts the DID in the place of a handle behind `artist:` and `-artist:`.
    pub fn resolve(&mut self, handle: &Handle, did: &Did) {
        self.handles.retain(|asked| asked != handle);
        let without = self.without.iter_mut().filter_map(|without| match without {
            Without::Artist(actor, _) => Some(actor),
            _ => None,
        });
        let actors = self.artists.iter_mut().map(|artist| &mut artist.actor);
        for actor in actors.chain(without) {
            if matches!(actor, AtIdentifier::Handle(named) if named == handle) {
                *actor = AtIdentifier::Did(did.clone());
            }
        }
    }

    /// Words that may stand in what is found, those of handles behind `artist:` that stayed handles
    /// among them: they are looked for if the handle is no artist's.
    pub(crate) fn sought(&self) -> impl Iterator<Item = &Asked> {
        let is_handle = |actor: &AtIdentifier| matches!(actor, AtIdentifier::Handle(_));
        let unresolved = self.artists.iter();
        let unresolved = unresolved.filter(move |artist| is_handle(&artist.actor));
        let of_handles = unresolved.flat_map(|artist| &artist.words);
        self.words.iter().chain(of_handles)
    }

    /// How many words it has to look for, those of phrases among them: what showing where they
    /// stand costs for each word of a text.
    pub fn size(&self) -> usize {
        let phrases = self.phrases.iter();
        self.sought().count() + phrases.map(|phrase| phrase.words.len()).sum::<usize>()
    }

    /// Whether it is plain words and nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.phrases.is_empty()
            && self.tags.is_empty()
            && self.without.is_empty()
            && self.artists.is_empty()
            && self.words.iter().all(|word| word.scope == Scope::Any)
    }

    /// Whether it says itself what is left out: by a `-`, a duration or a time.
    pub fn narrows(&self) -> bool {
        let has_bounds = self.min.is_some()
            || self.max.is_some()
            || self.after.is_some()
            || self.before.is_some();
        has_bounds || !self.without.is_empty()
    }

    /// Whether there are words to look for; else it only names something.
    pub fn has_words(&self) -> bool {
        !(self.words.is_empty()
            && self.phrases.is_empty()
            && self.tags.is_empty()
            && self.artists.is_empty())
    }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
