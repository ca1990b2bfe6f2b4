//! What is wrong with frames.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fake::{
    Asked, End, Fake, Plan, Wire, cid, create, giant, not_text, now, rev, track, zipped,
};
use plyr_indexer::ComparisonOptions;

use crate::{Running, count, counts, until};

fn text(frame: &Value) -> Wire {
    Wire::Text(frame.to_string())
}

/// A create with one field of its envelope or commit replaced (or taken away, by null).
fn bent(at: u64, pointer: &str, value: Value) -> Wire {
    let mut frame = create(at, "bent");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = frame.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(name),
        value => parent.insert(name.to_owned(), value),
    };
    text(&frame)
}

/// A create whose record's JSON is written by hand.
fn with_record(at: u64, json: &str) -> Wire {
    // A key of its own: what is refused twice at one place is one entry.
    let rkey = format!("odd-{}", json.len());
    let frame = create(at, &rkey).to_string();
    let record = track(&rkey).to_string();
    assert!(frame.contains(&record));
    Wire::Text(frame.replace(&record, json))
}

#[test]
fn normal_frames_have_the_shape_of_captured_ones() {
    let Some(shared) = std::env::var_os("PLYR_SHARED") else {
        eprintln!("skipped: captures need PLYR_SHARED");
        return;
    };
    let path = std::path::Path::new(&shared).join("fixtures/jetstream-v1/live.jsonl");
    let captured = std::fs::read_to_string(path).unwrap();
    let is_track = |frame: &Value| frame["commit"]["collection"] == "fm.plyr.track";
    let mut captured = captured
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let captured = captured.find(is_track).unwrap();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let ours = create(now(), "x");
    assert_eq!(keys(&ours), keys(&captured));
    assert_eq!(keys(&ours["commit"]), keys(&captured["commit"]));
    assert_eq!(
        cid(&captured["commit"]["record"]),
        captured["commit"]["cid"]
    );
}

