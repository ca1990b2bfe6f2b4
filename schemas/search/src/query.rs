//! A listener's words: what they mean, read from whatever was typed. Anything is an answer or an
//! error that names the problem; reading costs no more than the text is long.

use std::ops::RangeInclusive;

use plyr_lexicons::{AtIdentifier, Did, Handle};

use crate::fold::is_invisible;
use crate::hangul::may_become;
use crate::named::Named;
use crate::operators::{Operator, bound_instead, date, duration};
use crate::typed::{as_typed, typed_form};
use crate::typos::typos_in;
use crate::words::{Pieces, distinct};

/// Characters of a query.
pub const LONGEST_QUERY: usize = 1000;
/// Words of a query, those of phrases and of `-without` among them. A title of the longest kind has
/// as many.
pub const MOST_WORDS: usize = 128;

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
    fn of(text: &str, scope: Scope) -> Phrase {
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
    /// How many different words the plain words and phrases are.
    pub(crate) name_words: usize,
    pub(crate) words: Vec<Asked>,
    pub(crate) phrases: Vec<Phrase>,
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
    named: Vec<Named>,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        let length = text.chars().count();
        if length > LONGEST_QUERY {
            return Err(QueryError::TooLong(length));
        }
        let mut reading = Reading::default();
        let chars = text.chars().filter(|char| !is_invisible(*char));
        let chars: Vec<char> = chars.map(as_typed).collect();
        let mut rest = chars.as_slice();
        while let Some(after) = reading.take(rest)? {
            rest = after;
        }
        reading.query.typed = typed_form(text);
        reading.finish()
    }

    /// What was pasted and names one thing, for the caller to look up.
    pub fn named(&self) -> &[Named] {
        &self.named
    }

    /// Handles that `artist:` and `-artist:` name; hand back their DIDs with [`Query::resolve`].
    /// One that stays a handle stands for the artists that an index knows by it, and if there are
    /// none for its words.
    pub fn artist_handles(&self) -> impl Iterator<Item = &Handle> {
        let without = self.without.iter().filter_map(|without| match without {
            Without::Artist(actor, _) => Some(actor),
            _ => None,
        });
        let actors = self.artists.iter().map(|artist| &artist.actor);
        actors.chain(without).filter_map(|actor| match actor {
            AtIdentifier::Handle(handle) => Some(handle),
            AtIdentifier::Did(_) => None,
        })
    }

    /// Puts the DID in the place of a handle behind `artist:` and `-artist:`.
    pub fn resolve(&mut self, handle: &Handle, did: &Did) {
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

    /// Whether it is plain words and nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.phrases.is_empty()
            && self.tags.is_empty()
            && self.without.is_empty()
            && self.artists.is_empty()
            && self.words.iter().all(|word| word.scope == Scope::Any)
    }

    /// Whether there are words to look for; else it only names something.
    pub fn has_words(&self) -> bool {
        !(self.words.is_empty()
            && self.phrases.is_empty()
            && self.tags.is_empty()
            && self.artists.is_empty())
    }
}

/// A query while it is read.
#[derive(Default)]
struct Reading {
    query: Query,
    /// Plain words, as typed.
    plain: String,
    /// Plain words and phrases.
    whole: String,
    count: usize,
}

