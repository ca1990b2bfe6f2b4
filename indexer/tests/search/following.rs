//! What is written to the store is found, and what isn't there any more isn't.

use std::sync::Arc;

use plyr_schemas::{AccountState, HiddenSubject};
use plyr_search::{Excluded, Key};
use serde_json::json;

use crate::Checked;
use crate::world::{
    World, account, clustered, delete, did, handle, hide, like, name, record, track, uri,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_what_is_written_is_found_and_what_is_deleted_is_not() -> Checked {
    records_come_and_go(World::embedded()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_what_is_written_is_found_over_a_cluster() -> Checked {
    let Some((world, _turn)) = clustered().await? else {
        return Ok(());
    };
    records_come_and_go(world).await
}

async fn records_come_and_go(world: World) -> Checked {
    let kept = world.start();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.caught_up().await;
    assert_eq!(kept.found("night"), [one.to_string()]);

    world.apply(vec![track(&one, 2, "Morning Drive")]).await;
    kept.caught_up().await;
    assert!(kept.found("night").is_empty());
    assert_eq!(kept.found("morning"), [one.to_string()]);

    // What can't be shown takes the place of what could.
    world
        .apply(vec![record(&one, 3, &json!({ "title": "Morning Drive" }))])
        .await;
    kept.caught_up().await;
    assert!(kept.found("morning").is_empty());

    world.apply(vec![track(&one, 4, "Morning Drive")]).await;
    kept.caught_up().await;
    assert_eq!(kept.found("morning"), [one.to_string()]);

    world.apply(vec![delete(&one, 5)]).await;
    kept.caught_up().await;
    assert!(kept.found("drive").is_empty());

    let list = uri("ana", "list", "first");
    let album = json!({ "name": "First Light", "listType": "album", "items": [] });
    world
        .apply(vec![
            track(&one, 6, "Evening Drive"),
            record(&list, 1, &album),
        ])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("evening drive"), [one.to_string()]);
    assert_eq!(kept.found("first light"), [list.to_string()]);

    world
        .apply(vec![account("ana", 10, AccountState::Suspended)])
        .await;
    kept.caught_up().await;
    assert!(kept.found("evening drive").is_empty());
    world
        .apply(vec![account("ana", 11, AccountState::Active)])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("evening drive"), [one.to_string()]);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i08_hidden_accounts_are_neither_found_nor_counted() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let (one, other) = (uri("ana", "track", "one"), uri("bea", "track", "one"));
    let changes = vec![track(&one, 1, "Same Song"), track(&other, 1, "Same Song")];
    world.apply(changes).await;
    kept.caught_up().await;
    assert_eq!(kept.found("same song").len(), 2);
    let before = kept.documents();

    world
        .apply(vec![account("ana", 5, AccountState::Deactivated)])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("same song"), [other.to_string()]);
    assert_eq!(kept.documents(), before, "documents are not written for it");
    kept.stop().await;

    // Who is hidden is known before anything is answered.
    let kept = world.start();
    kept.caught_up().await;
    assert_eq!(kept.found("same song"), [other.to_string()]);
    world
        .apply(vec![account("ana", 6, AccountState::Active)])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("same song").len(), 2);
    assert_eq!(kept.documents(), before);
    kept.right_and_stopped().await
}

/// While requests are answered the set of who is hidden is copied for a change, and for nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_at_who_stays_hidden_or_visible_copies_nothing() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let hidden = account("ana", 1, AccountState::Deactivated);
    world.apply(vec![hidden, name("bea", 1, "Bea")]).await;
    kept.caught_up().await;
    let before = kept.index.live().hidden();
    let renamed = vec![name("ana", 2, "Ana Lima"), name("bea", 2, "Bea Lima")];
    world.apply(renamed).await;
    kept.caught_up().await;
    assert_eq!(kept.found("lima"), [did("bea").as_str()]);
    let live = kept.index.live();
    assert!(Arc::ptr_eq(&before, &live.hidden()));
    world
        .apply(vec![account("bea", 3, AccountState::Deactivated)])
        .await;
    kept.caught_up().await;
    assert!(kept.found("lima").is_empty());
    assert!(!Arc::ptr_eq(&before, &kept.index.live().hidden()));
    kept.right_and_stopped().await
}

