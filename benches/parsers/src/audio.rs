//! Audio, as the child process looks at it.

use plyr_probe::{AudioFacts, Fact, Refusal, look_at_audio, plays_in_browsers};

use crate::caught::caught;
use crate::on_disk::on_disk;

/// Looks at the bytes as audio. A panic of a library is what the child is for; whatever is answered
/// is within its bounds, is nothing foreign but the tags, and is kept by its JSON.
pub fn audio(bytes: &[u8]) {
    let foreign = on_disk(bytes);
    let Some(looked) = caught(|| look_at_audio(&foreign)) else {
        return;
    };
    let fact = looked.expect("a file is read");
    kept(&fact);
    match fact {
        Fact::Audio(facts) => heard(&facts),
        Fact::Refused(refusal) => refused(&refusal),
        Fact::Image(_) => panic!("asked for audio"),
    }
}

fn heard(facts: &AudioFacts) {
    assert!((1..=8).contains(&facts.channels), "{facts:?}");
    assert!((8_000..=384_000).contains(&facts.sample_rate), "{facts:?}");
    assert!(facts.frames > 0, "{facts:?}");
    assert!(facts.duration_ms <= 24 * 60 * 60 * 1000, "{facts:?}");
    assert!(facts.tags.len() <= 32, "{facts:?}");
    for (name, value) in &facts.tags {
        assert!(
            name.chars().all(|letter| letter.is_ascii_alphanumeric()),
            "{facts:?}"
        );
        let is_text = !value.is_empty() && !value.contains(char::is_control);
        assert!(is_text && value.len() <= 500, "{facts:?}");
    }
    let is_plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(is_plain(&facts.media_type) && facts.media_type.starts_with("audio/"));
    assert!(!plays_in_browsers(facts) || facts.container != "aiff");
}

/// That a refusal says why.
pub(crate) fn refused(refusal: &Refusal) {
    let words = [
        "notAudio",
        "unsupportedCodec",
        "notImage",
        "unsupportedFormat",
        "tooLarge",
        "damaged",
        "empty",
    ];
    assert!(words.contains(&&*refusal.word), "{refusal:?}");
    assert!(
        refusal.reason.is_ascii() && refusal.reason.contains(' '),
        "{refusal:?}"
    );
}

/// That a fact is read from its JSON as it was written.
pub(crate) fn kept(fact: &Fact) {
    let json = serde_json::to_string(fact).expect("a fact is written");
    let again: Fact = serde_json::from_str(&json).expect("a fact of our own is read");
    assert_eq!(again, *fact, "changed by its JSON");
}
