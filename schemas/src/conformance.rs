//! What every engine must keep, as cases that run over any of them: [`store_conformance!`] makes a
//! test of each. A factory gives a fresh place; a place opens a store, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plyr_lexicons::{Did, Handle, Namespace, RecordUri, Rev, data, validate};
use serde_json::{Value, json};

use crate::embedded::{FaultHook, FaultPoint};
use crate::{
    Account, AccountState, Body, Change, Counts, Derived, Identity, Index, LogSubject, Outcome,
    Standing, Store, StreamCursor, Version,
};

/// What a case may end with.
pub type Checked = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A place where a store lives, for one case.
pub trait Place: Send + Sync {
    /// Opens the store, with a fault hook where the case wants one.
    fn open(&self, fault: Option<FaultHook>) -> Result<Arc<dyn Store>, crate::StoreError>;
}

/// Makes one test of every case, over places from `$factory`.
#[macro_export]
macro_rules! store_conformance {
    ($factory:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() -> $crate::conformance::Checked {
                let place = $factory;
                $crate::conformance::$case(&place).await
            }
        )*
    };
}

fn namespace() -> Result<Namespace, plyr_lexicons::NamespaceError> {
    "fm.plyr".parse()
}

fn uri(actor: &str, collection: &str, rkey: &str) -> Result<RecordUri, plyr_lexicons::AtUriError> {
    format!("at://did:plc:{actor}/fm.plyr.{collection}/{rkey}").parse()
}

fn rev(number: i64) -> Rev {
    Rev::from_micros(1_700_000_000_000_000 + number * 1_000_000, 0)
}

/// A version of a record, judged as an indexer would.
fn put(
    uri: &RecordUri,
    at: i64,
    record: &Value,
) -> Result<Change, Box<dyn std::error::Error + Send + Sync>> {
    let namespace = namespace()?;
    let collection = namespace
        .collection(uri.collection.as_str())
        .ok_or("no collection")?;
    let mut record = record.clone();
    record["$type"] = uri.collection.as_str().into();
    record["createdAt"] = "2026-01-01T00:00:00Z".into();
    let value = data::from_json(record.to_string().as_bytes())?;
    let bytes = data::to_cbor(&value)?;
    let judgement = validate::judge(&namespace, collection, &value);
    let derived = match judgement.verdict {
        plyr_lexicons::Verdict::Invalid => Derived::default(),
        _ => Derived::of(uri, collection, &value),
    };
    let body = Body::Record {
        cid: data::cid_of(&bytes),
        bytes,
        judgement,
        derived,
    };
    let (uri, rev, standing) = (uri.clone(), rev(at), Standing::Event);
    Ok(Change::Version(Version {
        uri,
        rev,
        standing,
        body,
        seen_at: 5,
    }))
}

fn delete(uri: &RecordUri, at: i64) -> Change {
    let (uri, rev, standing, body) = (uri.clone(), rev(at), Standing::Event, Body::Delete);
    Change::Version(Version {
        uri,
        rev,
        standing,
        body,
        seen_at: 5,
    })
}

fn account(actor: &str, state: AccountState, asked_at: i64) -> Result<Change, &'static str> {
    let did = Did::new(format!("did:plc:{actor}"))?;
    Ok(Change::Account(Account {
        did,
        state,
        asked_at,
    }))
}

fn track(title: &str) -> Value {
    json!({ "title": title, "artist": "A", "fileType": "mp3", "duration": 60 })
}

fn about(subject: &RecordUri) -> Value {
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    json!({ "subject": { "uri": subject.to_string(), "cid": cid }, "text": "t", "timestampMs": 1 })
}

async fn dump(store: &dyn Store) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut out = Vec::new();
    let snapshot = store.snapshot().await?;
    crate::dump::dump(snapshot.as_ref(), &mut out, &std::env::temp_dir()).await?;
    Ok(String::from_utf8(out)?)
}

async fn counts(store: &dyn Store, subject: &RecordUri) -> Result<Counts, crate::StoreError> {
    let counts = store
        .snapshot()
        .await?
        .counts(&[subject.to_string()])
        .await?;
    Ok(counts.first().copied().unwrap_or_default())
}

