//! Grammars of artists' names, of lists' names and of descriptions. Nobody real: names are coined
//! from syllables, or are words.

use crate::random::Random;
use crate::titles::{Script, coined};
use crate::words::{
    ACCENTED_SYLLABLES, ADJECTIVES, ARABIC_SYLLABLES, CYRILLIC_SYLLABLES, EMOJI, GREEK_SYLLABLES,
    HAN_WORDS, HANGUL_SYLLABLES, JAPANESE_WORDS, KATAKANA_SYLLABLES, LETTERS, NOUNS, STOP_WORDS,
    SYLLABLES, TAGS, VERBS,
};

/// What an artist is called.
pub fn artist(script: Script, random: &mut Random) -> String {
    match random.below(100) {
        0 => return random.pick(STOP_WORDS).to_owned(),
        1 => return random.pick(LETTERS).to_owned(),
        2 => return format!("{} {}", coined(SYLLABLES, random), random.pick(EMOJI)),
        _ => {}
    }
    match script {
        Script::Accented => person(ACCENTED_SYLLABLES, random),
        Script::Cyrillic => person(CYRILLIC_SYLLABLES, random),
        Script::Greek => person(GREEK_SYLLABLES, random),
        Script::Arabic => person(ARABIC_SYLLABLES, random),
        Script::Han => match random.below(2) {
            0 => format!("{}乐队", random.pick(HAN_WORDS)),
            _ => format!("{}{}", random.pick(HAN_WORDS), random.pick(HAN_WORDS)),
        },
        Script::Japanese => match random.below(2) {
            0 => format!(
                "{}{}",
                run(KATAKANA_SYLLABLES, 4, random),
                random.pick(JAPANESE_WORDS)
            ),
            _ => run(KATAKANA_SYLLABLES, 5, random),
        },
        Script::Hangul => run(HANGUL_SYLLABLES, 4, random),
        _ => english(random),
    }
}

fn english(random: &mut Random) -> String {
    let name = coined(SYLLABLES, random);
    let noun = random.pick(NOUNS);
    match random.below(10) {
        0..4 => person(SYLLABLES, random),
        4 => format!("The {noun}s"),
        5 => format!("DJ {name}"),
        6 => format!("{} {noun}", random.pick(ADJECTIVES)),
        7 => format!("{name} & {}", coined(SYLLABLES, random)),
        8 => format!("{name} and the {noun}s"),
        _ => name,
    }
}

fn person(syllables: &[&'static str], random: &mut Random) -> String {
    format!(
        "{} {}",
        coined(syllables, random),
        coined(syllables, random)
    )
}

fn run(syllables: &[&'static str], count: usize, random: &mut Random) -> String {
    (0..count).map(|_| random.pick(syllables)).collect()
}

/// A handle of its own: a coined word and the number of the account.
pub fn handle(number: usize, random: &mut Random) -> String {
    let domain = random.pick(&["plyr.example", "music.example", "songs.example"]);
    format!(
        "{}{number}.{domain}",
        coined(SYLLABLES, random).to_lowercase()
    )
}

/// What a playlist is called.
pub fn playlist(random: &mut Random) -> String {
    let tag = random.pick(TAGS);
    let noun = random.pick(NOUNS);
    match random.below(5) {
        0 => format!("{tag} {}", 2015 + random.below(11)),
        1 => format!("songs for the {}", noun.to_lowercase()),
        2 => format!("{} {noun} mix", random.pick(ADJECTIVES)),
        3 => format!("best of {tag}"),
        _ => format!(
            "{tag} for {} {}s",
            random.pick(ADJECTIVES).to_lowercase(),
            noun.to_lowercase()
        ),
    }
}

/// What is written under a track or about an artist.
pub fn description(random: &mut Random) -> String {
    let verb = random.pick(VERBS).to_lowercase();
    let noun = random.pick(NOUNS).to_lowercase();
    let tag = random.pick(TAGS);
    let adjective = random.pick(ADJECTIVES);
    match random.below(4) {
        0 => format!("Recorded in one take, late, by the {noun}. Made to {verb} to."),
        1 => format!(
            "{} {tag} about a {noun} and an {}.",
            adjective,
            random.pick(NOUNS)
        ),
        2 => format!(
            "{} demo, mixed by {}.",
            adjective,
            coined(SYLLABLES, random)
        ),
        _ => format!("For everyone who ever had to {verb} a {noun}; {tag}, mostly."),
    }
}
