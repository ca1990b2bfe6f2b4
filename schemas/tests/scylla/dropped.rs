//! Who waits for a write may go away at any moment: what it changed is named by the log all the
//! same, and no number of the log stays empty.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use plyr_lexicons::Verdict;
use plyr_schemas::conformance::{self, Checked, wrongly};
use plyr_schemas::rebuild::Stage;
use plyr_schemas::scylla::AFTER_TRUTH;
use plyr_schemas::{
    Change, CrashPoint, FaultHook, LogPosition, LogSubject, Pass, Passing, Store, StoreError,
};
use serde_json::json;
use tokio::sync::Notify;

use crate::{Keyspace, ONE, keyspace};
use plyr_schemas::conformance::Place;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Holds up writes at a crash point until they may go on, and tells when one is there.
pub fn stopping(at: CrashPoint) -> (FaultHook, Arc<Notify>, Arc<AtomicBool>) {
    let (reached, goes_on) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let answer = (reached.clone(), goes_on.clone());
    let hook = move |point| {
        if point == at {
            reached.notify_one();
            let began = Instant::now();
            tokio::task::block_in_place(|| {
                while !goes_on.load(Ordering::SeqCst) && began.elapsed() < PATIENCE {
                    std::thread::yield_now();
                }
            });
        }
        false
    };
    (Arc::new(hook), answer.0, answer.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn i03_a_write_whose_caller_goes_away_is_named() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = keyspace().await? else {
        return Ok(());
    };
    let (hook, reached, goes_on) = stopping(AFTER_TRUTH);
    let store = place.open(Some(hook)).await?;
    let (_, change) = conformance::a_like()?;
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.apply(vec![change]).await }
    });
    tokio::time::timeout(PATIENCE, reached.notified()).await?;
    writing.abort();
    goes_on.store(true, Ordering::SeqCst);
    let beginning = LogPosition::default();
    tokio::time::timeout(PATIENCE, store.log_changed(&beginning)).await??;
    store.close().await?;
    Ok(())
}

