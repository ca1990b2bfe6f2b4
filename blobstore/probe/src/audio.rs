//! What audio is: opened by its container, bounded, walked through, measured.

mod codec;
mod edits;
mod ending;
mod length;
mod link;
mod tags;
mod walk;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{
    FORMAT_ID_ADTS, FORMAT_ID_AIFF, FORMAT_ID_FLAC, FORMAT_ID_ISOMP4, FORMAT_ID_MKV, FORMAT_ID_MP3,
    FORMAT_ID_OGG, FORMAT_ID_WAVE,
};
use symphonia::core::formats::{FormatId, FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use crate::facts::{AudioFacts, Fact, Refusal};
use crate::foreign::ForeignBytes;
use crate::prober::ProbeError;
use crate::sniff::{Container, as_audio, sniff, tags_end};

/// Frames in one packet; a file that claims more makes its decoder take memory for them.
const MOST_FRAMES_IN_A_PACKET: u64 = 65_536;
/// Channels.
const MOST_CHANNELS: usize = 8;
/// Frames a second.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;
/// How long a file may play, in seconds.
const LONGEST: u64 = 24 * 60 * 60;
/// Bytes of ID3v2 tags in front of the sound: their reader takes memory for all of them.
const MOST_TAG_BYTES: u64 = 64 << 20;

/// Says what audio the bytes are, or why they are refused. Memory is flat in the length of the
/// sound, but tags and covers are read whole (the library has limits for them that its readers
/// don't heed, 0.6.1), and bytes may make a parser panic, take memory for what they claim, or take
/// long: it is for a process that may die ([`crate::child`]).
pub fn look_at_audio(bytes: &ForeignBytes) -> Result<Fact, ProbeError> {
    let container = match as_audio(sniff(bytes)?) {
        Ok(container) => container,
        Err(refusal) => return Ok(Fact::Refused(refusal)),
    };
    let looked = examine(bytes, container)?;
    bytes.were_readable()?;
    Ok(match looked {
        Ok(facts) => Fact::Audio(facts),
        Err(refusal) => Fact::Refused(refusal),
    })
}

/// Audio that is open.
struct Opened {
    format: Box<dyn FormatReader + 'static>,
    container: Container,
    track: Track,
    params: AudioCodecParameters,
}

fn damaged(reason: impl Into<String>) -> Refusal {
    Refusal::new("damaged", reason)
}

fn too_large(reason: impl Into<String>) -> Refusal {
    Refusal::new("tooLarge", reason)
}

fn examine(
    bytes: &ForeignBytes,
    container: Container,
) -> Result<Result<AudioFacts, Refusal>, ProbeError> {
    // What the reader of the container doesn't tell is read beside it.
    let ending = match container {
        Container::Matroska => ending::of(bytes)?,
        _ => ending::Ending::default(),
    };
    if container == Container::Mp4 && !edits::has_table(bytes)? {
        return Ok(Err(damaged(
            "its table of contents is missing; was it cut short?",
        )));
    }
    let tags = tags_end(bytes)?;
    if tags > MOST_TAG_BYTES {
        return Ok(Err(too_large("its tags take more than 64 MiB")));
    }
    let mut opened = match open(bytes, container) {
        Ok(opened) => opened,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let sound = bytes.length().saturating_sub(tags);
    let edits = match opened.container {
        Container::Mp4 => edits::of(bytes, opened.track.id)?,
        _ => edits::Edits::default(),
    };
    let codec = match codec::of(&opened.params, opened.container) {
        Ok(codec) => codec,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut walked = match walk::through(&mut opened, &codec, sound, true) {
        Ok(walked) => walked,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if walked.is_lost {
        // What was to be at the end isn't there: all that is there is counted.
        opened = match open(bytes, container) {
            Ok(opened) => opened,
            Err(refusal) => return Ok(Err(refusal)),
        };
        walked = match walk::through(&mut opened, &codec, sound, false) {
            Ok(walked) => walked,
            Err(refusal) => return Ok(Err(refusal)),
        };
    }
    let found = tags::of(opened.format.as_mut());
    let measured = length::Measured {
        opened: &opened,
        codec: &codec,
        walked: &walked,
        edits: &edits,
        ending: &ending,
        gapless: found.gapless,
    };
    let facts = measured.facts(bytes.length());
    Ok(facts.map(|facts| AudioFacts {
        tags: found.tags,
        has_cover: found.has_cover,
        ..facts
    }))
}

fn open(bytes: &ForeignBytes, expected: Container) -> Result<Opened, Refusal> {
    let stream = MediaSourceStream::new(Box::new(bytes.reader()), Default::default());
    let options = MetadataOptions::default();
    let probe = symphonia::default::get_probe();
    // No hint: neither names nor declared types are asked.
    let probed = probe.probe(&Hint::new(), stream, FormatOptions::default(), options);
    let format = probed.map_err(|problem| cannot_be_opened(expected, &problem))?;
    let container = container_of(format.format_info().format);
    if container != Some(expected) {
        return Err(damaged("what follows its beginning is another format"));
    }
    let track = format.default_track(TrackType::Audio);
    let Some(track) = track.cloned() else {
        return Err(match expected {
            Container::Mp4 | Container::Matroska => {
                Refusal::new("notAudio", "it holds no sound that is known here")
            }
            _ => Refusal::new(
                "unsupportedCodec",
                "its sound is in a codec that isn't supported",
            ),
        });
    };
    let Some(CodecParameters::Audio(params)) = track.codec_params.clone() else {
        return Err(damaged("it doesn't say how its sound is coded"));
    };
    bounded(&params)?;
    Ok(Opened {
        format,
        container: expected,
        track,
        params,
    })
}

fn cannot_be_opened(container: Container, problem: &Error) -> Refusal {
    let name = container.name();
    match problem {
        // Parts that must be there are what a file that is cut short has lost.
        Error::Unsupported(what) if what.contains("missing") => {
            damaged(format!("it begins like {name}, but: {what}"))
        }
        Error::Unsupported(what) => Refusal::new(
            "unsupportedCodec",
            format!("it is {name}, but not read here: {what}"),
        ),
        Error::LimitError(what) => too_large(format!("it is {name}, with too much in it: {what}")),
        Error::DecodeError(what) => damaged(format!("it begins like {name}, but: {what}")),
        _ => damaged(format!("it begins like {name}, but ends too early")),
    }
}

fn container_of(format: FormatId) -> Option<Container> {
    match format {
        FORMAT_ID_MP3 => Some(Container::Mp3),
        FORMAT_ID_ADTS => Some(Container::Adts),
        FORMAT_ID_ISOMP4 => Some(Container::Mp4),
        FORMAT_ID_OGG => Some(Container::Ogg),
        FORMAT_ID_FLAC => Some(Container::Flac),
        FORMAT_ID_WAVE => Some(Container::Wav),
        FORMAT_ID_AIFF => Some(Container::Aiff),
        FORMAT_ID_MKV => Some(Container::Matroska),
        _ => None,
    }
}

/// Refuses, before there is a decoder, what would make one take too much.
fn bounded(params: &AudioCodecParameters) -> Result<(), Refusal> {
    if let Some(frames) = params.max_frames_per_packet
        && frames > MOST_FRAMES_IN_A_PACKET
    {
        return Err(too_large("its packets are too large"));
    }
    if let Some(channels) = &params.channels {
        channels_bounded(channels.count())?;
    }
    match params.sample_rate {
        Some(rate) => rate_bounded(rate),
        None => Ok(()),
    }
}

fn channels_bounded(channels: usize) -> Result<(), Refusal> {
    match channels {
        0 => Err(damaged("it has no channels")),
        1..=MOST_CHANNELS => Ok(()),
        more => Err(too_large(format!(
            "it has {more} channels, more than {MOST_CHANNELS}"
        ))),
    }
}

fn rate_bounded(rate: u32) -> Result<(), Refusal> {
    if RATES.contains(&rate) {
        return Ok(());
    }
    Err(Refusal::new(
        "unsupportedCodec",
        format!("it has {rate} frames a second, not 8,000 to 384,000"),
    ))
}

impl Container {
    fn name(self) -> &'static str {
        match self {
            Container::Mp3 => "MP3",
            Container::Adts => "AAC (ADTS)",
            Container::Mp4 => "MP4",
            Container::Ogg => "Ogg",
            Container::Flac => "FLAC",
            Container::Wav => "WAV",
            Container::Aiff => "AIFF",
            Container::Matroska => "WebM",
        }
    }
}
