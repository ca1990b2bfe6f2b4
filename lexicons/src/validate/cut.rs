//! Texts of tolerated records, cut to what a document allows.

use unicode_segmentation::UnicodeSegmentation;

/// The beginning of a text that has no more than so many bytes and, where they are bounded, no more
/// than so many graphemes, counted as the validator counts them. Ends between graphemes, but for
/// a first one that is too long by itself: that ends between characters.
pub fn cut(text: &str, most_bytes: usize, most_graphemes: Option<usize>) -> &str {
    let is_short = most_graphemes.is_none_or(|most| text.len() <= most);
    if text.len() <= most_bytes && is_short {
        return text;
    }
    let mut end = 0;
    let most_graphemes = most_graphemes.unwrap_or(usize::MAX);
    for (start, grapheme) in text.grapheme_indices(true).take(most_graphemes) {
        let next = start + grapheme.len();
        if next > most_bytes {
            break;
        }
        end = next;
    }
    if end == 0 && most_graphemes > 0 {
        end = text.floor_char_boundary(most_bytes);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold_and_graphemes_stay_whole() {
        let family = "👩‍👩‍👧"; // one grapheme of 18 bytes
        let three = family.repeat(3);
        for (text, bytes, graphemes, expected) in [
            ("night", 5, None, "night"),
            ("night", 4, None, "nigh"),
            ("night", 5, Some(5), "night"),
            ("night", 5, Some(3), "nig"),
            ("", 0, Some(0), ""),
            ("ab", 9, Some(0), ""),
            (&three, 54, Some(3), &three),
            (&three, 53, Some(3), &three[..36]),
            (&three, 54, Some(2), &three[..36]),
            (&three, 100, Some(1), family),
            ("e\u{301}e\u{301}", 5, None, "e\u{301}"),
            (family, 9, None, "👩‍"),
            ("é", 1, None, ""),
        ] {
            assert_eq!(
                cut(text, bytes, graphemes),
                expected,
                "{text} {bytes} {graphemes:?}"
            );
        }
    }
}
