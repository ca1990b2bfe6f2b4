//! An event is checked and judged: ours, addressed well, from a plausible time, and the record
//! hashes to the CID it came with, whichever source sent it.

use plyr_lexicons::{Did, Namespace, Nsid, RecordKey, RecordUri, Rev, Verdict, data, validate};
use plyr_schemas::{Body, Derived, Micros, QuarantineEntry, Standing, Version};

use crate::frame::{self, Commit};

/// How far ahead of our clock a rev may be, in microseconds.
pub const AHEAD: Micros = 300 * 1_000_000;
/// Largest record, in bytes of its DAG-CBOR; a PDS takes at most a megabyte. (Its JSON may be six
/// times as long, where every character is escaped.)
pub const LARGEST_RECORD: usize = 2 << 20;
/// Longest explanation of what can't be read, in characters: the parser's words may quote it.
const LONGEST_PROBLEM: usize = 200;

/// One operation on one record, taken out of its frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Repo, as told.
    pub did: String,
    /// Rev, as told.
    pub rev: String,
    /// Collection, as told.
    pub collection: String,
    /// Record key, as told.
    pub rkey: String,
    /// CID, as told; none for a delete.
    pub cid: Option<String>,
    /// The record's JSON; none for a delete.
    pub record: Option<String>,
    /// Whether it is a delete.
    pub is_delete: bool,
}

impl From<Commit<'_>> for Operation {
    fn from(commit: Commit<'_>) -> Operation {
        Operation {
            is_delete: commit.operation == frame::Operation::Delete,
            did: commit.did.into_owned(),
            rev: commit.rev.into_owned(),
            collection: commit.collection.into_owned(),
            rkey: commit.rkey.into_owned(),
            cid: commit.cid.map(|cid| cid.into_owned()),
            record: commit.record.map(|record| record.get().to_owned()),
        }
    }
}

/// What a checked operation came to.
#[derive(Clone, PartialEq, Debug)]
pub enum Checked {
    /// A version to write; it counts as quarantined where its record is invalid.
    Version(Box<Version>, Verdict),
    /// Not one of our collections.
    OutOfScope,
    /// Refused.
    Quarantined(Box<QuarantineEntry>),
}

/// Checks and judges one operation.
pub fn check(namespace: &Namespace, source: &str, operation: &Operation, now: Micros) -> Checked {
    let Some(collection) = namespace.collection(&operation.collection) else {
        return Checked::OutOfScope;
    };
    let refuse = |reason: &str, detail: String, uri: Option<&RecordUri>, rev: Option<Rev>| {
        Checked::Quarantined(Box::new(entry(
            source, operation, reason, detail, uri, rev, now,
        )))
    };
    let (did, nsid, rkey) = (
        Did::new(operation.did.clone()),
        Nsid::new(operation.collection.clone()),
        RecordKey::new(operation.rkey.clone()),
    );
    let (Ok(did), Ok(nsid), Ok(rkey)) = (did, nsid, rkey) else {
        return refuse(
            "address",
            "the repo or the record key is malformed".to_owned(),
            None,
            None,
        );
    };
    let uri = RecordUri::new(did, nsid, rkey);
    let Some(rev) = Rev::parse(&operation.rev) else {
        return refuse("rev", "the rev is no TID".to_owned(), Some(&uri), None);
    };
    if rev.micros() > now.saturating_add(AHEAD) {
        let detail = "the rev is more than 5 minutes ahead of our clock".to_owned();
        return refuse("early", detail, Some(&uri), Some(rev));
    }
    if operation.is_delete {
        let (standing, body) = (Standing::Event, Body::Delete);
        let version = Version {
            uri,
            rev,
            standing,
            body,
            seen_at: now,
        };
        return Checked::Version(Box::new(version), Verdict::Valid);
    }
    let (Some(cid), Some(json)) = (&operation.cid, &operation.record) else {
        let detail = "a create or update without a record and its CID".to_owned();
        return refuse("frame", detail, Some(&uri), Some(rev));
    };
    let record = match data::from_json(json.as_bytes()) {
        Ok(record) => record,
        Err(problem) => return refuse("data-model", problem.to_string(), Some(&uri), Some(rev)),
    };
    let bytes = match data::to_cbor(&record) {
        Ok(bytes) => bytes,
        Err(problem) => return refuse("data-model", problem.to_string(), Some(&uri), Some(rev)),
    };
    if bytes.len() > LARGEST_RECORD {
        let detail = format!("the record has {} bytes", bytes.len());
        return refuse("too-large", detail, Some(&uri), Some(rev));
    }
    let hash = data::cid_of(&bytes);
    if hash.to_string() != *cid {
        let detail = format!("the record hashes to {hash}");
        return refuse("cid-mismatch", detail, Some(&uri), Some(rev));
    }
    let judgement = validate::judge(namespace, collection, &record);
    let verdict = judgement.verdict;
    let derived = match verdict {
        Verdict::Invalid => Derived::default(),
        Verdict::Valid | Verdict::Tolerated => Derived::of(&uri, collection, &record),
    };
    let body = Body::Record {
        cid: hash,
        bytes,
        judgement,
        derived,
    };
    let version = Version {
        uri,
        rev,
        standing: Standing::Event,
        body,
        seen_at: now,
    };
    Checked::Version(Box::new(version), verdict)
}

