//! Where the words of a query stand in a text, for showing them.

use std::ops::Range;

use crate::query::Query;
use crate::typos::Near;
use crate::words::{Pieces, Word};

/// Byte ranges of a text that match words or phrases of a query: in order, apart from one another,
/// on character borders. Of a word that only begins as asked, the beginning.
pub fn highlight(query: &Query, text: &str) -> Vec<Range<usize>> {
    let pieces = Pieces::of(text);
    let words = pieces.indexed_words();
    let mut ranges = Vec::new();
    let mut add = |chars: Range<usize>| {
        let chars = pieces.chars().get(chars).unwrap_or_default();
        if let (Some(first), Some(last)) = (chars.first(), chars.last()) {
            ranges.push(first.bytes().start..last.bytes().end);
        }
    };
    for asked in &query.words {
        let near = (asked.typos > 0).then(|| Near::whole(&asked.text, asked.typos));
        for word in &words {
            if word.text == asked.text {
                add(word.chars.clone());
            } else if asked.can_start && !word.is_cut && word.text.starts_with(&asked.text) {
                let length = asked.text.chars().count();
                add(word.chars.start..word.chars.start + length);
            } else if !word.is_cut
                && near
                    .as_ref()
                    .is_some_and(|near| near.typos(&word.text).is_some())
            {
                add(word.chars.clone());
            }
        }
    }
    for phrase in &query.phrases {
        for first in &words {
            if let Some(found) = phrase_at(&phrase.words, first, &words) {
                found.into_iter().for_each(&mut add);
            }
        }
    }
    joined(ranges)
}

/// The words of a phrase that begins at a word, if it does.
fn phrase_at(
    phrase: &[(String, usize)],
    first: &Word,
    words: &[Word],
) -> Option<Vec<Range<usize>>> {
    let (_, base) = phrase.first()?;
    let found = phrase.iter().map(|(text, place)| {
        let position = first.position + place - base;
        let same = |word: &&Word| word.position == position && word.text == *text;
        words.iter().find(same).map(|word| word.chars.clone())
    });
    found.collect()
}

/// In order, and joined where they touch or overlap.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
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
        assert!(shown("other", "Night Transit").is_empty());
        assert!(shown("a", "").is_empty());
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
