//! Links that views and pages hand out.

use plyr_lexicons::validate::is_format;
use plyr_lexicons::{Cid, Did, RecordUri};
use url::Url;

/// Where a blob is served that a record names, as long as it does.
fn own(public_url: &Url, method: &str, uri: &RecordUri, cid: &Cid) -> Url {
    let mut url = public_url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["xrpc", method]);
    }
    url.query_pairs_mut()
        .append_pair("uri", &uri.to_string())
        .append_pair("cid", &cid.to_string());
    url
}

/// A track's audio.
pub fn audio(public_url: &Url, uri: &RecordUri, cid: &Cid) -> Url {
    own(public_url, "fm.plyr.media.getAudio", uri, cid)
}

/// A record's cover.
pub fn image(public_url: &Url, uri: &RecordUri, cid: &Cid, size: &str) -> Url {
    let mut url = own(public_url, "fm.plyr.media.getImage", uri, cid);
    url.query_pairs_mut().append_pair("size", size);
    url
}

/// The link to audio that is always answered with the bytes: players keep the address that they
/// were sent on to, for as long as they play, and one of a bucket lives a minute.
pub fn streamed(url: &Url) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("redirect", "false");
    url
}

/// The same link without its origin: for a page, which may be read under another name.
pub fn here(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// The blob at its author's own host, unchecked.
pub fn at_pds(pds: Option<&str>, did: &Did, cid: &Cid) -> Option<Url> {
    let mut url: Url = pds?.parse().ok()?;
    if !is_plain_web(&url) {
        return None;
    }
    url.set_path("/xrpc/com.atproto.sync.getBlob");
    url.set_fragment(None);
    url.set_query(None);
    url.query_pairs_mut()
        .append_pair("did", did.as_str())
        .append_pair("cid", &cid.to_string());
    Some(url)
}

/// A record's link, if it leads to exactly one of those origins. It is never fetched here.
pub fn known_origin(origins: &[Url], link: Option<&str>) -> Option<Url> {
    let url: Url = link?.parse().ok()?;
    let is_known = origins.iter().any(|known| known.origin() == url.origin());
    // Longer as a link than as it was written, perhaps too long for one.
    let is_link = is_plain_web(&url) && is_format("uri", url.as_str());
    (is_known && is_link).then_some(url)
}

fn is_plain_web(url: &Url) -> bool {
    let names_a_user = !url.username().is_empty() || url.password().is_some();
    matches!(url.scheme(), "https" | "http") && url.has_host() && !names_a_user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_only_links_to_exactly_a_known_origin_are_handed_on() {
        let origins: Vec<Url> = ["https://audio.plyr.fm", "http://127.0.0.1:9000/media/"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        for known in [
            "https://audio.plyr.fm/audio/0f.mp3?x=y",
            "https://audio.plyr.fm:443/a",
            "HTTPS://AUDIO.PLYR.FM/a",
            "http://127.0.0.1:9000/elsewhere",
        ] {
            assert!(known_origin(&origins, Some(known)).is_some(), "{known}");
        }
        for other in [
            "http://audio.plyr.fm/a",
            "https://audio.plyr.fm:8443/a",
            "https://audio.plyr.fm.evil.test/a",
            "https://x.audio.plyr.fm/a",
            "https://evil.test/https://audio.plyr.fm/a",
            "https://audio.plyr.fm@evil.test/a",
            "https://user@audio.plyr.fm/a",
            "https://:secret@audio.plyr.fm/a",
            "//audio.plyr.fm/a",
            "javascript:alert(1)",
            "data:audio/mpeg,a",
            "blob:https://audio.plyr.fm/a",
            "http://127.0.0.1:9001/a",
            "",
        ] {
            assert_eq!(known_origin(&origins, Some(other)), None, "{other}");
        }
        assert_eq!(known_origin(&[], Some("https://audio.plyr.fm/a")), None);
        assert_eq!(known_origin(&origins, None), None);
    }
}
