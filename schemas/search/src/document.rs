//! What an index holds of a record or an actor, as a pure function of it. Odd records give less,
//! never an error; texts are bounded.

use plyr_lexicons::{Collection, Did, Handle, Ipld, RecordUri, SortAt};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::rank::{Field, Popularity};
use crate::words::truncate;

/// Bytes of a title, a name, a tag that are searched. The lexicon allows 256.
pub const LONGEST_NAME: usize = 1024;
/// Bytes of a description or a bio that are searched. The lexicon allows 5,000.
pub const LONGEST_DESCRIPTION: usize = 8192;
/// Tags and genres of one track that are searched. The lexicon allows 15.
pub const MOST_TAGS: usize = 40;
/// Featured artists of one track that are searched. The lexicon allows 10.
pub const MOST_FEATURES: usize = 40;

/// What a hit is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A track.
    Track = 0,
    /// An actor.
    Artist = 1,
    /// A list whose `listType` is album.
    Album = 2,
    /// A list whose `listType` is playlist.
    Playlist = 3,
    /// A tag of tracks. Not a document: tags are read from the tracks that carry them.
    Tag = 4,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [
        Kind::Track,
        Kind::Artist,
        Kind::Album,
        Kind::Playlist,
        Kind::Tag,
    ];

    pub(crate) fn from_number(number: u64) -> Option<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| u64::from(*kind as u8) == number)
    }
}

/// An address as a number: the first eight bytes of its SHA-256. Stands for DIDs and at-uris where
/// millions are compared, as in the set of what is hidden, and orders hits that are equal in
/// everything else: no author can choose to stand first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Key(pub u64);

impl Key {
    /// The key of a DID, or of a record's at-uri.
    pub fn of(address: &str) -> Key {
        let hash = Sha256::digest(address.as_bytes());
        let mut first = [0; 8];
        for (byte, hashed) in first.iter_mut().zip(hash) {
            *byte = hashed;
        }
        Key(u64::from_be_bytes(first))
    }
}

/// One thing that can be found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Document {
    /// What it is found as: the at-uri of a record, the DID of an actor.
    pub subject: String,
    /// Whose it is.
    pub author: Did,
    /// What it is.
    pub kind: Kind,
    /// What it is found by, each text with its field.
    pub texts: Vec<(Field, String)>,
    /// The handle of an actor. Words are taken from what its owner chose of it.
    pub handle: Option<String>,
    /// DIDs of featured artists.
    pub features: Vec<String>,
    /// Length in seconds, where the record has one.
    pub duration: Option<u64>,
    /// Where it stands in time, microseconds since 1970.
    pub sort_at: i64,
    /// How many like it.
    pub popularity: Popularity,
}

impl Document {
    /// The document of a record; none for likes, comments and profiles (an actor's document comes
    /// of [`Document::of_actor`]), for lists that are neither album nor playlist, and for what has
    /// no title or name.
    pub fn of_record(
        uri: &RecordUri,
        collection: Collection,
        record: &Ipld,
        popularity: Popularity,
    ) -> Option<Document> {
        let mut document = Document {
            subject: uri.to_string(),
            author: uri.did.clone(),
            kind: Kind::Track,
            texts: Vec::new(),
            handle: None,
            features: Vec::new(),
            duration: None,
            sort_at: SortAt::of(record, uri.rkey.as_str()).0,
            popularity,
        };
        match collection {
            Collection::Track => document.take_track(record),
            Collection::List => document.take_list(record)?,
            Collection::Like | Collection::Comment | Collection::Profile => return None,
        }
        let has_name = document
            .texts
            .iter()
            .any(|(field, _)| *field == Field::Name);
        has_name.then_some(document)
    }

    /// The document of an actor: found by display name, handle and bio. None without any of them.
    pub fn of_actor(
        did: &Did,
        display_name: Option<&str>,
        handle: Option<&Handle>,
        bio: Option<&str>,
        sort_at: i64,
        popularity: Popularity,
    ) -> Option<Document> {
        let mut document = Document {
            subject: did.as_str().to_owned(),
            author: did.clone(),
            kind: Kind::Artist,
            texts: Vec::new(),
            handle: handle.map(|handle| handle.as_str().to_lowercase()),
            features: Vec::new(),
            duration: None,
            sort_at,
            popularity,
        };
        document.add(Field::Name, display_name);
        document.add(Field::Description, bio);
        let is_empty = document.texts.is_empty() && document.handle.is_none();
        (!is_empty).then_some(document)
    }

