//! Grammars of titles, by script.

use crate::random::Random;
use crate::words::{
    ACCENTED_ADJECTIVES, ACCENTED_NOUNS, ADJECTIVES, ARABIC_ADJECTIVES, ARABIC_NOUNS,
    CYRILLIC_ADJECTIVES, CYRILLIC_NOUNS, EMOJI, GREEK_NOUNS, HAN_SINGLES, HAN_WORDS, HANGUL_WORDS,
    JAPANESE_WORDS, KATAKANA, LETTERS, NOUNS, STOP_WORDS, SYLLABLES, VERBS,
};

/// What an artist sings and is called in, or how odd a title is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Script {
    English,
    /// Latin with accents.
    Accented,
    Cyrillic,
    Greek,
    Arabic,
    Han,
    Japanese,
    Hangul,
    /// Of words that are everywhere.
    StopWords,
    /// One letter.
    Letter,
    /// An emoji, alone or behind words.
    Emoji,
}

impl Script {
    /// The script of an artist.
    pub fn of_an_artist(random: &mut Random) -> Script {
        match random.below(100) {
            0..56 => Script::English,
            56..70 => Script::Accented,
            70..77 => Script::Cyrillic,
            77..80 => Script::Greek,
            80..83 => Script::Arabic,
            83..89 => Script::Han,
            89..94 => Script::Japanese,
            _ => Script::Hangul,
        }
    }

    /// The script of a title by an artist: mostly the artist's own.
    pub fn of_a_title(artist: Script, random: &mut Random) -> Script {
        match random.below(100) {
            0..2 => Script::StopWords,
            2 => Script::Letter,
            3..6 => Script::Emoji,
            6..16 => Script::English,
            _ => artist,
        }
    }

    pub fn is_without_spaces(self) -> bool {
        matches!(self, Script::Han | Script::Japanese | Script::Hangul)
    }
}

/// A title as it is written on a record, without any version.
pub fn title(script: Script, random: &mut Random) -> String {
    match script {
        Script::English => english(random),
        Script::Accented => accented(random),
        Script::Cyrillic => cyrillic(random),
        Script::Greek => greek(random),
        Script::Arabic => arabic(random),
        Script::Han => han(random),
        Script::Japanese => japanese(random),
        Script::Hangul => hangul(random),
        Script::StopWords => random.pick(STOP_WORDS).to_owned(),
        Script::Letter => random.pick(LETTERS).to_owned(),
        Script::Emoji => match random.below(4) {
            0 => random.pick(EMOJI).to_owned(),
            1 => format!("{} {}", random.pick(EMOJI), english(random)),
            _ => format!("{} {}", english(random), random.pick(EMOJI)),
        },
    }
}

/// A word that is in no list.
pub fn coined(syllables: &[&'static str], random: &mut Random) -> String {
    let count = 2 + random.below(2);
    let word: String = (0..count).map(|_| random.pick(syllables)).collect();
    capital(&word)
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

fn english(random: &mut Random) -> String {
    let adjective = random.pick(ADJECTIVES);
    let noun = random.pick(NOUNS);
    let other = random.pick(NOUNS);
    let verb = random.pick(VERBS);
    let coined = coined(SYLLABLES, random);
    match random.below(22) {
        0..4 => format!("{adjective} {noun}"),
        4 => format!("{noun} of {other}"),
        5 => format!("The {noun}"),
        6 => noun.to_owned(),
        7 => format!("{verb} the {noun}"),
        8 => format!("Don’t {verb} the {noun}"),
        9 => format!("{noun} in the {other}"),
        10 => format!("{verb} Me, {noun}"),
        11 => format!("{} {noun}s", 2 + random.below(98)),
        12 => format!("{coined} {noun}"),
        13 => coined,
        14 => format!("{adjective} {noun}, {adjective} {other}"),
        15 => format!("{verb} Your {adjective} {noun}"),
        16 => format!("{noun} / {other}"),
        17 => format!("{noun} for {coined}"),
        18 => format!("I {verb} {coined}"),
        19 => format!("{noun} & {other}"),
        20 => format!("{verb}, {verb}, {noun}!"),
        _ => format!("{adjective} {coined} {noun}"),
    }
}

fn accented(random: &mut Random) -> String {
    let noun = random.pick(ACCENTED_NOUNS);
    let other = random.pick(ACCENTED_NOUNS);
    let adjective = random.pick(ACCENTED_ADJECTIVES);
    match random.below(6) {
        0 => noun.to_owned(),
        1 => format!("{noun} de {other}"),
        2 => format!("{noun} y {other}"),
        3 => format!("{noun} {adjective} {}", random.below(90)),
        _ => format!("{noun} {adjective}"),
    }
}

fn cyrillic(random: &mut Random) -> String {
    let noun = random.pick(CYRILLIC_NOUNS);
    let other = random.pick(CYRILLIC_NOUNS);
    let adjective = random.pick(CYRILLIC_ADJECTIVES);
    match random.below(5) {
        0 => noun.to_owned(),
        1 => format!("{noun} и {other}"),
        2 => format!("{adjective} {noun} {other}"),
        _ => format!("{adjective} {noun}"),
    }
}

fn greek(random: &mut Random) -> String {
    let noun = random.pick(GREEK_NOUNS);
    let other = random.pick(GREEK_NOUNS);
    match random.below(4) {
        0 => noun.to_owned(),
        1 => format!("{noun} μου"),
        2 => format!("{noun} και {other}"),
        _ => format!("{noun} {other}"),
    }
}

fn arabic(random: &mut Random) -> String {
    let noun = random.pick(ARABIC_NOUNS);
    let other = random.pick(ARABIC_NOUNS);
    match random.below(4) {
        0 => format!("يا {noun}"),
        1 => format!("{noun} {other}"),
        2 => format!("{noun} و{other}"),
        _ => format!("{noun} {}", random.pick(ARABIC_ADJECTIVES)),
    }
}

fn han(random: &mut Random) -> String {
    let word = random.pick(HAN_WORDS);
    let other = random.pick(HAN_WORDS);
    let single = random.pick(HAN_SINGLES);
    match random.below(6) {
        0 => word.to_owned(),
        1 => single.to_owned(),
        2 => format!("{word}的{other}"),
        3 => format!("{single}之{word}"),
        4 => format!("{word}{single}"),
        _ => format!("{word}{other}"),
    }
}

fn japanese(random: &mut Random) -> String {
    let word = random.pick(JAPANESE_WORDS);
    let other = random.pick(JAPANESE_WORDS);
    let katakana = random.pick(KATAKANA);
    match random.below(6) {
        0 => katakana.to_owned(),
        1 => format!("{word}の{katakana}"),
        2 => format!("{katakana}と{word}"),
        3 => format!("{word}{katakana}"),
        4 => format!("{katakana}・{}", random.pick(KATAKANA)),
        _ => format!("{word}と{other}の{katakana}"),
    }
}

fn hangul(random: &mut Random) -> String {
    let word = random.pick(HANGUL_WORDS);
    let other = random.pick(HANGUL_WORDS);
    match random.below(5) {
        0 => word.to_owned(),
        1 => format!("{word}의 {other}"),
        2 => format!("{word}{other}"),
        _ => format!("{word} {other}"),
    }
}
