//! What a subject is, in a few lines for whoever decides about it.

use std::fmt::Write;

use plyr_lexicons::{Cid, Collection, Did, Ipld, Namespace, RecordUri, data};
use plyr_schemas::{Actor, HiddenSubject, Index, Position, Record, Snapshot, StoreError, blobs_of};

/// Letters of a title, a name or a comment that are shown.
const LETTERS: usize = 120;
/// Rows read at a time of who names a blob.
const PAGE: usize = 500;
/// Rows looked through at most.
const LOOKED_THROUGH: usize = 10_000;
/// Bytes of records that are read at a time.
const MOST_BYTES: usize = 4 << 20;
/// Of those that name it so many are shown.
const SHOWN: usize = 10;

/// The lines, each behind two blanks.
pub async fn describe(
    snapshot: &dyn Snapshot,
    namespace: &Namespace,
    subject: &HiddenSubject,
) -> Result<String, StoreError> {
    match subject {
        HiddenSubject::Actor(did) => account(snapshot, did).await,
        HiddenSubject::Record(uri) => record(snapshot, namespace, uri).await,
        HiddenSubject::Blob { did, cid } => {
            let did = did.as_ref();
            blob(snapshot, namespace, did, cid).await
        }
    }
}

async fn actor(snapshot: &dyn Snapshot, did: &Did) -> Result<Option<Actor>, StoreError> {
    let actors = snapshot.actors(std::slice::from_ref(did)).await?;
    Ok(actors.into_iter().next())
}

fn name(actor: Option<&Actor>, did: &Did) -> String {
    let handle = actor.and_then(|actor| actor.handle.as_ref());
    handle
        .map_or(did.as_str(), |handle| handle.as_str())
        .to_owned()
}

async fn account(snapshot: &dyn Snapshot, did: &Did) -> Result<String, StoreError> {
    let is_known = snapshot.is_known(did).await?;
    if !is_known {
        return Ok("  an account of which nothing is held; it stays hidden when it comes\n".into());
    }
    let held = actor(snapshot, did).await?;
    let totals = snapshot.actor_totals(std::slice::from_ref(did)).await?;
    let totals = totals.into_iter().next().unwrap_or_default();
    let named = held
        .as_ref()
        .and_then(|actor| actor.display_name.as_deref());
    let named = named.map(|named| format!(" “{}”", cut(named)));
    Ok(format!(
        "  account {}{}\n  with {}, {}, {} and {}\n",
        name(held.as_ref(), did),
        named.unwrap_or_default(),
        many(totals.tracks, "track"),
        many(totals.likes, "like"),
        many(totals.comments, "comment"),
        many(totals.lists, "list"),
    ))
}

async fn record(
    snapshot: &dyn Snapshot,
    namespace: &Namespace,
    uri: &RecordUri,
) -> Result<String, StoreError> {
    let held = snapshot.records(std::slice::from_ref(uri)).await?;
    let Some(held) = held.into_iter().next().flatten() else {
        return Ok("  a record that isn't held; it stays hidden when it comes\n".to_owned());
    };
    let collection = namespace.collection(uri.collection.as_str());
    let (kind, field) = match collection {
        Some(Collection::Track) => ("track", "title"),
        Some(Collection::Comment) => ("comment", "text"),
        Some(Collection::List) => ("list", "name"),
        Some(Collection::Like) => ("like", ""),
        Some(Collection::Profile) => ("profile", "bio"),
        None => ("record", ""),
    };
    let title = text_of(&held, field).map(|text| format!(" “{}”", cut(&text)));
    let author = actor(snapshot, &uri.did).await?;
    let mut lines = format!(
        "  {kind}{} by {}\n",
        title.unwrap_or_default(),
        name(author.as_ref(), &uri.did)
    );
    let counts = snapshot.counts(&[uri.to_string()]).await?;
    let counts = counts.into_iter().next().unwrap_or_default();
    if counts.likes + counts.comments + counts.lists > 0 {
        let told = writeln!(
            lines,
            "  with {}, {}, and in {}",
            many(counts.likes, "like"),
            many(counts.comments, "comment"),
            many(counts.lists, "list")
        );
        debug_assert!(told.is_ok());
    }
    Ok(lines)
}

