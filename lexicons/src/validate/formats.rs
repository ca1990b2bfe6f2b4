//! The text formats of the lexicon language.

use std::collections::BTreeSet;
use std::str::FromStr;

use atrium_api::types::string::{
    AtIdentifier, Datetime, Did, Handle, Language, Nsid, RecordKey, Tid,
};
use chrono::Datelike;
use ipld_core::cid::Version;

use crate::at_uri::AtUri;
use crate::data::cid_of_text;

/// Longest `uri`, in bytes.
const LONGEST_URI: usize = 8192;

/// Whether a text has a format. A format that isn't known refuses nothing.
pub fn is_format(format: &str, text: &str) -> bool {
    match format {
        "at-identifier" => AtIdentifier::from_str(text).is_ok(),
        "at-uri" => AtUri::from_str(text).is_ok(),
        "cid" => is_cid(text),
        "datetime" => is_datetime(text),
        "did" => Did::new(text.to_owned()).is_ok(),
        "handle" => Handle::new(text.to_owned()).is_ok(),
        "language" => is_language(text),
        "nsid" => Nsid::new(text.to_owned()).is_ok(),
        "record-key" => RecordKey::new(text.to_owned()).is_ok(),
        "tid" => Tid::new(text.to_owned()).is_ok(),
        "uri" => is_uri(text),
        _ => true,
    }
}

/// A time of the protocol that isn't before the year 0 where the offset is taken off.
fn is_datetime(text: &str) -> bool {
    Datetime::from_str(text).is_ok_and(|time| time.as_ref().naive_utc().year() >= 0)
}

fn is_cid(text: &str) -> bool {
    cid_of_text(text).is_some_and(|cid| cid.version() == Version::V1)
}

/// A scheme (in either case, RFC 3986), a colon, and something without blanks behind it.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    let begins = letters
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic());
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || b"+.-".contains(&letter));
    begins
        && goes_on
        && scheme.len() <= 80
        && text.len() <= LONGEST_URI
        && !rest.is_empty()
        && rest != "//"
        && rest.bytes().all(|byte| byte > b' ' && byte != 0x7f)
}

/// BCP 47, as the protocol narrows it: a primary language of two or three lower-case letters, a
/// grandfathered `i-` name, or one for private use.
fn is_language(text: &str) -> bool {
    let primary = text.split('-').next().unwrap_or_default();
    let plain = (2..=3).contains(&primary.len())
        && primary.bytes().all(|letter| letter.is_ascii_lowercase());
    (plain || matches!(primary, "i" | "x" | "X"))
        && Language::new(text.to_owned()).is_ok()
        && !repeats_itself(text)
}

/// Whether a language names a variant twice, or an extension (RFC 5646, section 2.2.9).
fn repeats_itself(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut seen = BTreeSet::new();
    let mut in_extension = false;
    for part in lower.split('-').skip(1) {
        if part == "x" {
            return false;
        }
        let extension = part.len() == 1;
        in_extension |= extension;
        let digit = part.starts_with(|letter: char| letter.is_ascii_digit());
        let variant = !in_extension && (part.len() >= 5 || part.len() == 4 && digit);
        if (extension || variant) && !seen.insert(part) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cid_is_plain_text_and_short() {
        let base32 = "bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24";
        assert!(is_format("cid", base32));
        // The base that is no base: the bytes themselves behind a zero.
        let bytes = "\0\u{1}\0\0\0\0\0\t\0\0\u{1}";
        let path = format!("x/ipfs/{base32}");
        for text in [bytes, &path, &"z".repeat(1 << 20), "", "b"] {
            assert!(!is_format("cid", text), "{text:?}");
        }
    }
}
