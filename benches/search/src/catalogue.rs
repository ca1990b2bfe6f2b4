//! A made-up catalogue: artists with one track and with thousands, albums, playlists, songs that
//! several artists sing, remixes, guests, likes with a heavy tail. One seed gives one catalogue.

use std::collections::HashMap;

use crate::names;
use crate::random::Random;
use crate::titles::{Script, title};
use crate::words::{PLACES, TAGS};

/// Microseconds since 1970 at which the first track was published.
const BEGIN: i64 = 1_700_000_000_000_000;
/// The first artist has one of so many tracks, but no more than the most.
const SHARE_OF_THE_FIRST: usize = 20;
const MOST_OF_AN_ARTIST: usize = 5000;
/// Tracks to a playlist.
const TRACKS_A_PLAYLIST: usize = 50;

pub struct Artist {
    pub name: String,
    pub handle: String,
    pub bio: Option<String>,
}

/// A list whose `listType` is album.
pub struct Album {
    pub artist: usize,
    pub name: String,
    pub likes: u64,
    pub made_at: i64,
}

pub struct Playlist {
    pub owner: usize,
    pub name: String,
    pub likes: u64,
    pub made_at: i64,
}

/// A song: what its recordings have in common.
pub struct Work {
    pub title: String,
    pub script: Script,
}

pub struct Track {
    pub artist: usize,
    pub work: usize,
    /// `Live at …`, `… Remix`; none for the song as it is.
    pub version: Option<String>,
    /// The title of the record.
    pub title: String,
    /// What the record calls the artist, who may be called otherwise by now.
    pub named_artist: String,
    pub album: Option<usize>,
    pub features: Vec<usize>,
    /// Places in [`TAGS`].
    pub tags: Vec<usize>,
    pub description: Option<String>,
    /// In seconds.
    pub duration: u64,
    pub likes: u64,
    pub made_at: i64,
}

/// What can be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Entity {
    Track(usize),
    Artist(usize),
    Album(usize),
    Playlist(usize),
    Tag(usize),
}

#[derive(Default)]
pub struct Catalogue {
    pub artists: Vec<Artist>,
    pub albums: Vec<Album>,
    pub playlists: Vec<Playlist>,
    pub works: Vec<Work>,
    pub tracks: Vec<Track>,
}

impl Catalogue {
    /// Makes a catalogue of so many tracks.
    pub fn new(seed: u64, tracks: usize) -> Catalogue {
        let mut making = Making {
            random: Random::new(seed),
            made: Catalogue::default(),
            works: HashMap::new(),
            wanted: tracks,
        };
        while making.made.tracks.len() < tracks {
            making.artist();
        }
        // Guests are of all artists, also those that come later.
        making.features();
        for _ in 0..tracks / TRACKS_A_PLAYLIST {
            making.playlist();
        }
        making.made
    }

    pub fn entities(&self) -> impl Iterator<Item = Entity> {
        let tracks = (0..self.tracks.len()).map(Entity::Track);
        let artists = (0..self.artists.len()).map(Entity::Artist);
        let albums = (0..self.albums.len()).map(Entity::Album);
        let playlists = (0..self.playlists.len()).map(Entity::Playlist);
        let tags = (0..TAGS.len()).map(Entity::Tag);
        tracks
            .chain(artists)
            .chain(albums)
            .chain(playlists)
            .chain(tags)
    }

    /// The title or name of something.
    pub fn name(&self, entity: Entity) -> &str {
        match entity {
            Entity::Track(number) => &self.tracks[number].title,
            Entity::Artist(number) => &self.artists[number].name,
            Entity::Album(number) => &self.albums[number].name,
            Entity::Playlist(number) => &self.playlists[number].name,
            Entity::Tag(number) => TAGS[number],
        }
    }

    /// Whether a track is the song as it is, in no version.
    pub fn is_plain(&self, track: usize) -> bool {
        self.tracks[track].version.is_none()
    }
}

struct Making {
    random: Random,
    made: Catalogue,
    works: HashMap<String, usize>,
    wanted: usize,
}

impl Making {
    fn artist(&mut self) {
        let artist = self.made.artists.len();
        let script = match artist {
            0 => Script::English,
            _ => Script::of_an_artist(&mut self.random),
        };
        let name = names::artist(script, &mut self.random);
        let handle = names::handle(artist, &mut self.random);
        let has_bio = self.random.happens(400);
        let bio = has_bio.then(|| names::description(&mut self.random));
        self.made.artists.push(Artist { name, handle, bio });
        let count = match artist {
            0 => self.wanted / SHARE_OF_THE_FIRST,
            _ => 1 + self.random.heavy() as usize,
        };
        let left = self.wanted - self.made.tracks.len();
        self.tracks_of(artist, script, count.clamp(1, MOST_OF_AN_ARTIST).min(left));
    }

    fn tracks_of(&mut self, artist: usize, script: Script, count: usize) {
        let first = self.made.tracks.len();
        let mut album = None;
        for place in 0..count {
            if count > 3 && place % 10 == 0 {
                // A tenth of the tracks of who has many are singles.
                album = (!self.random.happens(100)).then(|| self.album(artist, script));
            }
            self.track(artist, script, first, album);
        }
    }

    fn album(&mut self, artist: usize, script: Script) -> usize {
        let own = Script::of_a_title(script, &mut self.random);
        let name = title(own, &mut self.random);
        let (likes, made_at) = (self.random.heavy(), self.time());
        self.made.albums.push(Album {
            artist,
            name,
            likes,
            made_at,
        });
        self.made.albums.len() - 1
    }