async fn blob(
    snapshot: &dyn Snapshot,
    namespace: &Namespace,
    whose: Option<&Did>,
    cid: &Cid,
) -> Result<String, StoreError> {
    let index = Index::BlobUses(cid.to_string());
    let (mut named_by, mut looked, mut is_whole) = (Vec::new(), 0, true);
    let mut after: Option<Position> = None;
    loop {
        let rows = snapshot.page(&index, after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.position.clone());
        looked += rows.len();
        let uris = rows.into_iter().map(|row| row.position.uri);
        let uris: Vec<RecordUri> = uris
            .filter(|uri| whose.is_none_or(|whose| uri.did == *whose))
            .collect();
        named_by.extend(naming(snapshot, namespace, &uris, cid).await?);
        if looked >= LOOKED_THROUGH {
            is_whole = false;
            break;
        }
    }
    let mut lines = match whose {
        Some(did) => format!("  a blob, as {} names it\n", did.as_str()),
        None => "  a blob, whoever names it\n".to_owned(),
    };
    let count = many(named_by.len() as u64, "record");
    let bound = if is_whole { "" } else { "at least " };
    let told = writeln!(
        lines,
        "  named by {bound}{count}, which stay: only the bytes go"
    );
    debug_assert!(told.is_ok());
    for uri in named_by.iter().take(SHOWN) {
        lines.push_str("    ");
        lines.push_str(uri);
        lines.push('\n');
    }
    Ok(lines)
}

/// Of records that a row says to name a blob those that do: rows are hints.
async fn naming(
    snapshot: &dyn Snapshot,
    namespace: &Namespace,
    uris: &[RecordUri],
    cid: &Cid,
) -> Result<Vec<String>, StoreError> {
    let mut naming = Vec::new();
    let mut rest = uris;
    while !rest.is_empty() {
        let records = snapshot.records_within(rest, MOST_BYTES).await?;
        // At least one is answered; else there would be no end.
        rest = &rest[records.len().clamp(1, rest.len())..];
        let records = records.into_iter().flatten();
        let records = records.filter(|record| names(namespace, record, cid));
        naming.extend(records.map(|record| record.uri.to_string()));
    }
    Ok(naming)
}

fn names(namespace: &Namespace, record: &Record, cid: &Cid) -> bool {
    let collection = namespace.collection(record.uri.collection.as_str());
    let (Some(collection), Ok(value)) = (collection, data::from_cbor(&record.bytes)) else {
        return false;
    };
    blobs_of(collection, &value)
        .iter()
        .any(|blob| blob.cid == *cid)
}

fn text_of(record: &Record, field: &str) -> Option<String> {
    match data::from_cbor(&record.bytes) {
        Ok(Ipld::Map(mut fields)) => match fields.remove(field) {
            Some(Ipld::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// In one line, without what would move a terminal's cursor, and not too long.
fn cut(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => ' ',
        false => letter,
    });
    let mut cut: String = letters.clone().take(LETTERS).collect();
    if letters.count() > LETTERS {
        cut.push('…');
    }
    cut
}

fn many(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plyr_schemas::Store;
    use plyr_schemas::conformance::{Checked, put};
    use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
    use serde_json::json;

    const CID: &str = "bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24";

    #[tokio::test]
    async fn a_blobs_tracks_and_lists_are_told_of_whoever_is_asked_for() -> Checked {
        let folder = tempfile::tempdir()?;
        let namespace: Namespace = "fm.plyr".parse()?;
        let options = EmbeddedOptions::new(folder.path().to_owned(), namespace.clone());
        let store = EmbeddedStore::open(options)?;
        let cover = json!({ "$type": "blob", "ref": { "$link": CID }, "mimeType": "image/png",
            "size": 9 });
        let track = json!({ "title": "t", "artist": "A", "fileType": "mp3", "cover": cover });
        let list = json!({ "listType": "album", "items": [], "cover": cover });
        let (one, two) = (
            "at://did:plc:a/fm.plyr.track/x",
            "at://did:plc:a/fm.plyr.list/x",
        );
        let other = "at://did:plc:b/fm.plyr.track/x";
        for (uri, record) in [(one, &track), (two, &list), (other, &track)] {
            store.apply(vec![put(&uri.parse()?, 1, record)?]).await?;
        }
        let plain = json!({ "title": "t", "artist": "A", "fileType": "mp3" });
        let unrelated = "at://did:plc:a/fm.plyr.track/y".parse()?;
        store.apply(vec![put(&unrelated, 1, &plain)?]).await?;
        let snapshot = store.snapshot().await?;
        for (subject, count) in [
            (format!("blob:*/{CID}"), "3 records"),
            (format!("blob:did:plc:a/{CID}"), "2 records"),
            (format!("blob:did:plc:c/{CID}"), "0 records"),
        ] {
            let described = describe(snapshot.as_ref(), &namespace, &subject.parse()?).await?;
            assert!(
                described.contains(&format!("named by {count}")),
                "{described}"
            );
            assert_eq!(described.contains(two), count != "0 records", "{described}");
            assert_eq!(
                described.contains(other),
                count == "3 records",
                "{described}"
            );
        }
        store.close().await?;
        Ok(())
    }
}
