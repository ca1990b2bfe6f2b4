//! Several hosts at once: what one carried and another didn't.

use std::sync::Arc;
use std::time::Duration;

use plyr_indexer::{Canary, ComparisonOptions};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::fake::{
    Asked, End, Fake, Plan, REPO, Speaks, Wire, create, create_in, event, identity, now, rev,
};
use crate::{Running, count, counts, until};

/// Of the streams' time. By the clock a host that says nothing for twice as long has passed, too.
const GRACE: u64 = 9_000_000;

fn options() -> ComparisonOptions {
    ComparisonOptions {
        grace: Duration::from_micros(GRACE),
        blind_events: 4,
        canary: None,
    }
}

fn told(frame: Value) -> Wire {
    Wire::Text(frame.to_string())
}

/// A host that tells a few frames, and more when the test goes on.
async fn host(first: Vec<Value>, then: Vec<Value>) -> (Fake, Arc<Semaphore>) {
    let held = Arc::new(Semaphore::new(0));
    let frames = first.into_iter().map(told);
    let frames = frames.chain([Wire::Hold(held.clone())]);
    let frames: Vec<Wire> = frames.chain(then.into_iter().map(told)).collect();
    let fake = Fake::start(move |_: &Asked| Plan::Stream(frames.clone(), End::Stay)).await;
    (fake, held)
}

fn doubts(host: &str, kind: &str) -> u64 {
    count("plyr_doubts_total", &[host, kind])
}

async fn all_counted(host: &str, received: u64) {
    until("all frames are counted", async || {
        let [of_host, rest @ ..] = counts(host);
        of_host == received && rest.iter().sum::<u64>() == received
    })
    .await;
}

