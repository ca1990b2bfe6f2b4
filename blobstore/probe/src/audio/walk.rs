//! Through a file's packets: how much sound they carry, and whether it can be decoded.

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{SeekMode, SeekTo};
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

use super::codec::{Codec, is_independent};
use super::{Opened, channels_bounded, damaged, link, rate_bounded};
use crate::facts::Refusal;
use crate::sniff::Container;

/// Seconds of sound that are decoded at the beginning.
const STRETCH: u64 = 2;
/// Packets that are tried for them at the most.
const MOST_IN_THE_STRETCH: u64 = 2_000;
/// Behind it, one packet in so many is decoded where packets don't need one another.
const SAMPLED: u64 = 64;
/// Packets that can't be decoded before a file is given up.
const MOST_ERRORS: u64 = 50;
/// Seconds at the end of PCM that are read.
const TAIL: u64 = 2;

/// What was met on the way.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Packets of the track.
    pub(super) packets: u64,
    /// Bytes of them.
    pub(super) bytes: u64,
    /// Ticks of the track's time base that they last, without what the container says to drop.
    pub(super) ticks: u64,
    /// The same with it.
    pub(super) all_ticks: u64,
    /// Frames that PCM's bytes make; where all were seen by seeking, to the last one.
    pub(super) pcm_frames: u64,
    /// Frames by the headers of MP3's packets.
    pub(super) mpeg_frames: u64,
    /// Frames at 48 kHz by the first bytes of Opus packets (RFC 6716, 3.1).
    pub(super) opus_frames: u64,
    /// Rate and channels that came out of the decoder.
    pub(super) decoded: Option<(u32, u16)>,
    /// Of Ogg: streams that are chained behind the first, and frames that they say to drop.
    pub(super) links: u64,
    pub(super) dropped_in_links: u64,
    /// Whether the end was reached as it ought to be.
    pub(super) is_whole: bool,
    /// Whether the file hasn't got what was to be at its end, so that nothing was counted.
    pub(super) is_lost: bool,
}

/// Walks from where the file was opened to its end; through PCM by seeking, where that is allowed.
/// The length is that of the file in bytes, without tags in front.
pub(super) fn through(
    opened: &mut Opened,
    codec: &Codec,
    length: u64,
    by_seeking: bool,
) -> Result<Walked, Refusal> {
    let mut walked = Walked::default();
    let mut ear = Ear::of(opened, codec)?;
    let block = pcm_block(opened, codec);
    let rate = u64::from(opened.params.sample_rate.unwrap_or_default());
    let mut has_sought = false;
    loop {
        let packet = match opened.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => {
                walked.is_whole = true;
                break;
            }
            // Another stream is chained behind (RFC 3533, section 4).
            Err(Error::ResetRequired) => {
                link::follow(opened, codec, &mut walked)?;
                ear.begin_anew(opened)?;
                continue;
            }
            // The bytes end, or they are spoilt from here on.
            Err(_) => break,
        };
        if packet.track_id != opened.track.id {
            continue;
        }
        walked.packets += 1;
        // So no header makes a loop of its own out of packets without bytes.
        if walked.packets > length + 1_000 {
            return Err(damaged("it claims more packets than it has bytes"));
        }
        if block.is_some() && packet.data.is_empty() {
            break;
        }
        count(&mut walked, &packet, codec, block);
        ear.hear(&packet, walked.packets)?;
        if by_seeking && !has_sought && ear.is_satisfied && block.is_some() {
            has_sought = true;
            if !seek_to_the_tail(opened, rate) {
                continue;
            }
            walked.is_lost = true;
        } else if has_sought {
            walked.is_lost = false;
        }
    }
    walked.decoded = ear.judge(&walked)?;
    // Readers of bare frames look for the next one through whatever lies between.
    let is_bare = matches!(opened.container, Container::Mp3 | Container::Adts);
    if is_bare && walked.bytes < length / 2 {
        return Err(damaged("most of it is no sound"));
    }
    Ok(walked)
}

fn count(walked: &mut Walked, packet: &Packet, codec: &Codec, block: Option<u64>) {
    walked.bytes += packet.data.len() as u64;
    walked.ticks = walked.ticks.saturating_add(packet.dur.get());
    walked.all_ticks = walked.all_ticks.saturating_add(packet.block_dur().get());
    if let Some(block) = block {
        let first = u64::try_from(packet.pts.get()).unwrap_or_default();
        let end = first.saturating_add(packet.data.len() as u64 / block);
        walked.pcm_frames = walked.pcm_frames.max(end);
    }
    match codec.name {
        "opus" => walked.opus_frames += opus_frames(&packet.data),
        "mp3" => walked.mpeg_frames += mpeg_frames(&packet.data),
        _ => {}
    }
}

/// Bytes of a frame of PCM in a container that counts its time in frames.
fn pcm_block(opened: &Opened, codec: &Codec) -> Option<u64> {
    if !matches!(opened.container, Container::Wav | Container::Aiff) {
        return None;
    }
    let channels = opened.params.channels.as_ref()?.count() as u64;
    Some(codec.pcm_bytes? * channels).filter(|block| *block > 0)
}

/// Whether the position is near the end now; where it isn't, all is read.
fn seek_to_the_tail(opened: &mut Opened, rate: u64) -> bool {
    let Some(frames) = opened.track.num_frames else {
        return false;
    };
    let tail = frames.saturating_sub(TAIL * rate);
    if tail < (STRETCH + TAIL) * rate {
        return false;
    }
    let Ok(tail) = i64::try_from(tail) else {
        return false;
    };
    let to = SeekTo::Timestamp {
        ts: Timestamp::new(tail),
        track_id: opened.track.id,
    };
    opened.format.seek(SeekMode::Accurate, to).is_ok()
}

