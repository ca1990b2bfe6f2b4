//! What an operator names: a DID, a handle, an at-uri, a blob, or a link that somebody sent.

use plyr_lexicons::{AtIdentifier, AtUri, Cid, Collection, Did, Handle, RecordUri};
use plyr_schemas::{HiddenSubject, Snapshot};
use url::Url;

use super::Acts;
use crate::error::OpsError;

/// What is meant by a text. Handles are looked up among the accounts that are held.
pub async fn read(
    snapshot: &dyn Snapshot,
    acts: &Acts,
    text: &str,
) -> Result<HiddenSubject, OpsError> {
    let text = text.trim();
    if text.starts_with("https://") || text.starts_with("http://") {
        let link = link(acts, text)?;
        return Box::pin(read(snapshot, acts, &link)).await;
    }
    if let Ok(subject) = text.parse() {
        return Ok(subject);
    }
    if text.starts_with("at://") {
        return at_uri(snapshot, text).await;
    }
    if let Ok(cid) = text.parse::<Cid>() {
        return Ok(HiddenSubject::Blob { did: None, cid });
    }
    if let Some((whose, cid)) = text.split_once('/') {
        return blob(snapshot, text, whose, cid).await;
    }
    let named = text.strip_prefix('@').unwrap_or(text);
    match named.parse() {
        Ok(named) => Ok(HiddenSubject::Actor(who(snapshot, &named).await?)),
        Err(_) => Err(unknown(text)),
    }
}

/// As it is written on a command line: what [`read`] takes.
pub fn written(subject: &HiddenSubject) -> String {
    match subject {
        HiddenSubject::Blob { did: None, cid } => cid.to_string(),
        HiddenSubject::Blob {
            did: Some(did),
            cid,
        } => format!("{}/{cid}", did.as_str()),
        other => other.to_string(),
    }
}

async fn at_uri(snapshot: &dyn Snapshot, text: &str) -> Result<HiddenSubject, OpsError> {
    let uri: AtUri = text
        .parse()
        .map_err(|problem| OpsError::Subject(format!("{text}: {problem}")))?;
    let did = who(snapshot, &uri.authority).await?;
    match (uri.collection, uri.rkey) {
        (Some(collection), Some(rkey)) => {
            let uri = RecordUri::new(did, collection, rkey);
            Ok(HiddenSubject::Record(uri))
        }
        (None, _) => Ok(HiddenSubject::Actor(did)),
        (Some(_), None) => Err(OpsError::Subject(format!(
            "{text} names a whole collection; name a record of it, or the account"
        ))),
    }
}

async fn blob(
    snapshot: &dyn Snapshot,
    text: &str,
    whose: &str,
    cid: &str,
) -> Result<HiddenSubject, OpsError> {
    let (Ok(whose), Ok(cid)) = (whose.parse(), cid.parse()) else {
        return Err(unknown(text));
    };
    let did = Some(who(snapshot, &whose).await?);
    Ok(HiddenSubject::Blob { did, cid })
}

async fn who(snapshot: &dyn Snapshot, named: &AtIdentifier) -> Result<Did, OpsError> {
    let handle = match named {
        AtIdentifier::Did(did) => return Ok(did.clone()),
        AtIdentifier::Handle(handle) => handle,
    };
    let lower = Handle::new(handle.as_str().to_ascii_lowercase());
    let lower = lower.map_err(|_| unknown(handle.as_str()))?;
    let claim = snapshot.handle(&lower).await?;
    let claim = claim.ok_or_else(|| {
        OpsError::Subject(format!(
            "no account that is held has the handle {}; name it by its DID",
            handle.as_str()
        ))
    })?;
    Ok(claim.did)
}

/// What a link to one of our pages shows: an at-uri, also without its second slash, as some pass it
/// on; or a handle and a record key of a track.
fn link(acts: &Acts, text: &str) -> Result<String, OpsError> {
    let foreign = |why: &str| {
        OpsError::Subject(format!(
            "{text} {why}; name what it shows by its at-uri, or send a link like \
             https://HOST/track/at://… or https://HOST/track/HANDLE/KEY"
        ))
    };
    let url = Url::parse(text).map_err(|problem| foreign(&problem.to_string()))?;
    let ours = acts.public_url.as_ref().and_then(Url::host_str);
    let is_ours = match (ours, url.host_str()) {
        (Some(ours), Some(theirs)) => ours == theirs,
        (None, Some(theirs)) => ["localhost", "127.0.0.1", "[::1]"].contains(&theirs),
        (_, None) => false,
    };
    if !is_ours {
        return Err(foreign("is no link of this service (public-url)"));
    }
    shown(acts.namespace.nsid(Collection::Track).as_str(), url.path())
        .ok_or_else(|| foreign("shows no record"))
}

/// What a path of ours shows; `track` is the collection of a path that leaves it out.
fn shown(track: &str, path: &str) -> Option<String> {
    let uri = path.strip_prefix("/track/").or(path.strip_prefix('/'));
    let uri = uri.unwrap_or_default().trim_end_matches('/');
    if let Some(uri) = uri_in(uri) {
        return Some(uri);
    }
    // As the page itself reads it, or a link that opens would name nothing.
    plyr_appview::record_of_path(path, track).map(|uri| uri.to_string())
}

/// An at-uri in a path: as it is, with its escapes taken back, or with one slash lost on the way. A
/// DID may have escapes of its own, so that one that reads as it is stays.
fn uri_in(path: &str) -> Option<String> {
    let unescaped = path.replace("%3A", ":").replace("%3a", ":");
    let unescaped = unescaped.replace("%2F", "/").replace("%2f", "/");
    [path, unescaped.as_str()].into_iter().find_map(|path| {
        let rest = path.strip_prefix("at://").or(path.strip_prefix("at:/"))?;
        let uri = format!("at://{rest}");
        uri.parse::<AtUri>().is_ok().then_some(uri)
    })
}

fn unknown(text: &str) -> OpsError {
    OpsError::Subject(format!(
        "{text} names nothing that can be hidden; write a DID or a handle (an account), an at-uri \
         (a record), a CID or DID/CID (a blob), or a link to a track's page"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_opens_a_page_names_what_it_shows() {
        let shown = |path: &str| shown("fm.plyr.track", path);
        let one = Some("at://did:plc:a/fm.plyr.track/one".to_owned());
        for path in [
            "/track/did:plc:a/one",
            "/track/did:plc:a/one/",
            "/track/did%3Aplc%3Aa/one",
            "/track/did%3aplc%3aa%2Fon%65",
            "/track/at://did:plc:a/fm.plyr.track/one",
            "/at:/did:plc:a/fm.plyr.track/one",
            "/at%3A%2F%2Fdid%3Aplc%3Aa%2Ffm.plyr.track%2Fone",
        ] {
            assert_eq!(shown(path), one, "{path}");
        }
        // What has an escape of its own keeps it.
        assert_eq!(
            shown("/at://did:web:a.test%3A8080/fm.plyr.track/one"),
            Some("at://did:web:a.test%3A8080/fm.plyr.track/one".to_owned())
        );
        for path in [
            "/",
            "/track/",
            "/track/one",
            "/xrpc/_health",
            "/track/%ff/one",
        ] {
            assert_eq!(shown(path), None, "{path}");
        }
    }
}
