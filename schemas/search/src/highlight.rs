//! Where the words of a query stand in a text, for showing them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::document::LONGEST_DESCRIPTION;
use crate::query::{Asked, Query};
use crate::typos::Near;
use crate::words::{Pieces, Word};

/// Byte ranges of a text that match words or phrases of a query: in order, apart from one another,
/// on character borders. Of a word that only begins as asked, the beginning. Of a text no more is
/// looked at than is searched, [`LONGEST_DESCRIPTION`] bytes: the cost is that of each word of it by
/// each word of the query, at most.
pub fn highlight(query: &Query, text: &str) -> Vec<Range<usize>> {
    let end = text.floor_char_boundary(LONGEST_DESCRIPTION);
    let text = text.get(..end).unwrap_or(text);
    let pieces = Pieces::of(text);
    let words = pieces.indexed_words();
    let mut marked = Marked::over(pieces.chars().len());
    for asked in &query.words {
        marked.word(asked, &words);
    }
    let by_place: HashMap<(usize, &str), &Word> = words
        .iter()
        .map(|word| ((word.position, word.text.as_str()), word))
        .collect();
    let mut phrases = HashSet::new();
    for phrase in &query.phrases {
        if phrases.insert(&phrase.words) {
            marked.phrase(&phrase.words, &words, &by_place);
        }
    }
    let ranges = marked.ranges().map(|chars| {
        let chars = pieces.chars().get(chars).unwrap_or_default();
        let bytes = chars.first().zip(chars.last());
        bytes.map(|(first, last)| first.bytes().start..last.bytes().end)
    });
    joined(ranges.flatten().collect())
}

/// Characters of a text that are to be shown.
struct Marked {
    chars: Vec<bool>,
    /// Words and characters that were looked at or marked.
    steps: u64,
}

impl Marked {
    fn over(chars: usize) -> Marked {
        Marked {
            chars: vec![false; chars],
            steps: 0,
        }
    }

    fn mark(&mut self, chars: Range<usize>) {
        self.steps += chars.len() as u64;
        if let Some(chars) = self.chars.get_mut(chars) {
            chars.fill(true);
        }
    }

    fn word(&mut self, asked: &Asked, words: &[Word]) {
        let length = asked.text.chars().count();
        let mut near: Option<Near> = None;
        for word in words {
            self.steps += 1;
            if word.text == asked.text {
                self.mark(word.chars.clone());
                continue;
            }
            if word.is_cut {
                if asked.goes_on_in(&word.text) {
                    self.mark(word.chars.clone());
                }
                continue;
            }
            if asked.can_start && word.text.starts_with(&asked.text) {
                self.mark(word.chars.start..word.chars.start + length);
                continue;
            }
            // What is much longer or shorter can't be near, and costs no automaton.
            let differing = word.chars.len().abs_diff(length);
            if asked.typos == 0 || differing > usize::from(asked.typos) {
                continue;
            }
            let near = near.get_or_insert_with(|| Near::whole(&asked.text, asked.typos));
            if near.typos(&word.text).is_some() {
                self.mark(word.chars.clone());
            }
        }
    }

    fn phrase(
        &mut self,
        phrase: &[(String, usize)],
        words: &[Word],
        by_place: &HashMap<(usize, &str), &Word>,
    ) {
        let Some((start, base)) = phrase.first() else {
            return;
        };
        for first in words.iter().filter(|word| word.text == *start) {
            let mut found = Vec::new();
            for (text, place) in phrase {
                self.steps += 1;
                let position = first.position + place - base;
                match by_place.get(&(position, text.as_str())) {
                    Some(word) => found.push(word.chars.clone()),
                    None => break,
                }
            }
            if found.len() == phrase.len() {
                found.into_iter().for_each(|chars| self.mark(chars));
            }
        }
        self.steps += words.len() as u64;
    }

    /// Runs of marked characters.
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let runs = self.chars.chunk_by(|one, other| one == other);
        let runs = runs.scan(0, |end, run| {
            let start = *end;
            *end += run.len();
            Some((run.first() == Some(&true), start..*end))
        });
        runs.filter_map(|(is_marked, chars)| is_marked.then_some(chars))
    }
}

/// Joined where they touch or overlap: one character may be folded to several.
fn joined(ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown<'t>(query: &str, text: &'t str) -> Vec<&'t str> {
        let query = Query::parse(query).unwrap();
        let ranges = highlight(&query, text).into_iter();
        ranges.map(|range| &text[range]).collect()
    }

    #[test]
    fn what_matched_is_shown_as_it_was_written() {
        assert_eq!(
            shown("beyonce halo", "Halo — Beyoncé (live)"),
            ["Halo", "Beyoncé"]
        );
        assert_eq!(shown("dont", "Don’t Stop"), ["Don’t"]);
        assert_eq!(shown("tran", "Night Ｔransit"), ["Ｔran"]);
        assert_eq!(shown("nigth", "Night Transit"), ["Night"]);
        assert_eq!(shown("strasse", "Die Straße"), ["Straße"]);
        assert_eq!(shown("本語", "日本語の歌"), ["本語"]);
        assert_eq!(shown("日本語", "日本語の歌"), ["日本語"]);
        assert_eq!(
            shown("\"the city\"", "In the city, the day"),
            ["the", "city"]
        );
        assert_eq!(shown("❤", "with ❤️ from"), ["❤️"]);
        assert_eq!(shown("사라", "내 사랑"), ["사랑"]);
        assert!(shown("other", "Night Transit").is_empty());
        assert!(shown("a", "").is_empty());
    }

    fn steps(query: &str, text: &str) -> u64 {
        let query = Query::parse(query).unwrap();
        let words = Pieces::of(text).indexed_words();
        let mut marked = Marked::over(text.len());
        for asked in &query.words {
            marked.word(asked, &words);
        }
        let by_place = words
            .iter()
            .map(|word| ((word.position, word.text.as_str()), word))
            .collect();
        for phrase in &query.phrases {
            marked.phrase(&phrase.words, &words, &by_place);
        }
        marked.steps
    }

    #[test]
    fn twice_the_text_is_twice_the_work() {
        let phrases = "\"a a a a a a a a\" ".repeat(10);
        let many = "\"a b\" \"b a\" ".repeat(20);
        for query in [phrases.as_str(), &many, "a b abcde bcdef"] {
            let (once, twice) = ("a ".repeat(500), "a ".repeat(1000));
            let (once, twice) = (steps(query, &once), steps(query, &twice));
            assert!(
                once > 500 && twice <= once * 2 + 1000,
                "{query}: {once}, {twice}"
            );
            // Each word of the text by each of the query: looked at, and marked.
            let words = query.split(' ').count() as u64;
            assert!(twice <= 1000 * words * 3, "{query}: {twice}");
        }
    }

    #[test]
    fn what_isnt_searched_isnt_shown() {
        let text = "night ".repeat(LONGEST_DESCRIPTION);
        let query = Query::parse("night").unwrap();
        let last = highlight(&query, &text).pop().unwrap();
        assert!(last.end <= LONGEST_DESCRIPTION && last.end + 12 > LONGEST_DESCRIPTION);
    }

    proptest! {
        #[test]
        fn ranges_are_texts_in_order(query in "\\PC{1,20}", text in any::<String>()) {
            let Ok(query) = Query::parse(&query) else { return Ok(()) };
            let mut last = 0;
            for range in highlight(&query, &text) {
                prop_assert!(range.start >= last && range.end > range.start);
                prop_assert!(text.get(range.clone()).is_some());
                last = range.end;
            }
        }
    }
}
