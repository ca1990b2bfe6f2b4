//! The terms of an index: how a word, a beginning, a whole title, an author and a tag are written,
//! and the tokenizers that write them.

use std::collections::HashSet;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use crate::layout::{ACTOR_KEY, AUTHOR, Class, FEATURED, PART, TAG, TITLE_KEY};
use crate::typed::typed_form;
use crate::words::{Pieces, truncate};

/// Beginnings of words up to this many characters are terms of their own; longer ones are few
/// enough to be read from the dictionary.
pub(crate) const WORD_START: usize = 3;
/// The same for beginnings of whole titles and names.
pub(crate) const KEY_START: usize = 6;
/// Bytes of a tag's spelling that are kept.
const LONGEST_SPELLING: usize = 256;
/// Positions between two texts of one field: no phrase reaches over them.
const BETWEEN_TEXTS: usize = 16;

/// What a term is, told by its first byte. Words have none: a word never begins with a control
/// character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sort {
    /// A whole title or list's name.
    Title = 1,
    /// The beginning of one.
    TitleStart = 2,
    /// The beginning of a word; the class comes after it.
    WordStart = 3,
    /// A tag, folded; its spelling comes after it.
    Tag = 4,
    /// Who published it.
    Author = 5,
    /// Who is featured.
    Featured = 6,
    /// A whole name or handle of an actor.
    Actor = 7,
    /// The beginning of one.
    ActorStart = 8,
    /// A whole name of any kind that looks like operators of a query, with its signs.
    Typed = 9,
}

impl Sort {
    /// A term of this sort.
    pub(crate) fn term(self, text: &str) -> Vec<u8> {
        let mut term = Vec::with_capacity(text.len() + 1);
        term.push(self as u8);
        term.extend_from_slice(text.as_bytes());
        term
    }
}

/// The term of a word in a class of texts.
pub(crate) fn word_term(word: &str, class: Class) -> Vec<u8> {
    let mut term = Vec::with_capacity(word.len() + 2);
    term.extend_from_slice(word.as_bytes());
    term.extend_from_slice(&[0, class.byte()]);
    term
}

/// The term of a word's beginning in a class of texts.
pub(crate) fn word_start_term(start: &str, class: Class) -> Vec<u8> {
    let mut term = Sort::WordStart.term(start);
    term.extend_from_slice(&[0, class.byte()]);
    term
}

/// The first characters of a text.
pub(crate) fn first_chars(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Every beginning of a text of up to so many characters, the shortest first.
fn beginnings(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let ends = text
        .char_indices()
        .take(most)
        .map(|(start, char)| start + char.len_utf8());
    ends.filter_map(|end| text.get(..end))
}

/// Cuts texts into words, each with its class and position.
#[derive(Clone, Default)]
pub(crate) struct Words {
    cut: Cut,
}

/// Writes the beginnings of words, whole titles and their beginnings, tags and authors.
#[derive(Clone, Default)]
pub(crate) struct Starts {
    cut: Cut,
}

/// The tokens of a document, one behind the other.
#[derive(Clone, Default)]
pub(crate) struct Cut {
    bytes: String,
    /// Where each ends in `bytes`, and its position.
    ends: Vec<(usize, usize)>,
    next: usize,
    token: Token,
}

impl Cut {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.next = 0;
        self.token.reset();
    }

    fn add(&mut self, parts: &[&str], last: Option<char>, position: usize) {
        for part in parts {
            self.bytes.push_str(part);
        }
        if let Some(last) = last {
            self.bytes.push('\0');
            self.bytes.push(last);
        }
        self.ends.push((self.bytes.len(), position));
    }
}

fn parts(text: &str) -> impl Iterator<Item = (char, &str)> {
    text.split(PART).filter_map(|part| {
        let mut chars = part.chars();
        chars.next().map(|mark| (mark, chars.as_str()))
    })
}

impl Tokenizer for Words {
    type TokenStream<'a> = Cutting<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Cutting<'a> {
        let cut = &mut self.cut;
        cut.clear();
        let mut base = 0;
        for (class, text) in parts(text) {
            let words = Pieces::of(text).indexed_words();
            let mut end = base;
            for word in &words {
                let position = base + word.position;
                cut.add(&[&word.text], Some(class), position);
                end = position + 1;
            }
            base = end + BETWEEN_TEXTS;
        }
        Cutting { cut }
    }
}

