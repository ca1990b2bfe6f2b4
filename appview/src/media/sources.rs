//! Where a track can be heard: what is proven first, the caller's preference before quality.

use plyr_blobstore::probe::AudioFacts;
use plyr_lexicons::generated::fm_plyr_media_defs::Source;
use plyr_lexicons::typed::Fields;
use url::Url;

use super::links;
use super::named::{Role, blob_of};
use super::shelf::{Audio, Shelf};
use crate::App;
use crate::view::Hydrated;
use crate::view::present::count;

/// What a caller plays.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Media types and codecs, the most preferred first; empty for all.
    pub accept: Vec<String>,
    /// Bits a second.
    pub max_bitrate: Option<u64>,
}

/// Names of the same thing, in lower case.
const ALIASES: [(&str, &str); 13] = [
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-mp3", "audio/mpeg"),
    ("audio/x-mpeg", "audio/mpeg"),
    ("audio/x-aac", "audio/aac"),
    ("audio/aacp", "audio/aac"),
    ("audio/m4a", "audio/mp4"),
    ("audio/x-m4a", "audio/mp4"),
    ("audio/x-wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("audio/x-flac", "audio/flac"),
    ("audio/x-aiff", "audio/aiff"),
    ("application/ogg", "audio/ogg"),
];

impl Wishes {
    /// How much the caller likes it: less is more; none for what it doesn't take.
    fn rank(&self, facts: &AudioFacts) -> Option<usize> {
        if self.max_bitrate.is_some_and(|most| facts.bit_rate > most) {
            return None;
        }
        if self.accept.is_empty() {
            return Some(0);
        }
        self.accept.iter().position(|wish| accepts(wish, facts))
    }
}

/// The type of `type;parameters`, by the name used here, and its codecs.
fn parsed(text: &str) -> (String, Vec<String>) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = alias.map_or(name, |(_, known)| (*known).to_owned());
    let codecs = parts.find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case("codecs").then_some(value)
    });
    let codecs = codecs.unwrap_or_default().replace('"', "");
    let codecs = codecs
        .split(',')
        .map(|codec| codec.trim().to_ascii_lowercase());
    (name, codecs.filter(|codec| !codec.is_empty()).collect())
}

fn accepts(wish: &str, facts: &AudioFacts) -> bool {
    let (wished, codecs) = parsed(wish);
    let codec = facts.codec.to_ascii_lowercase();
    if !wished.contains('/') {
        return is_codec(&wished, &codec);
    }
    let (found, found_codecs) = parsed(&facts.media_type);
    let is_type = match wished.as_str() {
        "*/*" | "audio/*" => true,
        wished => wished == found,
    };
    let is_found = |one: &String| is_codec(one, &codec) || found_codecs.contains(one);
    is_type && (codecs.is_empty() || codecs.iter().any(is_found))
}

/// Whether a caller's name is of that codec: AAC is called so whichever it is, and PCM by its
/// number in a WAV (RFC 2361: 1 of integers, 3 of floats; whoever plays one plays the other).
fn is_codec(wished: &str, codec: &str) -> bool {
    match wished {
        "aac" => codec == "aac-lc" || codec.starts_with("he-aac"),
        "1" | "3" => codec == "pcm",
        wished => wished == codec,
    }
}

/// The sources of a track, the best first.
pub fn sources(
    app: &App,
    shelf: &Shelf,
    track: &Hydrated,
    audio: &Audio<'_>,
    wishes: &Wishes,
) -> Vec<Source> {
    if matches!(audio, Audio::Gated | Audio::Refused { .. } | Audio::Hidden) {
        return Vec::new();
    }
    let uri = &track.record.uri;
    let cid = blob_of(track, Role::Audio);
    let mut proven: Vec<(usize, Source)> = Vec::new();
    let mut unproven: Vec<Source> = Vec::new();
    match (cid, audio) {
        (Some(cid), Audio::Here { size, facts }) => {
            let url = links::audio(&app.public_url, uri, &cid);
            let rank = wishes.rank(facts);
            proven.extend(rank.map(|rank| (rank, verified(url, *size, facts))));
        }
        // What it has is proven to be something else.
        (
            Some(_),
            Audio::Pending {
                wrong_bytes: true, ..
            },
        ) => {}
        // Nobody needs to wait for the fetch: the author's own host has it.
        (Some(cid), _) => {
            let url = links::at_pds(track.author.pds.as_deref(), &uri.did, &cid);
            unproven.extend(url.map(unverified));
        }
        (None, _) => {}
    }
    unproven.extend(shelf.audio_url(track).map(unverified));
    proven.sort_by_key(|(rank, source)| (*rank, source.bitrate.map(std::cmp::Reverse)));
    let proven = proven.into_iter().map(|(_, source)| source);
    proven.chain(unproven).collect()
}