/// Frames of a packet of MP3, by the version in its header: 1, or 2 and 2.5 (ISO 13818-3, 2.4.2.3).
/// What the reader says of a packet's duration is off where it trims (0.6.1).
fn mpeg_frames(packet: &[u8]) -> u64 {
    match packet.get(1) {
        Some(second) if second & 0x18 == 0x18 => 1152,
        _ => 576,
    }
}

/// Frames at 48 kHz of an Opus packet, by its first bytes; at most 120 ms (RFC 6716, 3.4).
fn opus_frames(packet: &[u8]) -> u64 {
    let Some(first) = packet.first() else {
        return 0;
    };
    let frame = match first >> 3 {
        mode @ 0..=11 => [480, 960, 1920, 2880][usize::from(mode % 4)],
        mode @ 12..=15 => [480, 960][usize::from(mode % 2)],
        mode => [120, 240, 480, 960][usize::from(mode % 4)],
    };
    let count = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1).map_or(0, |count| count & 0x3f)),
    };
    (frame * count).min(5_760)
}

/// Decodes some of the packets, and remembers how that went.
struct Ear {
    decoder: Option<Box<dyn AudioDecoder>>,
    is_independent: bool,
    /// Whether the decoder can't do what may be sound: AAC of more than two channels, HE-AAC.
    may_be_deaf: bool,
    is_satisfied: bool,
    stretch: u64,
    tried: u64,
    errors: u64,
    heard: Option<(u32, u16)>,
    frames: u64,
}

impl Ear {
    /// With a decoder, unless there is none for what is a known codec all the same.
    fn of(opened: &Opened, codec: &Codec) -> Result<Ear, Refusal> {
        let declared = opened.params.channels.as_ref();
        let declared = declared.map(|channels| channels.count() as u16);
        let channels = codec.channels.or(declared);
        let mut ear = Ear {
            decoder: None,
            is_independent: is_independent(codec),
            may_be_deaf: match codec.name {
                "he-aac" | "he-aac-v2" => true,
                name => name == "aac-lc" && channels.is_some_and(|count| count > 2),
            },
            is_satisfied: false,
            stretch: STRETCH * u64::from(opened.params.sample_rate.unwrap_or(48_000)),
            tried: 0,
            errors: 0,
            heard: None,
            frames: 0,
        };
        if codec.name == "opus" {
            ear.is_satisfied = true;
            return Ok(ear);
        }
        let registry = symphonia::default::get_codecs();
        match registry.make_audio_decoder(&opened.params, &AudioDecoderOptions::default()) {
            Ok(decoder) => ear.decoder = Some(decoder),
            Err(Error::Unsupported(_)) if ear.may_be_deaf => ear.is_satisfied = true,
            Err(Error::Unsupported(what)) => {
                let reason = format!("its codec is {}, but of a rare kind: {what}", codec.name);
                return Err(Refusal::new("unsupportedCodec", reason));
            }
            Err(_) => return Err(damaged("what it says of its codec is spoilt")),
        }
        Ok(ear)
    }

    /// What is chained behind has headers of its own to decode it by.
    fn begin_anew(&mut self, opened: &Opened) -> Result<(), Refusal> {
        if self.decoder.is_none() {
            return Ok(());
        }
        let registry = symphonia::default::get_codecs();
        let made = registry.make_audio_decoder(&opened.params, &AudioDecoderOptions::default());
        self.decoder = Some(made.map_err(|_| damaged("what it says of its codec is spoilt"))?);
        Ok(())
    }

    fn hear(&mut self, packet: &Packet, number: u64) -> Result<(), Refusal> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        if self.is_satisfied && !(self.is_independent && number.is_multiple_of(SAMPLED)) {
            return Ok(());
        }
        self.tried += 1;
        match decoder.decode(packet) {
            Ok(sound) => {
                let channels = sound.spec().channels().count();
                channels_bounded(channels)?;
                rate_bounded(sound.spec().rate())?;
                self.frames += sound.frames() as u64;
                self.heard = Some((sound.spec().rate(), channels as u16));
            }
            // AAC that is known, but not to this decoder.
            Err(Error::Unsupported(_)) if self.may_be_deaf => {
                self.decoder = None;
                self.is_satisfied = true;
                return Ok(());
            }
            Err(_) => self.errors += 1,
        }
        if self.errors > MOST_ERRORS {
            return Err(damaged("too much of it can't be decoded"));
        }
        if self.frames >= self.stretch || self.tried >= MOST_IN_THE_STRETCH {
            self.is_satisfied = true;
        }
        Ok(())
    }

    /// What came out of it; nothing at all, or with every fourth packet failing, is no sound.
    fn judge(self, walked: &Walked) -> Result<Option<(u32, u16)>, Refusal> {
        if walked.packets == 0 {
            return Err(damaged("there is no sound in it"));
        }
        if self.decoder.is_some() && (self.heard.is_none() || self.errors * 4 > self.tried) {
            return Err(damaged("what should be its sound can't be decoded"));
        }
        Ok(self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::opus_frames;

    #[test]
    fn an_opus_packet_says_how_long_it_is() {
        // SILK 60 ms; hybrid 20 ms, two of them; CELT 2.5 ms; CELT 20 ms, 3 of them.
        assert_eq!(opus_frames(&[3 << 3]), 2880);
        assert_eq!(opus_frames(&[13 << 3 | 1]), 1920);
        assert_eq!(opus_frames(&[16 << 3]), 120);
        assert_eq!(opus_frames(&[31 << 3 | 3, 3]), 2880);
        assert_eq!(opus_frames(&[31 << 3 | 3, 0x3f]), 5_760);
        assert_eq!(opus_frames(&[]), 0);
    }
}