/// A history with everything in it, for cases that shuffle.
fn history() -> Result<Vec<Change>, Box<dyn std::error::Error + Send + Sync>> {
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    let (like, again) = (uri("b", "like", "x")?, uri("b", "like", "y")?);
    let comment = uri("b", "comment", "c")?;
    let list = uri("b", "list", "l")?;
    let items = json!({ "listType": "album", "items": [about(&one), about(&two), about(&one)] });
    Ok(vec![
        put(&one, 1, &track("first"))?,
        put(&one, 2, &track("second"))?,
        delete(&one, 3),
        put(&one, 4, &track("again"))?,
        put(&one, 5, &json!({ "title": 7 }))?,
        put(&one, 6, &track("mended"))?,
        put(&two, 2, &track("two"))?,
        delete(&two, 7),
        put(&like, 1, &about(&one))?,
        put(&again, 2, &about(&one))?,
        delete(&like, 3),
        put(&comment, 4, &about(&one))?,
        put(&comment, 5, &about(&two))?,
        put(&list, 6, &items)?,
        account("b", AccountState::Deactivated, 10)?,
        account("b", AccountState::Active, 20)?,
        account("a", AccountState::Active, 15)?,
    ])
}

/// Any permutation and duplication of a history, in any batches, ends in one state.
pub async fn i02_any_order_ends_in_one_state(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let history = history()?;
    store.apply(history.clone()).await?;
    let expected = dump(store.as_ref()).await?;
    let totals = store.snapshot().await?.totals().await?;
    assert!(
        expected.contains("mended") && !expected.contains("second"),
        "{expected}"
    );
    assert_eq!(
        (totals.sums.tracks, totals.sums.likes, totals.artists),
        (1, 1, 1)
    );
    store.close().await?;
    drop(store);
    let mut random = 1u64;
    for round in 0..40 {
        // A new repo for each round: the same history under other DIDs of the same length.
        let letter = |text: &str| {
            let from = char::from(b'c' + (round % 20) as u8);
            let other = char::from(b'0' + (round / 20) as u8);
            text.replace("did:plc:a", &format!("did:plc:{from}{other}a"))
                .replace("did:plc:b", &format!("did:plc:{from}{other}b"))
        };
        let place_store = place.open(None)?;
        let before: Vec<String> = dump(place_store.as_ref())
            .await?
            .lines()
            .map(str::to_owned)
            .collect();
        let mut shuffled: Vec<Change> = history.iter().chain(&history).cloned().collect();
        for at in (1..shuffled.len()).rev() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            shuffled.swap(at, (random >> 33) as usize % (at + 1));
        }
        let moved: Vec<Change> = shuffled
            .iter()
            .map(|change| rename(change, &letter))
            .collect::<Result<_, _>>()?;
        for batch in moved.chunks(1 + round % 5) {
            place_store.apply(batch.to_vec()).await?;
        }
        let after = dump(place_store.as_ref()).await?;
        let mut new: Vec<String> = after
            .lines()
            .filter(|line| !before.iter().any(|old| old == line))
            .map(str::to_owned)
            .collect();
        let straight: Vec<Change> = history
            .iter()
            .map(|change| rename(change, &letter))
            .collect::<Result<_, _>>()?;
        // The straight history changes nothing any more.
        place_store.apply(straight).await?;
        assert_eq!(dump(place_store.as_ref()).await?, after, "round {round}");
        let lines = |text: &str, part: &str| text.matches(part).count();
        new.sort_unstable();
        let new = new.join("\n");
        assert_eq!(
            lines(&new, "mended"),
            lines(&expected, "mended"),
            "round {round}: {new}"
        );
        assert_eq!(
            new.lines().count(),
            expected.lines().count(),
            "round {round}: {new}"
        );
        place_store.close().await?;
    }
    Ok(())
}

/// The same change in another repo; records are made again so that their CIDs hold.
fn rename(
    change: &Change,
    letter: &dyn Fn(&str) -> String,
) -> Result<Change, Box<dyn std::error::Error + Send + Sync>> {
    Ok(match change {
        Change::Version(version) => {
            let uri: RecordUri = letter(&version.uri.to_string()).parse()?;
            match &version.body {
                Body::Delete => Change::Version(Version {
                    uri,
                    ..version.clone()
                }),
                Body::Record { bytes, .. } => {
                    let json = data::to_json(&data::from_cbor(bytes)?).to_string();
                    let record: Value = serde_json::from_str(&letter(&json))?;
                    let Change::Version(made) = put(&uri, 0, &record)? else {
                        return Err("no version".into());
                    };
                    Change::Version(Version {
                        rev: version.rev,
                        ..made
                    })
                }
            }
        }
        Change::Account(account) => Change::Account(Account {
            did: Did::new(letter(account.did.as_str()))?,
            ..account.clone()
        }),
        other => other.clone(),
    })
}

/// A delete that arrives before its create keeps it out; a later re-create works.
pub async fn i04_a_delete_is_remembered(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let one = uri("a", "track", "one")?;
    assert_eq!(
        store.apply(vec![delete(&one, 5)]).await?,
        [Outcome::Applied]
    );
    let late = vec![put(&one, 4, &track("late"))?, put(&one, 5, &track("late"))?];
    let outcomes = store.apply(late).await?;
    assert_eq!(outcomes[0], Outcome::Superseded);
    store.close().await?;
    drop(store);
    let store = place.open(None)?;
    let outcomes = store.apply(vec![put(&one, 4, &track("late"))?]).await?;
    assert_eq!(outcomes, [Outcome::Superseded]);
    store.apply(vec![put(&one, 6, &track("again"))?]).await?;
    assert!(dump(store.as_ref()).await?.contains("again"));
    store.close().await?;
    Ok(())
}

