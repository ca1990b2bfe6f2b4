//! Which answers are right: 2 for what was meant and what is called the same, 1 for what has to do
//! with it. Read from the catalogue, by rules that know nothing of any index.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::{Catalogue, Entity};
use crate::plain::plain;
use crate::queries::{Asked, Kind};

/// What is right, with its grade.
pub type Judgement = BTreeMap<Entity, u8>;

/// Judges the queries of a catalogue.
pub struct Judge<'a> {
    catalogue: &'a Catalogue,
    /// Every name as it is compared, without who is featured.
    names: Vec<(Entity, String)>,
    /// Songs' titles as they are compared.
    works: Vec<String>,
}

impl<'a> Judge<'a> {
    pub fn new(catalogue: &'a Catalogue) -> Judge<'a> {
        let name = |entity| (entity, plain(without_guests(catalogue.name(entity))));
        let works = catalogue.works.iter().map(|work| plain(&work.title));
        Judge {
            catalogue,
            names: catalogue.entities().map(name).collect(),
            works: works.collect(),
        }
    }

    pub fn judge(&self, asked: &Asked) -> Judgement {
        let mut right = match asked.kind {
            Kind::ArtistAndTitle => self.by_artist(asked),
            Kind::Feature => self.with_guest(asked),
            _ => self.called(asked),
        };
        right.insert(asked.meant, 2);
        right
    }

    /// 2: what is called as was meant, or as was typed. 1, for all kinds: other versions of a song
    /// of that title. 1 besides, by kind: what begins with, contains or has all the words of what
    /// was typed; tracks of the artist, on the album, with the tag.
    fn called(&self, asked: &Asked) -> Judgement {
        let typed = plain(&asked.text);
        let meant = plain(without_guests(self.catalogue.name(asked.meant)));
        let is_same = |name: &str| name == meant || name == typed;
        let words: Vec<&str> = typed.split(' ').collect();
        let mut right = Judgement::new();
        let mut same = BTreeSet::new();
        for (entity, name) in &self.names {
            let grade = match (*entity, asked.kind) {
                _ if is_same(name) => 2,
                (Entity::Track(track), _) if is_same(&self.works[self.work(track)]) => 1,
                (_, Kind::Prefix) if name.starts_with(&typed) => 1,
                (_, Kind::Characters | Kind::OneCharacter) if name.contains(&typed) => 1,
                (_, Kind::StopWords | Kind::Letter | Kind::Emoji) if has_all(name, &words) => 1,
                _ => continue,
            };
            right.insert(*entity, grade);
            if grade == 2 {
                same.insert(*entity);
            }
        }
        for (number, track) in self.catalogue.tracks.iter().enumerate() {
            let belongs = match asked.kind {
                Kind::Artist => same.contains(&Entity::Artist(track.artist)),
                Kind::Album => {
                    let album = track.album.map(Entity::Album);
                    album.is_some_and(|album| same.contains(&album))
                }
                Kind::Tag => track
                    .tags
                    .iter()
                    .any(|tag| same.contains(&Entity::Tag(*tag))),
                _ => false,
            };
            if belongs {
                right.entry(Entity::Track(number)).or_insert(1);
            }
        }
        right
    }

    /// 2: recordings of that title by artists of that name. 1: all others of the song.
    fn by_artist(&self, asked: &Asked) -> Judgement {
        let name = |artist: usize| plain(&self.catalogue.artists[artist].name);
        let meant = asked.track(self.catalogue);
        let (artist, title) = (name(meant.artist), &self.works[meant.work]);
        self.graded(|number| {
            let track = &self.catalogue.tracks[number];
            if self.works[track.work] != *title {
                return 0;
            }
            let is_own = self.catalogue.is_plain(number) && name(track.artist) == artist;
            1 + u8::from(is_own)
        })
    }

    /// 2: recordings of that title with that guest. 1: others of the song, or with that guest.
    fn with_guest(&self, asked: &Asked) -> Judgement {
        let name = |artist: usize| plain(&self.catalogue.artists[artist].name);
        let meant = asked.track(self.catalogue);
        let guest = meant
            .features
            .first()
            .copied()
            .map(name)
            .unwrap_or_default();
        let title = &self.works[meant.work];
        self.graded(|number| {
            let track = &self.catalogue.tracks[number];
            let is_song = self.works[track.work] == *title;
            let has_guest = track.features.iter().any(|artist| name(*artist) == guest);
            match (is_song, has_guest) {
                (true, true) if self.catalogue.is_plain(number) => 2,
                (false, false) => 0,
                _ => 1,
            }
        })
    }

    fn graded(&self, grade: impl Fn(usize) -> u8) -> Judgement {
        let tracks = 0..self.catalogue.tracks.len();
        let graded = tracks.map(|number| (Entity::Track(number), grade(number)));
        graded.filter(|(_, grade)| *grade > 0).collect()
    }

    fn work(&self, track: usize) -> usize {
        self.catalogue.tracks[track].work
    }
}

impl Asked {
    fn track<'a>(&self, catalogue: &'a Catalogue) -> &'a crate::catalogue::Track {
        match self.meant {
            Entity::Track(number) => &catalogue.tracks[number],
            // Only tracks are meant where this is asked.
            _ => &catalogue.tracks[0],
        }
    }
}

fn without_guests(title: &str) -> &str {
    title.split(" (feat. ").next().unwrap_or(title)
}

fn has_all(name: &str, words: &[&str]) -> bool {
    words
        .iter()
        .all(|word| name.split(' ').any(|own| own == *word))
}
