//! The tags that people know, bounded and without what isn't text.

use symphonia::core::formats::FormatReader;
use symphonia::core::meta::{MetadataContainer, RawValue, StandardTag, Tag};

/// Tags that are kept.
const MOST_TAGS: usize = 32;
/// Bytes of one.
const MOST_BYTES: usize = 500;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tags: Vec<(String, String)>,
    pub(super) has_cover: bool,
    /// Delay, padding and length that iTunes wrote, in frames.
    pub(super) gapless: Option<[u64; 3]>,
}

/// All that the reader has met by now, each name once, the first one found.
pub(super) fn of(format: &mut dyn FormatReader) -> Found {
    let mut found = Found::default();
    let mut metadata = format.metadata();
    loop {
        if let Some(revision) = metadata.current() {
            take(&revision.media, &mut found);
            for track in &revision.per_track {
                take(&track.metadata, &mut found);
            }
        }
        // The latest stays where it is: it was looked at.
        if metadata.is_latest() || metadata.pop().is_none() {
            return found;
        }
    }
}

fn take(container: &MetadataContainer, found: &mut Found) {
    found.has_cover |= !container.visuals.is_empty();
    for tag in &container.tags {
        if let Some(gapless) = gapless(tag) {
            found.gapless = Some(gapless);
        }
        let Some((name, value)) = tag.std.as_ref().and_then(named) else {
            continue;
        };
        let is_new = found.tags.iter().all(|(known, _)| known != name);
        let value = cleaned(&value);
        if is_new && !value.is_empty() && found.tags.len() < MOST_TAGS {
            found.tags.push((name.to_owned(), value));
        }
    }
}

fn named(tag: &StandardTag) -> Option<(&'static str, String)> {
    let (name, text) = match tag {
        StandardTag::TrackTitle(text) => ("title", text),
        StandardTag::Artist(text) => ("artist", text),
        StandardTag::Album(text) => ("album", text),
        StandardTag::AlbumArtist(text) => ("albumArtist", text),
        StandardTag::Composer(text) => ("composer", text),
        StandardTag::Genre(text) => ("genre", text),
        StandardTag::Comment(text) => ("comment", text),
        StandardTag::Copyright(text) => ("copyright", text),
        StandardTag::ReleaseDate(text) | StandardTag::RecordingDate(text) => ("date", text),
        StandardTag::IdentIsrc(text) => ("isrc", text),
        StandardTag::Label(text) => ("label", text),
        StandardTag::Language(text) => ("language", text),
        StandardTag::Lyricist(text) => ("lyricist", text),
        StandardTag::Performer(text) => ("performer", text),
        StandardTag::Remixer(text) => ("remixer", text),
        StandardTag::License(text) => ("license", text),
        StandardTag::Encoder(text) => ("encoder", text),
        StandardTag::TrackNumber(number) => return Some(("trackNumber", number.to_string())),
        StandardTag::DiscNumber(number) => return Some(("discNumber", number.to_string())),
        StandardTag::Bpm(number) => return Some(("bpm", number.to_string())),
        StandardTag::ReleaseYear(year) | StandardTag::RecordingYear(year) => {
            return Some(("year", year.to_string()));
        }
        _ => return None,
    };
    Some((name, text.as_str().to_owned()))
}

/// Without control characters, what was none before it was text, and what turns the direction of
/// text; and cut.
fn cleaned(value: &str) -> String {
    let turns = |character| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut cleaned = String::new();
    for character in value.trim().chars() {
        let character = if character == '\n' { ' ' } else { character };
        if character.is_control() || turns(character) || character == char::REPLACEMENT_CHARACTER {
            continue;
        }
        if cleaned.len() + character.len_utf8() > MOST_BYTES {
            break;
        }
        cleaned.push(character);
    }
    cleaned.trim().to_owned()
}

/// iTunSMPB: hexadecimal words, of which the second, third and fourth are delay, padding, length.
fn gapless(tag: &Tag) -> Option<[u64; 3]> {
    if !tag.raw.key.ends_with("iTunSMPB") {
        return None;
    }
    let RawValue::String(text) = &tag.raw.value else {
        return None;
    };
    let mut words = text.split_ascii_whitespace().skip(1);
    let mut word = || u64::from_str_radix(words.next()?, 16).ok();
    Some([word()?, word()?, word()?])
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, cleaned};

    #[test]
    fn tags_are_cut_between_characters_and_cleaned() {
        assert_eq!(cleaned("  a\u{0}b\n\u{202e}c\u{7}  "), "ab c");
        let long = cleaned(&"ä".repeat(MOST_BYTES));
        assert_eq!(long, "ä".repeat(MOST_BYTES / 2));
    }
}
