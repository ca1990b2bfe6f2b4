//! What an operator hides is gone from everything that is answered, and comes back whole.

use std::collections::BTreeSet;

use super::*;
use crate::own::{Action, Asked, Hear, Own, OwnJournal, Verb};
use crate::rebuild::Pass;
use crate::{HiddenSubject, Hide};

fn record(uri: &RecordUri) -> HiddenSubject {
    HiddenSubject::Record(uri.clone())
}

fn actor(name: &str) -> Result<HiddenSubject, &'static str> {
    Ok(HiddenSubject::Actor(Did::new(format!("did:plc:{name}"))?))
}

fn hide(subject: &HiddenSubject, hidden: bool, at: i64) -> Change {
    Change::Hide(Hide {
        subject: subject.clone(),
        hidden,
        at,
    })
}

/// Two tracks of one actor, and all that others make of them: one who likes a track twice, comments
/// and has a list, and another who does as well.
fn world() -> Result<Vec<Change>, BoxError> {
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    let items = json!({ "listType": "album", "items": [about(&one), about(&two)] });
    let mut world = vec![
        put(&one, 1, &track("one"))?,
        put(&two, 2, &track("two"))?,
        put(&uri("b", "like", "x")?, 3, &about(&one))?,
        put(&uri("b", "like", "y")?, 4, &about(&one))?,
    ];
    for name in ["b", "c"] {
        world.push(put(&uri(name, "like", "z")?, 5, &about(&two))?);
        world.push(put(&uri(name, "comment", "k")?, 6, &about(&one))?);
        world.push(put(&uri(name, "list", "l")?, 7, &items)?);
        world.push(put(&uri(name, "track", "t")?, 8, &track("t"))?);
    }
    Ok(world)
}

/// Everything that answers show of it: rows whose records and actors show, counts and totals.
async fn shown(store: &dyn Store, world: &[Change]) -> Result<Vec<String>, BoxError> {
    let snapshot = settled(store).await?;
    let (mut indexes, mut dids, mut uris) = (HashSet::new(), BTreeSet::new(), Vec::new());
    for change in world {
        let Change::Version(version) = change else {
            continue;
        };
        dids.insert(version.uri.did.as_str().to_owned());
        uris.push(version.uri.clone());
        if let Body::Record { derived, .. } = &version.body {
            indexes.extend(derived.rows.iter().map(|row| row.index.clone()));
        }
    }
    let dids: Vec<Did> = dids.into_iter().map(Did::new).collect::<Result<_, _>>()?;
    let mut lines = Vec::new();
    for index in indexes {
        let page = snapshot.page(&index, None, 1_000).await?;
        let named: Vec<RecordUri> = page.into_iter().map(|entry| entry.position.uri).collect();
        let authors: Vec<Did> = named.iter().map(|uri| uri.did.clone()).collect();
        let records = snapshot.records(&named).await?;
        let authors = snapshot.actors(&authors).await?;
        for (record, author) in records.into_iter().flatten().zip(authors) {
            if record.is_shown() && author.state.is_visible() {
                lines.push(format!("{index:?} {}", record.uri));
            }
        }
        if let Index::SubjectLikers(subject) = &index {
            let pairs = dids.iter().map(|did| (subject.clone(), did.clone()));
            let firsts = snapshot.first_likes(&pairs.collect::<Vec<_>>()).await?;
            lines.push(format!("{subject} is liked by {firsts:?}"));
        }
    }
    let subjects: Vec<String> = uris.iter().map(RecordUri::to_string).collect();
    for (subject, counts) in subjects.iter().zip(snapshot.counts(&subjects).await?) {
        lines.push(format!("{subject} {counts:?}"));
    }
    for (did, totals) in dids.iter().zip(snapshot.actor_totals(&dids).await?) {
        lines.push(format!("{} {totals:?}", did.as_str()));
    }
    lines.push(format!("{:?}", snapshot.totals().await?));
    lines.sort_unstable();
    lines.dedup();
    Ok(lines)
}

