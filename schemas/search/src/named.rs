//! What is pasted into a search box and names one thing: at-uris, DIDs, handles, links. Only read
//! here; the caller looks up what is there.

use plyr_lexicons::{AtIdentifier, AtUri, Did, Handle};

/// What a pasted text names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// A record, a collection or a repo, by at-uri.
    Uri(AtUri),
    /// An account, by DID or handle, or by a link to its page.
    Actor(AtIdentifier),
    /// A track, by its number on plyr.fm.
    TrackNumber(u64),
    /// An album on plyr.fm: whose, and its slug.
    Album(AtIdentifier, String),
    /// A playlist, by its id on plyr.fm.
    Playlist(String),
    /// A tag on plyr.fm.
    Tag(String),
}

/// Longest text that can name something, in bytes.
const LONGEST: usize = 2048;

impl Named {
    /// What a text without spaces names.
    pub fn of(text: &str) -> Option<Named> {
        let text = text.trim_end_matches(['/', ',', ';', ')', '>', '.']);
        let text = text.trim_start_matches(['<', '(']);
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        if let Some(named) = of_uri(text) {
            return Some(named);
        }
        if text.starts_with("did:") {
            return text
                .parse::<Did>()
                .ok()
                .map(AtIdentifier::Did)
                .map(Named::Actor);
        }
        if let Some(rest) = without_scheme(text) {
            return of_link(rest);
        }
        let is_link = text.starts_with("plyr.fm/") || text.starts_with("bsky.app/");
        if is_link {
            return of_link(text);
        }
        let handle = text.strip_prefix('@').unwrap_or(text);
        let handle = handle.to_lowercase().parse::<Handle>().ok()?;
        Some(Named::Actor(AtIdentifier::Handle(handle)))
    }

    /// Whether its text can be nothing but an address: no words to look for. A handle may be a name
    /// like any other, but not in a link.
    pub(crate) fn is_only_an_address(&self, text: &str) -> bool {
        let is_link = text.trim_end_matches('/').contains('/');
        is_link || !matches!(self, Named::Actor(AtIdentifier::Handle(_)))
    }
}

fn of_uri(text: &str) -> Option<Named> {
    let start = text.find("at://")?;
    // Sites that show records have parameters of their own.
    let uri = text.get(start..)?.split(['?', '#']).next()?;
    let uri = uri.trim_end_matches('/').parse::<AtUri>().ok()?;
    Some(match (&uri.authority, &uri.collection) {
        (authority, None) => Named::Actor(authority.clone()),
        _ => Named::Uri(uri),
    })
}

fn without_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    is_web.then_some(rest)
}

fn of_link(link: &str) -> Option<Named> {
    let link = link.split(['?', '#']).next()?;
    let (host, path) = link.split_once('/')?;
    let host = host.to_lowercase();
    let path = path.trim_end_matches('/');
    let parts: Vec<String> = path.split('/').map(percent_decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let actor = |text: &str| text.parse::<AtIdentifier>().ok();
    if host == "bsky.app" {
        return match parts.as_slice() {
            ["profile", who, ..] => actor(who).map(Named::Actor),
            _ => None,
        };
    }
    if host != "plyr.fm" && !host.ends_with(".plyr.fm") {
        return None;
    }
    match parts.as_slice() {
        ["track" | "embed", number] | ["embed", "track", number] => {
            number.parse().ok().map(Named::TrackNumber)
        }
        ["u", who] | ["embed", "u", who] => actor(who).map(Named::Actor),
        ["u", who, "album", slug] | ["embed", "album", who, slug] => {
            actor(who).map(|who| Named::Album(who, (*slug).to_owned()))
        }
        ["playlist", id] | ["embed", "playlist", id] if !id.is_empty() => {
            Some(Named::Playlist((*id).to_owned()))
        }
        // A tag may have slashes.
        ["tag", name @ ..] if !name.is_empty() => Some(Named::Tag(name.join("/"))),
        _ => None,
    }
}

/// Percent-decoded where that gives a text; else as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits
            .filter(|_| first == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Named::of(text).map(|named| match named {
            Named::Uri(uri) => uri.to_string(),
            Named::Actor(who) => who.as_ref().to_owned(),
            Named::TrackNumber(number) => format!("track {number}"),
            Named::Album(who, slug) => format!("album {} {slug}", who.as_ref()),
            Named::Playlist(id) => format!("playlist {id}"),
            Named::Tag(name) => format!("tag {name}"),
        })
    }

    #[test]
    fn what_is_pasted() {
        let track = "at://did:plc:abcdefghijklmnopqrstuvwx/fm.plyr.track/3lxmoe5k2xs2a";
        let did = "did:plc:abcdefghijklmnopqrstuvwx";
        for (text, named) in [
            (track, track),
            (did, did),
            ("at://did:plc:abcdefghijklmnopqrstuvwx", did),
            (
                "https://pdsls.dev/at://alice.com/fm.plyr.track/3lxmoe5k2xs2a",
                "at://alice.com/fm.plyr.track/3lxmoe5k2xs2a",
            ),
            ("@Alice.Example.com", "alice.example.com"),
            ("https://bsky.app/profile/alice.com/post/3l", "alice.com"),
            ("bsky.app/profile/alice.com", "alice.com"),
            ("https://plyr.fm/track/778?t=3", "track 778"),
            ("https://stg.plyr.fm/u/alice.com/", "alice.com"),
            (
                "https://plyr.fm/u/alice.com/album/first-light",
                "album alice.com first-light",
            ),
            ("https://plyr.fm/tag/hip%20hop", "tag hip hop"),
            ("https://plyr.fm/tag/r&b/soul", "tag r&b/soul"),
            ("https://plyr.fm/u/alice.com/?utm=x", "alice.com"),
            (
                "https://plyr.fm/embed/album/alice.com/first-light",
                "album alice.com first-light",
            ),
            (
                "https://pdsls.dev/at://alice.com/fm.plyr.track/3lxmoe5k2xs2a#record",
                "at://alice.com/fm.plyr.track/3lxmoe5k2xs2a",
            ),
            ("plyr.fm/playlist/b7d0", "playlist b7d0"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(named), "{text}");
        }
        for text in [
            "",
            "love",
            "at://",
            "https://example.com/u/a.b",
            "did:",
            "%",
            "@",
            "a:b://c",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
