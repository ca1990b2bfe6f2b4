//! What audio is: named and measured by its content alone, exactly.

#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod files;

use files::{aiff, audio_facts, audio_refusal, noise, read, wav};
use plyr_probe::{AudioFacts, plays_in_browsers};

/// File, container, codec, channels, frames a second, bits, frames that sound and whether that is
/// exact, whether browsers play it, and the media type.
const KNOWN: &str = r#"
tone.mp3 mp3 mp3 1 22050 - 44100 exact plays audio/mpeg
tone-id3.mp3 mp3 mp3 1 22050 - 44100 exact plays audio/mpeg
tone-noid3.mp3 mp3 mp3 1 22050 - 45504 exact plays audio/mpeg
tone-vbr.mp3 mp3 mp3 1 44100 - 44177 exact plays audio/mpeg
tone-cover.mp3 mp3 mp3 1 44100 - 44177 exact plays audio/mpeg
tone.aac adts aac-lc 1 22050 - 46080 exact plays audio/aac
tone.m4a mp4 aac-lc 1 22050 - 44100 exact plays audio/mp4; codecs="mp4a.40.2"
tone-fragmented.m4a mp4 aac-lc 1 44100 - 44177 exact plays audio/mp4; codecs="mp4a.40.2"
tone-he-aac.m4a mp4 he-aac 2 44100 - 44100 exact plays audio/mp4; codecs="mp4a.40.5"
tone-5.1.m4a mp4 aac-lc 6 48000 - 24000 exact plays audio/mp4; codecs="mp4a.40.2"
tone-alac.m4a mp4 alac 2 44100 16 44177 exact silent audio/mp4; codecs="alac"
tone-alac-24bit.m4a mp4 alac 1 44100 24 8001 exact silent audio/mp4; codecs="alac"
tone-opus.mp4 mp4 opus 1 48000 - 48084 exact plays audio/mp4; codecs="opus"
tone.opus ogg opus 1 48000 - 96000 exact plays audio/ogg; codecs="opus"
tone-opus-5.1.ogg ogg opus 6 48000 - 24000 exact plays audio/ogg; codecs="opus"
tone.webm webm opus 1 48000 - 96000 exact plays audio/webm; codecs="opus"
tone-opus.webm webm opus 1 48000 - 48084 exact plays audio/webm; codecs="opus"
tone.ogg ogg vorbis 1 22050 - 44100 exact plays audio/ogg; codecs="vorbis"
tone-vorbis.webm webm vorbis 1 44100 - 44276 about plays audio/webm; codecs="vorbis"
tone-flac.ogg ogg flac 1 44100 16 44177 exact plays audio/ogg; codecs="flac"
tone-flac.mkv matroska flac 1 44100 16 44177 exact silent audio/x-matroska
tone.flac flac flac 1 22050 16 44100 exact plays audio/flac
tone-24bit.flac flac flac 1 44100 24 44177 exact plays audio/flac
tone.wav wav pcm 1 22050 16 44100 exact plays audio/wav
tone-alaw.wav wav pcm 1 44100 8 44177 exact plays audio/wav
tone.aiff aiff pcm 1 22050 16 44100 exact silent audio/aiff
"#;

