//! fm.plyr.track
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `FeaturedArtist`
#[derive(Clone, PartialEq, Debug)]
pub struct FeaturedArtist {
    /// Who takes part.
    ///
    /// A `did`.
    pub did: String,
    /// Their name when the record was written. No longer written.
    ///
    /// At most 256 bytes.
    pub display_name: Option<String>,
    /// Their handle when the record was written. No longer written; the DID decides.
    ///
    /// At most 256 bytes.
    pub handle: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for FeaturedArtist {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            did: typed::required(&mut fields, "did")?,
            display_name: typed::optional(&mut fields, "displayName")?,
            handle: typed::optional(&mut fields, "handle")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "did", self.did);
        typed::put_optional(&mut fields, "displayName", self.display_name);
        typed::put_optional(&mut fields, "handle", self.handle);
        Ipld::Map(fields)
    }
}
/// Labels the author gives their own track.
#[derive(Clone, PartialEq, Debug)]
pub enum TrackLabels {
    /// `com.atproto.label.defs#selfLabels`
    SelfLabels(super::com_atproto_label_defs::SelfLabels),
    /// A member the document doesn't know, kept as it is.
    Other(Ipld),
}
impl Typed for TrackLabels {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        match typed::type_of(&value) {
            Some("com.atproto.label.defs#selfLabels") => {
                Typed::read(typed::without_type(value)).map(Self::SelfLabels)
            }
            _ => Ok(Self::Other(value)),
        }
    }
    fn write(self) -> Ipld {
        match self {
            Self::SelfLabels(known) => {
                typed::with_type(known.write(), "com.atproto.label.defs#selfLabels")
            }
            Self::Other(value) => value,
        }
    }
}
/// A piece of audio that its author has published.
#[derive(Clone, PartialEq, Debug)]
pub struct Track {
    /// Title of the album the track belongs to.
    ///
    /// At most 256 bytes.
    pub album: Option<String>,
    /// The name the track is published under.
    ///
    /// 1 to 256 bytes.
    pub artist: String,
    /// The audio itself, in the author's repository. When present it is the canonical source.
    ///
    /// Of the types `audio/*`; up to 104857600 bytes.
    pub audio_blob: Option<typed::Blob>,
    /// Where a copy of the audio is served. A hint: the blob decides.
    ///
    /// A `uri`.
    pub audio_url: Option<String>,
    /// Cover artwork, in the author's repository.
    ///
    /// Of the types `image/jpeg`, `image/png`, `image/webp`; up to 2000000 bytes.
    pub cover: Option<typed::Blob>,
    /// When the author says the track was published.
    ///
    /// A `datetime`.
    pub created_at: String,
    /// Notes, credits or anything else the author wants to say.
    ///
    /// At most 5000 bytes.
    pub description: Option<String>,
    /// Length in whole seconds.
    ///
    /// At least 0.
    pub duration: Option<i64>,
    /// Artists who take part besides the author.
    ///
    /// At most 10 items.
    pub features: Option<typed::List<FeaturedArtist>>,
    /// Short name of the audio format, such as mp3, wav or m4a.
    ///
    /// 1 to 16 bytes.
    pub file_type: String,
    /// Genres, in the author's words.
    ///
    /// At most 5 items.
    pub genres: Option<typed::List<String>>,
    /// Where cover artwork is served.
    ///
    /// A `uri`.
    pub image_url: Option<String>,
    /// International Standard Recording Code, without hyphens.
    ///
    /// At most 12 bytes.
    pub isrc: Option<String>,
    /// Labels the author gives their own track.
    pub labels: Option<TrackLabels>,
    /// Language that is sung or spoken.
    ///
    /// A `language`.
    pub language: Option<String>,
    /// Set when the author asks listeners for support first.
    pub support_gate: Option<SupportGate>,
    /// Words the author files the track under.
    ///
    /// At most 10 items.
    pub tags: Option<typed::List<String>>,
    /// What the track is called.
    ///
    /// 1 to 256 bytes.
    pub title: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Track {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of_record(value)?;
        Ok(Self {
            album: typed::optional(&mut fields, "album")?,
            artist: typed::required(&mut fields, "artist")?,
            audio_blob: typed::optional(&mut fields, "audioBlob")?,
            audio_url: typed::optional(&mut fields, "audioUrl")?,
            cover: typed::own(&mut fields, "cover"),
            created_at: typed::required(&mut fields, "createdAt")?,
            description: typed::optional(&mut fields, "description")?,
            duration: typed::optional(&mut fields, "duration")?,
            features: typed::optional(&mut fields, "features")?,
            file_type: typed::required(&mut fields, "fileType")?,
            genres: typed::own(&mut fields, "genres"),
            image_url: typed::optional(&mut fields, "imageUrl")?,
            isrc: typed::own(&mut fields, "isrc"),
            labels: typed::optional(&mut fields, "labels")?,
            language: typed::own(&mut fields, "language"),
            support_gate: typed::optional(&mut fields, "supportGate")?,
            tags: typed::own(&mut fields, "tags"),
            title: typed::required(&mut fields, "title")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "album", self.album);
        typed::put(&mut fields, "artist", self.artist);
        typed::put_optional(&mut fields, "audioBlob", self.audio_blob);
        typed::put_optional(&mut fields, "audioUrl", self.audio_url);
        typed::put_optional(&mut fields, "cover", self.cover);
        typed::put(&mut fields, "createdAt", self.created_at);
        typed::put_optional(&mut fields, "description", self.description);
        typed::put_optional(&mut fields, "duration", self.duration);
        typed::put_optional(&mut fields, "features", self.features);
        typed::put(&mut fields, "fileType", self.file_type);
        typed::put_optional(&mut fields, "genres", self.genres);
        typed::put_optional(&mut fields, "imageUrl", self.image_url);
        typed::put_optional(&mut fields, "isrc", self.isrc);
        typed::put_optional(&mut fields, "labels", self.labels);
        typed::put_optional(&mut fields, "language", self.language);
        typed::put_optional(&mut fields, "supportGate", self.support_gate);
        typed::put_optional(&mut fields, "tags", self.tags);
        typed::put(&mut fields, "title", self.title);
        typed::record(fields, "fm.plyr.track")
    }
}
/// `SupportGate`
#[derive(Clone, PartialEq, Debug)]
pub struct SupportGate {
    /// Which support is asked for.
    ///
    /// Known values `any`.
    pub r#type: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for SupportGate {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            r#type: typed::required(&mut fields, "type")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "type", self.r#type);
        Ipld::Map(fields)
    }
}
