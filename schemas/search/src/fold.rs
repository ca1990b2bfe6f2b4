//! Folding: one form for all the ways to write the same word. Every folded character remembers the
//! bytes it came from, so that what was found can be shown in the text as it was written.
//!
//! Compatibility decomposition (NFKD), full case folding, accents dropped; what is a letter of its
//! own keeps its mark (й, が), letters with strokes lose them (ø, ł).

use std::ops::Range;

use unicode_normalization::char::{compose, decompose_compatible, is_combining_mark};

/// One folded character and the bytes of the original text it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoldedChar {
    /// The character.
    pub char: char,
    /// First byte in the original text.
    pub start: u32,
    /// The byte after the last; marks that were dropped belong to the character before them.
    pub end: u32,
}

impl FoldedChar {
    /// Its bytes in the original text.
    pub fn bytes(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Folds a text. The result is folded itself: folding it again changes nothing.
pub fn fold(text: &str) -> Vec<FoldedChar> {
    let mut folded = Vec::with_capacity(text.len());
    for (start, char) in text.char_indices() {
        let end = start + char.len_utf8();
        let place = |char| FoldedChar {
            char,
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        };
        if char.is_ascii() {
            folded.push(place(plain_ascii(char)));
        } else if is_apostrophe(char) {
            folded.push(place('\''));
        } else {
            decompose_compatible(char, |part| fold_part(part, &place, &mut folded));
        }
    }
    folded
}

/// The folded characters as a text.
pub fn folded_text(text: &str) -> String {
    fold(text).iter().map(|folded| folded.char).collect()
}

/// Control characters end words like spaces do.
fn plain_ascii(char: char) -> char {
    match char {
        _ if char.is_ascii_control() => ' ',
        '`' => '\'',
        _ => char.to_ascii_lowercase(),
    }
}

fn fold_part(part: char, place: &dyn Fn(char) -> FoldedChar, folded: &mut Vec<FoldedChar>) {
    if is_invisible(part) {
        return join_last(folded, place(part));
    }
    if is_dropped_mark(part, folded.last().map(|last| last.char)) {
        return join_last(folded, place(part));
    }
    // Down, up and down again is full case folding: ß and ẞ are ss, ς is σ, ı is i.
    let upper = part.to_lowercase().flat_map(char::to_uppercase);
    for lower in upper.flat_map(char::to_lowercase) {
        push(lower, place, folded);
    }
}

fn push(char: char, place: &dyn Fn(char) -> FoldedChar, folded: &mut Vec<FoldedChar>) {
    let before = folded.last().map(|last| last.char);
    if is_dropped_mark(char, before) {
        return join_last(folded, place(char));
    }
    if let Some(last) = folded.last_mut()
        && let Some(whole) = compose(last.char, char)
    {
        last.char = whole;
        last.end = place(char).end;
        return;
    }
    if let Some(digit) = ascii_digit(char) {
        return folded.push(place(digit));
    }
    for plain in unstroked(char).chars(char) {
        folded.push(place(plain));
    }
}

/// A character that is dropped belongs to the one before it.
fn join_last(folded: &mut [FoldedChar], dropped: FoldedChar) {
    if let Some(last) = folded.last_mut() {
        last.end = dropped.end;
    }
}

/// All the characters that stand for an apostrophe in titles.
fn is_apostrophe(char: char) -> bool {
    matches!(
        char,
        '\u{b4}' | '\u{2b9}' | '\u{2bb}'..='\u{2bd}' | '\u{2018}'..='\u{201b}' | '\u{2032}'
            | '\u{55a}' | '\u{5f3}' | '\u{ff07}'
    )
}

/// Makes one emoji of those beside it.
pub(crate) const JOINER: char = '\u{200d}';
/// Makes an abbreviation of a Hebrew word, before its last letter.
pub(crate) const GERSHAYIM: char = '\u{5f4}';

/// What has no shape of its own: joiners, direction and variation marks, skin tones, tatweel.
pub(crate) fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{640}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{1f3fb}'..='\u{1f3ff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Marks of Latin, Greek and Cyrillic, of Hebrew and Arabic vowels. The vowel signs of other
/// scripts are letters there and stay.
fn is_dropped_mark(mark: char, before: Option<char>) -> bool {
    let is_accent = matches!(
        mark,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}'
    );
    if is_accent {
        return !is_letter_of_its_own(before, mark);
    }
    matches!(
        mark,
        '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}'
            | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}'
            | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}'
            | '\u{6ea}'..='\u{6ed}'
    )
}

/// Cyrillic letters that only decompose like accented ones: й, ў, ї, ѓ, ќ. (ё is written е as often
/// as not, and is folded.)
fn is_letter_of_its_own(before: Option<char>, mark: char) -> bool {
    matches!(
        (before, mark),
        (Some('и' | 'у'), '\u{306}') | (Some('і'), '\u{308}') | (Some('г' | 'к'), '\u{301}')
    )
}

/// The digit that one of Arabic or Persian is.
fn ascii_digit(char: char) -> Option<char> {
    let zero = match char {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        _ => return None,
    };
    char::from_digit(u32::from(char) - zero, 10)
}

