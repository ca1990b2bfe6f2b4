//! Jetstream v1 frames, decoded without touching the record.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a frame turned out to be.
#[derive(Debug)]
pub enum Frame<'a> {
    /// A commit's operation on one record.
    Commit(Commit<'a>),
    /// `#account`, `#identity` or `#sync`: no truth, but a reason to ask.
    Trigger(Trigger<'a>),
    /// A kind we don't know; ignored, as the protocol asks.
    Unknown {
        /// Where the stream is.
        cursor: u64,
    },
    /// No frame at all.
    Malformed {
        /// Where the stream is, if that much could be read.
        cursor: Option<u64>,
        /// Why.
        problem: String,
    },
}

/// One operation, as told.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Repo.
    pub did: Cow<'a, str>,
    /// Where the stream is (`time_us`).
    pub cursor: u64,
    /// The commit's rev.
    pub rev: Cow<'a, str>,
    /// Create, update or delete.
    pub operation: Operation,
    /// Collection.
    pub collection: Cow<'a, str>,
    /// Record key.
    pub rkey: Cow<'a, str>,
    /// The record's CID, where the operation has one.
    pub cid: Option<Cow<'a, str>>,
    /// The record's JSON, where the operation has one.
    pub record: Option<&'a RawValue>,
}

/// What is done to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// A new record.
    Create,
    /// Another version.
    Update,
    /// No record any more.
    Delete,
}

/// A reason to ask about an account.
#[derive(Debug)]
pub struct Trigger<'a> {
    /// Whose.
    pub did: Cow<'a, str>,
    /// Where the stream is.
    pub cursor: u64,
    /// When the repo's host said it, as told; the same on every Jetstream.
    pub time: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    did: Option<Cow<'a, str>>,
    time_us: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    commit: Option<RawCommit<'a>>,
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow)]
    identity: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct JustTime<'a> {
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawCommit<'a> {
    #[serde(borrow)]
    rev: Cow<'a, str>,
    operation: Operation,
    #[serde(borrow)]
    collection: Cow<'a, str>,
    #[serde(borrow)]
    rkey: Cow<'a, str>,
    #[serde(borrow)]
    cid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct JustCursor {
    time_us: u64,
}

/// Decodes one frame. Never fails: what is no frame is an answer too.
pub fn decode(bytes: &[u8]) -> Frame<'_> {
    let raw: Raw<'_> = match serde_json::from_slice(bytes) {
        Ok(raw) => raw,
        Err(problem) => {
            let cursor = serde_json::from_slice::<JustCursor>(bytes).ok();
            let cursor = cursor.map(|frame| frame.time_us);
            return Frame::Malformed {
                cursor,
                problem: problem.to_string(),
            };
        }
    };
    let cursor = raw.time_us;
    let malformed = |problem: &str| Frame::Malformed {
        cursor: Some(cursor),
        problem: problem.to_owned(),
    };
    match (raw.kind.as_ref(), raw.did, raw.commit) {
        ("commit", Some(did), Some(commit)) => {
            let RawCommit {
                rev,
                operation,
                collection,
                rkey,
                cid,
                record,
            } = commit;
            Frame::Commit(Commit {
                did,
                cursor,
                rev,
                operation,
                collection,
                rkey,
                cid,
                record,
            })
        }
        ("commit", _, _) => malformed("a commit without a repo or a body"),
        ("account" | "identity" | "sync", Some(did), _) => {
            let body = raw.account.or(raw.identity);
            let told = body.and_then(|body| serde_json::from_str::<JustTime<'_>>(body.get()).ok());
            let time = told.and_then(|told| told.time);
            Frame::Trigger(Trigger { did, cursor, time })
        }
        ("account" | "identity" | "sync", None, _) => malformed("an event without a repo"),
        _ => Frame::Unknown { cursor },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_an_answer() {
        let commit = br#"{"did":"did:plc:a","time_us":5,"kind":"commit","commit":{"rev":"3l",
            "operation":"delete","collection":"fm.plyr.like","rkey":"x"}}"#;
        assert!(matches!(
            decode(commit),
            Frame::Commit(Commit {
                cursor: 5,
                cid: None,
                ..
            })
        ));
        let account = br#"{"did":"did:plc:a","time_us":6,"kind":"account","account":{}}"#;
        assert!(matches!(
            decode(account),
            Frame::Trigger(Trigger { cursor: 6, .. })
        ));
        let info = br#"{"time_us":7,"kind":"info","info":{}}"#;
        assert!(matches!(decode(info), Frame::Unknown { cursor: 7 }));
        let wrong = br#"{"did":"did:plc:a","time_us":8,"kind":"commit","commit":{"rev":3}}"#;
        assert!(matches!(
            decode(wrong),
            Frame::Malformed {
                cursor: Some(8),
                ..
            }
        ));
        for garbage in [
            &b""[..],
            b"{",
            b"[]",
            b"\xff",
            b"null",
            br#"{"kind":"commit"}"#,
        ] {
            assert!(matches!(
                decode(garbage),
                Frame::Malformed { cursor: None, .. }
            ));
        }
    }
}
