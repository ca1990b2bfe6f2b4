//! Ogg whose streams are chained: one recording right behind another in the same file, as `cat` and
//! those who record radio make it (RFC 3533, section 4).

use symphonia::core::codecs::CodecParameters;
use symphonia::core::formats::TrackType;

use super::codec::{self, Codec};
use super::walk::Walked;
use super::{Opened, bounded, damaged, too_large};
use crate::facts::Refusal;

/// Recordings in a row; each makes the reader look for its end.
const MOST_LINKS: u64 = 1_000;

/// Goes on with the stream that the reader has come to, which must be of the same kind: a file has
/// one rate, and players that meet another in it stop.
pub(super) fn follow(
    opened: &mut Opened,
    codec: &Codec,
    walked: &mut Walked,
) -> Result<(), Refusal> {
    walked.links += 1;
    if walked.links > MOST_LINKS {
        return Err(too_large(format!(
            "more than {MOST_LINKS} recordings follow one another in it"
        )));
    }
    let track = opened.format.default_track(TrackType::Audio).cloned();
    let track = track.ok_or_else(another_kind)?;
    let Some(CodecParameters::Audio(params)) = track.codec_params.clone() else {
        return Err(damaged("it doesn't say how its sound is coded"));
    };
    bounded(&params)?;
    let next = codec::of(&params, opened.container)?;
    let channels = |params: &symphonia::core::codecs::audio::AudioCodecParameters| {
        params.channels.as_ref().map(|channels| channels.count())
    };
    let is_alike = (next.name, next.channels) == (codec.name, codec.channels)
        && params.sample_rate == opened.params.sample_rate
        && channels(&params) == channels(&opened.params);
    if !is_alike {
        return Err(another_kind());
    }
    walked.dropped_in_links = walked.dropped_in_links.saturating_add(next.pre_skip);
    opened.track = track;
    opened.params = params;
    Ok(())
}

fn another_kind() -> Refusal {
    let reason = "recordings of different kinds follow one another in it";
    Refusal::new("unsupportedCodec", reason)
}
