//! One line of a stream, and how each protocol writes it.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::{Cid, Rev};
use serde_json::json;

/// What a line tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    Commit {
        rev: Rev,
        action: &'static str,
        collection: String,
        rkey: String,
        record: Option<(Cid, Arc<str>)>,
    },
    Identity(Upstream),
    Account(Upstream, Option<&'static str>),
}

/// What the relay's event told of itself; the same on every stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upstream {
    /// The relay's number.
    pub seq: u64,
    /// When the repo's host said it, in microseconds since 1970.
    pub at: i64,
}

/// A line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The host's number; they rise.
    pub seq: u64,
    /// When the host heard of it, in microseconds since 1970; these rise, too.
    pub time: i64,
    /// Whose.
    pub did: String,
    pub(super) told: Told,
}

fn text_of(time: i64, digits: SecondsFormat) -> String {
    let time = DateTime::from_timestamp_micros(time).unwrap_or_default();
    time.to_rfc3339_opts(digits, true)
}

impl Line {
    /// The collection of a commit.
    pub fn collection(&self) -> Option<&str> {
        match &self.told {
            Told::Commit { collection, .. } => Some(collection),
            Told::Identity(_) | Told::Account(..) => None,
        }
    }

    /// The record of a commit, as an at-uri, and the rev.
    pub fn version(&self) -> Option<(String, Rev)> {
        match &self.told {
            Told::Commit {
                rev,
                collection,
                rkey,
                ..
            } => Some((format!("at://{}/{collection}/{rkey}", self.did), *rev)),
            Told::Identity(_) | Told::Account(..) => None,
        }
    }

    /// As `/subscribe` sends it; a v2 host adds its number.
    pub fn subscribe(&self, with_number: bool) -> String {
        let (kind, body) = self.body();
        let number = match with_number {
            true => format!(r#","cursor":{}"#, self.seq),
            false => String::new(),
        };
        format!(
            r#"{{"did":"{}","time_us":{}{number},"kind":"{kind}","{kind}":{body}}}"#,
            self.did, self.time
        )
    }

    /// As `network.bsky.jetstream.subscribeEvents` sends it.
    pub fn event(&self) -> String {
        let (kind, body) = self.body();
        let body = match &self.told {
            // Its fields stand beside the others.
            Told::Commit { .. } => body[1..body.len() - 1].to_owned(),
            _ => format!(r#""{kind}":{body}"#),
        };
        let time = text_of(self.time, SecondsFormat::Micros);
        let method = "network.bsky.jetstream.subscribeEvents";
        format!(
            r#"{{"$type":"message","payload":{{"$type":"{method}#{kind}",{body},"did":"{}","seq":{},"time":"{time}"}}}}"#,
            self.did, self.seq
        )
    }

    fn body(&self) -> (&'static str, String) {
        let upstream = |upstream: &Upstream| {
            let time = text_of(upstream.at, SecondsFormat::Millis);
            json!({ "did": self.did, "seq": upstream.seq, "time": time })
        };
        match &self.told {
            Told::Identity(told) => ("identity", upstream(told).to_string()),
            Told::Account(told, status) => {
                let mut body = upstream(told);
                body["active"] = status.is_none().into();
                if let Some(status) = status {
                    body["status"] = (*status).into();
                }
                ("account", body.to_string())
            }
            Told::Commit {
                rev,
                action,
                collection,
                rkey,
                record,
            } => {
                let mut body = format!(
                    r#"{{"rev":"{rev}","operation":"{action}","collection":"{collection}","rkey":"{rkey}""#
                );
                if let Some((cid, json)) = record {
                    body.push_str(&format!(r#","record":{json},"cid":"{cid}""#));
                }
                body.push('}');
                ("commit", body)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn line(told: Told) -> Line {
        Line {
            seq: 9,
            time: 1_795_408_880_116_172,
            did: "did:plc:ryyla6wgrax4iwdx5h44mwuk".to_owned(),
            told,
        }
    }

    fn profile() -> Told {
        let cid = "bafyreidzrpuoqm2amnvp6zqt23zp7muevup575r6ebagjdwyzqyjdjg3ey";
        let record = r#"{"$type":"fm.plyr.actor.profile","createdAt":"2026-09-01T10:00:01.000Z"}"#;
        Told::Commit {
            rev: "3n2xcucfshs2g".parse().unwrap(),
            action: "create",
            collection: "fm.plyr.actor.profile".to_owned(),
            rkey: "self".to_owned(),
            record: Some((Cid::try_from(cid).unwrap(), record.into())),
        }
    }

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// The frames that the real ones sent of such events.
    #[test]
    fn frames_are_those_of_the_real_ones() {
        let record = r#"{"$type":"fm.plyr.actor.profile","createdAt":"2026-09-01T10:00:01.000Z"}"#;
        let v1 = format!(
            r#"{{"did":"did:plc:ryyla6wgrax4iwdx5h44mwuk","time_us":1795408880116172,
            "kind":"commit","commit":{{"rev":"3n2xcucfshs2g","operation":"create",
            "collection":"fm.plyr.actor.profile","rkey":"self","record":{record},
            "cid":"bafyreidzrpuoqm2amnvp6zqt23zp7muevup575r6ebagjdwyzqyjdjg3ey"}}}}"#
        );
        assert_eq!(read(&line(profile()).subscribe(false)), read(&v1));
        let v2 = format!(
            r#"{{"$type":"message","payload":{{
            "$type":"network.bsky.jetstream.subscribeEvents#commit",
            "cid":"bafyreidzrpuoqm2amnvp6zqt23zp7muevup575r6ebagjdwyzqyjdjg3ey",
            "collection":"fm.plyr.actor.profile","did":"did:plc:ryyla6wgrax4iwdx5h44mwuk",
            "operation":"create","record":{record},"rev":"3n2xcucfshs2g","rkey":"self","seq":9,
            "time":"2026-11-23T04:41:20.116172Z"}}}}"#
        );
        assert_eq!(read(&line(profile()).event()), read(&v2));
        let at = 1_795_408_907_120_000;
        let gone = Told::Account(Upstream { seq: 69, at }, Some("deactivated"));
        let v1 = r#"{"did":"did:plc:ryyla6wgrax4iwdx5h44mwuk","time_us":1795408880116172,
            "kind":"account","account":{"active":false,"did":"did:plc:ryyla6wgrax4iwdx5h44mwuk",
            "seq":69,"status":"deactivated","time":"2026-11-23T04:41:47.120Z"}}"#;
        assert_eq!(read(&line(gone.clone()).subscribe(false)), read(v1));
        let v2 = r#"{"$type":"message","payload":{
            "$type":"network.bsky.jetstream.subscribeEvents#account","account":{"active":false,
            "did":"did:plc:ryyla6wgrax4iwdx5h44mwuk","seq":69,"status":"deactivated",
            "time":"2026-11-23T04:41:47.120Z"},"did":"did:plc:ryyla6wgrax4iwdx5h44mwuk","seq":9,
            "time":"2026-11-23T04:41:20.116172Z"}}"#;
        assert_eq!(read(&line(gone).event()), read(v2));
    }
}