/// What a letter is written as where its stroke, or the letter, is missing.
enum Plain {
    Itself,
    Text(&'static str),
}

impl Plain {
    fn chars(self, itself: char) -> impl Iterator<Item = char> {
        let (text, own) = match self {
            Plain::Itself => ("", Some(itself)),
            Plain::Text(text) => (text, None),
        };
        text.chars().chain(own)
    }
}

fn unstroked(char: char) -> Plain {
    Plain::Text(match char {
        '`' => "'",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ if is_apostrophe(char) => "'",
        // Persian and Arabic write the same two letters differently, Arabic the last one twice.
        'ی' | 'ى' => "ي",
        'ک' => "ك",
        _ if !char.is_ascii() && (char.is_control() || char.is_whitespace()) => " ",
        _ => return Plain::Itself,
    })
}

/// What a folded character is to a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CharKind {
    /// Part of a word.
    Word,
    /// Of a script that puts no spaces between words.
    Unspaced,
    /// A word by itself: an emoji.
    Symbol,
    /// Ends a word.
    Between,
}

pub(crate) fn kind_of(char: char) -> CharKind {
    if char.is_ascii() {
        return match char.is_ascii_alphanumeric() {
            true => CharKind::Word,
            false => CharKind::Between,
        };
    }
    if is_unspaced(char) {
        return CharKind::Unspaced;
    }
    if is_symbol(char) {
        return CharKind::Symbol;
    }
    if char.is_alphanumeric() || is_combining_mark(char) {
        return CharKind::Word;
    }
    CharKind::Between
}

/// Han, kana, bopomofo, Hangul; Thai, Lao, Burmese and Khmer.
fn is_unspaced(char: char) -> bool {
    matches!(
        char,
        '\u{e01}'..='\u{e4e}' | '\u{e81}'..='\u{ecd}' | '\u{1000}'..='\u{103f}'
            | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17d3}' | '\u{3005}'..='\u{3007}'
            | '\u{3041}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}'
            | '\u{3105}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}'
    )
}

/// Of two letters that make a flag, one.
pub(crate) fn is_half_a_flag(char: char) -> bool {
    matches!(char, '\u{1f1e6}'..='\u{1f1ff}')
}

fn is_symbol(char: char) -> bool {
    matches!(
        char,
        '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}'
            | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_word_in_many_ways() {
        for (written, folded) in [
            ("Beyoncé", "beyonce"),
            ("Beyonce\u{301}", "beyonce"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("STRAẞE", "strasse"),
            ("ＦＵＬＬ　width", "full width"),
            ("ﬁne", "fine"),
            ("𝓛𝓸𝓿𝓮", "love"),
            ("MØ", "mo"),
            ("Ætherłd", "aetherld"),
            ("ΟΔΟΣ", "οδοσ"),
            ("Ὀδύσσεια", "οδυσσεια"),
            ("Ёлка", "елка"),
            ("мой", "мой"),
            ("МОЙ", "мой"),
            ("сло\u{301}во", "слово"),
            ("Їжак", "їжак"),
            ("مُحَمَّـــد", "محمد"),
            ("أُغنية", "اغنية"),
            ("آسمانی", "اسماني"),
            ("שָׁלוֹם", "שלום"),
            ("ﾊﾞﾅﾅ", "バナナ"),
            ("か\u{3099}", "が"),
            ("한국어", "한국어"),
            ("don’t ŉ", "don't 'n"),
            ("צ׳יפס", "צ'יפס"),
            ("`\u{1fef}", "''"),
            ("हिंदी", "हिंदी"),
            ("İstanbul ısı", "istanbul isi"),
            ("tab\tnul\0", "tab nul "),
            ("zero\u{200b}width\u{202e}", "zerowidth"),
            ("❤️", "❤"),
            ("٠١٢٣٤٥٦٧٨٩ ۰۱۲۳۴۵۶۷۸۹", "0123456789 0123456789"),
            ("می\u{200c}خواهم क्\u{200d}ष", "ميخواهم क्ष"),
        ] {
            assert_eq!(folded_text(written), folded, "{written:?}");
        }
    }

    #[test]
    fn a_folded_character_knows_its_bytes() {
        let text = "a Ｂé\u{301}ß";
        let bytes = |place: usize| &text[fold(text)[place].bytes()];
        let folded: String = fold(text).iter().map(|folded| folded.char).collect();
        assert_eq!(folded, "a bess");
        assert_eq!(bytes(2), "Ｂ");
        assert_eq!(bytes(3), "é\u{301}");
        assert_eq!((bytes(4), bytes(5)), ("ß", "ß"));
    }

    proptest! {
        #[test]
        fn folding_is_done_once_and_for_all(text in "\\PC{0,40}|[à-ɏ\u{300}-\u{36f}а-ѿ가-힣ぁ-ヿ]{0,20}") {
            let once = folded_text(&text);
            prop_assert_eq!(folded_text(&once), once);
        }

        #[test]
        fn bytes_are_in_order_and_whole_characters(text in any::<String>()) {
            let mut last = 0;
            for folded in fold(&text) {
                let bytes = folded.bytes();
                prop_assert!(text.get(bytes.clone()).is_some());
                prop_assert!(bytes.start >= last && !bytes.is_empty());
                last = bytes.start;
            }
        }

        #[test]
        fn case_and_composition_dont_matter(text in "[a-zà-öø-ÿа-я]{0,20}") {
            use unicode_normalization::UnicodeNormalization;
            let apart: String = text.nfd().collect();
            prop_assert_eq!(folded_text(&text), folded_text(&apart));
            prop_assert_eq!(folded_text(&text.to_uppercase()), folded_text(&text));
        }
    }
}