impl Reading {
    /// Reads one thing; the rest of the text, or none at its end.
    fn take<'a>(&mut self, text: &'a [char]) -> Result<Option<&'a [char]>, QueryError> {
        let start = text.iter().position(|char| !char.is_whitespace());
        let Some(text) = start.and_then(|start| text.get(start..)) else {
            return Ok(None);
        };
        let (is_without, text) = match text {
            ['-', next, ..] if !next.is_whitespace() => (true, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        if let Some((operator, operand, rest)) = Operator::read(text) {
            self.operate(operator, operand, is_without)?;
            return Ok(Some(rest));
        }
        if let Some((phrase, rest)) = quoted(text) {
            self.phrase(&phrase, Scope::Any, is_without)?;
            return Ok(Some(rest));
        }
        // A quote that isn't closed is no quote.
        let text = match text {
            ['"', rest @ ..] => rest,
            _ => text,
        };
        let (word, rest) = until_space_or_quote(text);
        match is_without {
            true => self.phrase(&word, Scope::Any, true)?,
            false => self.plain(&word),
        }
        Ok(Some(rest))
    }

    fn plain(&mut self, word: &str) {
        if let Some(named) = Named::of(word) {
            let is_only_an_address = named.is_only_an_address();
            self.query.named.push(named);
            if is_only_an_address {
                return;
            }
        }
        for text in [&mut self.plain, &mut self.whole] {
            text.push(' ');
            text.push_str(word);
        }
        self.query.ends_whole = false;
    }

    fn phrase(&mut self, text: &str, scope: Scope, is_without: bool) -> Result<(), QueryError> {
        let phrase = Phrase::of(text, scope);
        self.count(phrase.words.len())?;
        if phrase.words.is_empty() {
            return Ok(());
        }
        if is_without {
            self.query.without.push(Without::Phrase(phrase));
            return Ok(());
        }
        if scope == Scope::Any {
            self.whole.push(' ');
            self.whole.push_str(text);
            self.query.ends_whole = true;
        }
        self.query.phrases.push(phrase);
        Ok(())
    }

    fn count(&mut self, more: usize) -> Result<(), QueryError> {
        self.count += more;
        match self.count > MOST_WORDS {
            true => Err(QueryError::TooManyWords(self.count)),
            false => Ok(()),
        }
    }

    fn operate(
        &mut self,
        operator: Operator,
        operand: Operand,
        is_without: bool,
    ) -> Result<(), QueryError> {
        let text = operand.text.as_str();
        if is_without && let Some((operator, instead)) = bound_instead(operator) {
            return Err(QueryError::Negated {
                operator,
                operand: text.chars().take(80).collect(),
                instead,
            });
        }
        match operator {
            Operator::Artist => match Named::of(text) {
                Some(Named::Actor(actor)) if !(operand.is_quoted && is_handle(&actor)) => {
                    self.by_address(actor, is_without)?;
                }
                // In quotes stands a name, which a whole handle is too.
                _ => self.scoped(&operand, Scope::Artist, is_without)?,
            },
            Operator::Album => self.scoped(&operand, Scope::Album, is_without)?,
            Operator::Tag => {
                self.count(1)?;
                let tag = Pieces::of(text.trim_start_matches('#')).key();
                match is_without {
                    _ if tag.is_empty() => {}
                    true => self.query.without.push(Without::Tag(tag)),
                    false => self.query.tags.push(tag),
                }
            }
            Operator::Min => self.query.min = Some(duration("min", text)?),
            Operator::Max => self.query.max = Some(duration("max", text)?),
            Operator::After => self.query.after = Some(date("after", text)?),
            Operator::Before => self.query.before = Some(date("before", text)?),
        }
        Ok(())
    }

    fn by_address(&mut self, actor: AtIdentifier, is_without: bool) -> Result<(), QueryError> {
        let name = match &actor {
            AtIdentifier::Handle(handle) => handle.as_str().to_owned(),
            AtIdentifier::Did(_) => String::new(),
        };
        if is_without {
            let phrase = Phrase::of(&name, Scope::Artist);
            self.count(phrase.words.len())?;
            self.query.without.push(Without::Artist(actor, phrase));
            return Ok(());
        }
        let words = self.asked(&name, Scope::Artist)?;
        self.query.artists.push(ByAddress { actor, words });
        Ok(())
    }

    fn scoped(
        &mut self,
        operand: &Operand,
        scope: Scope,
        is_without: bool,
    ) -> Result<(), QueryError> {
        if operand.is_quoted || is_without {
            return self.phrase(&operand.text, scope, is_without);
        }
        self.words(&operand.text, scope)
    }

    fn asked(&mut self, text: &str, scope: Scope) -> Result<Vec<Asked>, QueryError> {
        let words = Pieces::of(text).asked_words();
        self.count(words.len())?;
        let last = words.len().saturating_sub(1);
        let words = words.into_iter().enumerate();
        let asked = words.map(|(place, word)| Asked {
            typos: if word.is_cut { 0 } else { typos_in(&word.text) },
            can_start: !word.is_cut,
            is_last: place == last,
            text: word.text,
            scope,
        });
        Ok(asked.collect())
    }

    fn words(&mut self, text: &str, scope: Scope) -> Result<(), QueryError> {
        for asked in self.asked(text, scope)? {
            let same = |other: &&mut Asked| other.text == asked.text && other.scope == scope;
            match self.query.words.iter_mut().find(same) {
                Some(before) => before.is_last |= asked.is_last,
                None => self.query.words.push(asked),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Query, QueryError> {
        let plain = std::mem::take(&mut self.plain);
        self.words(&plain, Scope::Any)?;
        let whole = Pieces::of(&self.whole);
        self.query.key = whole.key();
        let words = whole.asked_words();
        self.query.name_words = distinct(words.iter().map(|word| word.text.as_str()));
        let query = self.query;
        if query.has_words() || !query.named.is_empty() {
            return Ok(query);
        }
        let has_bounds = query.min.is_some()
            || query.max.is_some()
            || query.after.is_some()
            || query.before.is_some();
        match has_bounds || !query.without.is_empty() {
            true => Err(QueryError::NothingToFind),
            false => Err(QueryError::Empty),
        }
    }
}

fn is_handle(actor: &AtIdentifier) -> bool {
    matches!(actor, AtIdentifier::Handle(_))
}

/// What stands behind an operator.
pub(crate) struct Operand {
    pub text: String,
    pub is_quoted: bool,
}

/// A text in quotes that are closed, and the rest.
pub(crate) fn quoted(text: &[char]) -> Option<(String, &[char])> {
    let ['"', inside @ ..] = text else {
        return None;
    };
    let end = inside.iter().position(|char| *char == '"')?;
    let phrase = inside.get(..end)?.iter().collect();
    Some((phrase, inside.get(end + 1..)?))
}

pub(crate) fn until_space_or_quote(text: &[char]) -> (String, &[char]) {
    let ends = |char: &char| char.is_whitespace() || *char == '"';
    let end = text.iter().position(ends).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word.iter().collect(), rest)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
