//! What the change log names: whatever followers hold and has changed, again and again.

use std::collections::BTreeSet;

use super::*;
use crate::BlueskyProfile;
use crate::fault::{AFTER_DERIVED, AFTER_TRUTH};

fn did(actor: &str) -> Result<Did, &'static str> {
    Did::new(format!("did:plc:{actor}"))
}

fn identity(actor: &str, handle: &str, asked_at: i64) -> Result<Change, BoxError> {
    Ok(Change::Identity(Identity {
        did: did(actor)?,
        pds: None,
        signing_key: None,
        handle: Some(Handle::new(handle.to_owned())?),
        asked_at,
    }))
}

fn profile(actor: &str, name: &str, asked_at: i64) -> Result<Change, BoxError> {
    Ok(Change::Bluesky(BlueskyProfile {
        did: did(actor)?,
        display_name: Some(name.to_owned()),
        avatar: None,
        asked_at,
    }))
}

/// What a store's log names of what one change changes.
async fn named(store: &dyn Store, change: Change) -> Result<BTreeSet<String>, BoxError> {
    let before = store.log_head().await?;
    store.apply(vec![change]).await?;
    store.settle().await?;
    named_since(store, &before).await
}

async fn named_since(
    store: &dyn Store,
    position: &LogPosition,
) -> Result<BTreeSet<String>, BoxError> {
    let entries = store.log_after(position, 10_000).await?;
    let names = entries.into_iter().map(|entry| match entry.subject {
        LogSubject::Record(uri) => uri.to_string(),
        LogSubject::Actor(did) => did.as_str().to_owned(),
    });
    Ok(names.collect())
}

/// What changes and changes back and changes once more is named each time, whichever of several
/// processes writes it.
pub async fn what_changes_back_is_named_again(place: &dyn Place) -> Checked {
    let one = place.open(None).await?;
    let other = match place.is_shared() {
        true => place.open(None).await?,
        false => one.clone(),
    };
    let mut asked_at = 0;
    let mut there_and_back = async |there: Change, back: Change, writers: [&dyn Store; 6]| {
        let mut both = [there, back];
        for (round, writer) in writers.into_iter().enumerate() {
            asked_at += 1;
            let change = &mut both[round % 2];
            match change {
                Change::Account(account) => account.asked_at = asked_at,
                Change::Identity(identity) => identity.asked_at = asked_at,
                Change::Bluesky(profile) => profile.asked_at = asked_at,
                _ => return Err("no observation".into()),
            }
            let named = named(writer, change.clone()).await?;
            assert!(named.contains("did:plc:a"), "round {round}: {change:?}");
        }
        Checked::Ok(())
    };
    let (this, that) = (one.as_ref(), other.as_ref());
    for writers in [[this; 6], [this, that, this, this, that, this]] {
        let states = [AccountState::Deactivated, AccountState::Active];
        let [there, back] = states.map(|state| account("a", state, 0));
        there_and_back(there?, back?, writers).await?;
        let [there, back] = ["one.test", "two.test"].map(|handle| identity("a", handle, 0));
        there_and_back(there?, back?, writers).await?;
        let [there, back] = ["One", "Two"].map(|name| profile("a", name, 0));
        there_and_back(there?, back?, writers).await?;
    }
    one.close().await?;
    if place.is_shared() {
        other.close().await?;
    }
    Ok(())
}

/// Whoever is liked by more or fewer is named once the count is there: for a like, one that is
/// taken back, and an account that is hidden and returns. Only what was counted at once may be
/// named in time: stores that count once more must do so much later.
pub async fn whoever_is_liked_is_named(place: &dyn Place) -> Checked {
    let opened = place.open(None).await?;
    let store = opened.as_ref();
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    named(store, put(&one, 1, &track("one"))?).await?;
    let (like, other) = (uri("b", "like", "x")?, uri("c", "like", "y")?);
    let changes = [
        (put(&other, 1, &about(&one))?, 1),
        (put(&like, 1, &about(&one))?, 2),
        // The same like goes to another subject and back.
        (put(&like, 2, &about(&two))?, 1),
        (put(&like, 3, &about(&one))?, 2),
        (delete(&like, 4), 1),
        (put(&like, 5, &about(&one))?, 2),
        (account("b", AccountState::Deactivated, 10)?, 1),
        (account("b", AccountState::Active, 20)?, 2),
        (account("b", AccountState::Deleted, 30)?, 1),
        (delete(&other, 2), 0),
    ];
    let (mut was_two_liked, mut moves) = (false, 0);
    for (change, likes) in changes {
        let what = format!("{change:?}");
        let named = named(store, change).await?;
        assert!(named.contains(&one.to_string()), "{named:?}: {what}");
        let is_two_liked = counts(store, &two).await?.likes == 1;
        if is_two_liked != was_two_liked {
            assert!(named.contains(&two.to_string()), "{named:?}: {what}");
            moves += 1;
        }
        was_two_liked = is_two_liked;
        let counted = counts(store, &one).await?.likes;
        assert_eq!(counted, likes, "{what}");
    }
    assert_eq!(moves, 2, "the like went to another and back");
    store.close().await?;
    Ok(())
}