/// Every kind of bad frame with what becomes of it: `""` for out of scope, else the reason.
fn bad_frames(at: u64) -> Vec<(Wire, &'static str)> {
    let own = |text: &str| Wire::Text(text.to_owned());
    let huge = "9".repeat(400);
    let title = |value: &str| format!(r#"{{"$type":"fm.plyr.track","title":{value}}}"#);
    vec![
        (own(""), "frame"),
        (own("not json"), "frame"),
        (own("[]"), "frame"),
        (own("{\"did\":"), "frame"),
        (own(&"[".repeat(100_000)), "frame"),
        (Wire::Binary(b"garbage".to_vec()), "frame"),
        (zipped("{\"zipped\": garbage}"), "frame"),
        (zipped(&" ".repeat(64 << 20)), "too-large"),
        (bent(at, "/kind", json!("weather")), ""),
        (
            bent(at, "/commit/collection", json!("app.bsky.feed.post")),
            "",
        ),
        (
            bent(at, "/commit/collection", json!("fm.plyr.stg.track")),
            "",
        ),
        (
            own(&json!({ "did": "did:plc:z", "time_us": at, "kind": "account" }).to_string()),
            "",
        ),
        (bent(at, "/kind", Value::Null), "frame"),
        (bent(at, "/did", Value::Null), "frame"),
        (bent(at, "/commit", Value::Null), "frame"),
        (bent(at, "/commit", json!([1])), "frame"),
        (bent(at, "/commit/operation", json!("frobnicate")), "frame"),
        (
            bent(at, "/commit/operation", json!("x".repeat(50_000))),
            "frame",
        ),
        (bent(at, "/commit/record", Value::Null), "frame"),
        (bent(at, "/commit/cid", Value::Null), "frame"),
        (bent(at, "/commit/rev", Value::Null), "frame"),
        (bent(at, "/commit/rev", json!("zzz")), "rev"),
        (bent(at, "/commit/rev", json!("")), "rev"),
        (
            bent(at, "/commit/rev", json!(rev(at + 3_600_000_000))),
            "early",
        ),
        (
            bent(at, "/commit/cid", json!(cid(&track("another")))),
            "cid-mismatch",
        ),
        (bent(at, "/commit/cid", json!("no cid")), "cid-mismatch"),
        (bent(at, "/did", json!("did:plc:../../etc")), "address"),
        (bent(at, "/did", json!("")), "address"),
        (
            bent(
                at,
                "/did",
                json!("did:web:".to_owned() + &"a".repeat(9_000)),
            ),
            "address",
        ),
        (bent(at, "/commit/rkey", json!("..")), "address"),
        (bent(at, "/commit/rkey", json!("a/b")), "address"),
        (bent(at, "/commit/rkey", json!("k".repeat(513))), "address"),
        (bent(at, "/time_us", Value::Null), "frame"),
        (bent(at, "/time_us", json!(-1)), "frame"),
        (bent(at, "/time_us", json!("now")), "frame"),
        (bent(at, "/time_us", json!(1.5)), "frame"),
        (
            own(&format!(
                r#"{{"did":"a","did":"b","time_us":{at},"kind":"commit"}}"#
            )),
            "frame",
        ),
        (with_record(at, &title("NaN")), "frame"),
        (with_record(at, &title(&huge)), "data-model"),
        (with_record(at, &title("1e400")), "data-model"),
        (with_record(at, &title("12.5")), "data-model"),
        (with_record(at, "7"), "cid-mismatch"),
    ]
}

#[tokio::test]
async fn i05_every_frame_ends_as_exactly_one_of_the_four() {
    let at = now() - 60_000_000;
    let mut frames = vec![text(&create(at, "first"))];
    let mut refused = BTreeMap::new();
    let mut foreign = 0;
    let bad = bad_frames(at + 1_000);
    for (number, (wire, reason)) in bad.iter().enumerate() {
        frames.push(wire.clone());
        // A good one after each.
        let good = create(at + 2_000 + number as u64, &format!("good-{number}"));
        frames.push(zipped(&good.to_string()));
        match *reason {
            "" => foreign += 1,
            reason => *refused.entry(reason.to_owned()).or_insert(0) += 1,
        }
    }
    // Of a time to come: applied, but no cursor.
    let mut ahead = create(at + 3_000, "ahead");
    ahead["time_us"] = json!(u64::MAX);
    frames.push(text(&ahead));
    frames.push(text(&create(at + 2_000, "good-0")));
    let last = at + 30_000_000;
    frames.push(text(&create(last, "last")));
    let sent = frames.len() as u64;
    let fake = Fake::start(move |_: &Asked| Plan::Stream(frames.clone(), End::Stay)).await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), &[&fake.url]);
    until("the last frame is applied", async || {
        running.holds("last").await
    })
    .await;
    until("all are counted", async || {
        let [received, rest @ ..] = counts(&fake.url);
        received == sent && rest.iter().sum::<u64>() == sent
    })
    .await;
    let quarantined: usize = refused.values().sum();
    let applied = bad.len() as u64 + 3;
    let expected = [sent, applied, 1, foreign, quarantined as u64];
    assert_eq!(counts(&fake.url), expected, "{:?}", running.reasons().await);
    assert_eq!(running.reasons().await, refused);
    for (number, (wire, _)) in bad.iter().enumerate() {
        let is_held = running.holds(&format!("good-{number}")).await;
        assert!(is_held, "{wire:?}");
    }
    let entries = running
        .snapshot()
        .await
        .quarantine(None, 1_000)
        .await
        .unwrap();
    for entry in entries {
        assert!(
            !entry.detail.is_empty() && entry.detail.len() < 1_000,
            "{}",
            entry.detail
        );
    }
    until("the cursor has passed them", async || {
        running.cursor(&fake.url).await == last
    })
    .await;
    running.stop().await;

    // Resumed: inclusive, the last event comes again, and nobody sees a gap.
    let again = Running::start(folder.path(), &[&fake.url]);
    until("it resumes", async || fake.asked().len() == 2).await;
    assert_eq!(fake.asked()[1].cursor, last);
    until("all are counted again", async || {
        let [received, rest @ ..] = counts(&fake.url);
        received == 2 * sent && rest.iter().sum::<u64>() == received
    })
    .await;
    let [_, applied_again, superseded, ..] = counts(&fake.url);
    assert_eq!((applied_again, superseded), (applied, 1 + applied + 1));
    assert_eq!(again.reasons().await, refused);
    assert_eq!(count("plyr_stream_gaps_total", &[&fake.url]), 0);
    again.stop().await;
}

