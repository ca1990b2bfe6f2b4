//! What follows behind the writes: counts, and who waits for them.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use plyr_lexicons::Did;
use plyr_peers::wait_until;
use plyr_schemas::conformance::{self, Checked, Place};
use plyr_schemas::scylla::AFTER_LOG;
use plyr_schemas::{Account, AccountState, Change, Store, StoreError, StreamCursor};

use crate::dropped::{PATIENCE, dropped_after, stopping};
use crate::{Keyspace, ONE, keyspace};

async fn likes(store: &dyn Store, subject: &str) -> Result<u64, StoreError> {
    let snapshot = store.snapshot().await?;
    let counts = snapshot.counts(&[subject.to_owned()]).await?;
    Ok(counts[0].likes)
}

/// Once an entry is there it may be told that everything up to it is counted: so what it touched
/// must be known by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn i03_what_is_named_is_known_to_be_counted() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = keyspace().await? else {
        return Ok(());
    };
    let (hook, reached, goes_on) = stopping(AFTER_LOG);
    let store = place.open(Some(hook)).await?;
    let (subject, like) = conformance::a_like()?;
    let hides = Change::Account(Account {
        did: Did::new("did:plc:b".to_owned())?,
        state: AccountState::Deactivated,
        since: 10,
        asked_at: 10,
    });
    for (change, expected) in [(like, 1), (hides, 0)] {
        goes_on.store(false, Ordering::SeqCst);
        let writing = tokio::spawn({
            let store = store.clone();
            async move { store.apply(vec![change]).await }
        });
        tokio::time::timeout(PATIENCE, reached.notified()).await?;
        let question = || async {
            let counted = likes(store.as_ref(), &subject).await;
            let counted = counted.map_err(|problem| problem.to_string())?;
            let told = format!("{counted} likes, not {expected}");
            (counted == expected).then_some(()).ok_or(told)
        };
        let counted = wait_until("it is counted", question).await;
        goes_on.store(true, Ordering::SeqCst);
        counted?;
        writing.await??;
    }
    store.close().await?;
    Ok(())
}

fn cursor(source: &str) -> Change {
    Change::Cursor(StreamCursor {
        source: source.to_owned(),
        position: 1,
        recent: Vec::new(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_while_there_is_no_room_leaves_nothing() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut place) = keyspace().await? else {
        return Ok(());
    };
    place.0.most_waiting = 1;
    place.0.settle_again = Duration::from_secs(15);
    let store = place.open(None).await?;
    let (_, like) = conformance::a_like()?;
    store.apply(vec![like]).await?;
    for _ in 0..3 {
        let answer = dropped_after(0, store.apply(vec![cursor("gone")])).await;
        assert!(answer.is_none(), "there was room");
    }
    store.apply(vec![cursor("waits")]).await?;
    // Whatever else is under way is waited for.
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    let snapshot = store.snapshot().await?;
    assert!(snapshot.cursor("waits").await?.is_some());
    assert_eq!(snapshot.cursor("gone").await?, None);
    store.close().await?;
    Ok(())
}

/// Of three copies there is one node: it answers pages, but can't be sure of anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sure_counts_are_not_those_of_one_node() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut place) = keyspace().await? else {
        return Ok(());
    };
    place.0.settle_again = Duration::from_secs(3_600);
    let store = place.open(None).await?;
    let (subject, like) = conformance::a_like()?;
    store.apply(vec![like]).await?;
    store.settle().await?;
    let snapshot = store.snapshot().await?;
    let subjects = [subject.clone()];
    let surely = snapshot.sure_counts(&subjects).await?;
    assert_eq!(surely[0].likes, 1);
    let session = place.session().await?;
    let text = "SELECT data_center FROM system.local";
    let local = session.query_unpaged(text, ()).await?.into_rows_result()?;
    let (datacenter,) = local.first_row::<(String,)>()?;
    let copies = |factor: u8| {
        format!(
            "ALTER KEYSPACE {} WITH replication =
                {{'class': 'NetworkTopologyStrategy', '{datacenter}': {factor}}}",
            place.0.keyspace
        )
    };
    let mut hasty = Keyspace(place.0.clone());
    hasty.0.read_patience = Duration::from_millis(200);
    let hasty = hasty.open(None).await?;
    let unsure = hasty.snapshot().await?;
    session.query_unpaged(copies(3), ()).await?;
    let of_one = likes(store.as_ref(), &subject).await;
    let surely = unsure.sure_counts(&subjects).await;
    session.query_unpaged(copies(1), ()).await?;
    assert_eq!(of_one?, 1);
    assert!(
        matches!(surely, Err(StoreError::Overloaded { .. })),
        "{surely:?}"
    );
    hasty.close().await?;
    store.close().await?;
    Ok(())
}

/// Streams expire when their processes are gone, not while they live and have nothing to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_process_keeps_its_stream() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut place) = keyspace().await? else {
        return Ok(());
    };
    place.0.settle_again = Duration::from_secs(3_600);
    let store = place.open(None).await?;
    let (_, like) = conformance::a_like()?;
    store.apply(vec![like]).await?;
    // From here on nothing is appended.
    store.settle().await?;
    let session = place.session().await?;
    let shortest = AtomicI32::new(i32::MAX);
    let question = || async {
        let text = "SELECT TTL(head) FROM log_streams";
        let rows = session.query_unpaged(text, ()).await;
        let rows = rows.map_err(|problem| problem.to_string())?;
        let rows = rows
            .into_rows_result()
            .map_err(|problem| problem.to_string())?;
        let (left,) = rows
            .first_row::<(Option<i32>,)>()
            .map_err(|problem| problem.to_string())?;
        let left = left.ok_or("it expires never")?;
        let before = shortest.fetch_min(left, Ordering::SeqCst);
        let told = format!("{left} seconds are left, {before} were");
        (left > before).then_some(()).ok_or(told)
    };
    wait_until("it has longer to live than before", question).await?;
    store.close().await?;
    Ok(())
}

/// What is always something to count keeps nobody from saying how far the counts have come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_how_far_counts_have_come_while_there_are_more() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = keyspace().await? else {
        return Ok(());
    };
    let store = place.open(None).await?;
    let (_, like) = conformance::a_like()?;
    store.apply(vec![like]).await?;
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            let mut rev = 1;
            loop {
                match store.apply(conformance::likes(200, rev)?).await {
                    Err(problem) if !problem.is_passing() => return Err(problem.into()),
                    _ => rev += 1,
                }
            }
            #[allow(unreachable_code)] // it is aborted
            Checked::Ok(())
        }
    });
    let session = place.session().await?;
    let question = || async {
        let text = "SELECT settled FROM log_streams";
        let rows = session.query_unpaged(text, ()).await;
        let rows = rows.map_err(|problem| problem.to_string())?;
        let rows = rows
            .into_rows_result()
            .map_err(|problem| problem.to_string())?;
        let (settled,) = rows
            .first_row::<(Option<i64>,)>()
            .map_err(|problem| problem.to_string())?;
        let told = format!("settled up to {settled:?}");
        settled
            .filter(|settled| *settled > 0)
            .map(|_| ())
            .ok_or(told)
    };
    let told = wait_until("something is settled", question).await;
    assert!(!writing.is_finished(), "nothing was written any more");
    writing.abort();
    told?;
    store.close().await?;
    Ok(())
}