/// Whatever is hidden is in nothing that shows, and in no count; lifted, everything is as it was.
/// What the network determines stays the same all the while.
pub async fn i08_what_is_hidden_shows_and_counts_nowhere(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let store = store.as_ref();
    let world = world()?;
    store.apply(world.clone()).await?;
    let (before, dumped) = (shown(store, &world).await?, dump(store).await?);
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    let first = uri("b", "like", "x")?;
    let cases = [
        (record(&one), vec!["fm.plyr.track/one"], [1, 2, 2]),
        (record(&first), vec!["fm.plyr.like/x"], [1, 2, 2]),
        (
            record(&uri("b", "comment", "k")?),
            vec!["did:plc:b/fm.plyr.comment/k"],
            [1, 1, 2],
        ),
        (
            record(&uri("b", "list", "l")?),
            vec!["did:plc:b/fm.plyr.list/l"],
            [1, 2, 1],
        ),
        (actor("b")?, vec!["did:plc:b/"], [0, 1, 1]),
        (actor("a")?, vec!["did:plc:a/fm.plyr.track/"], [1, 2, 2]),
    ];
    for (subject, gone, [likes, comments, lists]) in cases {
        assert_eq!(
            store.apply(vec![hide(&subject, true, 10)]).await?,
            [Outcome::Applied]
        );
        let now = shown(store, &world).await?;
        // Rows are told apart by their ends: a subject is named by its rows too.
        let is_gone = |line: &&String| {
            let (_, uri) = line.rsplit_once(' ').unwrap_or_default();
            !line.contains(" is liked by ") && gone.iter().any(|gone| uri.contains(gone))
        };
        assert!(before.iter().any(|line| is_gone(&line)), "{subject}");
        assert_eq!(now.iter().find(is_gone), None, "{subject} shows");
        let expected = Counts {
            likes,
            comments,
            lists,
        };
        assert_eq!(counts(store, &one).await?, expected, "{subject}");
        let snapshot = store.snapshot().await?;
        assert_eq!(
            snapshot.hidden(std::slice::from_ref(&subject)).await?,
            [true]
        );
        assert_eq!(dump(store).await?, dumped, "{subject}");
        assert_eq!(
            store.apply(vec![hide(&subject, false, 11)]).await?,
            [Outcome::Applied]
        );
        assert_eq!(shown(store, &world).await?, before, "{subject}");
        assert_eq!(dump(store).await?, dumped, "{subject}");
    }
    // Who likes twice counts until both are hidden.
    let likes = [record(&first), record(&uri("b", "like", "y")?)];
    store.apply(vec![hide(&likes[1], true, 20)]).await?;
    assert_eq!(counts(store, &one).await?.likes, 1);
    store.apply(vec![hide(&likes[0], true, 20)]).await?;
    assert_eq!(counts(store, &one).await?.likes, 0);
    assert_eq!(counts(store, &two).await?.likes, 2);
    assert_eq!(dump(store).await?, dumped);
    let actors = store.snapshot().await?.actors(&[first.did]).await?;
    assert!(actors.iter().all(|actor| actor.state.is_visible()));
    store.close().await?;
    Ok(())
}

/// Of what was said of one subject the latest holds, whatever comes first; of two at one time the
/// hiding one.
pub async fn i08_the_latest_hide_holds(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let store = store.as_ref();
    store.apply(world()?).await?;
    let one = uri("a", "track", "one")?;
    let cid = data::cid_of(b"bytes");
    let subjects = |number: usize| -> Result<[HiddenSubject; 4], BoxError> {
        Ok([
            record(&uri("a", "track", &format!("t{number}"))?),
            actor(&format!("t{number}"))?,
            HiddenSubject::Blob {
                did: None,
                cid: data::cid_of(&[number as u8]),
            },
            HiddenSubject::Blob {
                did: Some(Did::new(format!("did:plc:t{number}"))?),
                cid,
            },
        ])
    };
    let said = [(1, true), (2, false), (3, true), (3, false)];
    for (number, order) in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]]
        .into_iter()
        .enumerate()
    {
        for subject in subjects(number)? {
            for (at, hidden) in order.map(|place| said[place]) {
                store.apply(vec![hide(&subject, hidden, at)]).await?;
            }
            let again = store.apply(vec![hide(&subject, true, 3)]).await?;
            assert_eq!(again, [Outcome::Superseded]);
            let hidden = store
                .snapshot()
                .await?
                .hidden(std::slice::from_ref(&subject))
                .await?;
            assert_eq!(hidden, [true], "{subject} in {order:?}");
            store.apply(vec![hide(&subject, false, 4)]).await?;
            let hidden = store
                .snapshot()
                .await?
                .hidden(std::slice::from_ref(&subject))
                .await?;
            assert_eq!(hidden, [false], "{subject} in {order:?}");
        }
    }
    store.apply(vec![hide(&record(&one), true, 9)]).await?;
    // All of them are answered, lifted ones too, in one order.
    let snapshot = store.snapshot().await?;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = snapshot.all_hides(after.as_ref(), 3).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.subject.clone());
        all.extend(page);
    }
    assert_eq!(all.len(), 17);
    assert!(all.is_sorted_by(|one, two| one.subject < two.subject));
    let hidden: Vec<_> = all.iter().filter(|hide| hide.hidden).collect();
    assert_eq!(hidden.len(), 1);
    assert_eq!((&hidden[0].subject, hidden[0].at), (&record(&one), 9));
    store.close().await?;
    Ok(())
}

