//! A record of a repo becomes a version: read, judged, and its rows derived.

use plyr_lexicons::{Cid, Namespace, RecordUri, Rev, Verdict, data, validate};
use plyr_schemas::{Body, Derived, Micros, QuarantineEntry, Standing, Version};

use crate::check;

/// The version that a record of a repo makes at a rev; the entry for the quarantine where it can't
/// be one.
pub fn version(
    namespace: &Namespace,
    uri: RecordUri,
    (rev, standing): (Rev, Standing),
    (cid, bytes): (Cid, Vec<u8>),
    now: Micros,
) -> Result<Version, Box<QuarantineEntry>> {
    let refuse = |reason: &str, detail: String| {
        // Not of the rev, which moves with every head: the same content is refused once.
        let what = format!("{uri}/{cid}");
        Box::new(QuarantineEntry {
            did: Some(uri.did.clone()),
            uri: Some(uri.clone()),
            rev: Some(rev),
            cid: Some(cid.to_string()),
            ..check::refused("repo", reason, what.as_bytes(), detail, now)
        })
    };
    if bytes.len() > check::LARGEST_RECORD {
        let detail = format!("the record has {} bytes", bytes.len());
        return Err(refuse("too-large", detail));
    }
    let Some(collection) = namespace.collection(uri.collection.as_str()) else {
        return Err(refuse("address", "not one of our collections".to_owned()));
    };
    let record = data::from_canonical(&bytes);
    let record = record.map_err(|problem| refuse("data-model", problem.to_string()))?;
    let judgement = validate::judge(namespace, collection, &record);
    let derived = match judgement.verdict {
        Verdict::Invalid => Derived::default(),
        Verdict::Valid | Verdict::Tolerated => Derived::of(&uri, collection, &record),
    };
    let body = Body::Record {
        cid,
        bytes,
        judgement,
        derived,
    };
    Ok(Version {
        uri,
        rev,
        standing,
        body,
        seen_at: now,
    })
}

/// A delete at a rev.
pub fn delete(uri: RecordUri, rev: Rev, standing: Standing, now: Micros) -> Version {
    Version {
        uri,
        rev,
        standing,
        body: Body::Delete,
        seen_at: now,
    }
}
