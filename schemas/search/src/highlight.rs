//! Where the words of a query stand in a text, for showing them.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::document::{LONGEST_DESCRIPTION, LONGEST_NAME};
use crate::query::{Asked, Query};
use crate::typos::{LETTERS_FOR_START, Near};
use crate::words::{Pieces, Word};

/// Shows where a query's words stand in the texts of an answer: made once for all of them, since
/// telling words with typos takes an automaton for each word of the query. It is made when a text
/// first has a word that may be near, and kept.
pub struct Highlighter<'q> {
    words: Vec<Sought<'q>>,
    /// Different phrases, each as words with their places.
    phrases: Vec<&'q [(String, usize)]>,
    /// Whole tags, folded.
    tags: &'q [String],
    /// Words, those of phrases among them.
    size: u64,
}

impl std::fmt::Debug for Highlighter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Highlighter")
            .field("size", &self.size)
            .finish()
    }
}

impl<'q> Highlighter<'q> {
    /// Of a query.
    pub fn new(query: &'q Query) -> Highlighter<'q> {
        let words: Vec<Sought<'q>> = query.sought().map(Sought::new).collect();
        let mut known = HashSet::new();
        let phrases = query.phrases.iter().map(|phrase| phrase.words.as_slice());
        let phrases: Vec<_> = phrases.filter(|phrase| known.insert(*phrase)).collect();
        let size = words.len() + phrases.iter().map(|phrase| phrase.len()).sum::<usize>();
        Highlighter {
            words,
            phrases,
            tags: &query.tags,
            size: size as u64,
        }
    }

    /// What [`Highlighter::ranges`] of a text may cost, to be paid from a budget: bytes that are
    /// looked at, [`LONGEST_DESCRIPTION`] at most, by words of the query, those of phrases among
    /// them. None of a query without words: it only names something, and nothing is looked at.
    ///
    /// Automata come on top, once for all texts: at most two for each word.
    pub fn cost(&self, text: &str) -> u64 {
        text.len().min(LONGEST_DESCRIPTION) as u64 * self.size
    }

    /// Byte ranges of a text that match words or phrases of the query: in order, apart from one
    /// another, on character borders. Of a word that only begins as asked, the beginning. Of a text
    /// no more is looked at than is searched, [`LONGEST_DESCRIPTION`] bytes.
    pub fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        if self.size == 0 {
            return Vec::new();
        }
        let pieces = Pieces::of(cut(text, LONGEST_DESCRIPTION));
        let words = pieces.indexed_words();
        let marked = self.marked(pieces.chars().len(), &words);
        let ranges = marked.ranges().map(|chars| {
            let chars = pieces.chars().get(chars).unwrap_or_default();
            let bytes = chars.first().zip(chars.last());
            bytes.map(|(first, last)| first.bytes().start..last.bytes().end)
        });
        joined(ranges.flatten().collect())
    }

    /// What [`Highlighter::ranges_of_tag`] of a tag may cost: the tags of the query count as words.
    pub fn cost_of_tag(&self, tag: &str) -> u64 {
        let tags = tag.len().min(LONGEST_NAME) as u64 * self.tags.len() as u64;
        self.cost(tag) + tags
    }

    /// The same of a tag or a genre: all of it if the query asks for it by `tag:`.
    pub fn ranges_of_tag(&self, tag: &str) -> Vec<Range<usize>> {
        if !self.tags.is_empty() {
            let key = Pieces::of(cut(tag, LONGEST_NAME)).key();
            if self.tags.contains(&key) {
                return std::iter::once(0..tag.len()).collect();
            }
        }
        self.ranges(tag)
    }

    fn marked(&self, chars: usize, words: &[Word]) -> Marked {
        let mut marked = Marked::over(chars);
        if !self.words.is_empty() {
            let letters: Vec<u64> = words.iter().map(|word| letters(&word.text)).collect();
            for sought in &self.words {
                marked.word(sought, words, &letters);
            }
        }
        if !self.phrases.is_empty() {
            let by_place: HashMap<(usize, &str), &Word> = words
                .iter()
                .map(|word| ((word.position, word.text.as_str()), word))
                .collect();
            for phrase in &self.phrases {
                marked.phrase(phrase, words, &by_place);
            }
        }
        marked
    }
}

