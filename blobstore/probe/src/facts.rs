//! What is found out about bytes. Kept as JSON in a blob's row, so fields are only ever added.

use serde::{Deserialize, Serialize};

/// What bytes turned out to be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Fact {
    /// Sound that can be named.
    Audio(AudioFacts),
    /// A picture.
    Image(ImageFacts),
    /// Neither, or too much of it.
    Refused(Refusal),
}

/// Audio, as its bytes say.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioFacts {
    /// `mp3`, `mp4`, `ogg`, `flac`, `wav`, `aiff`, `webm`, `matroska`, `adts`.
    pub container: String,
    /// `mp3`, `aac-lc`, `he-aac`, `he-aac-v2`, `alac`, `opus`, `vorbis`, `flac`, `pcm`.
    pub codec: String,
    /// What to say in Content-Type, codecs parameter included where it helps a player
    /// (`audio/mp4; codecs="mp4a.40.2"`).
    pub media_type: String,
    /// Channels.
    pub channels: u16,
    /// Frames a second.
    pub sample_rate: u32,
    /// Bits of a sample, where the codec has such.
    pub bit_depth: Option<u16>,
    /// Bits a second, over the whole.
    pub bit_rate: u64,
    /// Frames that sound: without an encoder's delay and padding, where they are known.
    pub frames: u64,
    /// The same in milliseconds, rounded.
    pub duration_ms: u64,
    /// Whether `frames` is exact (counted or written down by the encoder), not reckoned from sizes.
    pub exact: bool,
    /// Text tags that were found, by their usual names (`title`, `artist`, `album`, …); bounded.
    pub tags: Vec<(String, String)>,
    /// Whether a picture is embedded.
    pub has_cover: bool,
}

/// An image, as its bytes say.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// `jpeg`, `png`, `webp`, `gif`.
    pub format: String,
    /// Pixels across, once upright.
    pub width: u32,
    /// Pixels down, once upright.
    pub height: u32,
}

/// An image that was made: bytes without metadata, upright.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MadeImage {
    /// The longer side it was asked for with.
    pub pixels: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `image/webp` or `image/jpeg`.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Why bytes are not served.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// One word for views and metrics: `notAudio`, `unsupportedCodec`, `notImage`,
    /// `unsupportedFormat` (of an image), `tooLarge`, `damaged`, `empty`.
    pub word: String,
    /// The same in a sentence, for people; nothing of it is foreign text.
    pub reason: String,
}

impl Refusal {
    /// With a word and its sentence.
    pub(crate) fn new(word: &str, reason: impl Into<String>) -> Refusal {
        Refusal {
            word: word.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Whether Chromium plays such audio by itself (and Firefox and Safari nearly all of it): MP3, AAC
/// in MP4 or ADTS, Opus and Vorbis in Ogg or WebM, Opus and FLAC in MP4, FLAC, and PCM in WAV of up
/// to 32 bits. AIFF, ALAC and files of Matroska that aren't WebM need a rendition.
pub fn plays_in_browsers(facts: &AudioFacts) -> bool {
    match facts.container.as_str() {
        "mp3" => facts.codec == "mp3",
        "adts" => is_aac(&facts.codec),
        "mp4" => is_aac(&facts.codec) || ["opus", "flac", "mp3"].contains(&&*facts.codec),
        "ogg" => ["opus", "vorbis", "flac"].contains(&&*facts.codec),
        "webm" => ["opus", "vorbis"].contains(&&*facts.codec),
        "flac" => facts.codec == "flac",
        "wav" => facts.codec == "pcm" && facts.bit_depth != Some(64),
        _ => false,
    }
}

fn is_aac(codec: &str) -> bool {
    ["aac-lc", "he-aac", "he-aac-v2"].contains(&codec)
}
