//! How long it sounds, exactly where that can be known, and the facts as they are told.

use super::codec::Codec;
use super::edits::Edits;
use super::ending::Ending;
use super::walk::Walked;
use super::{LONGEST, Opened, channels_bounded, damaged, rate_bounded, too_large};
use crate::facts::{AudioFacts, Refusal};
use crate::sniff::Container;

/// Frames of an AAC packet, of the core codec (ISO 14496-3, 4.5.1.1).
const AAC_FRAMES: u64 = 1024;

/// All that was found out about a file.
pub(super) struct Measured<'a> {
    pub(super) opened: &'a Opened,
    pub(super) codec: &'a Codec,
    pub(super) walked: &'a Walked,
    pub(super) edits: &'a Edits,
    pub(super) ending: &'a Ending,
    pub(super) gapless: Option<[u64; 3]>,
}

/// Frames that sound, and whether that is the exact number.
struct Length {
    frames: u64,
    is_exact: bool,
}

impl Measured<'_> {
    /// The facts but for the tags, of a file of so many bytes.
    pub(super) fn facts(&self, bytes: u64) -> Result<AudioFacts, Refusal> {
        let codec = self.codec_name();
        let sample_rate = self.sample_rate()?;
        let channels = self.channels()?;
        let length = self.length(sample_rate)?;
        if length.frames == 0 {
            return Err(damaged("there is no sound in it"));
        }
        if length.frames / u64::from(sample_rate) >= LONGEST {
            return Err(too_large("it plays longer than 24 hours"));
        }
        let rate = u64::from(sample_rate);
        let container = self.container_name();
        Ok(AudioFacts {
            container: container.to_owned(),
            codec: codec.to_owned(),
            media_type: media_type(container, codec),
            channels,
            sample_rate,
            bit_depth: self.codec.bit_depth,
            bit_rate: rounded(u128::from(bytes) * 8 * u128::from(rate), length.frames),
            frames: length.frames,
            duration_ms: rounded(u128::from(length.frames) * 1000, rate),
            exact: length.is_exact,
            tags: Vec::new(),
            has_cover: false,
        })
    }

    fn container_name(&self) -> &'static str {
        match self.opened.container {
            Container::Mp3 => "mp3",
            Container::Adts => "adts",
            Container::Mp4 => "mp4",
            Container::Ogg => "ogg",
            Container::Flac => "flac",
            Container::Wav => "wav",
            Container::Aiff => "aiff",
            Container::Matroska if self.ending.is_webm => "webm",
            Container::Matroska => "matroska",
        }
    }

    /// AAC whose decoder, which hears the core alone, gives half of what the container says is
    /// HE-AAC that doesn't say so.
    fn codec_name(&self) -> &'static str {
        let declared = self.opened.params.sample_rate;
        match (self.codec.name, self.walked.decoded, declared) {
            ("aac-lc", Some((heard, _)), Some(declared))
                if self.opened.container != Container::Adts
                    && heard.checked_mul(2) == Some(declared) =>
            {
                "he-aac"
            }
            (name, _, _) => name,
        }
    }

    fn sample_rate(&self) -> Result<u32, Refusal> {
        let declared = self.opened.params.sample_rate;
        let heard = self.walked.decoded.map(|(rate, _)| rate);
        let rate = match self.codec_name() {
            // The core's rate is of no use to anybody.
            "he-aac" | "he-aac-v2" => self.codec.rate.max(declared),
            _ => self.codec.rate.or(heard).or(declared),
        };
        let rate = rate.ok_or_else(|| damaged("it doesn't say its rate"))?;
        rate_bounded(rate)?;
        Ok(rate)
    }

    fn channels(&self) -> Result<u16, Refusal> {
        let heard = self.walked.decoded.map(|(_, channels)| channels);
        let declared = self
            .opened
            .params
            .channels
            .as_ref()
            .map(|channels| channels.count() as u16);
        let channels = self.codec.channels.or(heard).or(declared);
        let channels = channels.ok_or_else(|| damaged("it doesn't say its channels"))?;
        channels_bounded(usize::from(channels))?;
        Ok(channels)
    }

    fn length(&self, sample_rate: u32) -> Result<Length, Refusal> {
        match self.opened.container {
            Container::Mp3 => self.of_mp3(),
            Container::Adts => Ok(Length {
                frames: self.walked.all_ticks,
                is_exact: self.walked.is_whole,
            }),
            Container::Flac => self.compared(self.walked.all_ticks),
            Container::Wav | Container::Aiff if self.codec.name == "pcm" => {
                self.compared(self.walked.pcm_frames)
            }
            Container::Wav | Container::Aiff => self.compared(self.walked.ticks),
            Container::Ogg => self.of_ogg(),
            Container::Mp4 => self.of_mp4(sample_rate),
            Container::Matroska => self.of_matroska(sample_rate),
        }
    }

    /// What was counted, beside what the header says.
    fn compared(&self, counted: u64) -> Result<Length, Refusal> {
        let declared = self.opened.track.num_frames;
        // Programs that write into a pipe leave the greatest number there, or none.
        let is_placeholder =
            |frames: &u64| *frames == 0 || frames.saturating_mul(8) >= u32::MAX.into();
        let is_wav = self.opened.container == Container::Wav;
        let declared = declared.filter(|frames| !(is_wav && is_placeholder(frames)));
        self.not_cut_short(counted, declared)
    }

    /// Of what the header declares at least half is there, else it is damaged; less than all isn't
    /// exact.
    fn not_cut_short(&self, counted: u64, declared: Option<u64>) -> Result<Length, Refusal> {
        let declared = declared.unwrap_or(counted);
        if counted < declared / 2 {
            return Err(damaged("more than half of it is missing"));
        }
        Ok(Length {
            frames: counted,
            is_exact: counted >= declared,
        })
    }

    /// Frames of MPEG are counted. Delay and padding are known from a LAME tag alone, which the
    /// number of frames stands beside.
    fn of_mp3(&self) -> Result<Length, Refusal> {
        let counted = self.walked.mpeg_frames;
        let track = &self.opened.track;
        let Some(delay) = track.delay else {
            return Ok(Length {
                frames: counted,
                is_exact: true,
            });
        };
        let delay = u64::from(delay);
        let padding = u64::from(track.padding.unwrap_or_default());
        let declared = track.num_frames.unwrap_or_default();
        let is_cut_short = counted < declared.saturating_add(delay + padding);
        let dropped = if is_cut_short { delay } else { delay + padding };
        self.not_cut_short(counted.saturating_sub(dropped), Some(declared))
    }

    /// The packets' own lengths, cut at the last page's position, which an encoder wrote down.
    fn of_ogg(&self) -> Result<Length, Refusal> {
        let dropped = match self.codec.name {
            "opus" => self.codec.pre_skip + self.walked.dropped_in_links,
            _ => 0,
        };
        Ok(Length {
            frames: self.walked.ticks.saturating_sub(dropped),
            // The reader has a number of frames only if it found the page that is marked as the
            // last.
            is_exact: self.walked.is_whole && self.opened.track.num_frames.is_some(),
        })
    }

    /// The media's length without what lies before the edit list's start; or what iTunes wrote,
    /// which is in frames.
    fn of_mp4(&self, sample_rate: u32) -> Result<Length, Refusal> {
        let ticks = self.walked.all_ticks;
        let declared = self.opened.track.duration.map(|duration| duration.get());
        let whole = self.not_cut_short(ticks, declared)?;
        let (frames, is_whole_number) = self.in_frames(ticks, sample_rate);
        if let Some([delay, padding, length]) = self.gapless
            && self.codec.name == "aac-lc"
            && delay
                .saturating_add(padding)
                .saturating_add(length)
                .abs_diff(frames)
                <= AAC_FRAMES
        {
            return Ok(Length {
                frames: length,
                is_exact: whole.is_exact,
            });
        }
        let start = match (self.codec.name, self.edits.start) {
            ("opus", 0) => self.codec.pre_skip,
            (_, start) => self.in_frames(start, sample_rate).0,
        };
        Ok(Length {
            frames: frames.saturating_sub(start),
            is_exact: whole.is_exact
                && self.walked.is_whole
                && !self.edits.is_cut
                && is_whole_number
                && !self.edits.is_patchwork,
        })
    }

    /// Ticks of the track as frames, and whether that is a whole number of them.
    fn in_frames(&self, ticks: u64, sample_rate: u32) -> (u64, bool) {
        let Some(base) = self.opened.track.time_base else {
            return (ticks, false);
        };
        let numerator = u128::from(ticks) * u128::from(base.numer.get()) * u128::from(sample_rate);
        let denominator = u64::from(base.denom.get());
        let is_whole = numerator.is_multiple_of(u128::from(denominator));
        (rounded(numerator, denominator), is_whole)
    }

    /// Times are in milliseconds there, mostly: frames are counted where packets tell them, else
    /// the file's own duration is taken.
    fn of_matroska(&self, sample_rate: u32) -> Result<Length, Refusal> {
        let packets = self.walked.packets;
        let is_whole = self.walked.is_whole && self.ending.is_whole;
        let rate = u128::from(sample_rate);
        let counted = match self.codec.name {
            "opus" => Some(self.walked.opus_frames.saturating_sub(self.codec.pre_skip)),
            "he-aac" | "he-aac-v2" => Some(packets * 2 * AAC_FRAMES),
            "aac-lc" => Some(packets * AAC_FRAMES),
            "mp3" => Some(self.walked.mpeg_frames),
            "pcm" => {
                let channels = u64::from(self.channels()?);
                let block = self.codec.pcm_bytes.unwrap_or(1) * channels;
                Some(self.walked.bytes / block)
            }
            "flac" => {
                let header = self.opened.params.extra_data.as_deref();
                header.and_then(frames_in_streaminfo)
            }
            _ => None,
        };
        if let Some(counted) = counted {
            let discard = rounded(u128::from(self.ending.discard) * rate, 1_000_000_000);
            return Ok(Length {
                frames: counted.saturating_sub(discard),
                is_exact: is_whole && self.codec.name != "aac-lc",
            });
        }
        let media = self.opened.format.media_info();
        let declared = media.time_base.zip(media.duration);
        let declared = declared.and_then(|(base, duration)| base.calc_duration(duration));
        let declared = declared.and_then(|time| u128::try_from(time.as_nanos()).ok());
        let declared = declared.map(|nanos| rounded(nanos * rate, 1_000_000_000));
        let (walked, _) = self.in_frames(self.walked.ticks, sample_rate);
        Ok(Length {
            frames: declared.filter(|_| is_whole).unwrap_or(walked),
            is_exact: false,
        })
    }
}