/// Each host's four counters add up, and what both carried is doubted by nobody.
#[tokio::test]
async fn i05_two_hosts_at_once_are_each_counted_and_merged() {
    let at = now() - 60_000_000;
    let mut frames = vec![identity(at - 10_000_000)];
    frames.extend((0..300).map(|n| create(at + n * 1_000, &format!("r{n}"))));
    frames.push(identity(at + 30_000_000));
    let (first, _held) = host(frames.clone(), Vec::new()).await;
    let second = Fake::speaking(Speaks::V2, move |_: &Asked| {
        let numbered = (1..).zip(&frames);
        let frames = numbered.map(|(seq, one)| Wire::Text(event(seq, one)));
        Plan::Stream(frames.collect(), End::Stay)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 2] = [&[&first.url], &[&second.url]];
    let running = Running::grouped(folder.path(), &groups, options());
    all_counted(&first.url, 302).await;
    all_counted(&second.url, 302).await;
    let [of_first, of_second] = [counts(&first.url), counts(&second.url)];
    assert_eq!(
        of_first[1] + of_second[1],
        300,
        "{of_first:?} {of_second:?}"
    );
    assert_eq!(of_first[2] + of_second[2], 300);
    let both_cursors = async || {
        let first = running.cursor(&first.url).await;
        (first, running.cursor(&second.url).await) == (at + 30_000_000, 302)
    };
    until("both cursors follow", both_cursors).await;
    for host in [&first.url, &second.url] {
        assert_eq!(
            doubts(host, "") + count("plyr_stream_missed_total", &[host]),
            0
        );
    }
    assert!(running.streams_missing().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn what_only_one_host_carried_is_doubted_when_the_other_has_passed_it() {
    let at = now() - 60_000_000;
    let delete = {
        let mut delete = create(at + 2_000, "both");
        let commit = delete["commit"].as_object_mut().unwrap();
        commit.insert("operation".to_owned(), "delete".into());
        commit.insert("rev".to_owned(), rev(at + 2_000).into());
        commit.remove("cid");
        commit.remove("record");
        delete
    };
    let both = || vec![identity(at - 10_000_000), create(at, "both")];
    let alone = vec![create(at + 1_000, "alone"), delete];
    let (first, held) = host(both(), alone.clone()).await;
    let (second, passing) = host(both(), vec![identity(at + 2_000 + GRACE)]).await;
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 2] = [&[&first.url], &[&second.url]];
    let running = Running::grouped(folder.path(), &groups, options());
    all_counted(&second.url, 2).await;
    held.add_permits(1);
    until("the first alone tells", async || {
        running.holds("alone").await
    })
    .await;
    assert_eq!(doubts(&first.url, ""), 0);
    passing.add_permits(1);
    until("both are doubted", async || {
        (
            doubts(&first.url, "\"record\""),
            doubts(&first.url, "\"delete\""),
        ) == (1, 1)
    })
    .await;
    let track = "fm.plyr.track";
    assert_eq!(count("plyr_stream_only_total", &[&first.url, track]), 2);
    assert_eq!(count("plyr_stream_missed_total", &[&second.url, track]), 2);
    assert_eq!(doubts(&second.url, ""), 0);
    assert_eq!(count("plyr_stream_missed_total", &[&first.url]), 0);
    running.stop().await;

    // A host that comes back and tells it all once more makes nobody doubt: nothing changes.
    let again = Running::grouped(folder.path(), &groups, options());
    all_counted(&first.url, 4 + 2).await;
    held.add_permits(1);
    passing.add_permits(1);
    all_counted(&first.url, 4 + 4).await;
    all_counted(&second.url, 3 + 3).await;
    assert_eq!(doubts(&first.url, ""), 2);
    again.stop().await;
}

/// A host that is connected, and tells nothing at all.
#[tokio::test]
async fn a_host_that_says_nothing_at_all_has_passed_too() {
    let held = Arc::new(Semaphore::new(0));
    let wait = held.clone();
    let first = Fake::start(move |_: &Asked| {
        let frames = vec![
            Wire::Hold(wait.clone()),
            told(create(now() + 120_000_000, "now")),
        ];
        Plan::Stream(frames, End::Stay)
    })
    .await;
    let (second, _silent) = host(vec![], vec![]).await;
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 2] = [&[&first.url], &[&second.url]];
    let brisk = ComparisonOptions {
        grace: Duration::from_millis(200),
        ..options()
    };
    let running = Running::grouped(folder.path(), &groups, brisk);
    until("both are followed", async || {
        running.streams_missing().is_empty()
    })
    .await;
    held.add_permits(1);
    until("it is doubted", async || doubts(&first.url, "") == 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_blind_host_is_named_and_sees_again() {
    let at = now() - 60_000_000;
    let other = REPO.replace("aaaa", "bbbb");
    let mut missed = Vec::new();
    for number in 0..4 {
        let repo = if number % 2 == 0 { REPO } else { &other };
        missed.push(create_in(repo, at + number * 1_000, &format!("m{number}")));
    }
    let mut seen = Vec::new();
    for number in 0..3 {
        seen.push(create(
            at + 15_000_000 + number * 1_000,
            &format!("s{number}"),
        ));
    }
    let begun = identity(at - 10_000_000);
    let passed = identity(at + 10_000_000);
    let end = identity(at + 25_000_000);
    let mut first = vec![begun.clone()];
    first.extend(missed);
    let mut last = seen.clone();
    last.push(end.clone());
    let (first, held) = host(first, last.clone()).await;
    let (blind, sees) = host(vec![begun, passed], last).await;
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 2] = [&[&first.url], &[&blind.url]];
    let running = Running::grouped(folder.path(), &groups, options());
    let gauge = || count("plyr_source_blind", &[&blind.url]);
    until("it is blind", async || gauge() == 1).await;
    let missing = running.streams_missing();
    assert!(
        missing.len() == 1
            && missing[0].contains(&blind.url)
            && missing[0].contains("fm.plyr.track"),
        "{missing:?}"
    );
    assert_eq!(running.handle.sources()[1].blind, ["fm.plyr.track"]);
    assert_eq!(count("plyr_stream_missed_total", &[&blind.url]), 4);
    held.add_permits(1);
    sees.add_permits(1);
    until("it sees again", async || {
        gauge() == 0 && running.streams_missing().is_empty()
    })
    .await;
    assert_eq!(count("plyr_stream_missed_total", &[&blind.url]), 4);
    assert_eq!(count("plyr_source_blind", &[&first.url]), 0);
    running.stop().await;
}

#[tokio::test]
async fn a_canary_that_does_not_arrive_is_missed() {
    let at = now();
    let (fake, held) = host(
        vec![create(at, "other")],
        vec![create(at + 60_000_000, "canary")],
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let canary = Canary {
        uri: format!("at://{REPO}/fm.plyr.track/canary").parse().unwrap(),
        every: Duration::from_secs(2),
    };
    let options = ComparisonOptions {
        canary: Some(canary),
        ..options()
    };
    let running = Running::grouped(folder.path(), &[&[&fake.url]], options);
    until("it is missed", async || {
        let missing = running.streams_missing();
        missing
            .iter()
            .any(|missing| missing.contains("no canary since"))
    })
    .await;
    held.add_permits(1);
    until("it is there", async || running.streams_missing().is_empty()).await;
    running.stop().await;
}