/// A word of the query.
struct Sought<'q> {
    asked: &'q Asked,
    /// In characters.
    length: usize,
    letters: u64,
    near: OnceCell<Near>,
    /// Of words that begin as one that is near.
    start: OnceCell<Near>,
}

impl<'q> Sought<'q> {
    fn new(asked: &'q Asked) -> Sought<'q> {
        Sought {
            asked,
            length: asked.text.chars().count(),
            letters: letters(&asked.text),
            near: OnceCell::new(),
            start: OnceCell::new(),
        }
    }

    /// Whether a longer word begins with this one, with a typo: as one that is being typed.
    fn begins_near(&self, word: &Word) -> bool {
        let asked = self.asked;
        let may_be = asked.is_last
            && asked.can_start
            && asked.typos > 0
            && self.length >= LETTERS_FOR_START
            && word.chars.len() + 1 >= self.length;
        if !may_be {
            return false;
        }
        let near = || Near::start(&asked.text);
        self.start.get_or_init(near).typos(&word.text).is_some()
    }

    /// Whether a word is this one with typos. What has another length or other letters can't be,
    /// and is told without an automaton.
    fn is_near(&self, word: &Word, letters: u64) -> bool {
        let typos = self.asked.typos;
        let most = u32::from(typos);
        // A typo adds one letter, or loses one, or both.
        let may_be = typos > 0
            && word.chars.len().abs_diff(self.length) <= usize::from(typos)
            && (letters & !self.letters).count_ones() <= most
            && (self.letters & !letters).count_ones() <= most;
        if !may_be {
            return false;
        }
        let near = || Near::whole(&self.asked.text, typos);
        self.near.get_or_init(near).typos(&word.text).is_some()
    }
}

/// A text's first bytes, between characters.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// The letters of a word, each as one of 64 bits.
fn letters(word: &str) -> u64 {
    let bits = word.chars().map(|char| 1 << (u32::from(char) % 64));
    bits.fold(0, |letters, bit: u64| letters | bit)
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

    fn word(&mut self, sought: &Sought<'_>, words: &[Word], letters: &[u64]) {
        let asked = sought.asked;
        for (word, letters) in words.iter().zip(letters) {
            self.steps += 1;
            if word.text == asked.text {
                self.mark(word.chars.clone());
            } else if word.is_cut {
                if asked.goes_on_in(&word.text) {
                    self.mark(word.chars.clone());
                }
            } else if asked.can_start && word.text.starts_with(&asked.text) {
                self.mark(word.chars.start..word.chars.start + sought.length);
            } else if sought.is_near(word, *letters) || sought.begins_near(word) {
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

    fn highlight(query: &Query, text: &str) -> Vec<Range<usize>> {
        Highlighter::new(query).ranges(text)
    }

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
        // As it is being typed, with a typo.
        assert_eq!(shown("raidoh", "Radiohead"), ["Radiohead"]);
        assert!(shown("raidoh x", "Radiohead").is_empty());
        assert!(shown("other", "Night Transit").is_empty());
        assert!(shown("a", "").is_empty());
    }

    /// A handle that nobody resolved may be a name, and its words are what was looked for.
    #[test]
    fn words_of_a_handle_that_is_nobodys_are_shown() {
        assert_eq!(
            shown("artist:st.vincent night", "St. Vincent — Night Shift"),
            ["St", "Vincent", "Night"]
        );
        assert_eq!(shown("artist:R.E.M.", "R.E.M."), ["R", "E", "M"]);
        let mut query = Query::parse("artist:st.vincent night").unwrap();
        assert_eq!(query.size(), 3);
        let did = "did:plc:abcdefghijklmnopqrstuvwx".parse().unwrap();
        query.resolve(&"st.vincent".parse().unwrap(), &did);
        assert_eq!(query.size(), 1);
        assert!(highlight(&query, "St. Vincent").is_empty());
    }

    fn steps(query: &str, text: &str) -> u64 {
        let query = Query::parse(query).unwrap();
        let words = Pieces::of(text).indexed_words();
        Highlighter::new(&query).marked(text.len(), &words).steps
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

    /// An automaton is far dearer than a look at a word: so many as the query has words, however
    /// many texts there are.
    #[test]
    fn each_word_has_one_automaton_for_all_texts() {
        // Of the same letters in another order: only an automaton tells that they aren't near.
        let orders = (0..40_usize).map(|number| {
            let mut letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
            letters.rotate_left(number % 8);
            letters.swap(number / 8, 7);
            String::from_iter(letters)
        });
        let orders: Vec<String> = orders.collect();
        let query = Query::parse(&orders.join(" ")).unwrap();
        let highlighter = Highlighter::new(&query);
        let before = crate::typos::made();
        for _ in 0..15 {
            for order in &orders {
                assert_eq!(highlighter.ranges(&format!("{order} hgfedcba")).len(), 1);
            }
        }
        let made = crate::typos::made() - before;
        assert!((1..=query.words.len() as u64).contains(&made), "{made}");
    }

    #[test]
    fn what_cant_be_near_costs_no_automaton() {
        let query = Query::parse("midnight radiohead").unwrap();
        let highlighter = Highlighter::new(&query);
        let before = crate::typos::made();
        for text in [
            "midnight radiohead",
            "day",
            "absolutely",
            "Tomorrow’s Queues",
        ] {
            highlighter.ranges(text);
        }
        assert_eq!(crate::typos::made(), before);
        assert_eq!(highlighter.ranges("mindight"), vec![0..8]);
        assert_eq!(crate::typos::made(), before + 1);
    }

    #[test]
    fn a_tag_that_is_asked_for_is_shown_whole() {
        let query = Query::parse("tag:\"hip hop\" night").unwrap();
        let highlighter = Highlighter::new(&query);
        assert_eq!(highlighter.ranges_of_tag("#Hip-Hop"), vec![0..8]);
        assert_eq!(highlighter.ranges_of_tag("Late Night"), vec![5..10]);
        assert!(highlighter.ranges_of_tag("hip hop live").is_empty());
        assert!(highlighter.ranges("#Hip-Hop").is_empty());
        assert_eq!(highlighter.cost_of_tag("Hip-Hop"), 7 * 2);
        assert_eq!(highlighter.cost("Hip-Hop"), 7);
    }

    #[test]
    fn cost_is_text_by_words_and_ends_where_looking_does() {
        for (query, size) in [
            ("night drive", 2),
            ("\"night drive\" x", 3),
            ("\"a b\" \"a b\"", 2),
            ("tag:jazz", 0),
            ("did:plc:abcdefghijklmnopqrstuvwx", 0),
            ("artist:st.vincent night", 3),
            ("artist:did:plc:abcdefghijklmnopqrstuvwx night", 1),
        ] {
            let query = Query::parse(query).unwrap();
            let highlighter = Highlighter::new(&query);
            assert_eq!(highlighter.cost("12345678"), 8 * size);
            let long = "x".repeat(LONGEST_DESCRIPTION * 2);
            assert_eq!(highlighter.cost(&long), LONGEST_DESCRIPTION as u64 * size);
        }
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

        #[test]
        fn no_word_that_is_near_is_passed_over(
            asked in "[a-zé]{4,12}",
            typos in prop::collection::vec((0_usize..12, 0_u8..4, "[a-z]"), 0..4),
        ) {
            let mut word: Vec<char> = asked.chars().collect();
            for (place, typo, letter) in typos {
                let (place, letter) = (place % (word.len() - 1), letter.chars().next().unwrap());
                match typo {
                    0 => word[place] = letter,
                    1 => word.insert(place, letter),
                    2 if word.len() > 2 => {
                        word.remove(place);
                    }
                    _ => word.swap(place, place + 1),
                }
            }
            let (query, word) = (Query::parse(&asked).unwrap(), String::from_iter(word));
            for asked in &query.words {
                let near = Near::whole(&asked.text, asked.typos);
                for word in Pieces::of(&word).indexed_words() {
                    let is_near = Sought::new(asked).is_near(&word, letters(&word.text));
                    prop_assert_eq!(is_near, near.typos(&word.text).is_some());
                }
            }
        }
    }
}
