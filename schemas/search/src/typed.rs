//! Names that look like operators of a query (`Colors -Melody-`), to be found by what they are.

use crate::fold::folded_text;
use crate::words::{LONGEST_KEY, truncate};

/// A text as it was typed, with its signs, if a query would read any of them; folded, each gap one
/// space.
pub(crate) fn typed_form(text: &str) -> Option<String> {
    let typed: String = text.chars().map(as_typed).collect();
    let folded = folded_text(&typed);
    let words: Vec<&str> = folded.split_whitespace().collect();
    let is_left_out = |word: &&str| word.len() > 1 && word.starts_with('-');
    if !folded.contains(['"', ':']) && !words.iter().any(is_left_out) {
        return None;
    }
    let mut form = words.join(" ");
    truncate(&mut form, LONGEST_KEY);
    Some(form)
}

/// Control characters are spaces; all double quotes are one.
pub(crate) fn as_typed(char: char) -> char {
    match char {
        _ if char.is_control() => ' ',
        '“' | '”' | '„' | '‟' | '«' | '»' | '＂' | '「' | '」' => '"',
        '－' | '−' => '-',
        '：' => ':',
        _ => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_query_would_read_has_a_form() {
        for (text, form) in [
            ("Colors -Melody-", Some("colors -melody-")),
            ("  Colors  −MÉLODY- ", Some("colors -melody-")),
            ("“Heroes”", Some("\"heroes\"")),
            ("Re：Birth", Some("re:birth")),
            ("Colors Melody", None),
            ("Hip-Hop - Live", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(typed_form(text).as_deref(), form, "{text}");
        }
    }
}
