//! Which codec it is, as precisely as players need it.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::*;
use symphonia::core::codecs::audio::{AudioCodecId, CODEC_ID_NULL_AUDIO};

use crate::facts::Refusal;
use crate::sniff::Container;

/// A codec and what its own header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Codec {
    /// Its name in [`crate::AudioFacts`].
    pub(super) name: &'static str,
    /// Of PCM: bytes of one sample of one channel.
    pub(super) pcm_bytes: Option<u64>,
    /// Bits of a sample, where the codec has such.
    pub(super) bit_depth: Option<u16>,
    /// Frames a second that come out, where the header says another number than the container.
    pub(super) rate: Option<u32>,
    /// Channels, likewise.
    pub(super) channels: Option<u16>,
    /// Of Opus: frames at 48 kHz that are dropped at the beginning.
    pub(super) pre_skip: u64,
}

/// Whether packets can be decoded one by one, each without those before it.
pub(super) fn is_independent(codec: &Codec) -> bool {
    ["flac", "alac", "pcm"].contains(&codec.name)
}

/// Names the codec of a track.
pub(super) fn of(params: &AudioCodecParameters, container: Container) -> Result<Codec, Refusal> {
    if let Some(codec) = pcm(params) {
        return Ok(codec);
    }
    let header = params.extra_data.as_deref().unwrap_or_default();
    let named = |name| Codec {
        name,
        ..Codec::default()
    };
    match params.codec {
        CODEC_ID_MP3 => Ok(named("mp3")),
        CODEC_ID_VORBIS => Ok(named("vorbis")),
        CODEC_ID_FLAC => Ok(Codec {
            bit_depth: bits(params),
            ..named("flac")
        }),
        CODEC_ID_ALAC => Ok(Codec {
            // The magic cookie (ALACSpecificConfig) has it in its sixth byte.
            bit_depth: bits(params).or(header.get(5).map(|depth| u16::from(*depth))),
            ..named("alac")
        }),
        CODEC_ID_OPUS => Ok(opus(header)),
        CODEC_ID_AAC if container == Container::Adts => Ok(named("aac-lc")),
        CODEC_ID_AAC => aac(header),
        other => Err(unsupported(name_of(other))),
    }
}

fn unsupported(name: &str) -> Refusal {
    Refusal::new(
        "unsupportedCodec",
        format!(
            "its codec is {name}, which isn't supported; MP3, AAC, FLAC, PCM, Vorbis and Opus are"
        ),
    )
}

fn name_of(codec: AudioCodecId) -> &'static str {
    match codec {
        CODEC_ID_NULL_AUDIO => "an unknown one",
        CODEC_ID_MP1 | CODEC_ID_MP2 => "MPEG audio of layer I or II",
        CODEC_ID_AC3 | CODEC_ID_EAC3 | CODEC_ID_AC4 => "Dolby Digital",
        CODEC_ID_DCA => "DTS",
        CODEC_ID_TRUEHD => "TrueHD",
        CODEC_ID_WMA => "Windows Media",
        CODEC_ID_SPEEX => "Speex",
        CODEC_ID_WAVPACK => "WavPack",
        CODEC_ID_TTA => "True Audio",
        CODEC_ID_ADPCM_MS | CODEC_ID_ADPCM_IMA_WAV | CODEC_ID_ADPCM_IMA_QT => "ADPCM",
        _ => "another one",
    }
}

fn bits(params: &AudioCodecParameters) -> Option<u16> {
    params
        .bits_per_sample
        .and_then(|bits| u16::try_from(bits).ok())
}

fn pcm(params: &AudioCodecParameters) -> Option<Codec> {
    let bytes = match params.codec {
        CODEC_ID_PCM_ALAW | CODEC_ID_PCM_MULAW | CODEC_ID_PCM_S8 | CODEC_ID_PCM_U8 => 1,
        CODEC_ID_PCM_S16LE | CODEC_ID_PCM_S16BE | CODEC_ID_PCM_U16LE | CODEC_ID_PCM_U16BE => 2,
        CODEC_ID_PCM_S24LE | CODEC_ID_PCM_S24BE | CODEC_ID_PCM_U24LE | CODEC_ID_PCM_U24BE => 3,
        CODEC_ID_PCM_S32LE | CODEC_ID_PCM_S32BE | CODEC_ID_PCM_U32LE | CODEC_ID_PCM_U32BE
        | CODEC_ID_PCM_F32LE | CODEC_ID_PCM_F32BE => 4,
        CODEC_ID_PCM_F64LE | CODEC_ID_PCM_F64BE => 8,
        _ => return None,
    };
    Some(Codec {
        name: "pcm",
        pcm_bytes: Some(bytes),
        bit_depth: bits(params).or(Some(bytes as u16 * 8)),
        ..Codec::default()
    })
}

