//! Which record a page's path names: `/track/<who>/<rkey>`, or an at-uri after `/track/` or alone.
//! Proxies write two slashes as one, and some write them as `%2F`.

use plyr_lexicons::AtUri;

/// Longest path that names a record, in bytes.
const LONGEST: usize = 4096;

/// The at-uri that a path names; `collection` is of a path that leaves it out.
pub fn of(path: &str, collection: &str) -> Option<AtUri> {
    if path.len() > LONGEST {
        return None;
    }
    let path = decoded(path)?;
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let (rest, may_be_short) = match path.strip_prefix("track/") {
        Some(rest) => (rest, true),
        None => (path, false),
    };
    let uri = match rest
        .strip_prefix("at://")
        .or_else(|| rest.strip_prefix("at:/"))
    {
        Some(rest) => format!("at://{rest}"),
        None if may_be_short => {
            let (who, rkey) = rest.split_once('/')?;
            format!("at://{who}/{collection}/{rkey}")
        }
        None => return None,
    };
    let uri: AtUri = uri.parse().ok()?;
    uri.rkey.is_some().then_some(uri)
}

/// Text with its `%XX` read, once.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                bytes.push(high << 4 | low);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_has_many_addresses() {
        let of = |path: &str| of(path, "fm.plyr.track").map(|uri| uri.to_string());
        let one = Some("at://did:plc:a/fm.plyr.track/one".to_owned());
        for path in [
            "/track/did:plc:a/one",
            "/track/did%3Aplc%3Aa/one",
            "/track/did:plc:a/one/",
            "/track/at://did:plc:a/fm.plyr.track/one",
            "/track/at:/did:plc:a/fm.plyr.track/one",
            "/track/at%3A%2F%2Fdid%3Aplc%3Aa%2Ffm.plyr.track%2Fone",
            "/at://did:plc:a/fm.plyr.track/one",
            "/at:/did:plc:a/fm.plyr.track/one",
            "/at%3a//did:plc:a/fm.plyr.track/one",
        ] {
            assert_eq!(of(path), one, "{path}");
        }
        let by_handle = Some("at://a.test/fm.plyr.track/a:b".to_owned());
        assert_eq!(of("/track/a.test/a:b"), by_handle);
        for path in [
            "/track/",
            "/track/one",
            "/track/a.test/one/two",
            "/track/a.test/%",
            "/track/a.test/%zz",
            "/track/a.test/%ff",
            "/track/a.test/%2525",
            "/track/a.test/<script>",
            "/track/at://a.test",
            "/at://a.test/fm.plyr.track",
            "/did:plc:a/one",
            "/at://",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
        assert_eq!(of(&format!("/track/a.test/{}", "x".repeat(5_000))), None);
    }
}