fn verified(url: Url, size: u64, facts: &AudioFacts) -> Source {
    Source {
        url: url.into(),
        verified: true,
        media_type: Some(facts.media_type.clone()),
        codec: Some(facts.codec.clone()),
        container: Some(facts.container.clone()),
        bitrate: Some(count(facts.bit_rate)),
        sample_rate: Some(facts.sample_rate.into()),
        channels: Some(facts.channels.into()),
        bit_depth: facts.bit_depth.map(i64::from),
        size: Some(count(size)),
        other: Fields::new(),
    }
}

fn unverified(url: Url) -> Source {
    Source {
        url: url.into(),
        verified: false,
        media_type: None,
        codec: None,
        container: None,
        bitrate: None,
        sample_rate: None,
        channels: None,
        bit_depth: None,
        size: None,
        other: Fields::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(media_type: &str, codec: &str, bit_rate: u64) -> AudioFacts {
        AudioFacts {
            container: "x".to_owned(),
            codec: codec.to_owned(),
            media_type: media_type.to_owned(),
            channels: 2,
            sample_rate: 44_100,
            bit_depth: None,
            bit_rate,
            frames: 1,
            duration_ms: 1,
            exact: true,
            tags: Vec::new(),
            has_cover: false,
        }
    }

    fn rank(accept: &[&str], max_bitrate: Option<u64>, facts: &AudioFacts) -> Option<usize> {
        let accept = accept.iter().map(|text| (*text).to_owned()).collect();
        let wishes = Wishes {
            accept,
            max_bitrate,
        };
        wishes.rank(facts)
    }

    #[test]
    fn the_caller_is_offered_what_it_plays_by_its_preference() {
        let mp3 = facts("audio/mpeg", "mp3", 320_000);
        let aac = facts("audio/mp4; codecs=\"mp4a.40.2\"", "aac-lc", 256_000);
        let opus = facts("audio/ogg; codecs=opus", "opus", 96_000);
        let adts = facts("audio/aac", "aac-lc", 128_000);
        let wav = facts("audio/wav", "pcm", 1_411_200);
        for (accept, facts, expected) in [
            (vec![], &mp3, Some(0)),
            (vec!["audio/flac", "AUDIO/MPEG"], &mp3, Some(1)),
            (vec!["audio/mp3"], &mp3, Some(0)),
            (vec!["mp3"], &mp3, Some(0)),
            (vec!["audio/*"], &aac, Some(0)),
            (vec!["*/*"], &aac, Some(0)),
            (vec!["image/*", "audio/ogg"], &opus, Some(1)),
            (vec!["audio/ogg;codecs=opus"], &opus, Some(0)),
            (vec!["audio/ogg; codecs=\"vorbis, opus\""], &opus, Some(0)),
            (vec!["audio/ogg;codecs=vorbis"], &opus, None),
            (vec!["audio/x-m4a"], &aac, Some(0)),
            (vec!["audio/mp4;codecs=mp4a.40.2"], &aac, Some(0)),
            (vec!["audio/mp4;codecs=alac"], &aac, None),
            (vec!["audio/mpeg"], &aac, None),
            (vec!["aac"], &aac, Some(0)),
            (vec!["aac"], &mp3, None),
            (vec!["audio/mp4; codecs=\"aac\""], &aac, Some(0)),
            (vec!["audio/x-aac"], &adts, Some(0)),
            (vec!["audio/aacp"], &adts, Some(0)),
            (vec!["audio/wav; codecs=\"1\""], &wav, Some(0)),
            (vec!["audio/wav; codecs=\"2\""], &wav, None),
            (vec!["", ";", "audio/"], &mp3, None),
        ] {
            assert_eq!(rank(&accept, None, facts), expected, "{accept:?}");
        }
        assert_eq!(rank(&[], Some(319_999), &mp3), None);
        assert_eq!(rank(&[], Some(320_000), &mp3), Some(0));
    }
}