/// The identification header (RFC 7845, 5.1). The reader of MP4 puts the fields of its `dOps` box
/// there, whose version is 0 and whose numbers are big-endian.
fn opus(header: &[u8]) -> Codec {
    let mut codec = Codec {
        name: "opus",
        rate: Some(48_000),
        ..Codec::default()
    };
    if let Some([version, channels, first, second, ..]) = header.strip_prefix(b"OpusHead") {
        let skip = [*first, *second];
        codec.channels = Some(u16::from(*channels));
        codec.pre_skip = u64::from(match version {
            0 => u16::from_be_bytes(skip),
            _ => u16::from_le_bytes(skip),
        });
    }
    codec
}

/// An AudioSpecificConfig (ISO 14496-3, 1.6.2.1). HE-AAC is named by its object type or by the sync
/// extension behind the core's; where neither says so, only a decoder shows it.
fn aac(header: &[u8]) -> Result<Codec, Refusal> {
    let mut codec = Codec {
        name: "aac-lc",
        ..Codec::default()
    };
    let mut bits = Bits {
        bytes: header,
        position: 0,
    };
    let (Some(kind), Some(rate), Some(channels)) =
        (object_type(&mut bits), rate(&mut bits), bits.take(4))
    else {
        // Without one there is only the container's word.
        return Ok(codec);
    };
    codec.rate = rate;
    codec.channels = match channels {
        1..=6 => Some(channels as u16),
        7 => Some(8),
        _ => None,
    };
    match kind {
        2 => {
            if let Some((name, rate)) = sync_extension(header, bits.position) {
                codec.name = name;
                codec.rate = rate.or(codec.rate);
            }
        }
        5 => codec.name = "he-aac",
        29 => codec.name = "he-aac-v2",
        1 => return Err(unsupported("AAC Main")),
        42 => return Err(unsupported("xHE-AAC")),
        _ => return Err(unsupported("a rare kind of AAC")),
    }
    if kind == 5 || kind == 29 {
        codec.rate = self::rate(&mut bits).flatten().or(codec.rate);
    }
    if codec.name == "he-aac-v2" {
        codec.channels = Some(2);
    }
    Ok(codec)
}

/// The extension that old decoders step over: 11 bits 0x2B7, object type 5, a flag, a rate; then 11
/// bits 0x548 and a flag for parametric stereo.
fn sync_extension(header: &[u8], from: usize) -> Option<(&'static str, Option<u32>)> {
    let end = header.len() * 8;
    // The core's own fields between are 3 bits, more where it has a program config: looked through.
    for position in from..end.saturating_sub(16).min(from + 512) {
        let mut bits = Bits {
            bytes: header,
            position,
        };
        if bits.take(11) != Some(0x2b7) {
            continue;
        }
        if object_type(&mut bits) != Some(5) || bits.take(1) != Some(1) {
            return None;
        }
        let rate = rate(&mut bits).flatten();
        let is_stereo = bits.take(11) == Some(0x548) && bits.take(1) == Some(1);
        return Some((if is_stereo { "he-aac-v2" } else { "he-aac" }, rate));
    }
    None
}

struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.position % 8) & 1);
            self.position += 1;
        }
        Some(value)
    }
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(5)? {
        31 => Some(32 + bits.take(6)?),
        kind => Some(kind),
    }
}

/// A rate, by its index or as it is; none within for a reserved index.
fn rate(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    match bits.take(4)? {
        15 => bits.take(24).map(Some),
        index => Some(RATES.get(index as usize).copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn he_aac_is_named_by_its_header() {
        // LC, 44,100 Hz, stereo: the two bytes that most files have.
        let lc = aac(&[0x12, 0x10]).unwrap();
        assert_eq!(
            (lc.name, lc.rate, lc.channels),
            ("aac-lc", Some(44_100), Some(2))
        );
        // Object type 5: core of 22,050 Hz, stereo, 44,100 Hz, then LC.
        let explicit = aac(&[0x2b, 0x92, 0x08, 0x00]).unwrap();
        assert_eq!((explicit.name, explicit.rate), ("he-aac", Some(44_100)));
        // Object type 29, mono core of 22,050 Hz.
        let parametric = aac(&[0xeb, 0x8a, 0x08, 0x00]).unwrap();
        let is = (parametric.name, parametric.rate, parametric.channels);
        assert_eq!(is, ("he-aac-v2", Some(44_100), Some(2)));
        // LC of 22,050 Hz, stereo, and behind it the extension with 44,100 Hz.
        let behind = aac(&[0x13, 0x90, 0x56, 0xe5, 0xa0]).unwrap();
        assert_eq!((behind.name, behind.rate), ("he-aac", Some(44_100)));
        // The same with parametric stereo.
        let behind = aac(&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80]).unwrap();
        assert_eq!((behind.name, behind.rate), ("he-aac-v2", Some(44_100)));
    }

    #[test]
    fn opus_in_mp4_writes_its_numbers_the_other_way_round() {
        let ogg = opus(b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0");
        let mp4 = opus(b"OpusHead\x00\x02\x01\x38\0\0\xbb\x80\0\0\0");
        assert_eq!((ogg.pre_skip, mp4.pre_skip), (312, 312));
        assert_eq!(opus(b"OpusHead").pre_skip, 0);
    }
}