    fn time(&self) -> i64 {
        BEGIN + self.made.tracks.len() as i64 * 1_000_000
    }

    fn track(&mut self, artist: usize, script: Script, first: usize, album: Option<usize>) {
        let (work, version) = self.work(artist, script, first, album);
        let named_artist = match self.random.happens(30) {
            true => names::artist(script, &mut self.random),
            false => self.made.artists[artist].name.clone(),
        };
        let mut title = self.made.works[work].title.clone();
        if let Some(version) = &version {
            title = match self.random.below(4) {
                0 => format!("{title} - {version}"),
                _ => format!("{title} ({version})"),
            };
        }
        let tag_count = self.random.below(4);
        let mut tags: Vec<usize> = (0..tag_count)
            .map(|_| {
                self.random
                    .below(TAGS.len())
                    .min(self.random.below(TAGS.len()))
            })
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let has_description = self.random.happens(300);
        let description = has_description.then(|| names::description(&mut self.random));
        let track = Track {
            artist,
            work,
            version,
            title,
            named_artist,
            album,
            features: Vec::new(),
            tags,
            description,
            duration: 60 + self.random.below(400) as u64,
            likes: self.random.heavy(),
            made_at: self.time(),
        };
        self.made.tracks.push(track);
    }

    /// Which song is recorded, and in which version: a song of somebody else, another version of
    /// one of the artist's own, the song that gives an album its name, or a new one.
    fn work(
        &mut self,
        artist: usize,
        script: Script,
        first: usize,
        album: Option<usize>,
    ) -> (usize, Option<String>) {
        let made = self.made.tracks.len();
        let own = made - first;
        let any = self.random.below(made);
        match self.random.below(100) {
            0..9 if made > 0 => return (self.made.tracks[any].work, None),
            9..13 if made > 0 => {
                let name = &self.made.artists[artist].name;
                return (self.made.tracks[any].work, Some(format!("{name} Remix")));
            }
            13..22 if own > 0 => {
                let track = first + self.random.below(own);
                return (self.made.tracks[track].work, Some(self.version()));
            }
            22..25 => {
                if let Some(album) = album {
                    let name = self.made.albums[album].name.clone();
                    return (self.intern(name, script), None);
                }
            }
            _ => {}
        }
        let own = Script::of_a_title(script, &mut self.random);
        let title = title(own, &mut self.random);
        (self.intern(title, own), None)
    }

    fn version(&mut self) -> String {
        match self.random.below(6) {
            0 => "Acoustic".to_owned(),
            1 => "Demo".to_owned(),
            2 => "Instrumental".to_owned(),
            3 => "Extended Mix".to_owned(),
            _ => format!("Live at {}", self.random.pick(PLACES)),
        }
    }

    fn intern(&mut self, title: String, script: Script) -> usize {
        if let Some(&work) = self.works.get(&title) {
            return work;
        }
        let work = self.made.works.len();
        self.works.insert(title.clone(), work);
        self.made.works.push(Work { title, script });
        work
    }

    /// Guests: half of them are named in the title too.
    fn features(&mut self) {
        for track in 0..self.made.tracks.len() {
            if !self.random.happens(100) {
                continue;
            }
            let count = 1 + usize::from(self.random.happens(200));
            for _ in 0..count {
                let guest = self.random.below(self.made.artists.len());
                let track = &mut self.made.tracks[track];
                if guest != track.artist && !track.features.contains(&guest) {
                    track.features.push(guest);
                }
            }
            if self.random.happens(500) {
                let track = &mut self.made.tracks[track];
                if let (Some(guest), None) = (track.features.first(), &track.version) {
                    let guest = &self.made.artists[*guest].name;
                    track.title = format!("{} (feat. {guest})", track.title);
                }
            }
        }
    }

    fn playlist(&mut self) {
        let owner = self.random.below(self.made.artists.len());
        let name = names::playlist(&mut self.random);
        let (likes, made_at) = (self.random.heavy(), self.time());
        self.made.playlists.push(Playlist {
            owner,
            name,
            likes,
            made_at,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_catalogue() {
        let titles = |seed| -> Vec<String> {
            let tracks = Catalogue::new(seed, 300).tracks.into_iter();
            tracks.map(|track| track.title).collect()
        };
        assert_eq!(titles(1), titles(1));
        assert_ne!(titles(1), titles(2));
    }

    #[test]
    fn some_artists_have_one_track_and_one_has_very_many() {
        let catalogue = Catalogue::new(1, 4000);
        assert_eq!(catalogue.tracks.len(), 4000);
        let of = |artist| {
            let own = |track: &&Track| track.artist == artist;
            catalogue.tracks.iter().filter(own).count()
        };
        assert_eq!(of(0), 200);
        assert!((1..catalogue.artists.len()).any(|artist| of(artist) == 1));
    }

    #[test]
    fn songs_are_sung_by_several_and_likes_have_a_heavy_tail() {
        let catalogue = Catalogue::new(1, 4000);
        let singers = |work| {
            let sung = catalogue.tracks.iter().filter(|track| track.work == work);
            let singers: std::collections::HashSet<usize> =
                sung.map(|track| track.artist).collect();
            singers.len()
        };
        assert!((0..catalogue.works.len()).any(|work| singers(work) > 3));
        let likes = || catalogue.tracks.iter().map(|track| track.likes);
        assert!(likes().filter(|likes| *likes == 0).count() > 1500);
        assert!(likes().max() > Some(500));
    }
}