/// Streams a log from a cursor on, as Jetstream does, leaving out what is too large if it may.
fn from_log(log: &[(u64, Wire)], asked: &Asked, heeds_limit: bool) -> Plan {
    let from = log.iter().filter(|(at, _)| *at >= asked.cursor);
    let wanted = from.filter(|(_, wire)| {
        !(heeds_limit && asked.limit.is_some() && matches!(wire, Wire::Raw(_)))
    });
    Plan::Stream(wanted.map(|(_, wire)| wire.clone()).collect(), End::Stay)
}

#[tokio::test]
async fn i05_a_frame_above_the_limit_is_quarantined_and_passed() {
    let at = now() - 60_000_000;
    let log = vec![
        (at, text(&create(at, "before"))),
        (at + 1, giant(1 << 40)),
        (at + 2, text(&create(at + 2, "after"))),
        (at + 3, text(&create(at + 3, "later"))),
    ];
    let fake = Fake::start(move |asked: &Asked| from_log(&log, asked, true)).await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), &[&fake.url]);
    until("what follows is applied", async || {
        running.holds("later").await
    })
    .await;
    until("nothing is left out any more", async || {
        fake.asked()
            .last()
            .is_some_and(|asked| asked.limit.is_none() && asked.number > 0)
    })
    .await;
    let asked: Vec<_> = fake
        .asked()
        .iter()
        .map(|asked| (asked.cursor, asked.limit))
        .collect();
    assert_eq!(asked[..2], [(1, None), (at, Some(8 << 20))]);
    assert_eq!((asked.len(), asked[2].1), (3, None));
    assert!(asked[2].0 > at, "{asked:?}");
    let refused = running.snapshot().await.quarantine(None, 10).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].reason, "too-large");
    assert!(
        refused[0].detail.contains(&format!("after cursor {at}")),
        "{}",
        refused[0].detail
    );
    until("the counters add up", async || {
        let [received, rest @ ..] = counts(&fake.url);
        received == rest.iter().sum::<u64>()
    })
    .await;
    assert_eq!(count("plyr_stream_gaps_total", &[&fake.url]), 0);
    running.stop().await;
}

#[tokio::test]
async fn a_host_that_can_not_be_read_on_makes_room_for_the_next() {
    for poison in [giant(9 << 20), not_text()] {
        let at = now() - 60_000_000;
        let log = vec![
            (at, text(&create(at, "before"))),
            (at + 1, poison),
            (at + 2, text(&create(at + 2, "after"))),
        ];
        let whole = vec![log[0].clone(), log[2].clone()];
        let fake = Fake::start(move |asked: &Asked| from_log(&log, asked, false)).await;
        let other = Fake::start(move |asked: &Asked| from_log(&whole, asked, true)).await;
        let folder = tempfile::tempdir().unwrap();
        let group: &[&str] = &[&fake.url, &other.url];
        let running = Running::grouped(folder.path(), &[group], ComparisonOptions::default());
        until("the other host tells", async || {
            running.holds("after").await
        })
        .await;
        let [received, .., quarantined] = counts(&fake.url);
        assert!(received >= 2 && quarantined >= 1);
        let delivering = |host: &str| {
            let sources = running.handle.sources();
            sources
                .iter()
                .any(|source| source.host == host && source.connected)
        };
        assert!(delivering(&other.url) && !delivering(&fake.url));
        running.stop().await;
    }
}
