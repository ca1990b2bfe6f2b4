//! Reading a query: operators, phrases and words, from the left to the right.

use plyr_lexicons::{AtIdentifier, Handle};

use crate::fold::{CharKind, JOINER, is_invisible, kind_of};
use crate::named::Named;
use crate::operators::{Operator, bound_instead, date, duration};
use crate::query::{
    Asked, ByAddress, LONGEST_QUERY, MOST_LOOKED_UP, MOST_WORDS, Phrase, Query, QueryError, Scope,
    Without,
};
use crate::typed::{as_typed, typed_form};
use crate::typos::typos_in;
use crate::words::Pieces;

/// A query while it is read.
#[derive(Default)]
pub(crate) struct Reading {
    query: Query,
    /// Plain words, as typed.
    plain: String,
    /// Plain words and phrases.
    whole: String,
    count: usize,
    /// Whether more of the text is to come.
    is_typing: bool,
    /// Whether the last operator was left out, since more of it is to come.
    is_unfinished: bool,
}

impl Reading {
    /// Of a query of which more is to come.
    pub(crate) fn while_typing() -> Reading {
        Reading {
            is_typing: true,
            ..Reading::default()
        }
    }

    pub(crate) fn read(mut self, text: &str) -> Result<Query, QueryError> {
        let length = text.chars().count();
        if length > LONGEST_QUERY {
            return Err(QueryError::TooLong(length));
        }
        let chars = without_invisible(text);
        let mut rest = chars.as_slice();
        while let Some(after) = self.take(rest)? {
            rest = after;
        }
        self.query.typed = typed_form(text);
        self.finish()
    }

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
        if self.is_typing && Operator::is_all_of(text) {
            self.is_unfinished = true;
            return Ok(None);
        }
        if let Some((operator, operand, rest)) = Operator::read(text) {
            let is_last = rest.is_empty() && !operand.is_quoted;
            match self.operate(operator, operand, is_without) {
                Err(QueryError::Operand { .. }) if self.is_typing && is_last => {
                    self.is_unfinished = true;
                }
                operated => operated?,
            }
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
            let is_only_an_address = named.is_only_an_address(word);
            if self.query.named.len() < MOST_LOOKED_UP {
                self.query.named.push(named);
            }
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
        for run in Pieces::of(text).long_runs() {
            let run = Phrase::of(&run, scope);
            if !self.query.runs.contains(&run) {
                self.query.runs.push(run);
            }
        }
        for asked in self.asked(text, scope)? {
            let same = |other: &&mut Asked| other.text == asked.text && other.scope == scope;
            match self.query.words.iter_mut().find(same) {
                Some(before) => before.is_last |= asked.is_last,
                None => self.query.words.push(asked),
            }
        }
        Ok(())
    }

    /// Those behind operators, each once, as many as may be looked up beside what is pasted.
    fn handles(&self) -> Vec<Handle> {
        let without = self.query.without.iter();
        let without = without.filter_map(|without| match without {
            Without::Artist(actor, _) => Some(actor),
            _ => None,
        });
        let most = MOST_LOOKED_UP.saturating_sub(self.query.named.len());
        let mut handles: Vec<Handle> = Vec::new();
        let artists = self.query.artists.iter().map(|artist| &artist.actor);
        for actor in artists.chain(without) {
            let AtIdentifier::Handle(handle) = actor else {
                continue;
            };
            if handles.len() < most && !handles.contains(handle) {
                handles.push(handle.clone());
            }
        }
        handles
    }

    fn finish(mut self) -> Result<Query, QueryError> {
        let plain = std::mem::take(&mut self.plain);
        self.words(&plain, Scope::Any)?;
        let whole = Pieces::of(&self.whole);
        self.query.key = whole.key();
        self.query.name_words = whole.different_words();
        self.query.handles = self.handles();
        let query = self.query;
        if query.has_words() || !query.named.is_empty() {
            return Ok(query);
        }
        match query.narrows() || self.is_unfinished {
            true => Err(QueryError::NothingToFind),
            false => Err(QueryError::Empty),
        }
    }
}

/// What is read of a text. Nothing that can't be seen, but for what makes one emoji of two.
fn without_invisible(text: &str) -> Vec<char> {
    let mut chars = Vec::with_capacity(text.len());
    for char in text.chars() {
        let before = chars.last().map(|before| kind_of(*before));
        let joins = char == JOINER && before == Some(CharKind::Symbol);
        if joins || !is_invisible(char) {
            chars.push(as_typed(char));
        }
    }
    chars
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
