//! Frames of Jetstream v1 (`/subscribe`); their cursor is a time.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{At, Commit, Frame, Operation, Trigger, told_time};

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
            return Frame::Malformed {
                at: cursor.map(|frame| at(frame.time_us)),
                problem: problem.to_string(),
            };
        }
    };
    let at = at(raw.time_us);
    let malformed = |problem: &str| Frame::Malformed {
        at: Some(at),
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
                at,
                rev,
                operation,
                collection,
                rkey,
                cid,
                record,
            })
        }
        ("commit", _, _) => malformed("a commit without a repo or a body"),
        (kind @ ("account" | "identity" | "sync"), Some(did), _) => Frame::Trigger(Trigger {
            did,
            at,
            time: told_time(raw.account.or(raw.identity)),
            is_sync: kind == "sync",
        }),
        ("account" | "identity" | "sync", None, _) => malformed("an event without a repo"),
        _ => Frame::Unknown { at: Some(at) },
    }
}

fn at(time_us: u64) -> At {
    At {
        cursor: time_us,
        time: i64::try_from(time_us).ok(),
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
                at: At { cursor: 5, .. },
                cid: None,
                ..
            })
        ));
        let account = br#"{"did":"did:plc:a","time_us":6,"kind":"account","account":{}}"#;
        assert!(matches!(
            decode(account),
            Frame::Trigger(Trigger {
                at: At { cursor: 6, .. },
                is_sync: false,
                ..
            })
        ));
        let info = br#"{"time_us":7,"kind":"info","info":{}}"#;
        assert!(matches!(
            decode(info),
            Frame::Unknown {
                at: Some(At {
                    cursor: 7,
                    time: Some(7)
                })
            }
        ));
        let wrong = br#"{"did":"did:plc:a","time_us":8,"kind":"commit","commit":{"rev":3}}"#;
        assert!(matches!(
            decode(wrong),
            Frame::Malformed {
                at: Some(At { cursor: 8, .. }),
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
            assert!(matches!(decode(garbage), Frame::Malformed { at: None, .. }));
        }
    }
}