/// When a handle goes from one to another both are named, also when its former holder proves it
/// again and its own row stays as it was.
pub async fn a_handle_that_moves_names_both(place: &dyn Place) -> Checked {
    let opened = place.open(None).await?;
    let store = opened.as_ref();
    let handle = "music.test";
    let both = BTreeSet::from(["did:plc:a", "did:plc:b"].map(str::to_owned));
    named(store, identity("a", handle, 10)?).await?;
    assert_eq!(named(store, identity("b", handle, 20)?).await?, both);
    let proven_again = identity("a", handle, 30)?;
    assert_eq!(
        store.apply(vec![proven_again.clone()]).await?,
        [Outcome::Applied]
    );
    store.close().await?;
    drop(opened);

    let opened = place.open(None).await?;
    let store = opened.as_ref();
    let beginning = LogPosition::default();
    let entries = store.log_after(&beginning, 100).await?;
    let mut last: Vec<_> = entries.into_iter().rev().take(2).collect();
    last.sort_unstable_by_key(|entry| format!("{:?}", entry.subject));
    let last = last.into_iter().map(|entry| entry.subject);
    let expected = [did("a")?, did("b")?].map(LogSubject::Actor);
    assert_eq!(last.collect::<Vec<_>>(), expected);
    // And once more, by a process that knows nothing of what was before; in capitals.
    assert_eq!(named(store, identity("b", "Music.test", 40)?).await?, both);
    // Who proves another one loses the first to nobody; its holder loses it.
    named(store, identity("c", "other.test", 50)?).await?;
    let named = named(store, identity("b", "other.test", 60)?).await?;
    assert_eq!(
        named,
        BTreeSet::from(["did:plc:b", "did:plc:c"].map(str::to_owned))
    );
    store.close().await?;
    Ok(())
}

/// Whoever dies before the log entry leaves it to the next that is told of the same actor, also
/// where that is told what is older.
pub async fn what_beat_an_observation_is_named_with_it(place: &dyn Place) -> Checked {
    let living = place.open(None).await?;
    let store = living.as_ref();
    let subject = uri("c", "track", "one")?;
    store
        .apply(vec![put(&uri("b", "like", "x")?, 1, &about(&subject))?])
        .await?;
    named(store, identity("a", "music.test", 5)?).await?;
    let pairs = [
        (profile("b", "One", 20)?, profile("b", "Two", 10)?),
        (
            identity("b", "music.test", 20)?,
            identity("b", "other.test", 10)?,
        ),
        (
            account("b", AccountState::Deactivated, 20)?,
            account("b", AccountState::Active, 10)?,
        ),
    ];
    for (newer, older) in pairs {
        dies_at(place, AFTER_DERIVED, newer).await?;
        let before = store.log_head().await?;
        assert_eq!(
            store.apply(vec![older.clone()]).await?,
            [Outcome::Superseded]
        );
        store.settle().await?;
        let named = named_since(store, &before).await?;
        assert!(named.contains("did:plc:b"), "{named:?}: {older:?}");
        let lost = matches!(older, Change::Identity(_));
        assert!(!lost || named.contains("did:plc:a"), "{named:?}");
        // That is enough.
        let before = store.log_head().await?;
        store.apply(vec![older]).await?;
        assert_eq!(store.log_head().await?, before);
    }
    assert_eq!(counts(store, &subject).await?.likes, 0);
    store.close().await?;
    Ok(())
}

async fn dies_at(place: &dyn Place, at: CrashPoint, change: Change) -> Checked {
    let dying = place.open(Some(Arc::new(move |point| point == at))).await?;
    let died = dying.apply(vec![change]).await;
    match died {
        Err(StoreError::Closed) => Ok(()),
        answer => Err(format!("it didn't die: {answer:?}").into()),
    }
}

/// Who holds a handle loses it to nobody that dies half-way, or is named by the next that is told
/// of the one it was lost to: also where that one has gone on to another handle.
pub async fn who_lost_a_handle_that_was_given_up_is_named(place: &dyn Place) -> Checked {
    let living = place.open(None).await?;
    let store = living.as_ref();
    let steps = [AFTER_TRUTH, AFTER_DERIVED];
    for (number, at) in (0..).zip(steps) {
        let time = number * 100;
        let [holder, taker] = [format!("a{number}"), format!("d{number}")];
        let handle = format!("music{number}.test");
        named(store, identity(&holder, &handle, time + 10)?).await?;
        dies_at(place, at, identity(&taker, &handle, time + 20)?).await?;
        let other = format!("other{number}.test");
        let named = named(store, identity(&taker, &other, time + 30)?).await?;
        let snapshot = store.snapshot().await?;
        let held = snapshot.handle(&Handle::new(handle)?).await?;
        let is_held = held.is_some_and(|claim| claim.did.as_str() == format!("did:plc:{holder}"));
        let is_named = named.contains(&format!("did:plc:{holder}"));
        assert!(is_held || is_named, "{at:?}: {named:?}");
    }
    store.close().await?;
    Ok(())
}