#[test]
fn every_fixture_is_what_it_is() {
    let mut wrong = Vec::new();
    for known in KNOWN.trim().lines() {
        let name = known.split(' ').next().unwrap();
        let bytes = read(name);
        let facts = audio_facts(&bytes);
        let is = line(name, &facts);
        if is != known {
            wrong.push(format!("{is}\n  and not {known}"));
        }
        let (frames, rate) = (facts.frames as f64, f64::from(facts.sample_rate));
        let duration = (frames * 1000.0 / rate).round() as u64;
        assert_eq!(facts.duration_ms, duration, "{name}");
        let bit_rate = bytes.len() as f64 * 8.0 * rate / frames;
        assert_eq!(facts.bit_rate, bit_rate.round() as u64, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn line(name: &str, facts: &AudioFacts) -> String {
    let AudioFacts {
        container,
        codec,
        channels,
        sample_rate,
        frames,
        media_type,
        ..
    } = facts;
    let bits = facts
        .bit_depth
        .map_or("-".to_owned(), |bits| bits.to_string());
    let exact = if facts.exact { "exact" } else { "about" };
    let plays = if plays_in_browsers(facts) {
        "plays"
    } else {
        "silent"
    };
    format!(
        "{name} {container} {codec} {channels} {sample_rate} {bits} {frames} {exact} {plays} \
         {media_type}"
    )
}

#[test]
fn tags_and_covers_are_found() {
    let tag = |facts: &AudioFacts, name: &str| {
        let found = facts.tags.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let covered = audio_facts(&read("tone-cover.mp3"));
    assert!(covered.has_cover);
    assert_eq!(tag(&covered, "title").as_deref(), Some("A tone"));
    assert_eq!(tag(&covered, "artist").as_deref(), Some("ffmpeg"));
    let plain = audio_facts(&read("tone-noid3.mp3"));
    assert!(!plain.has_cover && tag(&plain, "title").is_none());
}

#[test]
fn tags_are_bounded() {
    // An ID3v2.3 tag of 64 texts of the user's own, a title of 600 letters with a bell in it.
    let mut frames = Vec::new();
    let mut frame = |id: &[u8; 4], text: &[u8]| {
        frames.extend(id);
        frames.extend((text.len() as u32 + 1).to_be_bytes());
        frames.extend([0, 0, 0]);
        frames.extend(text);
    };
    frame(b"TIT2", &[b"\x07".as_slice(), &[b'a'; 600]].concat());
    for number in 0..64 {
        frame(b"TXXX", format!("key {number}\0value").as_bytes());
        frame(b"TPE1", format!("artist {number}").as_bytes());
    }
    let size = frames.len() as u32;
    let mut file = b"ID3\x03\0\0".to_vec();
    file.extend([size >> 21, size >> 14, size >> 7, size].map(|part| part as u8 & 0x7f));
    file.extend(frames);
    file.extend(read("tone-noid3.mp3"));
    let facts = audio_facts(&file);
    assert!(facts.tags.len() <= 32, "{:?}", facts.tags);
    let title = facts.tags.iter().find(|(name, _)| name == "title").unwrap();
    assert_eq!(title.1, "a".repeat(500));
    assert_eq!(facts.frames, 45_504);
}

#[test]
fn pcm_of_many_kinds_is_measured() {
    let kinds = [(1, 16), (1, 24), (1, 32), (3, 32), (1, 8)];
    for (format, bits) in kinds {
        let bytes = usize::from(bits / 8) * 2 * 48_001;
        let facts = audio_facts(&wav(format, 2, 48_000, bits, bytes as u32, &vec![0; bytes]));
        let is = (facts.frames, facts.exact, facts.bit_depth, facts.channels);
        assert_eq!(is, (48_001, true, Some(bits), 2), "{format} {bits}");
        assert!(plays_in_browsers(&facts));
    }
    let bytes = 64 / 8 * 2 * 48_001;
    let facts = audio_facts(&wav(3, 2, 48_000, 64, bytes as u32, &vec![0; bytes]));
    assert_eq!((facts.frames, facts.bit_depth), (48_001, Some(64)));
    assert!(!plays_in_browsers(&facts));
    for bits in [16, 24] {
        let facts = audio_facts(&aiff(2, bits, 44_101));
        let is = (
            facts.frames,
            facts.exact,
            facts.bit_depth,
            facts.sample_rate,
        );
        assert_eq!(is, (44_101, true, Some(bits), 44_100));
        assert!(!plays_in_browsers(&facts));
    }
}

#[test]
fn recordings_that_follow_one_another_are_counted_together() {
    for name in ["tone.opus", "tone.ogg", "tone-flac.ogg"] {
        let one = read(name);
        let whole = audio_facts(&one);
        let three = audio_facts(&[&one[..], &one, &one].concat());
        assert_eq!(three.frames, 3 * whole.frames, "{name}");
        assert_eq!((three.exact, &three.codec), (true, &whole.codec), "{name}");
    }
    // Of the last a part is missing.
    let one = read("tone.opus");
    let whole = audio_facts(&one);
    let cut = audio_facts(&[&one[..], &one[..one.len() * 3 / 4]].concat());
    assert!(!cut.exact, "{cut:?}");
    let range = whole.frames..2 * whole.frames;
    assert!(range.contains(&cut.frames), "{cut:?}");
    let mixed = [read("tone.opus"), read("tone.ogg")].concat();
    let refusal = audio_refusal(&mixed);
    assert_eq!(refusal.word, "unsupportedCodec", "{refusal:?}");
    assert!(refusal.reason.contains("follow one another"), "{refusal:?}");
    let many = read("tone.opus").repeat(1_002);
    assert_eq!(audio_refusal(&many).word, "tooLarge");
}

#[test]
fn the_edit_list_is_found_behind_any_number_of_fragments() {
    let whole = read("tone-fragmented.m4a");
    let known = audio_facts(&whole);
    // A table in front, and five thousand more boxes between it and the sound.
    let moov = whole.windows(4).position(|four| four == b"moov").unwrap() - 4;
    let length = u32::from_be_bytes(whole[moov..moov + 4].try_into().unwrap()) as usize;
    let end = moov + length;
    let free = b"\0\0\0\x08free".repeat(5_000);
    let file = [&whole[..end], &free, &whole[end..]].concat();
    let facts = audio_facts(&file);
    assert_eq!((facts.frames, facts.exact), (known.frames, known.exact));
}

#[test]
fn tags_larger_than_all_sense_are_refused_unread() {
    let size: u32 = 65 << 20;
    let mut file = b"ID3\x03\0\0".to_vec();
    file.extend([size >> 21, size >> 14, size >> 7, size].map(|part| part as u8 & 0x7f));
    file.resize(10 + size as usize, 0);
    file.extend(read("tone-noid3.mp3"));
    let refusal = audio_refusal(&file);
    assert_eq!(refusal.word, "tooLarge", "{refusal:?}");
    assert!(refusal.reason.contains("tags"), "{refusal:?}");
}

#[test]
fn a_wav_written_into_a_pipe_is_counted() {
    let data = vec![0; 2 * 30 * 44_100 + 2];
    for claimed in [u32::MAX, u32::MAX - 36] {
        let facts = audio_facts(&wav(1, 1, 44_100, 16, claimed, &data));
        assert_eq!(
            (facts.frames, facts.exact),
            (30 * 44_100 + 1, true),
            "{claimed}"
        );
    }
}

#[test]
fn what_is_cut_short_is_counted_and_less_than_half_is_damaged() {
    let frames = 30 * 44_100;
    let bytes = 2 * frames as u32;
    let most = wav(1, 1, 44_100, 16, bytes, &vec![0; 2 * 20 * 44_100]);
    let facts = audio_facts(&most);
    assert_eq!((facts.frames, facts.exact), (20 * 44_100, false));
    let little = wav(1, 1, 44_100, 16, bytes, &vec![0; 2 * 10 * 44_100]);
    assert_eq!(audio_refusal(&little).word, "damaged");

    let names = [
        "tone.flac",
        "tone-vbr.mp3",
        "tone-fragmented.m4a",
        "tone.opus",
        "tone.aac",
    ];
    for name in names {
        let bytes = read(name);
        let whole = audio_facts(&bytes);
        let facts = audio_facts(&bytes[..bytes.len() * 3 / 4]);
        assert!(!facts.exact, "{name}: {facts:?}");
        let is_part = (whole.frames / 3..whole.frames).contains(&facts.frames);
        assert!(is_part, "{name}: {facts:?}");
    }
    // Its table is at the end, and gone.
    let whole = read("tone.m4a");
    let refusal = audio_refusal(&whole[..whole.len() * 3 / 4]);
    assert!(
        refusal.word == "damaged" && refusal.reason.contains("table"),
        "{refusal:?}"
    );
    // Of WebM whose length is written in front nothing is read by the reader when it is cut.
    let whole = read("tone.webm");
    assert_eq!(audio_refusal(&whole[..whole.len() * 3 / 4]).word, "damaged");
    for name in ["tone.flac", "tone-vbr.mp3"] {
        let whole = read(name);
        let refusal = audio_refusal(&whole[..whole.len() * 2 / 5]);
        assert_eq!(refusal.word, "damaged", "{name}: {refusal:?}");
    }
}

#[test]
fn he_aac_that_does_not_say_so_is_named() {
    let explicit = read("tone-he-aac.m4a");
    let config = explicit
        .windows(5)
        .position(|five| five == [0x13, 0x90, 0x56, 0xe5, 0xa0])
        .unwrap();
    let mut parametric = explicit.clone();
    // The core is one channel then, and the extension says that there is another.
    parametric[config..config + 5].copy_from_slice(&[0xeb, 0x92, 0x08, 0x00, 0x00]);
    assert_eq!(audio_facts(&parametric).codec, "he-aac-v2");
    // Nothing of it in the config; the sample entry says 44,100 Hz.
    let mut silent = explicit.clone();
    silent[config + 2..config + 5].fill(0);
    let entry = silent.windows(4).position(|four| four == b"mp4a").unwrap();
    let rate = entry + 4 + 24;
    assert_eq!(silent[rate..rate + 4], [0x56, 0x22, 0, 0]);
    assert_eq!(audio_facts(&silent).codec, "aac-lc");
    silent[rate..rate + 4].copy_from_slice(&[0xac, 0x44, 0, 0]);
    let facts = audio_facts(&silent);
    assert_eq!(
        (&*facts.codec, facts.sample_rate, facts.frames),
        ("he-aac", 44_100, 44_100)
    );
}

#[test]
fn what_is_no_audio_is_refused_with_its_name() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"", "empty", "empty"),
        (b"\0", "notAudio", "no audio format"),
        (b"\xff", "notAudio", "no audio format"),
        (b"I", "notAudio", "a text"),
        (b"<!DOCTYPE html><p>no", "notAudio", "a web page"),
        (b"  \n<html>", "notAudio", "a web page"),
        (
            b"<?xml version=\"1.0\"?><svg xmlns=\"x\"/>",
            "notAudio",
            "an image (SVG)",
        ),
        (
            b"<?xml version=\"1.0\"?><a/>",
            "notAudio",
            "a text with tags",
        ),
        (b"{\"error\":\"BlobNotFound\"}", "notAudio", "data (JSON)"),
        (b"BMW is a text", "notAudio", "a text"),
        (b"MAC addresses", "notAudio", "a text"),
        (b"%PDF-1.7 \xff", "notAudio", "a PDF"),
        (b"PK\x03\x04\x14\0\0\0", "notAudio", "a ZIP"),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
            "notAudio",
            "an image (png)",
        ),
        (b"GIF89a\0\0\0\0", "notAudio", "an image (gif)"),
        (b"\0\0\0\x18ftypheic", "notAudio", "an image (HEIC)"),
        (b"RIFF\x04\0\0\0AVI ", "notAudio", "a video"),
        (b"caff\0\x01\0\0desc", "unsupportedCodec", "CAF"),
        (b"ID3\x03\0\0\0\0\0\0\0\0\0", "notAudio", "no audio format"),
        (b"ID3\x03", "notAudio", "no audio format"),
        (b"OggS", "notAudio", "a text"),
        (b"OggS\0\x02", "damaged", "Ogg"),
        (b"fLaC\0", "damaged", "FLAC"),
        (b"\0\0\0\x10ftypM4A \0\0\0\0", "damaged", "table"),
        (b"\x1a\x45\xdf\xa3", "damaged", "WebM"),
    ];
    for (bytes, word, reason) in cases {
        let refusal = audio_refusal(bytes);
        assert_eq!(
            refusal.word,
            *word,
            "{:?}: {refusal:?}",
            String::from_utf8_lossy(bytes)
        );
        assert!(refusal.reason.contains(reason), "{refusal:?}");
    }
    let files = [
        ("empty.bin", "empty"),
        ("spoof.html", "notAudio"),
        ("spoof.svg", "notAudio"),
        ("spoof.txt", "notAudio"),
        ("cover.jpg", "notAudio"),
        ("cover.png", "notAudio"),
        ("tone.wma", "unsupportedCodec"),
        ("tone.mp2", "unsupportedCodec"),
        ("tone-ac3.m4a", "unsupportedCodec"),
        ("tone-adpcm.wav", "unsupportedCodec"),
        ("video.mp4", "notAudio"),
    ];
    for (name, word) in files {
        let refusal = audio_refusal(&read(name));
        assert_eq!(refusal.word, word, "{name}: {refusal:?}");
    }
}

