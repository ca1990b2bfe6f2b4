//! What was applied outlives a crash and a restart, and what it leaves is remembered.

use super::*;
use crate::copy::{self, CopyPlace, Stage};

/// Stopped at any step, opened again and given the whole history again, a store ends as one that
/// was never stopped.
pub async fn i03_a_crash_between_steps_loses_nothing(place: &dyn Place) -> Checked {
    let history = history()?;
    let mut reached = HashSet::new();
    // Ends with the first run that isn't stopped any more.
    for crash_at in 0.. {
        let asked = Arc::new(Mutex::new((0, None)));
        let hook: FaultHook = {
            let asked = asked.clone();
            Arc::new(move |point: CrashPoint| {
                let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                asked.0 += 1;
                let stops = asked.0 == crash_at + 1;
                if stops {
                    asked.1 = Some(point);
                }
                stops
            })
        };
        let store = place.open(Some(hook)).await?;
        let mut stopped = false;
        for change in &history {
            if store.apply(vec![change.clone()]).await.is_err() {
                stopped = true;
                break;
            }
        }
        drop(store);
        let point = asked.lock().unwrap_or_else(PoisonError::into_inner).1;
        assert_eq!(
            stopped,
            point.is_some(),
            "a crash was survived, or an error came unasked"
        );
        let Some(point) = point else { break };
        reached.insert(point);
    }
    assert!(
        reached.len() > 1,
        "too few crash points were reached: {reached:?}"
    );
    let store = place.open(None).await?;
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

/// A delete that arrives before its create keeps it out; a later re-create works.
pub async fn i04_a_delete_is_remembered(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
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
    let store = place.open(None).await?;
    let outcomes = store.apply(vec![put(&one, 4, &track("late"))?]).await?;
    assert_eq!(outcomes, [Outcome::Superseded]);
    store.apply(vec![put(&one, 6, &track("again"))?]).await?;
    assert!(dump(store.as_ref()).await?.contains("again"));
    store.close().await?;
    Ok(())
}

/// At or below a floor nothing is applied, whatever it says, also after a restart; a floor never
/// goes down, and is one collection's alone.
pub async fn i04_at_or_below_the_floor_nothing_is_applied(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    let floor = |at: i64| {
        Change::Floor(Floor {
            did: one.did.clone(),
            collection: one.collection.clone(),
            rev: rev(at),
        })
    };
    store.apply(vec![put(&one, 2, &track("held"))?]).await?;
    assert_eq!(store.apply(vec![floor(5)]).await?, [Outcome::Applied]);
    assert_eq!(store.apply(vec![floor(4)]).await?, [Outcome::Superseded]);
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    let proven = with_standing(put(&two, 5, &track("late"))?, Standing::Proven);
    let late = vec![
        put(&two, 4, &track("late"))?,
        put(&two, 5, &track("late"))?,
        proven,
        delete(&one, 5),
        put(&one, 3, &track("late"))?,
    ];
    assert_eq!(store.apply(late).await?, [Outcome::Superseded; 5]);
    assert_eq!(title(store.as_ref(), &one).await?.as_deref(), Some("held"));
    assert_eq!(title(store.as_ref(), &two).await?, None);
    let comment = uri("a", "comment", "one")?;
    let above = vec![
        put(&two, 6, &track("new"))?,
        put(&comment, 1, &about(&one))?,
    ];
    assert_eq!(store.apply(above).await?, [Outcome::Applied; 2]);
    assert_eq!(title(store.as_ref(), &two).await?.as_deref(), Some("new"));
    store.close().await?;
    Ok(())
}

/// Log entries are numbered in order, name what changed, and outlive a restart; what changed
/// nothing has none.
pub async fn the_log_names_what_changed(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let one = uri("a", "track", "one")?;
    let beginning = LogPosition::default();
    assert_eq!(store.log_head().await?, beginning);
    store
        .apply(vec![
            put(&one, 1, &track("x"))?,
            account("a", AccountState::Active, 5)?,
        ])
        .await?;
    let between = store.log_head().await?;
    store
        .apply(vec![put(&one, 1, &track("x"))?, delete(&one, 2)])
        .await?;
    let head = store.log_head().await?;
    assert!(head.covers(&between) && !between.covers(&head));
    store.log_changed(&between).await?;
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    let entries = store.log_after(&beginning, 10).await?;
    let mut seen = beginning.clone();
    for entry in &entries {
        assert_eq!(entry.number, seen.of(&entry.stream) + 1);
        seen.pass(entry);
    }
    assert_eq!(seen, head);
    let rest = store.log_after(&between.to_string().parse()?, 10).await?;
    assert_eq!(rest, entries[2..]);
    assert_eq!(store.log_after(&beginning, 1).await?, entries[..1]);
    let record = LogSubject::Record(one.clone());
    let actor = LogSubject::Actor(one.did.clone());
    let subjects: Vec<_> = entries.into_iter().map(|entry| entry.subject).collect();
    assert_eq!(subjects, [record.clone(), actor, record]);
    assert_eq!(store.log_head().await?, head);
    store.close().await?;
    Ok(())
}

fn hidden(subject: &str, hidden: bool) -> Result<Change, BoxError> {
    let (subject, at) = (subject.parse()?, 60);
    Ok(Change::Hide(crate::Hide {
        subject,
        hidden,
        at,
    }))
}

/// A copy, cut off after every page and gone on with, holds the same and says the same of itself.
pub async fn i01_a_copy_is_the_same(place: &dyn Place, elsewhere: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    store.apply(history()?).await?;
    let did = Did::new("did:plc:b".to_owned())?;
    let one = uri("a", "track", "one")?;
    store
        .apply(vec![
            Change::Floor(Floor {
                did: one.did.clone(),
                collection: one.collection.clone(),
                rev: rev(6),
            }),
            Change::Due(crate::DueCheck {
                did: did.clone(),
                triggered_at: 7,
                asked: 3,
                failures: 2,
                missing_since: 8,
                due_at: 70,
            }),
            Change::Cursor(StreamCursor {
                source: "wss://one".to_owned(),
                position: 77,
                recent: vec![1],
            }),
            Change::Repo(verified(&did, 50)?),
            Change::RepoDue(wanted(&did, 51, Urgency::Steady, 900)),
            account("c", AccountState::TakenDown, 40)?,
            hidden("at://did:plc:b/fm.plyr.like/y", true)?,
            hidden("did:plc:a", true)?,
            hidden("did:plc:b", false)?,
            hidden(&format!("blob:*/{}", data::cid_of(b"bytes")), true)?,
            Change::Quarantine(crate::QuarantineEntry {
                id: "ab".to_owned(),
                source: "wss://one".to_owned(),
                reason: "frame".to_owned(),
                detail: "cut".to_owned(),
                did: Some(did),
                uri: None,
                rev: None,
                cid: None,
                seen_at: 9,
            }),
        ])
        .await?;
    let copied_to = elsewhere.open(None).await?;
    store.settle().await?;
    let said = full_dump(store.as_ref()).await?;
    // Cut off after every page, and gone on from there.
    let (mut place, namespace) = (CopyPlace::default(), namespace()?);
    while place.stage != Stage::Done {
        let mut reached = None;
        let whole = store.whole().await?;
        let copied = copy::copy(
            whole.as_ref(),
            copied_to.as_ref(),
            &namespace,
            place.clone(),
            |at| match reached.replace(at.clone()) {
                None => Ok(()),
                Some(_) => Err(StoreError::Closed),
            },
        );
        let copied = copied.await;
        place = match (copied, reached) {
            (Ok(done), _) | (Err(StoreError::Closed), Some(done)) => done,
            (Err(problem), _) => return Err(problem.into()),
        };
    }
    copied_to.settle().await?;
    assert_eq!(full_dump(copied_to.as_ref()).await?, said);
    assert_eq!(counts(copied_to.as_ref(), &one).await?.likes, 0);
    let hides = copied_to.snapshot().await?.all_hides(None, 10).await?;
    assert_eq!(hides.iter().filter(|hide| hide.hidden).count(), 3);
    // The dump leaves out how far streams were followed.
    let cursor = copied_to.snapshot().await?.cursor("wss://one").await?;
    let cursor = cursor.map(|cursor| (cursor.position, cursor.recent));
    assert_eq!(cursor, Some((77, vec![1])));
    store.close().await?;
    copied_to.close().await?;
    Ok(())
}

async fn full_dump(store: &dyn Store) -> Result<String, BoxError> {
    let mut out = Vec::new();
    let whole = store.whole().await?;
    crate::full_dump::full_dump(whole.as_ref(), None, &mut out, &std::env::temp_dir()).await?;
    Ok(String::from_utf8(out)?)
}

/// What was refused and is settled is no more in the list; refused again, it is there again.
pub async fn what_was_refused_is_released(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let refused = |id: &str, seen_at: i64| crate::QuarantineEntry {
        id: id.to_owned(),
        source: "wss://one".to_owned(),
        reason: "frame".to_owned(),
        detail: "cut".to_owned(),
        did: None,
        uri: None,
        rev: None,
        cid: None,
        seen_at,
    };
    let now = chrono::Utc::now().timestamp_micros();
    let (first, second) = (refused("ab", now - 10), refused("cd", now - 20));
    let both = [first.clone(), second.clone()].map(Change::Quarantine);
    store.apply(both.to_vec()).await?;
    let release = || Change::Released {
        id: "ab".to_owned(),
    };
    let outcomes = store.apply(vec![release(), release()]).await?;
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Superseded]);
    let listed = async || store.snapshot().await?.quarantine(None, 10).await;
    assert_eq!(listed().await?, std::slice::from_ref(&second));
    let again = refused("ab", chrono::Utc::now().timestamp_micros());
    store.apply(vec![Change::Quarantine(again.clone())]).await?;
    assert_eq!(listed().await?, [again, second]);
    store.close().await?;
    Ok(())
}

/// A cursor is there again after a restart.
pub async fn a_cursor_is_durable(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let cursor = StreamCursor {
        source: "wss://one".to_owned(),
        position: 77,
        recent: vec![1, u64::MAX],
    };
    store.apply(vec![Change::Cursor(cursor.clone())]).await?;
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    let snapshot = store.snapshot().await?;
    assert_eq!(snapshot.cursor("wss://one").await?, Some(cursor));
    assert_eq!(snapshot.cursor("wss://two").await?, None);
    store.close().await?;
    Ok(())
}