    fn take_track(&mut self, record: &Ipld) {
        self.add(Field::Name, text_of(record, "title"));
        self.add(Field::Artist, text_of(record, "artist"));
        self.add(Field::Album, text_of(record, "album"));
        for feature in list_of(record, "features").take(MOST_FEATURES) {
            self.add(Field::Feature, text_of(feature, "displayName"));
            self.add(Field::Feature, text_of(feature, "handle").map(chosen_of));
            let did = text_of(feature, "did").filter(|did| did.parse::<Did>().is_ok());
            self.features.extend(did.map(str::to_owned));
        }
        let tags = list_of(record, "tags").chain(list_of(record, "genres"));
        for tag in tags.take(MOST_TAGS) {
            self.add(Field::Tag, as_text(tag));
        }
        self.add(Field::Description, text_of(record, "description"));
        self.duration = match field_of(record, "duration") {
            Some(Ipld::Integer(seconds)) => u64::try_from(*seconds).ok(),
            _ => None,
        };
    }

    fn take_list(&mut self, record: &Ipld) -> Option<()> {
        let name = text_of(record, "name");
        match text_of(record, "listType") {
            Some("album") => {
                self.kind = Kind::Album;
                self.add(Field::Name, name);
                self.add(Field::Album, name);
            }
            Some("playlist") => {
                self.kind = Kind::Playlist;
                self.add(Field::Name, name);
            }
            _ => return None,
        }
        self.add(Field::Description, text_of(record, "description"));
        Some(())
    }

    /// Adds a text, cut to its bound; control characters become spaces.
    fn add(&mut self, field: Field, text: Option<&str>) {
        let most = match field {
            Field::Description => LONGEST_DESCRIPTION,
            _ => LONGEST_NAME,
        };
        let Some(text) = text else { return };
        let mut text = text.to_owned();
        truncate(&mut text, most);
        let text: String = text
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        let text = text.trim();
        if !text.is_empty() {
            self.texts.push((field, text.to_owned()));
        }
    }

    /// A hash of everything in it: what an index holds of a subject is right if its fingerprint is
    /// that of the document made from the record now.
    pub fn fingerprint(&self) -> u64 {
        // Serializing texts and numbers into memory can't fail; if it did, no two would be equal.
        let whole = serde_json::to_string(self).unwrap_or_default();
        Key::of(&whole).0
    }
}

fn field_of<'a>(record: &'a Ipld, name: &str) -> Option<&'a Ipld> {
    match record {
        Ipld::Map(fields) => fields.get(name),
        _ => None,
    }
}

fn as_text(value: &Ipld) -> Option<&str> {
    match value {
        Ipld::String(text) => Some(text),
        _ => None,
    }
}

fn text_of<'a>(record: &'a Ipld, name: &str) -> Option<&'a str> {
    field_of(record, name).and_then(as_text)
}

fn list_of<'a>(record: &'a Ipld, name: &str) -> impl Iterator<Item = &'a Ipld> + use<'a> {
    let items = match field_of(record, name) {
        Some(Ipld::List(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter()
}

/// The chosen labels of what is a handle; else all of it.
fn chosen_of(text: &str) -> &str {
    let text = text.trim_start_matches('@');
    let is_handle = text.to_lowercase().parse::<Handle>().is_ok();
    if is_handle { chosen_labels(text) } else { text }
}

/// The labels of a handle that its owner chose: of `alice.example.social` the first, of
/// `alice.com` the first too. The rest are the same for thousands and no words to be found by; the
/// whole handle is found as a name.
pub(crate) fn chosen_labels(handle: &str) -> &str {
    let dots: Vec<usize> = handle.match_indices('.').map(|(place, _)| place).collect();
    let end = match dots.as_slice() {
        [] => handle.len(),
        [only] => *only,
        [.., last_but_one, _] => *last_but_one,
    };
    handle.get(..end).unwrap_or(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_handle_the_chosen_labels_are_words() {
        for (handle, chosen) in [
            ("alice.bsky.social", "alice"),
            ("alice.com", "alice"),
            ("music.alice.example.org", "music.alice"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(chosen_labels(handle), chosen);
        }
    }
}