#[test]
fn a_header_before_garbage_is_damaged() {
    let garbage = noise(1 << 20, 7);
    assert_eq!(audio_refusal(&garbage).word, "notAudio");
    // The bytes of each header that say what it is; sound without structure is sound all the same.
    let headers = [
        ("tone-noid3.mp3", 800),
        ("tone.aac", 800),
        ("tone.flac", 300),
        ("tone.ogg", 4_000),
    ];
    for (name, length) in headers {
        let file = [&read(name)[..length], &garbage].concat();
        assert_eq!(audio_refusal(&file).word, "damaged", "{name}");
    }
    let m4a = read("tone.m4a");
    let data = m4a.windows(4).position(|four| four == b"mdat").unwrap() + 4;
    let table = m4a.windows(4).position(|four| four == b"moov").unwrap() - 4;
    assert!(data < table, "the table is behind the sound");
    let file = [&m4a[..data], &noise(table - data, 9), &m4a[table..]].concat();
    assert_eq!(audio_refusal(&file).word, "damaged");
}

#[test]
fn what_claims_too_much_is_refused_before_it_is_decoded() {
    let data = [0; 4096];
    assert_eq!(
        audio_refusal(&wav(1, 9, 44_100, 16, 4096, &data)).word,
        "tooLarge"
    );
    assert_eq!(
        audio_refusal(&wav(1, 1, 4_000, 16, 4096, &data)).word,
        "unsupportedCodec"
    );
    let fast = wav(1, 1, 1_000_000, 16, 4096, &data);
    assert_eq!(audio_refusal(&fast).word, "unsupportedCodec");
    // An AIFF that claims 2^31 frames of 8 channels.
    let mut claims = aiff(8, 32, 1);
    claims[22..26].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    assert_eq!(audio_facts(&claims).frames, 1);
}
