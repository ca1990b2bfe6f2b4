//! From a text to the words it is found by. Scripts that put no spaces between words give pairs of
//! neighbours, and single characters beside them; an emoji is a word, however many it is joined of.

use std::collections::HashMap;
use std::ops::Range;

use crate::fold::{CharKind, FoldedChar, GERSHAYIM, JOINER, fold, is_half_a_flag, kind_of};

/// Characters of a word that count, of an index's word as of a query's.
pub const LONGEST_WORD: usize = 64;
/// Bytes of a folded title that count when whole titles are compared.
pub const LONGEST_KEY: usize = 1024;

/// What a piece of a text is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PieceKind {
    /// A word between spaces or punctuation.
    Word,
    /// A run of a script without spaces.
    Run,
    /// An emoji, or several that are shown as one.
    Symbol,
}

/// A word, a run or an emoji of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub kind: PieceKind,
    /// Its characters, as places in [`Pieces::chars`].
    pub chars: Range<usize>,
}

/// A text, folded and cut.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pieces {
    chars: Vec<FoldedChar>,
    pieces: Vec<Piece>,
}

/// A word as it is kept and looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Word {
    /// Folded.
    pub text: String,
    /// Which place it has among the words of its text; a pair has that of its first character.
    pub position: usize,
    /// Whether it is a pair or a single character of a run, or an emoji: no beginning of anything.
    pub is_cut: bool,
    /// Its characters, as places in [`Pieces::chars`].
    pub chars: Range<usize>,
}

impl Pieces {
    /// Cuts a text.
    pub(crate) fn of(text: &str) -> Pieces {
        let folded = fold(text);
        let mut cut = Pieces::default();
        cut.chars.reserve(folded.len());
        for (place, &folded_char) in folded.iter().enumerate() {
            let kind = match kind_of(folded_char.char) {
                CharKind::Word => PieceKind::Word,
                CharKind::Unspaced => PieceKind::Run,
                CharKind::Symbol => PieceKind::Symbol,
                CharKind::Between if is_inside_a_word(&folded, place) => continue,
                CharKind::Between => {
                    cut.close();
                    continue;
                }
            };
            cut.add(kind, folded_char, text);
        }
        cut.close();
        if cut.pieces.is_empty() {
            cut.take_signs(&folded);
        }
        cut
    }

    /// The folded characters, without those between words.
    pub(crate) fn chars(&self) -> &[FoldedChar] {
        &self.chars
    }

    fn add(&mut self, kind: PieceKind, char: FoldedChar, text: &str) {
        let place = self.chars.len();
        let goes_on = self.pieces.last().is_some_and(|last| {
            last.kind == kind
                && last.chars.end == place
                && (kind != PieceKind::Symbol || self.is_one_with(last, char, text))
        });
        self.chars.push(char);
        match self.pieces.last_mut() {
            Some(last) if goes_on => last.chars.end = place + 1,
            _ => self.pieces.push(Piece {
                kind,
                chars: place..place + 1,
            }),
        }
    }

    /// Whether an emoji is shown as one with those before it: it is joined to them, or is the second
    /// half of a flag.
    fn is_one_with(&self, before: &Piece, next: FoldedChar, text: &str) -> bool {
        let before = self.chars.get(before.chars.clone()).unwrap_or_default();
        let Some(last) = before.last() else {
            return false;
        };
        // A joiner is no character, but among the bytes of the one before it.
        let written = text.get(last.bytes()).unwrap_or_default();
        let is_flag = before.len() == 1 && is_half_a_flag(last.char) && is_half_a_flag(next.char);
        is_flag || written.ends_with(JOINER)
    }

    /// Ends a piece: a gap in the places of characters, which no piece reaches over.
    fn close(&mut self) {
        let is_open = |last: &Piece| last.chars.end == self.chars.len();
        if self.pieces.last().is_some_and(is_open) {
            let end = self.chars.last().map_or(0, |last| last.end);
            self.chars.push(FoldedChar {
                char: ' ',
                start: end,
                end,
            });
        }
    }

