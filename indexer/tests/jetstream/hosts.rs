//! What is wrong with hosts.

use std::time::{Duration, Instant};

use plyr_indexer::ComparisonOptions;
use plyr_schemas::{Change, Store, StreamCursor};

use crate::fake::{Asked, End, Fake, Plan, Wire, create, now};
use crate::{PATIENCE, Running, count, counts, until};

/// A silence that is soon over.
const SILENCE: Duration = Duration::from_millis(1_500);

fn text(at: u64, rkey: &str) -> Wire {
    Wire::Text(create(at, rkey).to_string())
}

/// The host fails first, then streams; answers what `/ready` said and the connections it took.
async fn fails_first(plan: Plan, silence: Duration) -> (Vec<String>, usize) {
    let at = now() - 60_000_000;
    let fake = Fake::start(move |asked: &Asked| match asked.number {
        0 | 1 => plan.clone(),
        _ => Plan::Stream(vec![text(at, "one"), text(at + 1, "two")], End::Stay),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 1] = [&[&fake.url]];
    let options = ComparisonOptions::default();
    let running = Running::bearing(folder.path(), &groups, options, silence);
    let mut said = Vec::new();
    until("it goes on", async || {
        said.extend(running.handle.missing());
        running.holds("two").await
    })
    .await;
    until("the counters add up", async || {
        let [received, rest @ ..] = counts(&fake.url);
        received == rest.iter().sum::<u64>()
    })
    .await;
    running.stop().await;
    (said, fake.asked().len())
}

#[tokio::test]
async fn a_host_that_refuses_or_closes_is_asked_again_and_named() {
    let at = now() - 60_000_000;
    let one = || vec![text(at, "one")];
    for (plan, word) in [
        (Plan::Refuse(400, "invalid cursor"), "400"),
        (Plan::Refuse(502, "no upstream"), "502"),
        (
            Plan::Stream(one(), End::Close("failed to replay events")),
            "failed to replay",
        ),
        (Plan::Stream(one(), End::Cut), ""),
        // Cut in the middle of a frame of 100 bytes, and of its head.
        (
            Plan::Stream(
                vec![text(at, "one"), Wire::Raw(vec![0x81, 100, b'{'])],
                End::Cut,
            ),
            "",
        ),
        (
            Plan::Stream(
                vec![text(at, "one"), Wire::Raw(vec![0x82, 127, 0])],
                End::Cut,
            ),
            "",
        ),
        // Reserved bits and operations that are none.
        (
            Plan::Stream(vec![Wire::Raw(vec![0xff, 0x01, 0])], End::Stay),
            "",
        ),
    ] {
        let (said, connections) = fails_first(plan.clone(), PATIENCE * 10).await;
        assert_eq!(connections, 3, "{plan:?}");
        assert!(
            said.iter().any(|said| said.contains(word)),
            "{plan:?}: {said:?}"
        );
    }
}

#[tokio::test]
async fn i11_a_silent_host_is_given_up_and_a_quiet_one_is_not() {
    let silent = Plan::Stream(Vec::new(), End::Silent);
    let (said, connections) = fails_first(silent, SILENCE).await;
    assert!(connections >= 3, "{connections}");
    assert!(said.iter().any(|said| said.contains("silent")), "{said:?}");

    let at = now() - 60_000_000;
    let fake = Fake::start(move |_: &Asked| Plan::Stream(vec![text(at, "one")], End::Stay)).await;
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 1] = [&[&fake.url]];
    let options = ComparisonOptions::default();
    let running = Running::bearing(folder.path(), &groups, options, SILENCE);
    until("it delivers", async || running.holds("one").await).await;
    // A machine that stands still hears nothing either: then it is looked at once more.
    loop {
        let (began, before) = (Instant::now(), fake.asked().len());
        let (mut looked, mut stood_still) = (began, Duration::ZERO);
        until("three silences have passed", async || {
            stood_still = stood_still.max(looked.elapsed());
            looked = Instant::now();
            began.elapsed() > SILENCE * 3
        })
        .await;
        if fake.asked().len() == before && running.streams_missing().is_empty() {
            break;
        }
        assert!(stood_still > SILENCE / 2, "a quiet host was given up");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_is_followed_back() {
    let at = now() - 60_000_000;
    let back = at - 3_600_000_000;
    let fake = Fake::start(move |_: &Asked| {
        Plan::Stream(vec![text(at, "before"), text(back, "after")], End::Stay)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), &[&fake.url]);
    until("the cursor follows", async || {
        running.cursor(&fake.url).await == back
    })
    .await;
    assert!(running.holds("before").await && running.holds("after").await);
    running.stop().await;
}

#[tokio::test]
async fn another_machine_under_the_same_name_is_a_gap_and_is_counted() {
    let at = now() - 7_200_000_000;
    let far = at + 3_600_000_000;
    let fake = Fake::start(move |asked: &Asked| match asked.number {
        0 => Plan::Stream(vec![text(at, "one")], End::Cut),
        _ => Plan::Stream(vec![text(far, "two")], End::Stay),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), &[&fake.url]);
    until("it goes on", async || running.holds("two").await).await;
    assert_eq!(fake.asked()[1].cursor, at);
    assert_eq!(count("plyr_stream_gaps_total", &[&fake.url]), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_cursor_in_the_future_reads_the_stream_from_its_beginning() {
    let at = now() - 60_000_000;
    let fake = Fake::start(move |_: &Asked| Plan::Stream(vec![text(at, "one")], End::Stay)).await;
    let folder = tempfile::tempdir().unwrap();
    let idle = Running::start(folder.path(), &[]);
    let cursor = StreamCursor {
        source: fake.url.clone(),
        position: now() + 86_400_000_000,
        recent: vec![1],
    };
    idle.store
        .apply(vec![Change::Cursor(cursor)])
        .await
        .unwrap();
    idle.stop().await;
    let running = Running::start(folder.path(), &[&fake.url]);
    until("the cursor is repaired", async || {
        running.cursor(&fake.url).await == at
    })
    .await;
    assert_eq!(fake.asked()[0].cursor, 1);
    running.stop().await;
}
