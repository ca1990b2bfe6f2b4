//! Whatever order changes come in, and whoever brings them, they end in one state.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::*;

/// Any permutation and duplication of a history, in any batches, ends in one state.
pub async fn i02_any_order_ends_in_one_state(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let history = history()?;
    store.apply(history.clone()).await?;
    let expected = dump(store.as_ref()).await?;
    let totals = settled(store.as_ref()).await?.totals().await?;
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
        let place_store = place.open(None).await?;
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
fn rename(change: &Change, letter: &dyn Fn(&str) -> String) -> Result<Change, BoxError> {
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

/// Every order of three changes.
fn orders(of: [Change; 3]) -> Vec<Vec<Change>> {
    let places = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let order = |places: &[usize; 3]| places.iter().map(|at| of[*at].clone()).collect();
    places.iter().map(order).collect()
}

/// At one rev what is proven beats what is void, and that what was told, in any order; a void
/// version shows nowhere, and uncovers what is proven beneath it.
pub async fn i02_the_greater_standing_wins_at_one_rev(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let void = |uri: &RecordUri, at| with_standing(delete(uri, at), Standing::Void);
    let mut shown = Vec::new();
    for number in 0..6 {
        let told = uri("a", "track", &format!("told{number}"))?;
        let beneath = uri("a", "track", &format!("beneath{number}"))?;
        let proven = |uri: &RecordUri, at| -> Result<Change, BoxError> {
            Ok(with_standing(
                put(uri, at, &track("proven"))?,
                Standing::Proven,
            ))
        };
        let at_one = [
            put(&told, 5, &track("told"))?,
            void(&told, 5),
            proven(&told, 5)?,
        ];
        let above = [
            put(&beneath, 5, &track("told"))?,
            void(&beneath, 5),
            proven(&beneath, 4)?,
        ];
        for change in orders(at_one)[number].iter().chain(&orders(above)[number]) {
            store.apply(vec![change.clone()]).await?;
        }
        for uri in [told, beneath] {
            let title = title(store.as_ref(), &uri).await?;
            assert_eq!(title.as_deref(), Some("proven"), "{uri}, order {number}");
            shown.push(uri);
        }
        let gone = uri("a", "track", &format!("gone{number}"))?;
        let mut two = vec![put(&gone, 5, &track("told"))?, void(&gone, 5)];
        two.rotate_left(number % 2);
        for change in two {
            store.apply(vec![change]).await?;
        }
        assert_eq!(title(store.as_ref(), &gone).await?, None);
    }
    let snapshot = settled(store.as_ref()).await?;
    let page = snapshot.page(&Index::LatestTracks, None, 100).await?;
    let mut page: Vec<_> = page.into_iter().map(|entry| entry.position.uri).collect();
    page.sort();
    shown.sort();
    assert_eq!(page, shown);
    assert_eq!(snapshot.totals().await?.sums.tracks, 12);
    store.close().await?;
    Ok(())
}

/// Of different contents at one rev the same one wins, whichever came first.
pub async fn i02_a_tie_ends_alike_in_either_order(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let (first, second) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    for (uri, titles) in [(&first, ["x", "y"]), (&second, ["y", "x"])] {
        for title in titles {
            store.apply(vec![put(uri, 3, &track(title))?]).await?;
        }
    }
    let won = title(store.as_ref(), &first).await?;
    assert!(won.is_some());
    assert_eq!(title(store.as_ref(), &second).await?, won);
    // A record beats a delete.
    for (number, uri) in [&first, &second].into_iter().enumerate() {
        let mut two = vec![put(uri, 4, &track("z"))?, delete(uri, 4)];
        two.rotate_left(number);
        for change in two {
            store.apply(vec![change]).await?;
        }
        assert_eq!(title(store.as_ref(), uri).await?.as_deref(), Some("z"));
    }
    store.close().await?;
    Ok(())
}

/// Two writers, where the engine lets two in, given one history in different orders at once end as
/// one writer does.
pub async fn i02_two_writers_end_as_one(place: &dyn Place) -> Checked {
    if !place.is_shared() {
        return Ok(());
    }
    let (one, two) = (place.open(None).await?, place.open(None).await?);
    let history = history()?;
    let reversed: Vec<Change> = history.iter().rev().cloned().collect();
    let run = |store: Arc<dyn Store>, changes: Vec<Change>| async move {
        for batch in changes.chunks(2) {
            store.apply(batch.to_vec()).await?;
        }
        Ok::<(), StoreError>(())
    };
    let (left, right) = tokio::join!(
        run(one.clone(), history.clone()),
        run(two.clone(), reversed)
    );
    left?;
    right?;
    two.settle().await?;
    let ended = dump(one.as_ref()).await?;
    assert_eq!(dump(two.as_ref()).await?, ended);
    assert!(
        ended.contains("mended") && ended.contains("\"likeCount\":1"),
        "{ended}"
    );
    assert_eq!(ended.lines().count(), 6, "{ended}");
    let totals = settled(one.as_ref()).await?.totals().await?;
    assert_eq!(
        (totals.sums.tracks, totals.sums.likes, totals.artists),
        (1, 1, 1)
    );
    // Both streams are there, for whoever follows.
    let mut seen = LogPosition::default();
    for entry in one.log_after(&LogPosition::default(), 1000).await? {
        assert_eq!(entry.number, seen.of(&entry.stream) + 1);
        seen.pass(&entry);
    }
    assert_eq!(seen, two.log_head().await?);
    assert_eq!(seen.iter().count(), 2);
    one.close().await?;
    two.close().await?;
    Ok(())
}

/// Two writers at once, one of which dies at any step of its write path; what it was handed is
/// handed in again, as a source does. They end as one writer that never died.
pub async fn i03_two_writers_one_dying_end_as_one(place: &dyn Place) -> Checked {
    if !place.is_shared() {
        return Ok(());
    }
    let history = history()?;
    let mut died = 0;
    for round in 0..ROUNDS {
        // Other DIDs of the same length in each round.
        let letter = |text: &str| {
            let other = char::from(b'c' + (round % 20) as u8);
            let (a, b) = (format!("did:plc:{other}a"), format!("did:plc:{other}b"));
            text.replace("did:plc:a", &a).replace("did:plc:b", &b)
        };
        let renamed = history.iter().map(|change| rename(change, &letter));
        let forth: Vec<Change> = renamed.collect::<Result<_, _>>()?;
        let back: Vec<Change> = forth.iter().rev().cloned().collect();
        let asked = Arc::new(AtomicUsize::new(0));
        let hook: FaultHook = {
            let asked = asked.clone();
            Arc::new(move |_| asked.fetch_add(1, Ordering::SeqCst) == round * 3)
        };
        let (dying, living) = (place.open(Some(hook)).await?, place.open(None).await?);
        let before = dump(living.as_ref()).await?;
        let run = |store: Arc<dyn Store>, changes: Vec<Change>| async move {
            for batch in changes.chunks(1 + round % 3) {
                store.apply(batch.to_vec()).await?;
            }
            Ok::<(), StoreError>(())
        };
        let runs = (run(dying.clone(), forth.clone()), run(living.clone(), back));
        let (one, other) = tokio::join!(runs.0, runs.1);
        other?;
        drop(dying);
        if one.is_err() {
            died += 1;
            run(living.clone(), forth).await?;
        }
        let after = dump(living.as_ref()).await?;
        let new = after
            .lines()
            .filter(|line| !before.lines().any(|old| old == *line));
        let new: Vec<&str> = new.collect();
        assert_eq!(new.len(), 6, "round {round}: {new:?}");
        let told = new.join("\n");
        assert!(
            told.contains("mended") && told.contains("\"likeCount\":1"),
            "{told}"
        );
        living.close().await?;
    }
    assert!(died > ROUNDS / 2, "only {died} writers died");
    Ok(())
}

/// Rounds of the case above.
const ROUNDS: usize = 15;

/// A floor that moves past a version while it is written: its writer is told, so that the repo is
/// merged once more.
pub async fn i04_a_floor_that_moves_in_between_is_told(
    place: &dyn Place,
    after_truth: CrashPoint,
) -> Checked {
    let one = uri("a", "track", "one")?;
    let (reached, told) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let hook: FaultHook = {
        let (reached, told) = (reached.clone(), told.clone());
        Arc::new(move |point| {
            if point == after_truth {
                reached.notify_one();
                // The writer stands still until the floor has moved.
                let began = Instant::now();
                while told.load(Ordering::SeqCst) == 0 && began.elapsed() < PATIENCE {
                    std::thread::yield_now();
                }
            }
            false
        })
    };
    let (slow, other) = (place.open(Some(hook)).await?, place.open(None).await?);
    let change = put(&one, 4, &track("late"))?;
    let writing = tokio::spawn({
        let slow = slow.clone();
        async move { slow.apply(vec![change]).await }
    });
    tokio::time::timeout(PATIENCE, reached.notified()).await?;
    let floor = Change::Floor(Floor {
        did: one.did.clone(),
        collection: one.collection.clone(),
        rev: rev(5),
    });
    other.apply(vec![floor]).await?;
    told.store(1, Ordering::SeqCst);
    assert_eq!(writing.await??, [Outcome::Overtaken]);
    slow.close().await?;
    other.close().await?;
    Ok(())
}

/// How long the case above waits for each step.
const PATIENCE: Duration = Duration::from_secs(180);
