//! The text formats that records use, by the words of the protocol's specs
//! (<https://atproto.com/specs/lexicon#string-formats>): each written down once more, letter by
//! letter, so that a slip of the validator is no slip of its judge.

use plyr_lexicons::Cid;

/// Longest `uri` and `at-uri`, in bytes.
const LONGEST_URI: usize = 8_192;
const LONGEST_DID: usize = 2_048;
const LONGEST_DATETIME: usize = 64;
/// Longer than any CID of a hash that is in use, in any base.
const LONGEST_CID: usize = 256;

/// A time: `1985-04-12T23:20:50.123Z`, with an offset in place of the `Z` or not; not `-00:00`, and
/// not before the year 0 where the offset is taken off.
pub fn is_datetime(text: &str) -> bool {
    let read = || {
        let (date, time) = text.split_once('T')?;
        let date: Vec<&str> = date.split('-').collect();
        let [year, month, day] = date[..] else {
            return None;
        };
        let (year, month) = (number(year, 4)?, number(month, 2)?);
        let day = number(day, 2)?;
        let (time, offset) = match time.strip_suffix('Z') {
            Some(time) => (time, 0),
            None => {
                let (time, offset) = time.split_at_checked(time.len().checked_sub(6)?)?;
                (time, offset_minutes(offset)?)
            }
        };
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let time: Vec<&str> = time.split(':').collect();
        let [hour, minute, second] = time[..] else {
            return None;
        };
        let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
        // A leap second is one.
        let second = number(second, 2).filter(|second| *second <= 60)?;
        let has_fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
        let is_day = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        let is_time = hour <= 23 && minute <= 59;
        let minutes_of_year_0 = i64::from((day - 1) * 1_440 + hour * 60 + minute) - offset;
        let is_negative = year == 0 && month == 1 && minutes_of_year_0 < 0;
        let is_leap = second < 60 || minute == 59;
        Some(is_day && is_time && is_leap && has_fraction && !is_negative)
    };
    text.len() <= LONGEST_DATETIME && read().unwrap_or(false)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// `+07:00` or `-07:00`, in minutes.
fn offset_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 23 || minutes > 59 || text == "-00:00" {
        return None;
    }
    let offset = i64::from(hours * 60 + minutes);
    match text.as_bytes()[0] {
        b'+' => Some(offset),
        b'-' => Some(-offset),
        _ => None,
    }
}

fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A scheme, a colon, and something without blanks behind it.
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.chars();
    let begins = letters.next().is_some_and(|one| one.is_ascii_alphabetic());
    let goes_on = letters.all(|one| one.is_ascii_alphanumeric() || "+-.".contains(one));
    let has_rest = !rest.trim_start_matches("//").is_empty();
    let is_blank = |one: char| one.is_ascii_whitespace() || one.is_ascii_control();
    text.len() <= LONGEST_URI && begins && goes_on && has_rest && !rest.contains(is_blank)
}

/// `did:`, a method of small letters, and an identifier that doesn't end in a colon.
pub fn is_did(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (Some("did"), Some(method), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_letter = |one: char| one.is_ascii_alphanumeric() || "._:%-".contains(one);
    let is_id = !id.is_empty() && id.chars().all(is_letter) && !id.ends_with([':', '%']);
    text.len() <= LONGEST_DID && is_method && is_id
}

/// A name of a domain: labels between dots, the last of which begins with a letter.
fn is_handle(text: &str) -> bool {
    let mut labels = text.split('.').rev().peekable();
    let is_last = labels
        .peek()
        .is_some_and(|last| last.starts_with(|one: char| one.is_ascii_alphabetic()));
    text.len() <= 253 && is_last && text.contains('.') && labels.all(is_label)
}

fn is_label(label: &str) -> bool {
    let is_letter = |one: char| one.is_ascii_alphanumeric() || one == '-';
    let is_bounded = !label.is_empty() && label.len() <= 63;
    is_bounded && label.chars().all(is_letter) && !label.starts_with('-') && !label.ends_with('-')
}

/// A domain backwards and a name: `com.example.thing`.
fn is_nsid(text: &str) -> bool {
    let Some((authority, name)) = text.rsplit_once('.') else {
        return false;
    };
    let begins = |text: &str| text.starts_with(|one: char| one.is_ascii_alphabetic());
    let is_name =
        begins(name) && name.len() <= 63 && name.chars().all(|n| n.is_ascii_alphanumeric());
    let is_authority = begins(authority) && authority.contains('.');
    text.len() <= 317 && is_name && is_authority && authority.split('.').all(is_label)
}

fn is_record_key(text: &str) -> bool {
    let is_letter = |one: char| one.is_ascii_alphanumeric() || "_~.:-".contains(one);
    let is_bounded = (1..=512).contains(&text.len());
    is_bounded && text.chars().all(is_letter) && !matches!(text, "." | "..")
}

/// `at://`, a DID or a handle, then maybe a collection, then maybe a record key, and nothing more.
pub fn is_at_uri(text: &str) -> bool {
    let Some(path) = text.strip_prefix("at://") else {
        return false;
    };
    let parts: Vec<&str> = path.split('/').collect();
    let is_authority = |authority: &str| is_did(authority) || is_handle(authority);
    text.len() <= LONGEST_URI
        && match parts[..] {
            [authority] => is_authority(authority),
            [authority, collection] => is_authority(authority) && is_nsid(collection),
            [authority, collection, rkey] => {
                is_authority(authority) && is_nsid(collection) && is_record_key(rkey)
            }
            _ => false,
        }
}

/// A language of two or three small letters, then maybe more parts of up to eight letters or digits
/// each. (Names of years ago and for private use, and parts that stand twice, are not looked at.)
pub fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let primary = parts.next().unwrap_or_default();
    let is_primary = primary.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_part = |part: &str| {
        let is_plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (1..=8).contains(&part.len()) && is_plain
    };
    (2..=3).contains(&primary.len()) && is_primary && parts.all(is_part)
}