/// A hide comes before what it hides, and outlives later versions, deletes, restarts, rebuilds, and
/// what the account's host says.
pub async fn i08_what_is_hidden_stays_hidden(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let world = world()?;
    let (one, like) = (uri("a", "track", "one")?, uri("b", "like", "x")?);
    let (track_one, b, c) = (record(&one), actor("b")?, actor("c")?);
    // Before anything is there to hide.
    store
        .apply(vec![
            hide(&track_one, true, 1),
            hide(&record(&like), true, 1),
            hide(&c, true, 1),
        ])
        .await?;
    store.apply(world.clone()).await?;
    let hidden = shown(store.as_ref(), &world).await?;
    let counted = Counts {
        likes: 1,
        comments: 1,
        lists: 1,
    };
    assert_eq!(counts(store.as_ref(), &one).await?, counted);
    let totals = settled(store.as_ref()).await?.totals().await?;
    assert_eq!((totals.sums.tracks, totals.artists), (2, 2));
    store
        .apply(vec![
            put(&one, 20, &track("another"))?,
            delete(&one, 21),
            put(&one, 22, &track("once more"))?,
            account("c", AccountState::Deactivated, 30)?,
            account("c", AccountState::Active, 31)?,
            account("b", AccountState::Active, 31)?,
        ])
        .await?;
    assert_eq!(shown(store.as_ref(), &world).await?, hidden);
    let found = store
        .snapshot()
        .await?
        .records(std::slice::from_ref(&one))
        .await?;
    let found = found.into_iter().flatten().next().ok_or("it is gone")?;
    assert!(found.hidden && !found.is_shown() && found.rev == rev(22));
    let page = crate::Most {
        records: 10,
        bytes: 1 << 20,
    };
    let snapshot = store.snapshot().await?;
    let listed = snapshot
        .repo_page(&one.did, "fm.plyr.track", None, false, page)
        .await?;
    let listed: Vec<bool> = listed.records.iter().map(|record| record.hidden).collect();
    assert_eq!(listed, [true, false]);
    drop(snapshot);
    store.close().await?;
    drop(store);

    let store = place.open(None).await?;
    assert_eq!(shown(store.as_ref(), &world).await?, hidden);
    for pass in [Pass::Indexes, Pass::Counts, Pass::All] {
        let passed = run(store.as_ref(), pass).await?;
        assert_eq!((passed.mended, passed.unreadable), (0, 0), "{pass:?}");
    }
    assert_eq!(shown(store.as_ref(), &world).await?, hidden);
    // Hidden by the host as well: it comes back only once both say so.
    store
        .apply(vec![
            hide(&b, true, 40),
            account("b", AccountState::Deactivated, 41)?,
            hide(&b, false, 42),
        ])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?, Counts::default());
    let observed = store.snapshot().await?;
    let observed = observed.observed(std::slice::from_ref(&like.did)).await?;
    let state = observed[0].account.as_ref().map(|account| account.state);
    assert_eq!(state, Some(AccountState::Deactivated));
    store
        .apply(vec![account("b", AccountState::Active, 43)?])
        .await?;
    assert_eq!(shown(store.as_ref(), &world).await?, hidden);
    store
        .apply(vec![
            hide(&track_one, false, 50),
            hide(&record(&like), false, 50),
            hide(&c, false, 50),
        ])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?.comments, 2);
    let totals = settled(store.as_ref()).await?.totals().await?;
    assert_eq!((totals.sums.tracks, totals.artists), (4, 3));
    assert_eq!(
        title(store.as_ref(), &one).await?.as_deref(),
        Some("once more")
    );
    store.close().await?;
    Ok(())
}

/// A journal in memory: it outlives every store of a case.
#[derive(Default)]
struct Noted(Mutex<Vec<Action>>);

#[async_trait]
impl OwnJournal for Noted {
    async fn append(&self, action: &Action) -> Result<(), StoreError> {
        let noted = self.0.lock();
        noted
            .unwrap_or_else(PoisonError::into_inner)
            .push(action.clone());
        Ok(())
    }

    async fn each(&self, hear: Hear<'_>) -> Result<(), StoreError> {
        let noted = self.0.lock();
        let noted = noted.unwrap_or_else(PoisonError::into_inner).clone();
        // Who has heard enough hears no more.
        let _ = noted.into_iter().all(hear);
        Ok(())
    }
}

fn asked(subject: &HiddenSubject, hidden: bool) -> Asked {
    Asked {
        action: match hidden {
            true => Verb::Takedown,
            false => Verb::Restore,
        },
        subject: subject.clone(),
        by: "alice".to_owned(),
        reason: None,
        reference: None,
        force: false,
    }
}

