//! The one question behind every public copy: may the public read this blob now?

use plyr_lexicons::{Cid, Did, Namespace, RecordUri, data};
use plyr_schemas::{
    BlobRole, HiddenSubject, Index, Position, Record, Snapshot, blobs_of, is_gated,
};

use crate::error::BlobstoreError;

/// Index rows read at once, and in all: where the first thousand let nothing out the answer is no,
/// and whoever asks serves the bytes in another way.
const PAGE: usize = 100;
const MOST_ROWS: usize = 1_000;
/// Bytes of records held at once; one record may have a megabyte.
const MOST_BYTES: usize = 1 << 20;

/// The record that lets a blob out: it shows, its author does, it names the blob as its audio
/// without asking for support first, and the operator hides the blob neither under that author's
/// name nor for all. None where the public may not read it.
pub async fn let_out_by(
    snapshot: &dyn Snapshot,
    namespace: &Namespace,
    cid: &Cid,
) -> Result<Option<RecordUri>, BlobstoreError> {
    let for_all = HiddenSubject::Blob {
        did: None,
        cid: *cid,
    };
    if snapshot.hidden(&[for_all]).await?.contains(&true) {
        return Ok(None);
    }
    let index = Index::BlobUses(cid.to_string());
    let mut after: Option<Position> = None;
    let mut read = 0;
    while read < MOST_ROWS {
        let entries = snapshot.page(&index, after.as_ref(), PAGE).await?;
        let Some(last) = entries.last() else { break };
        after = Some(last.position.clone());
        read += entries.len();
        let uris: Vec<_> = entries.into_iter().map(|one| one.position.uri).collect();
        let found = first_of(snapshot, namespace, cid, &uris).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The first of these records that lets the blob out.
async fn first_of(
    snapshot: &dyn Snapshot,
    namespace: &Namespace,
    cid: &Cid,
    uris: &[RecordUri],
) -> Result<Option<RecordUri>, BlobstoreError> {
    let mut rest = uris;
    while !rest.is_empty() {
        let records = snapshot.records_within(rest, MOST_BYTES).await?;
        // At least one is answered; else there would be no end.
        rest = &rest[records.len().clamp(1, rest.len())..];
        let naming = records.into_iter().flatten();
        let naming = naming.filter(|record| names_openly(namespace, record, cid));
        let naming: Vec<RecordUri> = naming.map(|record| record.uri).collect();
        if naming.is_empty() {
            continue;
        }
        let dids: Vec<Did> = naming.iter().map(|uri| uri.did.clone()).collect();
        let actors = snapshot.actors(&dids).await?;
        let theirs = dids.into_iter().map(|did| HiddenSubject::Blob {
            did: Some(did),
            cid: *cid,
        });
        let hidden = snapshot.hidden(&theirs.collect::<Vec<_>>()).await?;
        for (uri, (actor, is_hidden)) in naming.into_iter().zip(actors.iter().zip(hidden)) {
            if actor.state.is_visible() && !is_hidden {
                return Ok(Some(uri));
            }
        }
    }
    Ok(None)
}

/// Whether a record shows by itself and names the blob as audio for everybody. An index row is a
/// hint alone.
fn names_openly(namespace: &Namespace, record: &Record, cid: &Cid) -> bool {
    let Some(collection) = namespace.collection(record.uri.collection.as_str()) else {
        return false;
    };
    let Ok(value) = data::from_cbor(&record.bytes) else {
        return false;
    };
    let named = blobs_of(collection, &value);
    let mut named = named.iter();
    record.is_shown()
        && !is_gated(&value)
        && named.any(|one| one.role == BlobRole::Audio && one.cid == *cid)
}