/// An invalid update takes the old version out of the indexes and into the quarantine.
pub async fn i05_the_latest_version_decides(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let one = uri("a", "track", "one")?;
    store.apply(vec![put(&one, 1, &track("good"))?]).await?;
    store
        .apply(vec![put(&one, 2, &json!({ "title": 7 }))?])
        .await?;
    let snapshot = store.snapshot().await?;
    assert!(
        snapshot
            .page(&Index::LatestTracks, None, 10)
            .await?
            .is_empty()
    );
    let refused = snapshot.quarantine(None, 10).await?;
    assert_eq!(
        refused
            .iter()
            .map(|entry| entry.uri.clone())
            .collect::<Vec<_>>(),
        [Some(one.clone())]
    );
    assert_eq!(snapshot.totals().await?.sums.tracks, 0);
    store.apply(vec![put(&one, 3, &track("mended"))?]).await?;
    let snapshot = store.snapshot().await?;
    assert_eq!(
        snapshot.page(&Index::LatestTracks, None, 10).await?.len(),
        1
    );
    assert!(snapshot.quarantine(None, 10).await?.is_empty());
    store.close().await?;
    Ok(())
}

/// Likes are distinct actors: a second like of one actor changes nothing, nor does its end.
pub async fn i07_an_actor_likes_once(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let one = uri("a", "track", "one")?;
    let (x, y) = (uri("b", "like", "x")?, uri("b", "like", "y")?);
    store
        .apply(vec![put(&x, 1, &about(&one))?, put(&y, 2, &about(&one))?])
        .await?;
    store
        .apply(vec![put(&uri("c", "like", "x")?, 1, &about(&one))?])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?.likes, 2);
    let pairs = [(one.to_string(), y.did.clone())];
    let first = store.snapshot().await?.first_likes(&pairs).await?;
    assert_eq!(first, [Some(x.clone())]);
    store.apply(vec![delete(&x, 3)]).await?;
    assert_eq!(counts(store.as_ref(), &one).await?.likes, 2);
    store.apply(vec![delete(&y, 4)]).await?;
    assert_eq!(counts(store.as_ref(), &one).await?.likes, 1);
    assert_eq!(store.snapshot().await?.totals().await?.sums.likes, 1);
    store.close().await?;
    Ok(())
}

/// A hidden account counts nowhere, comes back whole, and an older answer changes nothing.
pub async fn i08_hidden_accounts_count_nowhere(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let one = uri("a", "track", "one")?;
    store.apply(history()?).await?;
    let (before, said) = (
        dump(store.as_ref()).await?,
        counts(store.as_ref(), &one).await?,
    );
    assert_eq!((said.likes, said.lists), (1, 1));
    store
        .apply(vec![account("b", AccountState::TakenDown, 30)?])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?, Counts::default());
    assert!(!dump(store.as_ref()).await?.contains("did:plc:b/"));
    // What is written meanwhile counts when the account is back, not before.
    store
        .apply(vec![put(&uri("b", "comment", "d")?, 9, &about(&one))?])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?.comments, 0);
    store
        .apply(vec![account("b", AccountState::Active, 29)?])
        .await?;
    assert_eq!(
        counts(store.as_ref(), &one).await?.likes,
        0,
        "an older answer was heeded"
    );
    store
        .apply(vec![account("b", AccountState::Active, 31)?])
        .await?;
    assert_eq!(
        counts(store.as_ref(), &one).await?.comments,
        said.comments + 1
    );
    store
        .apply(vec![delete(&uri("b", "comment", "d")?, 10)])
        .await?;
    assert_eq!(dump(store.as_ref()).await?, before);
    store.close().await?;
    Ok(())
}

/// Pages walked to the end hold every row once, also with rows of the same time, and with rows
/// coming in between.
pub async fn i15_pages_neither_skip_nor_repeat(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let named = |number: usize| uri("a", "track", &format!("n{number:03}"));
    for number in (0..60).step_by(2) {
        store
            .apply(vec![put(&named(number)?, 1, &track("t"))?])
            .await?;
    }
    let did = Did::new("did:plc:a".to_owned())?;
    let (mut seen, mut after) = (Vec::new(), None);
    for round in 0.. {
        let snapshot = store.snapshot().await?;
        let page = snapshot
            .page(&Index::ActorTracks(did.clone()), after.as_ref(), 7)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.position.clone());
        seen.extend(page.into_iter().map(|entry| entry.position.uri));
        store
            .apply(vec![put(&named(1 + 2 * round)?, 1, &track("new"))?])
            .await?;
    }
    for number in (0..60).step_by(2) {
        let uri = named(number)?;
        assert_eq!(seen.iter().filter(|one| **one == uri).count(), 1, "{uri}");
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "a row came twice");
    store.close().await?;
    Ok(())
}

