//! Records as the network's clients write them, of every age.

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::{Cid, Ipld, Rev};

use crate::blob::Blob;
use crate::dice::Dice;
use crate::words;

/// How old the client was that wrote a track; each age wrote other fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Age {
    /// 2025: a URL, features with handles, no blob.
    Urls,
    /// Early 2026: a URL and a blob.
    Both,
    /// Since then: the blob alone, with tags and a cover.
    Blobs,
}

/// A field.
pub type Field = (&'static str, Ipld);

pub fn text(text: impl Into<String>) -> Ipld {
    Ipld::String(text.into())
}

/// A map of fields.
pub fn map<const N: usize>(fields: [Field; N]) -> Ipld {
    object(fields.into())
}

/// A map of a list of fields.
pub fn object(fields: Vec<Field>) -> Ipld {
    let fields = fields.into_iter();
    Ipld::Map(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// A time as one client or the other writes it.
pub fn time(micros: i64, dice: &mut Dice) -> Ipld {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    text(match dice.below(4) {
        0 => time.to_rfc3339_opts(SecondsFormat::Micros, true),
        // Python's isoformat.
        1 => time.to_rfc3339_opts(SecondsFormat::Micros, false),
        _ => time.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

/// A record key of a time.
pub fn rkey(micros: i64, number: usize) -> String {
    Rev::from_micros(micros, number as u16).to_string()
}

/// Points at a version of a record.
pub fn strong_ref(uri: &str, cid: &Cid) -> Ipld {
    map([("uri", text(uri)), ("cid", text(cid.to_string()))])
}

/// A track to be written.
pub struct Track<'a> {
    pub title: &'a str,
    pub artist: &'a str,
    pub album: Option<&'a str>,
    pub audio: Option<&'a Blob>,
    pub cover: Option<&'a Blob>,
    pub seconds: u32,
    pub age: Age,
    pub at: i64,
    /// DID, handle and name of who takes part.
    pub feature: Option<(&'a str, &'a str, &'a str)>,
}

impl Track<'_> {
    /// The fields of its record, to which more may be added.
    pub fn fields(&self, nsid: &str, dice: &mut Dice) -> Vec<Field> {
        let mut fields = vec![
            ("$type", text(nsid)),
            ("title", text(self.title)),
            ("artist", text(self.artist)),
            ("duration", Ipld::Integer(self.seconds.into())),
            ("createdAt", time(self.at, dice)),
        ];
        if let Some(album) = self.album {
            fields.push(("album", text(album)));
        }
        let file = format!("{:016x}", dice.next());
        if self.age != Age::Blobs {
            let url = format!("https://audio.plyr.fm/audio/{file}.mp3");
            fields.push(("audioUrl", text(url)));
            let url = format!("https://images.plyr.fm/images/{file}.jpg");
            fields.push(("imageUrl", text(url)));
        }
        // The old clients' own copy was an mp3; a blob tells its own type.
        let kind = if self.age == Age::Urls { "mp3" } else { "wav" };
        fields.push(("fileType", text(kind)));
        if let Some(audio) = self.audio
            && self.age != Age::Urls
        {
            fields.push(("audioBlob", audio.reference()));
        }
        if let Some((did, handle, name)) = self.feature {
            let who = match self.age {
                Age::Blobs => map([("did", text(did))]),
                _ => map([
                    ("did", text(did)),
                    ("handle", text(handle)),
                    ("displayName", text(name)),
                ]),
            };
            fields.push(("features", Ipld::List(vec![who])));
        }
        if self.age == Age::Blobs {
            self.newer(&mut fields, dice);
        }
        fields
    }

    fn newer(&self, fields: &mut Vec<Field>, dice: &mut Dice) {
        let tags = words::tags(dice);
        if !tags.is_empty() {
            fields.push(("tags", Ipld::List(tags.into_iter().map(text).collect())));
        }
        if let Some(cover) = self.cover {
            fields.push(("cover", cover.reference()));
        }
        if dice.once_in(3) {
            fields.push(("genres", Ipld::List(vec![text(words::genre(dice))])));
        }
        if dice.once_in(4) {
            fields.push(("description", text(words::bio(dice))));
        }
        if dice.once_in(12) {
            fields.push(("supportGate", map([("type", text("any"))])));
        }
        if dice.once_in(15) {
            let label = map([("val", text("sexual"))]);
            let labels = map([
                ("$type", text("com.atproto.label.defs#selfLabels")),
                ("values", Ipld::List(vec![label])),
            ]);
            fields.push(("labels", labels));
        }
    }
}

/// A list's items.
pub fn items(tracks: &[(String, Cid)]) -> Ipld {
    let item = |(uri, cid): &(String, Cid)| map([("subject", strong_ref(uri, cid))]);
    Ipld::List(tracks.iter().map(item).collect())
}