/// Runs a call, which is dropped when it has waited so often; none then.
pub async fn dropped_after<T>(waits: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = std::pin::pin!(call);
    let mut waited = 0;
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// Does a pass of which each piece of a stage is dropped wherever it waits, and done again from
/// there. Answers how often one was.
async fn passed(store: &dyn Store, pass: Pass, dropping: Stage) -> Result<usize, StoreError> {
    let mut so_far: Option<Passing> = None;
    let (first, mut waits, mut dropped) = (Passing::begin(pass, 0).stage, 0, 0);
    loop {
        let stage = so_far.as_ref().map_or(first, |so_far| so_far.stage);
        let most = if stage == dropping { waits } else { usize::MAX };
        match dropped_after(most, store.pass(pass, so_far.clone())).await {
            None => (waits, dropped) = (waits + 1, dropped + 1),
            Some(Ok(passing)) if passing.is_done() => return Ok(dropped),
            Some(Ok(passing)) => (so_far, waits) = (Some(passing), 0),
            Some(Err(problem)) if problem.is_passing() => {}
            Some(Err(problem)) => return Err(problem),
        }
    }
}

/// Asks again while only that is in the way which passes.
async fn patiently<T>(
    mut ask: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let began = Instant::now();
    loop {
        match ask().await {
            Err(problem) if problem.is_passing() && began.elapsed() < PATIENCE => {}
            answer => return answer,
        }
    }
}

/// Reads again and again, until it is aborted.
async fn reads(store: Arc<dyn Store>) -> Result<(), StoreError> {
    loop {
        store.log_head().await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_the_log_has_no_gap_wherever_a_pass_is_dropped() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut new) = keyspace().await? else {
        return Ok(());
    };
    let mut old = Keyspace(new.0.clone());
    old.0.rules -= 1;
    let store = old.open(None).await?;
    let wrong = (0..5).map(|n| wrongly(&format!("t{n}"), &json!("t"), Verdict::Invalid));
    let wrong: Vec<Change> = wrong.collect::<Result<_, _>>()?;
    store.apply(wrong.clone()).await?;
    store.close().await?;

    // One statement at a time, and others want their turn: each may be dropped before it is sent.
    new.0.most_statements = 1;
    let store = new.open(None).await?;
    let readers: Vec<_> = (0..3).map(|_| tokio::spawn(reads(store.clone()))).collect();
    let before = patiently(async || store.log_head().await).await?;
    let dropped = passed(store.as_ref(), Pass::Rules, Stage::Rules).await?;
    assert!(dropped > 5, "nothing was dropped");
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    let (_, change) = conformance::a_like()?;
    patiently(async || store.apply(vec![change.clone()]).await).await?;
    store.settle().await?;
    let mut position = before;
    let entries = patiently(async || store.log_after(&position, 100_000).await).await?;
    for entry in &entries {
        assert_eq!(entry.number, position.of(&entry.stream) + 1, "a gap");
        position.pass(entry);
    }
    for change in wrong {
        let Change::Version(version) = change else {
            return Err("no version".into());
        };
        let subject = LogSubject::Record(version.uri);
        let is_named = entries.iter().any(|entry| entry.subject == subject);
        assert!(is_named, "{subject:?} isn't in {entries:?}");
    }
    let head = patiently(async || store.log_head().await).await?;
    assert_eq!(head, position);
    store.close().await?;
    Ok(())
}

/// A like counts as one; told are 9, or a like that isn't there, or that its actor is hidden.
/// Wherever mending it was cut off, in the end it counts as one and the log says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_rebuild_mends_is_named_wherever_it_is_dropped() -> Checked {
    let _turn = ONE.lock().await;
    let cases = [
        (Pass::Counts, Stage::Counts),
        (Pass::Counts, Stage::Sets),
        (Pass::Indexes, Stage::Members),
        (Pass::Indexes, Stage::Hidden),
    ];
    for (pass, dropping) in cases {
        let Some(mut place) = keyspace().await? else {
            return Ok(());
        };
        // Nobody counts but who is touched.
        place.0.left_behind = Duration::from_secs(3_600);
        let store = place.open(None).await?;
        let (subject, change) = conformance::a_like()?;
        store.apply(vec![change]).await?;
        store.settle().await?;
        store.close().await?;
        drop(store);
        let session = place.session().await?;
        let wrong = "INSERT INTO counts (subject, kind, shard, cell)
            VALUES (?, 0, ?, 0x0000000000000009)";
        let gone = "DELETE FROM counts WHERE subject = ? AND kind = 0 AND shard = ?";
        let count = if dropping == Stage::Sets { gone } else { wrong };
        let shards = session
            .query_unpaged("SELECT shard FROM members", ())
            .await?;
        let (shard,) = shards.into_rows_result()?.first_row::<(i32,)>()?;
        session.query_unpaged(count, (&subject, shard)).await?;
        if dropping == Stage::Members {
            let text = "INSERT INTO members (subject, kind, shard, did, rkey, cell)
                VALUES (?, 0, ?, 'did:plc:b', 'nothing', 0x0001) USING TIMESTAMP 5";
            session.query_unpaged(text, (&subject, shard)).await?;
        }
        if dropping == Stage::Hidden {
            let text = "INSERT INTO hidden (shard, did, cell)
                VALUES (?, 'did:plc:b', 0x000000000000000b01) USING TIMESTAMP 11";
            session.query_unpaged(text, (shard,)).await?;
        }

        let store = place.open(None).await?;
        let before = store.log_head().await?;
        let dropped = passed(store.as_ref(), pass, dropping).await?;
        assert!(dropped > 5, "nothing was dropped");
        store.settle().await?;
        let counts = store
            .snapshot()
            .await?
            .counts(std::slice::from_ref(&subject))
            .await?;
        assert_eq!(counts[0].likes, 1, "{dropping:?}");
        let entries = store.log_after(&before, 100_000).await?;
        let named = LogSubject::Record(subject.parse()?);
        let is_named = entries.iter().any(|entry| entry.subject == named);
        assert!(is_named, "{dropping:?}: {entries:?}");
        store.close().await?;
    }
    Ok(())
}