impl Tokenizer for Starts {
    type TokenStream<'a> = Cutting<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Cutting<'a> {
        let cut = &mut self.cut;
        cut.clear();
        let mut tags = HashSet::new();
        for (mark, text) in parts(text) {
            match mark {
                TITLE_KEY => add_key(cut, text, "\u{1}", "\u{2}"),
                ACTOR_KEY => add_key(cut, text, "\u{7}", "\u{8}"),
                AUTHOR => cut.add(&["\u{5}", text], None, 0),
                FEATURED => cut.add(&["\u{6}", text], None, 0),
                TAG => {
                    let key = Pieces::of(text).key();
                    // Spelled twice, as a tag and as a genre, it is one all the same.
                    if !tags.insert(key.clone()) {
                        continue;
                    }
                    let mut spelling = text.to_owned();
                    truncate(&mut spelling, LONGEST_SPELLING);
                    cut.add(&["\u{4}", &key, "\0", &spelling], None, 0);
                }
                class => {
                    for word in Pieces::of(text).indexed_words() {
                        if word.is_cut {
                            continue;
                        }
                        for start in beginnings(&word.text, WORD_START) {
                            cut.add(&["\u{3}", start], Some(class), 0);
                        }
                    }
                }
            }
        }
        Cutting { cut }
    }
}

fn add_key(cut: &mut Cut, text: &str, whole: &str, start: &str) {
    let key = Pieces::of(text).key();
    if key.is_empty() {
        return;
    }
    cut.add(&[whole, &key], None, 0);
    if let Some(form) = typed_form(text) {
        cut.add(&["\u{9}", &form], None, 0);
    }
    for beginning in beginnings(&key, KEY_START) {
        cut.add(&[start, beginning], None, 0);
    }
}

/// Hands out the tokens of a document.
pub(crate) struct Cutting<'a> {
    cut: &'a mut Cut,
}

impl TokenStream for Cutting<'_> {
    fn advance(&mut self) -> bool {
        let cut = &mut *self.cut;
        let Some(&(end, position)) = cut.ends.get(cut.next) else {
            return false;
        };
        let start = match cut.next.checked_sub(1) {
            Some(before) => cut.ends.get(before).map_or(0, |(end, _)| *end),
            None => 0,
        };
        cut.token.text.clear();
        cut.token
            .text
            .push_str(cut.bytes.get(start..end).unwrap_or_default());
        cut.token.position = position;
        cut.next += 1;
        true
    }

    fn token(&self) -> &Token {
        &self.cut.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.cut.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens<T: Tokenizer>(mut tokenizer: T, text: &str) -> Vec<(String, usize)> {
        let mut tokens = Vec::new();
        let mut stream = tokenizer.token_stream(text);
        while stream.advance() {
            let token = stream.token();
            tokens.push((token.text.clone(), token.position));
        }
        tokens
    }

    #[test]
    fn words_carry_their_class_and_texts_lie_apart() {
        let cut = tokens(Words::default(), "\u{1e}0Night Drive\u{1e}1Ana");
        let night = ("night\0".to_owned() + "0", 0);
        assert_eq!(cut[0], night);
        assert_eq!(cut[2].0.as_bytes(), word_term("ana", Class::Artist));
        assert!(cut[2].1 > cut[1].1 + 1);
    }

    #[test]
    fn beginnings_of_words_and_of_titles() {
        let starts: Vec<String> = tokens(Starts::default(), "\u{1e}0Ab, cd\u{1e}KAb, cd")
            .into_iter()
            .map(|(text, _)| text)
            .collect();
        let expected = [
            "\u{3}a\x000",
            "\u{3}ab\x000",
            "\u{3}c\x000",
            "\u{3}cd\x000",
            "\u{1}ab cd",
            "\u{2}a",
            "\u{2}ab",
            "\u{2}ab ",
            "\u{2}ab c",
            "\u{2}ab cd",
        ];
        assert_eq!(starts, expected);
        let typed = tokens(Starts::default(), "\u{1e}KA -B");
        assert_eq!(typed[1].0, "\u{9}a -b");
    }
}