    /// A text of nothing but signs (`!!!`, `÷`) is one word of them.
    fn take_signs(&mut self, folded: &[FoldedChar]) {
        let signs = folded.iter().filter(|sign| !sign.char.is_whitespace());
        self.chars = signs.copied().collect();
        if !self.chars.is_empty() {
            self.pieces.push(Piece {
                kind: PieceKind::Word,
                chars: 0..self.chars.len(),
            });
        }
    }

    fn text(&self, chars: Range<usize>) -> String {
        let chars = self.chars.get(chars).unwrap_or_default();
        chars.iter().map(|folded| folded.char).collect()
    }

    /// The whole text in the form in which whole titles are compared: its pieces, a space between.
    pub(crate) fn key(&self) -> String {
        let mut key = String::new();
        for piece in &self.pieces {
            if !key.is_empty() {
                key.push(' ');
            }
            let chars = self.chars.get(piece.chars.clone()).unwrap_or_default();
            key.extend(chars.iter().map(|folded| folded.char));
        }
        truncate(&mut key, LONGEST_KEY);
        key
    }

    /// Runs of more than one pair, folded.
    pub(crate) fn long_runs(&self) -> impl Iterator<Item = String> {
        let runs = self.pieces.iter();
        let runs = runs.filter(|piece| piece.kind == PieceKind::Run && piece.chars.len() > 2);
        runs.map(|piece| self.text(piece.chars.clone()))
    }

    /// Words for an index: of runs all pairs and all single characters.
    pub(crate) fn indexed_words(&self) -> Vec<Word> {
        self.words(true)
    }

    /// Words to look for: of runs the pairs alone, or the character that stands alone.
    pub(crate) fn asked_words(&self) -> Vec<Word> {
        self.words(false)
    }

    /// How many different words it is, to tell whole names by. A run has as many as characters:
    /// one pair would be as many as one character.
    pub(crate) fn different_words(&self) -> usize {
        let counted = self.pieces.iter().map(|piece| {
            let count = match piece.kind {
                PieceKind::Run => piece.chars.len(),
                PieceKind::Word | PieceKind::Symbol => 1,
            };
            (self.text(self.counting(piece)), count)
        });
        counted.collect::<HashMap<String, usize>>().values().sum()
    }

    /// The characters of a piece that count.
    fn counting(&self, piece: &Piece) -> Range<usize> {
        let chars = piece.chars.clone();
        match piece.kind {
            PieceKind::Run => chars,
            _ => chars.start..chars.end.min(chars.start + LONGEST_WORD),
        }
    }

    fn words(&self, with_singles: bool) -> Vec<Word> {
        let mut words = Vec::with_capacity(self.pieces.len());
        let mut position = 0;
        for piece in &self.pieces {
            let is_run = piece.kind == PieceKind::Run;
            if !is_run {
                let chars = self.counting(piece);
                words.push(Word {
                    text: self.text(chars.clone()),
                    position,
                    is_cut: piece.kind == PieceKind::Symbol,
                    chars,
                });
                position += 1;
                continue;
            }
            for first in piece.chars.clone() {
                let mut add = |chars: Range<usize>| {
                    words.push(Word {
                        text: self.text(chars.clone()),
                        position,
                        is_cut: true,
                        chars,
                    });
                };
                if with_singles || piece.chars.len() == 1 {
                    add(first..first + 1);
                }
                if first + 1 < piece.chars.end {
                    add(first..first + 2);
                }
                position += 1;
            }
        }
        words
    }
}

/// An apostrophe between two letters is no part of the word and doesn't end it: don't is dont. Nor
/// is the mark of Hebrew abbreviations.
fn is_inside_a_word(folded: &[FoldedChar], place: usize) -> bool {
    let is_letter = |place: Option<usize>| {
        place
            .and_then(|place| folded.get(place))
            .is_some_and(|beside| kind_of(beside.char) == CharKind::Word)
    };
    let here = folded.get(place).map(|folded| folded.char);
    matches!(here, Some('\'' | GERSHAYIM))
        && is_letter(place.checked_sub(1))
        && is_letter(place.checked_add(1))
}