fn entry(
    source: &str,
    operation: &Operation,
    reason: &str,
    detail: String,
    uri: Option<&RecordUri>,
    rev: Option<Rev>,
    now: Micros,
) -> QuarantineEntry {
    let Operation {
        did,
        rev: told,
        collection,
        rkey,
        cid,
        ..
    } = operation;
    let cid = cid
        .as_ref()
        .map(|cid| cid.chars().take(128).collect::<String>());
    let what = format!(
        "{did}/{collection}/{rkey}/{told}/{}",
        cid.as_deref().unwrap_or_default()
    );
    QuarantineEntry {
        id: fingerprint(reason, what.as_bytes()),
        source: source.to_owned(),
        reason: reason.to_owned(),
        detail: shortened(&detail),
        did: Did::new(did.clone()).ok(),
        uri: uri.cloned(),
        rev,
        cid,
        seen_at: now,
    }
}

/// An explanation without what it may quote at length.
fn shortened(problem: &str) -> String {
    problem.chars().take(LONGEST_PROBLEM).collect()
}

/// A frame that is none: the reason, and a fingerprint that is the same at every replay. Nothing
/// of its content is kept.
pub fn malformed(source: &str, frame: &[u8], problem: &str, now: Micros) -> QuarantineEntry {
    let detail = format!("{} ({} bytes)", shortened(problem), frame.len());
    refused(source, "frame", frame, detail, now)
}

/// What was refused before it could be read; `what` is what the fingerprint is made of.
pub fn refused(
    source: &str,
    reason: &str,
    what: &[u8],
    detail: String,
    now: Micros,
) -> QuarantineEntry {
    QuarantineEntry {
        id: fingerprint(reason, what),
        source: source.to_owned(),
        reason: reason.to_owned(),
        detail,
        did: None,
        uri: None,
        rev: None,
        cid: None,
        seen_at: now,
    }
}

fn fingerprint(reason: &str, what: &[u8]) -> String {
    format!("{reason}-{}", data::cid_of(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_not_quoted_at_length() {
        let name = "n".repeat(100_000);
        let operation = Operation {
            did: "did:plc:a".to_owned(),
            rev: "3lfvhszifvc2c".to_owned(),
            collection: "fm.plyr.track".to_owned(),
            rkey: "one".to_owned(),
            cid: Some("bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i".to_owned()),
            record: Some(format!(r#"{{"{name}":1,"{name}":2}}"#)),
            is_delete: false,
        };
        let namespace = "fm.plyr".parse().unwrap();
        let now = 1_800_000_000_000_000;
        let Checked::Quarantined(entry) = check(&namespace, "test", &operation, now) else {
            panic!("it was taken");
        };
        assert_eq!(entry.reason, "data-model");
        assert!(entry.detail.len() <= LONGEST_PROBLEM, "{}", entry.detail);
    }

    fn checked(json: String) -> Checked {
        let record = data::from_json(json.as_bytes()).unwrap();
        let cid = data::cid_of(&data::to_cbor(&record).unwrap());
        let operation = Operation {
            did: "did:plc:a".to_owned(),
            rev: "3lfvhszifvc2c".to_owned(),
            collection: "fm.plyr.track".to_owned(),
            rkey: "one".to_owned(),
            cid: Some(cid.to_string()),
            record: Some(json),
            is_delete: false,
        };
        let namespace = "fm.plyr".parse().unwrap();
        check(&namespace, "test", &operation, 1_800_000_000_000_000)
    }

    /// It decides as any other: else the version before it would still show.
    #[test]
    fn i05_an_invalid_record_is_a_version_that_derives_nothing() {
        let Checked::Version(version, verdict) = checked(r#"{"title":7}"#.to_owned()) else {
            panic!("it is no version");
        };
        assert_eq!(verdict, Verdict::Invalid);
        let Body::Record { derived, .. } = version.body else {
            panic!("it is no record");
        };
        assert_eq!(derived, Derived::default());
    }

    #[test]
    fn i11_a_record_above_the_limit_is_refused() {
        let padded = |bytes: usize| format!(r#"{{"title":"{}"}}"#, "x".repeat(bytes));
        assert!(matches!(
            checked(padded(LARGEST_RECORD / 2)),
            Checked::Version(..)
        ));
        let Checked::Quarantined(entry) = checked(padded(LARGEST_RECORD)) else {
            panic!("it was taken");
        };
        assert_eq!(entry.reason, "too-large");
    }
}
