//! What listeners type, made from a catalogue: each query with the one thing that was meant by it.
//! What is loved is looked for more often.

use std::collections::HashSet;

use crate::catalogue::{Catalogue, Entity};
use crate::plain::{plain, without_accents};
use crate::random::Random;
use crate::titles::Script;
use crate::words::TAGS;

/// How a query was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A whole title.
    Title,
    /// The first three characters of a title or more, as one types.
    Prefix,
    /// A title with one letter added, missing, wrong, or swapped with its neighbour, in a word of
    /// five letters or more.
    Typo,
    /// A title with accents, typed without.
    Accent,
    /// The words of a title in another order.
    Swapped,
    /// Two to four characters out of a title in Han, Kana or Hangul.
    Characters,
    /// One character out of such a title.
    OneCharacter,
    /// An artist's name and a title, in any order.
    ArtistAndTitle,
    /// An artist's name.
    Artist,
    /// A title of words that are everywhere.
    StopWords,
    /// A title of one letter.
    Letter,
    /// An emoji out of a title, alone or with a word.
    Emoji,
    /// Who is featured, and a title.
    Feature,
    /// The name of an album.
    Album,
    /// The name of a tag.
    Tag,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::Title,
        Kind::Prefix,
        Kind::Typo,
        Kind::Accent,
        Kind::Swapped,
        Kind::Characters,
        Kind::OneCharacter,
        Kind::ArtistAndTitle,
        Kind::Artist,
        Kind::StopWords,
        Kind::Letter,
        Kind::Emoji,
        Kind::Feature,
        Kind::Album,
        Kind::Tag,
    ];

    /// As tables call it.
    pub fn label(self) -> &'static str {
        match self {
            Kind::Title => "exact title",
            Kind::Prefix => "title prefix",
            Kind::Typo => "one typo",
            Kind::Accent => "missing accent",
            Kind::Swapped => "swapped words",
            Kind::Characters => "2–4 CJK characters",
            Kind::OneCharacter => "one CJK character",
            Kind::ArtistAndTitle => "artist + title",
            Kind::Artist => "artist",
            Kind::StopWords => "stop words",
            Kind::Letter => "one letter",
            Kind::Emoji => "emoji",
            Kind::Feature => "featured + title",
            Kind::Album => "album",
            Kind::Tag => "tag",
        }
    }
}

/// A query, and what was meant.
pub struct Asked {
    pub kind: Kind,
    pub text: String,
    pub meant: Entity,
}

/// Things that are drawn, of which the most loved one is meant.
const DRAWN: usize = 4;
/// Draws until a kind is given up: a small catalogue has only so many stop words.
const MOST_DRAWS: usize = 60_000;

/// Queries of every kind, at most so many of each, no text twice in a kind.
pub fn of(catalogue: &Catalogue, seed: u64, of_a_kind: usize) -> Vec<Asked> {
    let mut queries = Vec::new();
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        let mut asking = Asking {
            catalogue,
            random: Random::new(seed.wrapping_add(1000 + number as u64)),
        };
        let mut seen = HashSet::new();
        let mut draws = 0;
        while seen.len() < of_a_kind && draws < MOST_DRAWS {
            draws += 1;
            let Some((text, meant)) = asking.draw(kind) else {
                continue;
            };
            if seen.insert(text.clone()) {
                queries.push(Asked { kind, text, meant });
            }
        }
    }
    queries
}

/// What is typed on the way to a title, letter by letter, up to twelve.
pub fn typed(catalogue: &Catalogue, seed: u64, titles: usize) -> Vec<String> {
    let mut asking = Asking {
        catalogue,
        random: Random::new(seed.wrapping_add(2000)),
    };
    let mut typed = Vec::new();
    for _ in 0..titles {
        let track = asking.loved_track();
        let title = catalogue.works[catalogue.tracks[track].work]
            .title
            .to_lowercase();
        let ends = title
            .char_indices()
            .map(|(start, char)| start + char.len_utf8());
        typed.extend(ends.take(12).map(|end| title[..end].to_owned()));
    }
    // So that a part of them is like all of them.
    asking.random.shuffle(&mut typed);
    typed
}

struct Asking<'a> {
    catalogue: &'a Catalogue,
    random: Random,
}