/// A CID of version 1 as plain text.
pub fn is_cid(text: &str) -> bool {
    let is_plain = text.len() <= LONGEST_CID && text.bytes().all(|one| one.is_ascii_alphanumeric());
    let version = |cid: Cid| u64::from(cid.version());
    is_plain && Cid::try_from(text).ok().map(version) == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each must take, and what none must: the protocol's own examples of every rule.
    #[test]
    fn each_format_is_that_of_its_spec() {
        type Format = fn(&str) -> bool;
        let long = "o".repeat(64);
        let cases: [(Format, &[&str], &[&str]); 8] = [
            (
                is_datetime,
                &[
                    "1985-04-12T23:20:50.123Z",
                    "1985-04-12T23:20:50Z",
                    "1985-04-12T23:20:50.123456789012+01:45",
                    "0000-01-01T00:00:00.000Z",
                    "0000-01-01T00:00:00-01:00",
                    "2000-02-29T00:00:00-07:00",
                    "9999-12-31T23:59:59.999Z",
                ],
                &[
                    "yesterday",
                    "1985-00-12T23:20:50.123Z",
                    "1985-04-31T23:20:50.123Z",
                    "1900-02-29T00:00:00Z",
                    "1985-04-12T25:20:50.123Z",
                    "1985-04-12T23:99:50.123Z",
                    "1985-04-12T23:20:61.123Z",
                    "1985-04-12T23:20:50.Z",
                    "1985-04-12T23:20:50.123z",
                    "1985-04-12t23:20:50.123Z",
                    "1985-04-12T23:20:50.123-00:00",
                    "1985-04-12T23:20:50.123+0000",
                    "1985-04-12T23:20Z",
                    "1985-04-12T23:20:50.123",
                    "1985-4-12T23:20:50.123Z",
                    "-000001-12-31T23:00:00.000Z",
                    "0000-01-01T00:00:00+01:00",
                    "1985—04-12T23:20:50.123Z",
                ],
            ),
            (
                is_uri,
                &[
                    "https://example.com/path?q=blah&yes=true#frag",
                    "dns:example.com",
                    "go://?Mercedes%20Benz",
                    "microsoft.windows.camera:thing",
                ],
                &[
                    "example.com",
                    "http:",
                    "https://",
                    ".http://example.com",
                    "https://example.com/path gap",
                    "127.0.0.1",
                    "",
                ],
            ),
            (
                is_did,
                &[
                    "did:method:val",
                    "did:m:v",
                    "did:method::::val",
                    "did:web:localhost%3A1234",
                ],
                &[
                    "did:method:",
                    "did:method:val:",
                    "did:method:val%",
                    "DID:method:val",
                    "did:m123:val",
                    "did:method:val/two",
                ],
            ),
            (
                is_handle,
                &[
                    "A.ISI.EDU",
                    "john.t",
                    "4chan.org",
                    "xn--ls8h.test",
                    "120.0.0.1.com",
                ],
                &[
                    "john",
                    "john..test",
                    "-john.test",
                    "john.0",
                    "jo_hn.test",
                    "127.0.0.1",
                ],
            ),
            (
                is_nsid,
                &[
                    "com.example.fooBar",
                    "one.2.three",
                    "a-0.b-1.c",
                    "com.example.f00",
                ],
                &[
                    "com.example",
                    "com.example.foo.*",
                    "1.0.0.127.record",
                    "a-0.b-1.c-3",
                ],
            ),
            (
                is_at_uri,
                &[
                    "at://did:plc:asdf123",
                    "at://user.bsky.social/com.atproto.feed.post",
                    "at://did:plc:asdf123/com.atproto.feed.post/pre:fix~_.-",
                ],
                &[
                    "https://example.com/not-an-at-uri",
                    "at://did:plc:asdf123/",
                    "at://did:plc:asdf123/com.atproto.feed.post/",
                    "at://did:plc:asdf123/com.atproto.feed.post/a/b",
                    "at://did:plc:asdf123/com.atproto.feed.post/.",
                    "at://did:plc:asdf123/com.atproto.feed.post/%23",
                    "at://did:plc:asdf123#frag",
                    "at://name",
                ],
            ),
            (
                is_language,
                &["de", "pt-BR", "zh-Hant"],
                &["german-", "DE", "d", "de--at", ""],
            ),
            (
                is_cid,
                &[
                    "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
                    "zdj7WWeQ43G6JJvLWQWZpyHuAMq6uYWRjkBXFad11vE2LHhQ7",
                ],
                &[
                    "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
                    "x/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
                    "noop",
                    "",
                ],
            ),
        ];
        for (place, (is_format, right, wrong)) in cases.into_iter().enumerate() {
            for text in right {
                assert!(is_format(text), "{place}: {text}");
            }
            for text in wrong {
                assert!(!is_format(text), "{place}: {text}");
            }
        }
        assert!(!is_handle(&format!("short.{long}.test")) && !is_nsid(&format!("com.{long}.foo")));
        assert!(!is_uri(&format!(
            "https://example.com/{}",
            "x".repeat(LONGEST_URI)
        )));
    }
}
