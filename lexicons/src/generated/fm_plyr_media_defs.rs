//! fm.plyr.media.defs
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// A cover.
#[derive(Clone, PartialEq, Debug)]
pub struct CoverView {
    /// 1000 pixels on the longer side.
    ///
    /// A `uri`.
    pub full: Option<String>,
    /// 96 pixels, cut square.
    ///
    /// A `uri`.
    pub thumb: Option<String>,
    /// For a card: 300 pixels on the longer side where it is ours.
    ///
    /// A `uri`.
    pub url: String,
    /// Whether it is made from the blob that the record names. False for a link of the record's to an origin that is known here: what is there is up to that origin.
    pub verified: bool,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for CoverView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            full: typed::optional(&mut fields, "full")?,
            thumb: typed::optional(&mut fields, "thumb")?,
            url: typed::required(&mut fields, "url")?,
            verified: typed::required(&mut fields, "verified")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "full", self.full);
        typed::put_optional(&mut fields, "thumb", self.thumb);
        typed::put(&mut fields, "url", self.url);
        typed::put(&mut fields, "verified", self.verified);
        Ipld::Map(fields)
    }
}
/// How far the audio of a track has come here. What is told of it is what its bytes say, never what a record declares.
#[derive(Clone, PartialEq, Debug)]
pub struct MediaView {
    /// Bits of a sample, where the codec has such.
    ///
    /// At least 0.
    pub bit_depth: Option<i64>,
    /// Bits a second, over the whole.
    ///
    /// At least 0.
    pub bitrate: Option<i64>,
    /// `channels`
    ///
    /// At least 0.
    pub channels: Option<i64>,
    /// The blob that the record names.
    ///
    /// A `cid`.
    pub cid: Option<String>,
    /// How the audio is encoded.
    ///
    /// Known values `mp3`, `aac-lc`, `he-aac`, `he-aac-v2`, `alac`, `opus`, `vorbis`, `flac`, `pcm`.
    pub codec: Option<String>,
    /// How the audio is packed.
    ///
    /// Known values `mp3`, `mp4`, `ogg`, `flac`, `wav`, `aiff`, `webm`, `adts`.
    pub container: Option<String>,
    /// What sounds of it, in milliseconds.
    ///
    /// At least 0.
    pub duration_ms: Option<i64>,
    /// Media type, with the codecs where that helps a player.
    pub media_type: Option<String>,
    /// For people: why it is refused, or what went wrong when it was last fetched.
    pub reason: Option<String>,
    /// Why it is refused, in a word.
    ///
    /// Known values `notAudio`, `unsupportedCodec`, `tooLarge`, `damaged`, `empty`.
    pub refusal: Option<String>,
    /// Frames a second.
    ///
    /// At least 0.
    pub sample_rate: Option<i64>,
    /// Bytes.
    ///
    /// At least 0.
    pub size: Option<i64>,
    /// `available`: its bytes are here, and hash to their CID. `pending`: being fetched. `notFetched`: the record names a blob that nobody has asked for yet, or that this instance doesn't fetch. `refused`: the bytes will not be served; `refusal` and `reason` say why. `gated`: the author asks for support first. `dropped`: this version names no blob, an earlier one did. `none`: the record names no blob. `hidden`: the blob was taken down here.
    ///
    /// Known values `available`, `pending`, `notFetched`, `refused`, `gated`, `dropped`, `none`, `hidden`.
    pub state: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for MediaView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            bit_depth: typed::optional(&mut fields, "bitDepth")?,
            bitrate: typed::optional(&mut fields, "bitrate")?,
            channels: typed::optional(&mut fields, "channels")?,
            cid: typed::optional(&mut fields, "cid")?,
            codec: typed::optional(&mut fields, "codec")?,
            container: typed::optional(&mut fields, "container")?,
            duration_ms: typed::optional(&mut fields, "durationMs")?,
            media_type: typed::optional(&mut fields, "mediaType")?,
            reason: typed::optional(&mut fields, "reason")?,
            refusal: typed::optional(&mut fields, "refusal")?,
            sample_rate: typed::optional(&mut fields, "sampleRate")?,
            size: typed::optional(&mut fields, "size")?,
            state: typed::required(&mut fields, "state")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "bitDepth", self.bit_depth);
        typed::put_optional(&mut fields, "bitrate", self.bitrate);
        typed::put_optional(&mut fields, "channels", self.channels);
        typed::put_optional(&mut fields, "cid", self.cid);
        typed::put_optional(&mut fields, "codec", self.codec);
        typed::put_optional(&mut fields, "container", self.container);
        typed::put_optional(&mut fields, "durationMs", self.duration_ms);
        typed::put_optional(&mut fields, "mediaType", self.media_type);
        typed::put_optional(&mut fields, "reason", self.reason);
        typed::put_optional(&mut fields, "refusal", self.refusal);
        typed::put_optional(&mut fields, "sampleRate", self.sample_rate);
        typed::put_optional(&mut fields, "size", self.size);
        typed::put(&mut fields, "state", self.state);
        Ipld::Map(fields)
    }
}
/// Where a track can be heard.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// `bitDepth`
    ///
    /// At least 0.
    pub bit_depth: Option<i64>,
    /// Bits a second, over the whole.
    ///
    /// At least 0.
    pub bitrate: Option<i64>,
    /// `channels`
    ///
    /// At least 0.
    pub channels: Option<i64>,
    /// `codec`
    pub codec: Option<String>,
    /// `container`
    pub container: Option<String>,
    /// Media type, with the codecs where that helps a player; missing where nobody has looked.
    pub media_type: Option<String>,
    /// Frames a second.
    ///
    /// At least 0.
    pub sample_rate: Option<i64>,
    /// Bytes.
    ///
    /// At least 0.
    pub size: Option<i64>,
    /// For GET and HEAD, anonymous.
    ///
    /// A `uri`.
    pub url: String,
    /// Whether the bytes were checked against the CID that the record names. False for the author's own host while they are not here yet, and for a link of the record's to an origin that is known here.
    pub verified: bool,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Source {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            bit_depth: typed::optional(&mut fields, "bitDepth")?,
            bitrate: typed::optional(&mut fields, "bitrate")?,
            channels: typed::optional(&mut fields, "channels")?,
            codec: typed::optional(&mut fields, "codec")?,
            container: typed::optional(&mut fields, "container")?,
            media_type: typed::optional(&mut fields, "mediaType")?,
            sample_rate: typed::optional(&mut fields, "sampleRate")?,
            size: typed::optional(&mut fields, "size")?,
            url: typed::required(&mut fields, "url")?,
            verified: typed::required(&mut fields, "verified")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "bitDepth", self.bit_depth);
        typed::put_optional(&mut fields, "bitrate", self.bitrate);
        typed::put_optional(&mut fields, "channels", self.channels);
        typed::put_optional(&mut fields, "codec", self.codec);
        typed::put_optional(&mut fields, "container", self.container);
        typed::put_optional(&mut fields, "mediaType", self.media_type);
        typed::put_optional(&mut fields, "sampleRate", self.sample_rate);
        typed::put_optional(&mut fields, "size", self.size);
        typed::put(&mut fields, "url", self.url);
        typed::put(&mut fields, "verified", self.verified);
        Ipld::Map(fields)
    }
}
