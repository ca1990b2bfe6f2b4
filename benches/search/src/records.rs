//! The catalogue as records and actors, and the documents that an index makes of them.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::{Collection, Did, Handle, Ipld, Namespace, RecordKey, RecordUri, Rev};
use plyr_search::{Document, Popularity};

use crate::Failure;
use crate::catalogue::{Catalogue, Entity};
use crate::words::TAGS;

/// Turns what is in a catalogue into documents, through the records an indexer would have seen.
pub struct Records<'a> {
    catalogue: &'a Catalogue,
    namespace: Namespace,
}

impl<'a> Records<'a> {
    pub fn of(catalogue: &'a Catalogue) -> Result<Records<'a>, Failure> {
        let namespace = Namespace::from_str("fm.plyr")?;
        Ok(Records {
            catalogue,
            namespace,
        })
    }

    /// The document; none for a tag, which is none.
    pub fn document(&self, entity: Entity) -> Result<Option<Document>, Failure> {
        match entity {
            Entity::Track(number) => self.track(number, self.catalogue.tracks[number].likes),
            Entity::Artist(number) => self.artist(number),
            Entity::Album(number) => {
                let album = &self.catalogue.albums[number];
                let uri = self.uri(album.artist, Collection::List, album.made_at, number)?;
                Ok(list(&uri, &album.name, "album", album.likes, album.made_at))
            }
            Entity::Playlist(number) => {
                let list_ = &self.catalogue.playlists[number];
                // A playlist of an account may be as old as an album of it.
                let number = number + self.catalogue.albums.len();
                let uri = self.uri(list_.owner, Collection::List, list_.made_at, number)?;
                let (likes, made_at) = (list_.likes, list_.made_at);
                Ok(list(&uri, &list_.name, "playlist", likes, made_at))
            }
            Entity::Tag(_) => Ok(None),
        }
    }

    /// All of them, in the order of the catalogue, each with what it is of.
    pub fn documents(&self) -> Result<Vec<(Entity, Document)>, Failure> {
        let mut documents = Vec::new();
        for entity in self.catalogue.entities() {
            if let Some(document) = self.document(entity)? {
                documents.push((entity, document));
            }
        }
        Ok(documents)
    }

    fn uri(
        &self,
        account: usize,
        collection: Collection,
        made_at: i64,
        number: usize,
    ) -> Result<RecordUri, Failure> {
        // Of one second, so that no two records of an account have one key.
        let rev = Rev::from_micros(made_at + number as i64 % 1_000_000, 0);
        Ok(RecordUri::new(
            did(account)?,
            self.namespace.nsid(collection).clone(),
            RecordKey::new(rev.to_string())?,
        ))
    }

    /// The document of a track with so many likes.
    pub fn track(&self, number: usize, likes: u64) -> Result<Option<Document>, Failure> {
        let track = &self.catalogue.tracks[number];
        let mut fields = BTreeMap::new();
        let mut add = |name: &str, value| fields.insert(name.to_owned(), value);
        add("title", text(&track.title));
        add("artist", text(&track.named_artist));
        if let Some(album) = track.album {
            add("album", text(&self.catalogue.albums[album].name));
        }
        let feature = |artist: &usize| {
            let did = did(*artist)?;
            let artist = &self.catalogue.artists[*artist];
            let fields = [
                ("did", text(did.as_str())),
                ("handle", text(&artist.handle)),
                ("displayName", text(&artist.name)),
            ];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            Ok::<_, Failure>(Ipld::Map(fields.into_iter().collect()))
        };
        let features: Result<_, Failure> = track.features.iter().map(feature).collect();
        add("features", Ipld::List(features?));
        let tags = track.tags.iter().map(|tag| text(TAGS[*tag]));
        add("tags", Ipld::List(tags.collect()));
        if let Some(description) = &track.description {
            add("description", text(description));
        }
        add("duration", Ipld::Integer(track.duration.into()));
        add("createdAt", time(track.made_at));
        let uri = self.uri(track.artist, Collection::Track, track.made_at, number)?;
        let record = Ipld::Map(fields);
        let popularity = Popularity::of_likes(likes);
        Ok(Document::of_record(
            &uri,
            Collection::Track,
            &record,
            popularity,
        ))
    }

    fn artist(&self, number: usize) -> Result<Option<Document>, Failure> {
        let artist = &self.catalogue.artists[number];
        let handle = Handle::new(artist.handle.clone())?;
        // Nobody counts who likes an artist.
        let likes = Popularity::default();
        let (name, bio) = (Some(artist.name.as_str()), artist.bio.as_deref());
        Ok(Document::of_actor(
            &did(number)?,
            name,
            Some(&handle),
            bio,
            0,
            likes,
        ))
    }
}

fn list(uri: &RecordUri, name: &str, kind: &str, likes: u64, made_at: i64) -> Option<Document> {
    let fields = [
        ("name", text(name)),
        ("listType", text(kind)),
        ("createdAt", time(made_at)),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let record = Ipld::Map(fields.into_iter().collect());
    let popularity = Popularity::of_likes(likes);
    Document::of_record(uri, Collection::List, &record, popularity)
}

fn text(text: &str) -> Ipld {
    Ipld::String(text.to_owned())
}

fn time(micros: i64) -> Ipld {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Ipld::String(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// The DID of a made-up account.
fn did(number: usize) -> Result<Did, Failure> {
    let digits: String = (0..24)
        .map(|place| char::from(b'a' + ((number >> (place % 16 * 4)) & 15) as u8))
        .collect();
    Ok(Did::new(format!("did:plc:{digits}"))?)
}