/// As soon as it is looked at, before anything is committed; after restarts; in an index that is
/// built anew.
async fn what_is_hidden_is_not_found(world: World) -> Checked {
    let kept = world.start();
    let (one, other) = (uri("ana", "track", "one"), uri("bea", "track", "one"));
    let list = uri("cai", "list", "one");
    let album = json!({ "name": "Same Song", "listType": "album", "items": [] });
    let changes = vec![
        track(&one, 1, "Same Song"),
        track(&other, 1, "Same Song"),
        record(&list, 1, &album),
    ];
    world.apply(changes).await;
    kept.caught_up().await;
    assert_eq!(kept.found("same song").len(), 3);
    let before = kept.documents();

    world
        .apply(vec![
            hide(HiddenSubject::Record(one.clone()), true, 5),
            hide(HiddenSubject::Actor(did("bea")), true, 5),
        ])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("same song"), [list.to_string()]);
    // It isn't left to who asks alone: its words are gone.
    assert!(!kept.documents().contains_key(&one.to_string()));
    // A later version is as hidden.
    world.apply(vec![track(&one, 2, "Same Song Again")]).await;
    kept.caught_up().await;
    assert_eq!(kept.found("same song"), [list.to_string()]);
    kept.stop().await;

    // Told while nobody follows.
    let told = hide(HiddenSubject::Record(list.clone()), true, 6);
    world.apply(vec![told]).await;
    let kept = world.start();
    kept.caught_up().await;
    assert!(kept.found("same song").is_empty());
    let hidden = kept.index.live().hidden();
    assert!([&one, &list].map(|uri| hidden.has_subject(Key::of(&uri.to_string()))) == [true; 2]);
    let builds = kept.standing().builds;
    kept.index.rebuild();
    kept.built(builds + 1).await;
    kept.caught_up().await;
    assert!(kept.found("same song").is_empty());

    world
        .apply(vec![
            hide(HiddenSubject::Record(one.clone()), false, 7),
            hide(HiddenSubject::Actor(did("bea")), false, 7),
            hide(HiddenSubject::Record(list.clone()), false, 7),
            track(&one, 3, "Same Song"),
        ])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("same song").len(), 3);
    assert_eq!(kept.documents(), before);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i08_what_the_operator_hides_is_neither_found_nor_counted() -> Checked {
    what_is_hidden_is_not_found(World::embedded()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i08_what_the_operator_hides_is_not_found_over_a_cluster() -> Checked {
    let Some((world, _turn)) = clustered().await? else {
        return Ok(());
    };
    what_is_hidden_is_not_found(world).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_actor_changes_the_actors_document_alone() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let tracks: Vec<_> = (0..3)
        .map(|n| uri("ana", "track", &format!("t{n}")))
        .collect();
    let mut changes: Vec<_> = tracks.iter().map(|uri| track(uri, 1, "Tune")).collect();
    changes.push(handle("ana", 1, "ana.example.com"));
    changes.push(name("ana", 1, "Ana Lima"));
    world.apply(changes).await;
    kept.caught_up().await;
    let (actor, before) = (did("ana").as_str().to_owned(), kept.documents());
    assert_eq!(kept.found("ana lima").first(), Some(&actor));
    assert_eq!(before.len(), 4);

    let profile = uri("ana", "actor.profile", "self");
    for (change, query) in [
        (handle("ana", 2, "zoe.example.com"), "zoe"),
        (name("ana", 2, "Yara Lima"), "yara"),
        (
            record(&profile, 1, &json!({ "bio": "plays the kora" })),
            "kora",
        ),
    ] {
        let before = kept.documents();
        world.apply(vec![change]).await;
        kept.caught_up().await;
        assert!(kept.found(query).contains(&actor), "{query}");
        let changed: Vec<_> = kept
            .documents()
            .into_iter()
            .filter(|(subject, now)| before.get(subject) != Some(now))
            .map(|(subject, _)| subject)
            .collect();
        assert_eq!(changed, std::slice::from_ref(&actor), "{query}");
    }
    assert!(!kept.found("ana").contains(&actor));
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_that_another_proved_is_no_longer_the_first_ones() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let (ana, bea) = (did("ana"), did("bea"));
    world
        .apply(vec![name("ana", 1, "Ana"), name("bea", 1, "Bea")])
        .await;
    world
        .apply(vec![handle("ana", 1, "songs.example.com")])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("songs"), [ana.as_str()]);
    world
        .apply(vec![handle("bea", 2, "songs.example.com")])
        .await;
    kept.caught_up().await;
    assert_eq!(kept.found("songs"), [bea.as_str()]);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_liked_more_stands_above() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let tracks = ["ana", "bea"].map(|actor| uri(actor, "track", "one"));
    let changes = tracks.iter().map(|uri| track(uri, 1, "Same Song"));
    world.apply(changes.collect()).await;
    for liked in &tracks {
        // Each is liked by more than the one before.
        let likers = match liked == &tracks[0] {
            true => ["one", "two"].as_slice(),
            false => ["one", "two", "three", "four", "five"].as_slice(),
        };
        let likes = likers.iter().map(|liker| {
            let rkey = liked.did.as_str().replace(':', "-");
            like(&uri(liker, "like", &rkey), 1, liked)
        });
        world.apply(likes.collect()).await;
        kept.caught_up().await;
        let first = kept.found("same song").into_iter().next();
        assert_eq!(first, Some(liked.to_string()));
    }
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn likes_that_are_taken_back_or_hidden_lift_nothing() -> Checked {
    likes_come_and_go(World::embedded()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn likes_that_are_taken_back_or_hidden_lift_nothing_over_a_cluster() -> Checked {
    let Some((world, _turn)) = clustered().await? else {
        return Ok(());
    };
    likes_come_and_go(world).await
}

async fn likes_come_and_go(world: World) -> Checked {
    let kept = world.start();
    let [ana, bea] = ["ana", "bea"].map(|actor| uri(actor, "track", "one"));
    let changes = [&ana, &bea].map(|uri| track(uri, 1, "Same Song"));
    world.apply(changes.to_vec()).await;
    let likers = ["one", "two", "three", "four", "five"];
    let likes = likers.map(|liker| uri(liker, "like", "first"));
    let all = |at: i64| likes.iter().map(move |like| (like, at));
    let liked = |at| all(at).map(|(uri, at)| like(uri, at, &ana)).collect();
    let unliked = all(2).map(|(uri, at)| delete(uri, at)).collect();
    let are = |at, state| likers.map(|liker| account(liker, at, state)).to_vec();
    let steps = [
        (vec![like(&uri("six", "like", "first"), 1, &bea)], &bea),
        (liked(1), &ana),
        (unliked, &bea),
        (liked(3), &ana),
        (are(10, AccountState::Deactivated), &bea),
        (are(11, AccountState::Active), &ana),
    ];
    for (step, (changes, first)) in steps.into_iter().enumerate() {
        world.apply(changes).await;
        world.store.settle().await?;
        kept.caught_up().await;
        let found = kept.found("same song").into_iter().next();
        assert_eq!(found, Some(first.to_string()), "step {step}");
        kept.is_right().await;
    }
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_a_restart_goes_on_where_it_was() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.caught_up().await;
    assert_eq!(kept.standing().builds, 1);
    kept.stop().await;
    let folders = world.folders();
    world
        .apply(vec![track(&uri("ana", "track", "two"), 1, "Night Walk")])
        .await;
    world.apply(vec![delete(&one, 2)]).await;
    let kept = world.start();
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 1);
    assert_eq!(kept.standing().builds, 0);
    assert_eq!(world.folders(), folders, "nothing was built");
    // Entries that change nothing move the position on all the same, which a stop makes durable.
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    let note = json!({
        "subject": { "uri": one.to_string(), "cid": cid },
        "text": "nice",
        "timestampMs": 1,
    });
    world
        .apply(vec![record(&uri("bea", "comment", "one"), 1, &note)])
        .await;
    kept.caught_up().await;
    let head = world.store.log_head().await?.to_string();
    kept.right_and_stopped().await?;
    let place = plyr_search::Place::new(&world.path());
    let plyr_search::Opened::Ready(index) = place.open()? else {
        panic!("no index");
    };
    assert_eq!(index.position()?, Some(head));
    Ok(())
}
