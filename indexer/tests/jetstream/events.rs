//! Jetstream v2: told from v1 by asking, its frames, its cursor and its refusals.

use std::collections::BTreeSet;
use std::path::PathBuf;

use plyr_indexer::frame::{self, Frame};
use plyr_schemas::{Change, Store, StreamCursor};
use serde_json::{Value, json};

use crate::fake::{
    Asked, End, Fake, Plan, Speaks, Wire, create, event, identity, now, zipped, zipped_event,
};
use crate::{Running, count, counts, until};

/// As far back as a v2 host keeps.
const BEGINNING: u64 = 1_000_000_000_000_000;

fn v2(seq: u64, frame: &Value) -> Wire {
    zipped_event(&event(seq, frame))
}

async fn protocol_of(running: &Running, host: &str) -> Option<&'static str> {
    let sources = running.handle.sources();
    let source = sources.iter().find(|source| source.host == host);
    source.and_then(|source| source.protocol)
}

fn captured(name: &str) -> Option<PathBuf> {
    match std::env::var_os("PLYR_SHARED") {
        Some(shared) => Some(PathBuf::from(shared).join("fixtures").join(name)),
        None => {
            eprintln!("skipped: captures need PLYR_SHARED");
            None
        }
    }
}

/// What a frame says of repos, whatever its protocol.
fn said(frame: Frame<'_>) -> String {
    match frame {
        Frame::Commit(commit) => format!(
            "{}/{}/{} {:?} {} {:?} {:?}",
            commit.did,
            commit.collection,
            commit.rkey,
            commit.operation,
            commit.rev,
            commit.cid,
            commit.record.map(|record| {
                let record: Value = serde_json::from_str(record.get()).unwrap();
                record.to_string()
            }),
        ),
        Frame::Trigger(trigger) => format!("{} {:?}", trigger.did, trigger.time),
        other => unreachable!("{other:?}"),
    }
}

/// The three captures are of the same run of the same network.
#[test]
fn both_protocols_say_the_same() {
    let (Some(one), Some(two)) = (captured("jetstream-v1"), captured("jetstream-v2")) else {
        return;
    };
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let one = read(one.join("live.jsonl"));
    let text = read(two.join("events-live.jsonl"));
    let one: BTreeSet<String> = one
        .lines()
        .map(|line| said(frame::decode(line.as_bytes())))
        .collect();
    let whole: Vec<String> = text
        .lines()
        .map(|line| said(frame::decode_event(line.as_bytes())))
        .collect();
    let both: BTreeSet<String> = whole.iter().cloned().collect();
    assert_eq!(one.difference(&both).count(), 0);
    // A v1 server loses creates of a repo that has had a very long key.
    let only_two: Vec<_> = both.difference(&one).collect();
    assert_eq!(only_two.len(), 3, "{only_two:?}");

    let zipped = std::fs::read(two.join("events-zstd.lenpref.bin")).unwrap();
    let dictionary = include_bytes!("../../src/source/events.zdict");
    let mut unzip = zstd::bulk::Decompressor::with_dictionary(dictionary).unwrap();
    let mut rest = &zipped[..];
    let mut unzipped = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (one, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        rest = after;
        let frame = unzip.decompress(one, 8 << 20).unwrap();
        unzipped.push(said(frame::decode_event(&frame)));
    }
    // That capture begins at a cursor and leaves one collection out.
    assert_eq!(unzipped.len(), 296);
    assert!(unzipped.iter().all(|one| both.contains(one)));
}

#[test]
fn normal_frames_have_the_shape_of_captured_ones() {
    let Some(folder) = captured("jetstream-v2/events-live.jsonl") else {
        return;
    };
    let captured = std::fs::read_to_string(folder).unwrap();
    let captured: Vec<Value> = captured
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    for ours in [event(1, &create(now(), "x")), event(2, &identity(now()))] {
        let ours: Value = serde_json::from_str(&ours).unwrap();
        let kind = &ours["payload"]["$type"];
        let alike = |one: &&Value| {
            one["payload"]["$type"] == *kind && one["payload"]["operation"] != "delete"
        };
        let theirs = captured.iter().find(alike).unwrap();
        assert_eq!(keys(&ours), keys(theirs));
        assert_eq!(keys(&ours["payload"]), keys(&theirs["payload"]));
        assert_eq!(ours["payload"]["time"].to_string().len(), 29);
    }
}