/// Stopped at any step and started again, which is all that finishes it, what is hidden is hidden,
/// counted nowhere, and named.
pub async fn i03_a_hide_cut_off_anywhere_is_finished(place: &dyn Place) -> Checked {
    let (one, like) = (uri("a", "track", "one")?, uri("b", "like", "x")?);
    let subjects = [record(&like), record(&uri("b", "like", "y")?), actor("c")?];
    let beginning = LogPosition::default();
    let journal = Arc::new(Noted::default());
    let store = place.open(None).await?;
    store.apply(world()?).await?;
    // What nobody has counted yet isn't what is cut off here.
    store.settle().await?;
    store.close().await?;
    drop(store);
    let mut reached = HashSet::new();
    for crash_at in 0.. {
        let stopped = Arc::new(Mutex::new((0, None)));
        let hook: FaultHook = {
            let stopped = stopped.clone();
            Arc::new(move |point: CrashPoint| {
                let mut stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
                stopped.0 += 1;
                let stops = stopped.0 == crash_at + 1;
                if stops {
                    stopped.1 = Some(point);
                }
                stops
            })
        };
        let hidden = crash_at % 2 == 0;
        let store = place.open(Some(hook)).await?;
        let head = store.log_head().await?;
        let own = Own::new(journal.clone(), store.clone());
        let mut left = subjects.iter();
        let mut is_stopped = false;
        for subject in left.by_ref() {
            if own.act(asked(subject, hidden)).await.is_err() {
                is_stopped = true;
                break;
            }
        }
        drop((own, store));
        let store = place.open(None).await?;
        let own = Own::new(journal.clone(), store.clone());
        own.tell_what_is_missing().await?;
        for subject in left {
            own.act(asked(subject, hidden)).await?;
        }
        let counts = counts(store.as_ref(), &one).await?;
        let expected = match hidden {
            true => (0, 1, 1),
            false => (1, 2, 2),
        };
        let counts = (counts.likes, counts.comments, counts.lists);
        assert_eq!(counts, expected, "stopped after {crash_at} steps");
        let entries = store.log_after(&head, 10_000).await?;
        let named: HashSet<LogSubject> = entries.into_iter().map(|one| one.subject).collect();
        let expected = [
            LogSubject::Record(like.clone()),
            LogSubject::Record(one.clone()),
            LogSubject::Actor(Did::new("did:plc:c".to_owned())?),
        ];
        for expected in expected {
            assert!(named.contains(&expected), "{expected:?} at {crash_at}");
        }
        assert!(store.log_head().await?.covers(&beginning));
        store.close().await?;
        drop((own, store));
        let point = stopped.lock().unwrap_or_else(PoisonError::into_inner).1;
        assert_eq!(is_stopped, point.is_some());
        let Some(point) = point else { break };
        reached.insert(point);
    }
    assert!(reached.len() > 1, "too few were reached: {reached:?}");
    Ok(())
}

/// Who follows the log of another process sees what that has hidden as soon as it is named, and
/// writes no count that knows nothing of it.
pub async fn i08_what_one_process_hides_no_other_shows(place: &dyn Place) -> Checked {
    let one = place.open(None).await?;
    let other = match place.is_shared() {
        true => place.open(None).await?,
        false => one.clone(),
    };
    let subject = uri("a", "track", "one")?;
    one.apply(world()?).await?;
    for (at, hidden) in [(1, true), (2, false), (3, true)] {
        for told in [record(&subject), actor("b")?] {
            let head = other.log_head().await?;
            one.apply(vec![hide(&told, hidden, at)]).await?;
            let named = match &told {
                HiddenSubject::Actor(did) => LogSubject::Actor(did.clone()),
                _ => LogSubject::Record(subject.clone()),
            };
            let mut entries = Vec::new();
            while !entries
                .iter()
                .any(|one: &crate::LogEntry| one.subject == named)
            {
                other.log_changed(&head).await?;
                entries = other.log_after(&head, 10_000).await?;
            }
            let seen = other
                .snapshot()
                .await?
                .hidden(std::slice::from_ref(&told))
                .await?;
            assert_eq!(seen, [hidden], "{told} at {at}");
        }
        // A like of somebody else, written elsewhere, counts the set there.
        let like = uri("d", "like", &format!("w{at}"))?;
        other
            .apply(vec![put(&like, 50 + at, &about(&subject))?])
            .await?;
        one.settle().await?;
        let likes = counts(other.as_ref(), &subject).await?.likes;
        assert_eq!(likes, if hidden { 1 } else { 2 }, "at {at}");
    }
    one.close().await?;
    if place.is_shared() {
        other.close().await?;
    }
    Ok(())
}