/// The 36 bits of STREAMINFO that count frames (RFC 9639, 8.2); 0 says that nobody knows.
fn frames_in_streaminfo(info: &[u8]) -> Option<u64> {
    let [high, rest @ ..] = info.get(13..18)? else {
        return None;
    };
    let high = u64::from(high & 0xf);
    let frames = rest
        .iter()
        .fold(high, |frames, byte| frames << 8 | u64::from(*byte));
    Some(frames).filter(|frames| *frames > 0)
}

fn rounded(numerator: u128, denominator: u64) -> u64 {
    let denominator = u128::from(denominator.max(1));
    u64::try_from((numerator + denominator / 2) / denominator).unwrap_or(u64::MAX)
}

fn media_type(container: &str, codec: &str) -> String {
    let codecs = match codec {
        "aac-lc" => "mp4a.40.2",
        "he-aac" => "mp4a.40.5",
        "he-aac-v2" => "mp4a.40.29",
        "mp3" => "mp4a.6B",
        other => other,
    };
    match container {
        "mp3" => "audio/mpeg".to_owned(),
        "adts" => "audio/aac".to_owned(),
        "flac" | "wav" | "aiff" => format!("audio/{container}"),
        "matroska" => "audio/x-matroska".to_owned(),
        _ => format!("audio/{container}; codecs=\"{codecs}\""),
    }
}