/// The newest proof holds a handle; who lost it shows none.
pub async fn a_handle_belongs_to_its_newest_proof(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let handle = Handle::new("music.test".to_owned())?;
    let identity = |actor: &str, asked_at: i64, proven: bool| -> Result<Change, &'static str> {
        Ok(Change::Identity(Identity {
            did: Did::new(format!("did:plc:{actor}"))?,
            pds: None,
            signing_key: None,
            handle: proven.then(|| handle.clone()),
            asked_at,
        }))
    };
    store
        .apply(vec![identity("a", 10, true)?, identity("b", 20, true)?])
        .await?;
    store.apply(vec![identity("a", 15, true)?]).await?;
    let snapshot = store.snapshot().await?;
    let holder = snapshot.handle(&handle).await?.map(|claim| claim.did);
    assert_eq!(holder, Some(Did::new("did:plc:b".to_owned())?));
    let dids = [
        Did::new("did:plc:a".to_owned())?,
        Did::new("did:plc:b".to_owned())?,
    ];
    let shown: Vec<_> = snapshot
        .actors(&dids)
        .await?
        .into_iter()
        .map(|actor| actor.handle)
        .collect();
    assert_eq!(shown, [None, Some(handle.clone())]);
    store.apply(vec![identity("b", 30, false)?]).await?;
    assert_eq!(store.snapshot().await?.handle(&handle).await?, None);
    store.close().await?;
    Ok(())
}

/// Log entries are numbered in order, name what changed, and outlive a restart; what changed
/// nothing has none.
pub async fn the_log_names_what_changed(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let one = uri("a", "track", "one")?;
    store
        .apply(vec![
            put(&one, 1, &track("x"))?,
            account("a", AccountState::Active, 5)?,
        ])
        .await?;
    store
        .apply(vec![put(&one, 1, &track("x"))?, delete(&one, 2)])
        .await?;
    let head = store.log_head().await?;
    store.log_changed(head - 1).await?;
    store.close().await?;
    drop(store);
    let store = place.open(None)?;
    let entries = store.log_after(0, 10).await?;
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=head).collect::<Vec<_>>());
    let record = LogSubject::Record(one.clone());
    let actor = LogSubject::Actor(one.did.clone());
    let subjects: Vec<_> = entries.into_iter().map(|entry| entry.subject).collect();
    assert_eq!(subjects, [record.clone(), actor, record]);
    assert_eq!(store.log_head().await?, head);
    store.close().await?;
    Ok(())
}

/// A cursor is there again after a restart.
pub async fn a_cursor_is_durable(place: &dyn Place) -> Checked {
    let store = place.open(None)?;
    let cursor = StreamCursor {
        source: "wss://one".to_owned(),
        position: 77,
        recent: vec![1, u64::MAX],
    };
    store.apply(vec![Change::Cursor(cursor.clone())]).await?;
    store.close().await?;
    drop(store);
    let store = place.open(None)?;
    let snapshot = store.snapshot().await?;
    assert_eq!(snapshot.cursor("wss://one").await?, Some(cursor));
    assert_eq!(snapshot.cursor("wss://two").await?, None);
    store.close().await?;
    Ok(())
}

/// Stopped at any step, opened again and given the whole history again, a store ends as one that
/// was never stopped; and before that it holds whole batches or none of them.
pub async fn i03_a_crash_between_steps_loses_nothing(place: &dyn Place) -> Checked {
    let history = history()?;
    let mut stopped = 0;
    for crash_at in 0..history.len() * 2 {
        let asked = Arc::new(AtomicUsize::new(0));
        let hook: FaultHook = {
            let asked = asked.clone();
            Arc::new(move |_: FaultPoint| asked.fetch_add(1, Ordering::SeqCst) == crash_at)
        };
        let store = place.open(Some(hook))?;
        for change in &history {
            if store.apply(vec![change.clone()]).await.is_err() {
                stopped += 1;
                break;
            }
        }
        drop(store);
    }
    assert!(stopped > 0, "no crash point was ever reached");
    let store = place.open(None)?;
    store.apply(history).await?;
    let ended = dump(store.as_ref()).await?;
    store.close().await?;
    assert!(
        ended.contains("mended") && ended.contains("\"likeCount\":1"),
        "{ended}"
    );
    assert_eq!(ended.lines().count(), 6, "{ended}");
    Ok(())
}