/// Cuts a text to a number of bytes, between characters.
pub(crate) fn truncate(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexed(text: &str) -> Vec<String> {
        let words = Pieces::of(text).indexed_words();
        words.into_iter().map(|word| word.text).collect()
    }

    fn asked(text: &str) -> Vec<String> {
        let words = Pieces::of(text).asked_words();
        words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_end_where_letters_do() {
        assert_eq!(
            indexed("Don’t Stop-Me, now!"),
            ["dont", "stop", "me", "now"]
        );
        assert_eq!(indexed("rock 'n' roll"), ["rock", "n", "roll"]);
        assert_eq!(indexed("AC/DC (live) 2004"), ["ac", "dc", "live", "2004"]);
        assert_eq!(indexed("love ❤️🔥fire"), ["love", "❤", "🔥", "fire"]);
        assert_eq!(indexed("Привет мир"), ["привет", "мир"]);
        assert_eq!(indexed("a\0b\u{202e}c"), ["a", "bc"]);
    }

    #[test]
    fn runs_give_pairs_and_singles() {
        assert_eq!(indexed("日本語"), ["日", "日本", "本", "本語", "語"]);
        assert_eq!(asked("日本語"), ["日本", "本語"]);
        assert_eq!(asked("日"), ["日"]);
        assert_eq!(asked("日本語remix"), ["日本", "本語", "remix"]);
        assert_eq!(asked("사랑해"), ["사랑", "랑해"]);
        let positions: Vec<usize> = Pieces::of("夜の歌 live")
            .indexed_words()
            .iter()
            .map(|word| word.position)
            .collect();
        assert_eq!(positions, [0, 0, 1, 1, 2, 3]);
    }

    #[test]
    fn what_is_shown_as_one_emoji_is_one_word() {
        assert_eq!(indexed("🇯🇵🇵🇱 🇯🇲"), ["🇯🇵", "🇵🇱", "🇯🇲"]);
        assert_eq!(indexed("🇯 🇵🇯🇵"), ["🇯", "🇵🇯", "🇵"]);
        assert_eq!(indexed("👩🏽\u{200d}🚀 👩🚀"), ["👩🚀", "👩", "🚀"]);
        assert_eq!(indexed("❤️\u{200d}🔥❤️"), ["❤🔥", "❤"]);
        // Nothing but emoji is joined.
        assert_eq!(indexed("👩\u{200d}a\u{200d}🚀"), ["👩", "a", "🚀"]);
        let all = "👩\u{200d}".repeat(100);
        assert_eq!(indexed(&all), asked(&all));
    }

    #[test]
    fn hebrew_marks_inside_a_word_dont_end_it() {
        assert_eq!(indexed("צ׳יפס"), indexed("צ'יפס"));
        assert_eq!(indexed("צה״ל רמב״ם"), ["צהל", "רמבם"]);
        assert_eq!(indexed("ג׳ ״א״"), ["ג", "א"]);
    }

    #[test]
    fn of_a_run_every_character_counts() {
        let count = |text: &str| Pieces::of(text).different_words();
        assert_eq!(count("夜"), 1);
        assert_eq!(count("の夜"), 2);
        assert_eq!(count("夜の夜"), 3);
        assert_eq!(count("夜の 夜の live"), 3);
        assert_eq!(count("The The ❤️❤️"), 2);
        assert_eq!(count(""), 0);
    }

    #[test]
    fn nothing_but_signs_is_a_word() {
        assert_eq!(indexed("! ! !"), ["!!!"]);
        assert_eq!(indexed("÷"), ["÷"]);
        assert_eq!(indexed("÷ x"), ["x"]);
        assert!(indexed(" \0\u{200b} ").is_empty());
    }

    #[test]
    fn whole_titles_compare_without_punctuation() {
        let key = |text: &str| Pieces::of(text).key();
        assert_eq!(key("Don't Stop!"), key("dont  stop"));
        assert_eq!(key("日本語remix"), "日本語 remix");
        assert_eq!(key("The The"), "the the");
        assert_eq!(key(&"é".repeat(2000)).len(), LONGEST_KEY);
    }

    #[test]
    fn a_long_word_is_cut_the_same_everywhere() {
        let long = "x".repeat(500);
        assert_eq!(indexed(&long), asked(&long));
        assert_eq!(indexed(&long), ["x".repeat(LONGEST_WORD)]);
    }
}
