//! Frames of Jetstream v2 (`network.bsky.jetstream.subscribeEvents`, framed as `xrpc.v1.json`);
//! their cursor is a number that only its host knows the meaning of.

use std::borrow::Cow;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{At, Commit, Frame, Operation, Trigger, told_time};

const METHOD: &str = "network.bsky.jetstream.subscribeEvents";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "$type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// A payload of any kind; which fields it needs depends on its `$type`.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, rename = "$type")]
    kind: Cow<'a, str>,
    seq: Option<u64>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    did: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rev: Option<Cow<'a, str>>,
    operation: Option<Operation>,
    #[serde(borrow)]
    collection: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rkey: Option<Cow<'a, str>>,
    #[serde(borrow)]
    cid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow)]
    identity: Option<&'a RawValue>,
    #[serde(borrow)]
    sync: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// What can be read of a payload that is none.
#[derive(Deserialize)]
struct JustAt<'a> {
    seq: u64,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
}

/// Decodes one frame. Never fails: what is no frame is an answer too.
pub fn decode(bytes: &[u8]) -> Frame<'_> {
    let envelope: Envelope<'_> = match serde_json::from_slice(bytes) {
        Ok(envelope) => envelope,
        Err(problem) => return malformed(None, problem.to_string()),
    };
    match (envelope.kind.as_ref(), envelope.payload) {
        ("message", Some(payload)) => message(payload.get()),
        ("message", None) => malformed(None, "a message without a payload".to_owned()),
        ("error", _) => {
            let (error, message) = (text(envelope.error), text(envelope.message));
            Frame::Ended {
                problem: format!("{error}: {message}"),
            }
        }
        _ => Frame::Unknown { at: None },
    }
}

fn message(json: &str) -> Frame<'_> {
    let payload: Payload<'_> = match serde_json::from_str(json) {
        Ok(payload) => payload,
        Err(problem) => {
            let at = serde_json::from_str::<JustAt<'_>>(json).ok();
            let at = at.map(|told| at_of(told.seq, told.time.as_deref()));
            return malformed(at, problem.to_string());
        }
    };
    let at = payload.seq.map(|seq| at_of(seq, payload.time.as_deref()));
    let (method, kind) = payload.kind.split_once('#').unwrap_or_default();
    if !method.is_empty() && method != METHOD {
        return Frame::Unknown { at };
    }
    match (kind, at, payload.did) {
        ("info", ..) => Frame::Notice {
            name: text(payload.name),
            message: text(payload.message),
        },
        ("commit", Some(at), Some(did)) => {
            let (Some(rev), Some(operation), Some(collection), Some(rkey)) = (
                payload.rev,
                payload.operation,
                payload.collection,
                payload.rkey,
            ) else {
                let lacks = "a commit without a rev, operation, collection or rkey";
                return malformed(Some(at), lacks.to_owned());
            };
            Frame::Commit(Commit {
                did,
                at,
                rev,
                operation,
                collection,
                rkey,
                cid: payload.cid,
                record: payload.record,
            })
        }
        ("account" | "identity" | "sync", Some(at), Some(did)) => {
            let body = payload.account.or(payload.identity).or(payload.sync);
            Frame::Trigger(Trigger {
                did,
                at,
                time: told_time(body),
                is_sync: kind == "sync",
            })
        }
        ("commit" | "account" | "identity" | "sync", ..) => {
            malformed(at, "an event without a repo or a seq".to_owned())
        }
        _ => Frame::Unknown { at },
    }
}

fn at_of(seq: u64, time: Option<&str>) -> At {
    let time = time.and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    At {
        cursor: seq,
        time: time.map(|time| time.timestamp_micros()),
    }
}

fn text(told: Option<Cow<'_, str>>) -> String {
    told.unwrap_or_default().chars().take(300).collect()
}

fn malformed<'a>(at: Option<At>, problem: String) -> Frame<'a> {
    Frame::Malformed { at, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(kind: &str, rest: &str) -> String {
        format!(r#"{{"$type":"message","payload":{{"$type":"{METHOD}#{kind}"{rest}}}}}"#)
    }

    #[test]
    fn every_shape_has_an_answer() {
        let at = r#","did":"did:plc:a","seq":5,"time":"2026-11-23T04:41:20.116172Z""#;
        let fields = r#","rev":"3l","operation":"delete","collection":"fm.plyr.like","rkey":"x""#;
        let commit = payload("commit", &format!("{at}{fields}"));
        let Frame::Commit(commit) = decode(commit.as_bytes()) else {
            panic!("no commit");
        };
        let expected = At {
            cursor: 5,
            time: Some(1_795_408_880_116_172),
        };
        assert_eq!((commit.at, commit.cid), (expected, None));
        let sync = payload("sync", &format!(r#"{at},"sync":{{"time":"now"}}"#));
        let Frame::Trigger(sync) = decode(sync.as_bytes()) else {
            panic!("no trigger");
        };
        assert_eq!((sync.time.as_deref(), sync.is_sync), (Some("now"), true));
        let info = payload("info", r#","name":"OutdatedCursor""#);
        let info = decode(info.as_bytes());
        assert!(matches!(info, Frame::Notice { name, .. } if name == "OutdatedCursor"));
        let error = br#"{"$type":"error","error":"ConsumerTooSlow"}"#;
        let Frame::Ended { problem } = decode(error) else {
            panic!("it goes on");
        };
        assert!(problem.contains("ConsumerTooSlow"));
        let unknown = payload("weather", at);
        assert!(matches!(
            decode(unknown.as_bytes()),
            Frame::Unknown { at: Some(_) }
        ));
        for (known, bad) in [
            (true, payload("commit", at)),
            (true, payload("commit", &format!(r#"{at},"rev":3"#))),
            (false, payload("commit", fields)),
            (false, payload("account", r#","did":"did:plc:a""#)),
            (true, payload("account", r#","seq":7"#)),
            (false, r#"{"$type":"message"}"#.to_owned()),
            (
                false,
                r#"{"did":"did:plc:a","time_us":6,"kind":"account"}"#.to_owned(),
            ),
            (false, String::new()),
            (false, "[]".to_owned()),
        ] {
            let Frame::Malformed { at, .. } = decode(bad.as_bytes()) else {
                panic!("taken: {bad}");
            };
            assert_eq!(at.is_some(), known, "{bad}");
        }
    }
}