impl Asking<'_> {
    /// A track as people look for it: the most loved of some.
    fn loved_track(&mut self) -> usize {
        let count = self.catalogue.tracks.len();
        let mut best = self.random.below(count);
        for _ in 1..DRAWN {
            let other = self.random.below(count);
            if self.catalogue.tracks[other].likes > self.catalogue.tracks[best].likes {
                best = other;
            }
        }
        best
    }

    fn draw(&mut self, kind: Kind) -> Option<(String, Entity)> {
        match kind {
            Kind::Artist => self.artist(),
            Kind::Album => self.album(),
            Kind::Tag => {
                let tag = self.random.below(TAGS.len());
                Some((TAGS[tag].to_owned(), Entity::Tag(tag)))
            }
            _ => {
                let track = self.loved_track();
                let text = self.of_track(kind, track)?;
                (!plain(&text).is_empty()).then_some((text, Entity::Track(track)))
            }
        }
    }

    fn artist(&mut self) -> Option<(String, Entity)> {
        let artist = self.catalogue.tracks[self.loved_track()].artist;
        let name = self.catalogue.artists[artist].name.clone();
        Some((name, Entity::Artist(artist)))
    }

    fn album(&mut self) -> Option<(String, Entity)> {
        let album = self.catalogue.tracks[self.loved_track()].album?;
        Some((
            self.catalogue.albums[album].name.clone(),
            Entity::Album(album),
        ))
    }

    /// A query for a track; none if there is none of its kind for that track.
    fn of_track(&mut self, kind: Kind, number: usize) -> Option<String> {
        let catalogue = self.catalogue;
        let track = &catalogue.tracks[number];
        if track.version.is_some() {
            return None;
        }
        let work = &catalogue.works[track.work];
        let title = work.title.as_str();
        let is_odd = matches!(
            work.script,
            Script::StopWords | Script::Letter | Script::Emoji
        );
        match kind {
            Kind::Title => (!is_odd).then(|| title.to_owned()),
            Kind::Prefix if !is_odd => self.prefix(title),
            Kind::Typo if !is_odd && !work.script.is_without_spaces() => self.typo(title),
            Kind::Accent if !is_odd => {
                let typed = without_accents(title);
                (typed != title.to_lowercase()).then_some(typed)
            }
            Kind::Swapped if !is_odd => self.swapped(title),
            Kind::Characters if work.script.is_without_spaces() => {
                let count = 2 + self.random.below(3);
                self.characters(title, count)
            }
            Kind::OneCharacter if work.script.is_without_spaces() => self.characters(title, 1),
            Kind::ArtistAndTitle if !is_odd => {
                let name = &catalogue.artists[track.artist].name;
                Some(match self.random.below(2) {
                    0 => format!("{name} {title}"),
                    _ => format!("{title} {name}"),
                })
            }
            Kind::StopWords if work.script == Script::StopWords => Some(title.to_lowercase()),
            Kind::Letter if work.script == Script::Letter => Some(title.to_lowercase()),
            Kind::Emoji if work.script == Script::Emoji => self.emoji(title),
            Kind::Feature if !is_odd => {
                let guest = track.features.first()?;
                Some(format!("{} {title}", catalogue.artists[*guest].name))
            }
            _ => None,
        }
    }

    fn prefix(&mut self, title: &str) -> Option<String> {
        let chars: Vec<char> = title.to_lowercase().chars().collect();
        let longer = chars.len().checked_sub(4)?;
        let end = 3 + self.random.below(longer.min(9) + 1);
        Some(chars[..end].iter().collect())
    }

    fn typo(&mut self, title: &str) -> Option<String> {
        let mut chars: Vec<char> = title.to_lowercase().chars().collect();
        let words = chars.split(|char| !char.is_alphabetic());
        let mut starts = Vec::new();
        let mut start = 0;
        for word in words {
            if word.len() >= 5 {
                starts.push((start, word.len()));
            }
            start += word.len() + 1;
        }
        let &(start, length) = starts.get(self.random.below(starts.len()))?;
        let place = start + self.random.below(length);
        let letter = chars[start + self.random.below(length)];
        match self.random.below(4) {
            0 => chars.insert(place, letter),
            1 => {
                chars.remove(place);
            }
            2 => chars[place] = letter,
            _ => chars.swap(place, if place > start { place - 1 } else { place + 1 }),
        }
        let typed: String = chars.into_iter().collect();
        (plain(&typed) != plain(title)).then_some(typed)
    }

    fn swapped(&mut self, title: &str) -> Option<String> {
        let title = plain(title);
        let mut words: Vec<&str> = title.split(' ').collect();
        if words.len() < 2 {
            return None;
        }
        self.random.shuffle(&mut words);
        let swapped = words.join(" ");
        (swapped != title).then_some(swapped)
    }

    fn characters(&mut self, title: &str, count: usize) -> Option<String> {
        let is_letter = |char: &char| char.is_alphanumeric() && *char != 'ー';
        let chars: Vec<char> = title.chars().collect();
        let starts = chars.len().checked_sub(count)?;
        let start = self.random.below(starts + 1);
        let typed = &chars[start..start + count];
        typed.iter().all(is_letter).then(|| typed.iter().collect())
    }

    fn emoji(&mut self, title: &str) -> Option<String> {
        let is_emoji = |word: &&str| !word.chars().any(char::is_alphanumeric);
        let emoji = title.split(' ').find(is_emoji)?;
        let word = title
            .split(' ')
            .find(|word| word.chars().count() > 3 && !is_emoji(word));
        match word {
            Some(word) if self.random.happens(600) => Some(format!("{word} {emoji}")),
            _ => Some(emoji.to_owned()),
        }
    }
}
