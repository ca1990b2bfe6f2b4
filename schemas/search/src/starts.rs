//! Words that a word of a query may stand for: those that begin with it, and those a typo or two
//! away.

use std::ops::RangeInclusive;

use crate::layout::Class;
use crate::query::Asked;
use crate::rank::Tier;
use crate::segment::Dictionary;
use crate::sources::{Found, Looked, OPENING, Sources, after_all_with, word_of};
use crate::stage::Stop;
use crate::terms::{WORD_START, first_chars, word_start_term};
use crate::typos::{Near, NearTerms};

/// Letters from which a word may be the beginning of a word of a description.
const LETTERS_IN_NOTES: usize = 3;

impl Sources<'_> {
    /// Longer words of names that begin with a word.
    pub(crate) fn starts(&self, asked: &Asked) -> Result<Vec<Found>, Stop> {
        if let Some(last) = asked.may_go_on() {
            return self.going_on(asked, &last);
        }
        if asked.text.chars().count() > WORD_START {
            return self.range(Dictionary::Words, asked);
        }
        let mut found = Vec::new();
        for class in self.classes_read(asked.scope, false) {
            let term = word_start_term(&asked.text, class);
            if let Some(info) = self.segment.term(Dictionary::Starts, &term)? {
                found.push(Found {
                    dictionary: Dictionary::Starts,
                    info,
                    class,
                    tier: Tier::Start,
                });
            }
        }
        Ok(found)
    }

    pub(crate) fn note_starts(&self, asked: &Asked) -> Result<Vec<Found>, Stop> {
        match asked.text.chars().count() < LETTERS_IN_NOTES {
            true => Ok(Vec::new()),
            false => self.range(Dictionary::Notes, asked),
        }
    }

    /// Terms of all longer words with this beginning.
    fn range(&self, dictionary: Dictionary, asked: &Asked) -> Result<Vec<Found>, Stop> {
        let with_notes = dictionary == Dictionary::Notes;
        let classes: Vec<Class> = self.classes_read(asked.scope, with_notes).collect();
        let terms = self.segment.dictionary(dictionary).terms();
        let start = asked.text.as_bytes();
        let mut range = terms.range().ge(start);
        if let Some(end) = after_all_with(start) {
            range = range.lt(end);
        }
        let mut stream = range.into_stream()?;
        let mut found = Vec::new();
        while stream.advance() {
            let walked = stream.key().len().saturating_sub(start.len());
            self.purse.pay(walked as u64)?;
            let Some((word, class)) = word_of(stream.key()) else {
                continue;
            };
            if word.len() > start.len() && classes.contains(&class) {
                self.purse.pay(OPENING)?;
                found.push(Found {
                    dictionary,
                    info: stream.value().clone(),
                    class,
                    tier: Tier::Start,
                });
            }
        }
        Ok(found)
    }

    /// Pairs and single characters whose last one is what a half typed one may become.
    fn going_on(&self, asked: &Asked, last: &RangeInclusive<char>) -> Result<Vec<Found>, Stop> {
        let length = asked.text.chars().count();
        let before = first_chars(&asked.text, length.saturating_sub(1));
        let with = |last: &char| format!("{before}{last}").into_bytes();
        let terms = self.segment.dictionary(Dictionary::Words).terms();
        let mut range = terms.range().ge(with(last.start()));
        if let Some(end) = after_all_with(&with(last.end())) {
            range = range.lt(end);
        }
        let classes: Vec<Class> = self.classes_read(asked.scope, false).collect();
        let mut stream = range.into_stream()?;
        let mut found = Vec::new();
        while stream.advance() {
            self.purse.pay(1)?;
            let Some((word, class)) = word_of(stream.key()) else {
                continue;
            };
            let goes_on = std::str::from_utf8(word)
                .is_ok_and(|word| word != asked.text && asked.goes_on_in(word));
            if goes_on && classes.contains(&class) {
                self.purse.pay(OPENING)?;
                found.push(Found {
                    dictionary: Dictionary::Words,
                    info: stream.value().clone(),
                    class,
                    tier: Tier::Start,
                });
            }
        }
        Ok(found)
    }

    /// Words of names that are a typo or two away, or begin with one that is.
    pub(crate) fn typos(&self, word: &Looked<'_>) -> Result<Vec<Found>, Stop> {
        let mut found = Vec::new();
        let (whole, start) = word.near(self.purse)?;
        self.near(word.asked, whole, true, &mut found)?;
        if let Some(start) = start {
            self.near(word.asked, start, false, &mut found)?;
        }
        Ok(found)
    }

    fn near(
        &self,
        asked: &Asked,
        near: &Near,
        is_whole: bool,
        found: &mut Vec<Found>,
    ) -> Result<(), Stop> {
        let classes: Vec<Class> = self.classes_read(asked.scope, false).collect();
        let terms = self.segment.dictionary(Dictionary::Words).terms();
        let automaton = NearTerms::new(near, self.purse);
        let mut stream = terms.search(automaton).into_stream()?;
        while stream.advance() {
            let Some((word, class)) = word_of(stream.key()) else {
                continue;
            };
            let typos = std::str::from_utf8(word)
                .ok()
                .and_then(|word| near.typos(word));
            let tier = match typos {
                Some(1) if is_whole => Tier::OneTypo,
                Some(1..) => Tier::TwoTypos,
                _ => continue,
            };
            if classes.contains(&class) {
                self.purse.pay(OPENING)?;
                found.push(Found {
                    dictionary: Dictionary::Words,
                    info: stream.value().clone(),
                    class,
                    tier,
                });
            }
        }
        match self.purse.is_empty() {
            true => Err(Stop::Spent),
            false => Ok(()),
        }
    }
}