#[tokio::test]
async fn v2_is_told_from_v1_by_asking_and_resumed_by_its_own_numbers() {
    let at = now() - 60_000_000;
    let log = [create(at, "one"), identity(at + 1), create(at + 2, "two")];
    let serve = log.clone();
    let fake = Fake::speaking(Speaks::V2, move |asked: &Asked| {
        let numbered = (41..).zip(&serve);
        let wanted = numbered.filter(|(seq, _)| *seq >= asked.cursor || asked.cursor == BEGINNING);
        Plan::Stream(wanted.map(|(seq, one)| v2(seq, one)).collect(), End::Stay)
    })
    .await;
    let plain = Fake::start(move |_: &Asked| {
        let frames = log.iter().map(|one| zipped(&one.to_string()));
        Plan::Stream(frames.collect(), End::Stay)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let running = Running::start(folder.path(), &[&fake.url, &plain.url]);
        until("both tell", async || {
            let [received, rest @ ..] = counts(&fake.url);
            let [of_plain, rest_of_plain @ ..] = counts(&plain.url);
            let settled = rest.iter().sum::<u64>() == received;
            let settled = settled && rest_of_plain.iter().sum::<u64>() == of_plain;
            settled && received == 3 + round && of_plain == 3 + round * 3
        })
        .await;
        until("the cursors are kept", async || {
            let cursor = running.cursor(&fake.url).await;
            (cursor, running.cursor(&plain.url).await) == (43, at + 2)
        })
        .await;
        assert_eq!(protocol_of(&running, &fake.url).await, Some("jetstream v2"));
        assert_eq!(
            protocol_of(&running, &plain.url).await,
            Some("jetstream v1")
        );
        running.stop().await;
    }
    let asked: Vec<u64> = fake.asked().iter().map(|asked| asked.cursor).collect();
    assert_eq!(asked, [BEGINNING, 43]);
    assert_eq!(fake.asked()[0].dictionary.as_deref(), Some("20260811"));
    for host in [&fake.url, &plain.url] {
        assert_eq!(count("plyr_stream_gaps_total", &[host]), 0);
    }
}

/// What a v2 host may send besides events, and what is none.
#[tokio::test]
async fn i05_every_frame_of_v2_ends_as_exactly_one_of_the_four() {
    let at = now() - 60_000_000;
    let text = |text: String| Wire::Text(text);
    let method = "network.bsky.jetstream.subscribeEvents";
    let payload = |payload: Value| json!({ "$type": "message", "payload": payload }).to_string();
    let info = payload(json!({ "$type": format!("{method}#info"), "name": "OutdatedCursor" }));
    let weather = payload(json!({ "$type": format!("{method}#weather"), "seq": 3 }));
    let numberless =
        payload(json!({ "$type": format!("{method}#account"), "did": "did:plc:stranger" }));
    let bodiless = payload(json!({ "$type": format!("{method}#commit"), "seq": 4,
        "did": "did:plc:stranger" }));
    let frames = vec![
        text(info),
        v2(1, &create(at, "first")),
        text(event(2, &identity(at + 1))),
        text(weather),
        text("{\"$type\":\"weather\"}".to_owned()),
        text(numberless),
        text(bodiless),
        text(create(at, "of v1").to_string()),
        text("not json".to_owned()),
        zipped_event("{\"zipped\": garbage}"),
        zipped("{\"$type\":\"weather\"}"),
        v2(5, &create(at + 2, "last")),
        text("{\"$type\":\"error\",\"error\":\"ConsumerTooSlow\"}".to_owned()),
    ];
    let fake = Fake::speaking(Speaks::V2, move |asked: &Asked| match asked.number {
        0 => Plan::Stream(frames.clone(), End::Stay),
        _ => Plan::Stream(vec![v2(5, &create(at + 2, "last"))], End::Stay),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), &[&fake.url]);
    let mut said = Vec::new();
    until("it goes on after the host's last word", async || {
        said.extend(running.handle.missing());
        fake.asked().len() == 2 && counts(&fake.url)[2] == 1
    })
    .await;
    assert!(
        said.iter().any(|said| said.contains("ConsumerTooSlow")),
        "{said:?}"
    );
    assert_eq!(fake.asked()[1].cursor, 5);
    assert_eq!(
        counts(&fake.url),
        [12, 2, 1, 3, 6],
        "{:?}",
        running.reasons().await
    );
    assert_eq!(count("plyr_stream_gaps_total", &[&fake.url]), 0);
    running.stop().await;
}

#[tokio::test]
async fn a_host_that_kept_less_than_is_missing_is_a_gap() {
    let at = now() - 60_000_000;
    let fake = Fake::speaking(Speaks::V2, move |asked: &Asked| {
        let (cursor, number) = (asked.cursor, asked.number);
        match (number, cursor) {
            (0, _) => Plan::Stream(vec![v2(70, &create(at, "one"))], End::Cut),
            (_, 70) => Plan::Refuse(400, r#"{"error":"CursorTooOld","message":"floor 90"}"#),
            _ => Plan::Stream(vec![v2(90, &create(at + 9, "two"))], End::Stay),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), &[&fake.url]);
    until("it goes on", async || running.holds("two").await).await;
    let asked: Vec<u64> = fake.asked().iter().map(|asked| asked.cursor).collect();
    assert_eq!(asked, [BEGINNING, 70, BEGINNING]);
    assert_eq!(count("plyr_stream_gaps_total", &[&fake.url]), 1);
    until("the cursor follows", async || {
        running.cursor(&fake.url).await == 90
    })
    .await;
    running.stop().await;
}

/// One with fewer events answers with what is new, one with more with others of the same number.
#[tokio::test]
async fn another_instance_under_the_same_name_is_a_gap_at_its_first_frame() {
    for first in [3, 70, 71] {
        let at = now() - 60_000_000;
        let fake = Fake::speaking(Speaks::V2, move |asked: &Asked| match asked.number {
            0 => Plan::Stream(vec![v2(70, &create(at, "one"))], End::Cut),
            _ => {
                let frames = vec![
                    v2(first, &identity(at)),
                    v2(first + 1, &create(at + 9, "two")),
                ];
                Plan::Stream(frames, End::Stay)
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let running = Running::start(folder.path(), &[&fake.url]);
        until("it goes on", async || running.holds("two").await).await;
        assert_eq!(fake.asked()[1].cursor, 70);
        let gaps = count("plyr_stream_gaps_total", &[&fake.url]);
        assert_eq!(gaps, 1, "{first}");
        assert_eq!(running.handle.sources()[0].gaps, 1);
        until("the cursor follows", async || {
            running.cursor(&fake.url).await == first + 1
        })
        .await;
        running.stop().await;
    }
}

#[tokio::test]
async fn an_unknown_dictionary_is_done_without() {
    let at = now() - 60_000_000;
    let fake = Fake::speaking(Speaks::V2, move |asked: &Asked| match asked.dictionary {
        Some(_) => Plan::Refuse(400, r#"{"error":"UnknownZstdDictionary"}"#),
        None => Plan::Stream(vec![Wire::Text(event(1, &create(at, "one")))], End::Stay),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), &[&fake.url]);
    until("it tells", async || running.holds("one").await).await;
    assert_eq!(fake.asked().len(), 2);
    running.stop().await;
}

async fn with_cursor(fake: &Fake, position: u64, recent: Vec<u64>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let idle = Running::start(folder.path(), &[]);
    let cursor = StreamCursor {
        source: fake.url.clone(),
        position,
        recent,
    };
    let change = Change::Cursor(cursor);
    idle.store.apply(vec![change]).await.unwrap();
    idle.stop().await;
    folder
}

#[tokio::test]
async fn a_host_that_changes_its_protocol_is_asked_in_the_new_one() {
    let at = now() - 60_000_000;
    // Upwards: the time is asked for, a minute earlier, as clocks differ.
    let fake = Fake::speaking(Speaks::V2, move |_: &Asked| {
        Plan::Stream(vec![v2(7, &create(at, "one"))], End::Stay)
    })
    .await;
    let folder = with_cursor(&fake, at, Vec::new()).await;
    let running = Running::start(folder.path(), &[&fake.url]);
    until("the cursor is a number now", async || {
        running.cursor(&fake.url).await == 7
    })
    .await;
    assert_eq!(fake.asked()[0].cursor, at - 60_000_000);
    assert_eq!(count("plyr_stream_gaps_total", &[&fake.url]), 0);
    running.stop().await;

    // Downwards: the number means nothing.
    let fake = Fake::start(move |_: &Asked| {
        Plan::Stream(vec![Wire::Text(create(at, "one").to_string())], End::Stay)
    })
    .await;
    let folder = with_cursor(&fake, 7, vec![1]).await;
    let running = Running::start(folder.path(), &[&fake.url]);
    until("the cursor is a time now", async || {
        running.cursor(&fake.url).await == at
    })
    .await;
    assert_eq!(fake.asked()[0].cursor, 1);
    assert_eq!(count("plyr_stream_gaps_total", &[&fake.url]), 1);
    running.stop().await;
}
