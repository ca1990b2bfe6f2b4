//! What a merge settles, and what it leaves alone.

use plyr_indexer::repos::{Cause, Fault, MergeError};
use plyr_schemas::{Index, Outcome, RepoState, Standing};

use super::fake::{Ill, did, rev, track, uri};
use super::{Checked, World, clustered, embedded, pace};

macro_rules! on_both_engines {
    ($($case:ident),* $(,)?) => {
        mod on_the_embedded_engine {
            use super::*;
            $(#[tokio::test]
            async fn $case() -> Checked {
                super::$case(embedded(pace())).await
            })*
        }
        mod over_a_cluster {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() -> Checked {
                let Some((world, _turn)) = clustered(pace()).await? else { return Ok(()) };
                super::$case(world).await
            })*
        }
    };
}

on_both_engines! {
    i01_an_empty_store_ends_as_the_repo,
    i02_a_merge_against_any_history_ends_as_the_repo,
    differences_are_counted_by_cause,
    i04_what_comes_at_or_below_the_floor_is_superseded,
    what_stays_above_the_head_never_was,
    an_invented_delete_is_undone,
    a_restored_backup_that_the_host_stands_by_is_followed,
    an_unchanged_repo_costs_one_small_request,
    what_was_told_since_the_merge_is_looked_at_though_the_range_is_the_same,
    what_cannot_be_proven_is_refused,
    what_is_only_listed_is_never_verified,
    i17_a_repo_over_its_quota_is_parked,
    comparing_changes_nothing,
    one_record_is_settled_by_proof,
}

/// Merged until the row is settled.
pub(crate) async fn settle(world: &World, did: &plyr_lexicons::Did) -> Checked {
    for _ in 0..4 {
        world.repos.repair(did).await?;
        let repo = world.repo(did).await;
        if matches!(repo.state, RepoState::Verified | RepoState::RolledBack) {
            return Ok(());
        }
    }
    Err(format!("never settled: {:?}", world.repo(did).await).into())
}

async fn i01_an_empty_store_ends_as_the_repo(world: World) -> Checked {
    let a = did("a");
    for number in 0..25 {
        let rkey = format!("r{number:02}");
        world
            .fake
            .put(&a, "track", &rkey, number + 1, &track(&rkey));
    }
    let subject = serde_json::json!({ "uri": "at://did:plc:b/fm.plyr.track/x",
        "cid": "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i" });
    let about = |collection: &str| {
        serde_json::json!({ "$type": format!("fm.plyr.{collection}"), "subject": subject,
            "createdAt": "2026-01-01T00:00:00Z", "text": "t", "timestampMs": 1 })
    };
    for (at, collection) in [(30, "like"), (31, "comment")] {
        world.fake.put(&a, collection, "x", at, &about(collection));
    }
    settle(&world, &a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    let repo = world.repo(&a).await;
    assert_eq!(repo.state, RepoState::Verified);
    assert_eq!(repo.head, Some(world.fake.get(&a).head()));
    assert_eq!(repo.records, 27);
    assert!(repo.bytes > 1_000 && repo.verified_at > 0 && repo.merged_at > 0);
    assert_eq!(repo.pds.as_deref(), Some("https://one.example"));
    let snapshot = world.store.snapshot().await?;
    let page = snapshot
        .page(&Index::ActorTracks(a.clone()), None, 100)
        .await?;
    assert_eq!(page.len(), 25);
    // Whom the like names is met, and due.
    let due = snapshot.due_of(&[did("b"), a]).await?;
    assert_eq!(due[0].as_ref().map(|due| due.cause.as_str()), Some("named"));
    assert_eq!(
        due[1].as_ref().map(|due| due.cause.as_str()),
        Some("steady")
    );
    Ok(())
}

/// Random histories of which the streams told parts, twice, in any order, and what never was;
/// merges in between. Settled, every repo is what its host says.
async fn i02_a_merge_against_any_history_ends_as_the_repo(world: World) -> Checked {
    let rounds = if world.store.has_several_writers() {
        12
    } else {
        60
    };
    let mut random = 7u64;
    let mut below = |limit: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    for round in 0..rounds {
        let repo = did(&format!("r{round}"));
        let mut events = Vec::new();
        let mut at = 0;
        for step in 0..12 {
            at += 1 + below(3) as i64;
            let rkey = format!("k{}", below(4));
            let record = (below(3) > 0).then(|| track(&format!("{round} {step}")));
            match &record {
                Some(record) => world.fake.put(&repo, "track", &rkey, at, record),
                None => world.fake.delete(&repo, "track", &rkey, at),
            }
            events.push((rkey, at, record));
            // Told now, or later, or never; sometimes one that never was.
            if below(4) == 0 {
                let invented = (below(2) > 0).then(|| track("never"));
                let rkey = format!("k{}", below(5));
                events.push((rkey, at + below(4) as i64, invented));
            }
            while !events.is_empty() && below(2) == 0 {
                let (rkey, at, record) = events.swap_remove(below(events.len() as u64) as usize);
                world
                    .tell(&uri(&repo, "track", &rkey), at, record.as_ref())
                    .await;
                if below(2) == 0 {
                    events.push((rkey, at, record));
                }
            }
            if below(5) == 0 {
                world.repos.repair(&repo).await?;
            }
        }
        // Whatever was told last, told before the end.
        for (rkey, at, record) in events {
            if below(3) > 0 {
                world
                    .tell(&uri(&repo, "track", &rkey), at, record.as_ref())
                    .await;
            }
        }
        settle(&world, &repo).await?;
        assert_eq!(
            world.shown(&repo).await,
            world.true_of(&repo),
            "round {round}"
        );
        // And it is the same once more, without a difference.
        let again = world.repos.compare(&repo, 1_000).await?;
        assert_eq!(again.differences, [0; 5], "round {round}: {again:?}");
        let snapshot = world.store.snapshot().await?;
        let page = snapshot
            .page(&Index::ActorTracks(repo.clone()), None, 100)
            .await?;
        assert_eq!(page.len(), world.true_of(&repo).len(), "round {round}");
    }
    Ok(())
}

async fn differences_are_counted_by_cause(world: World) -> Checked {
    let a = did("a");
    for rkey in ["gone", "kept", "stale"] {
        world.fake.put(&a, "track", rkey, 5, &track("first"));
    }
    settle(&world, &a).await?;
    world.fake.put(&a, "track", "missed", 10, &track("missed"));
    world.fake.put(&a, "track", "stale", 11, &track("second"));
    world.fake.delete(&a, "track", "gone", 12);
    world
        .tell(&uri(&a, "track", "extra"), 11, Some(&track("extra")))
        .await;
    world
        .tell(&uri(&a, "track", "ahead"), 20, Some(&track("ahead")))
        .await;
    let found = world.repos.compare(&a, 1_000).await?;
    let of = |cause| found.of(cause);
    let causes = [
        Cause::MissedCreate,
        Cause::MissedDelete,
        Cause::Stale,
        Cause::Extra,
    ];
    assert_eq!(causes.map(of), [1; 4], "{found:?}");
    assert_eq!(found.ahead.map(|(ahead, _)| ahead), Some(rev(20)));
    let named = found
        .some
        .iter()
        .map(|one| (one.uri.rkey.as_str(), one.cause));
    let mut named: Vec<_> = named.collect();
    named.sort_by_key(|one| one.0);
    let expected = [
        ("extra", Cause::Extra),
        ("gone", Cause::MissedDelete),
        ("missed", Cause::MissedCreate),
        ("stale", Cause::Stale),
    ];
    assert_eq!(named, expected);
    let mended = world.repos.repair(&a).await?;
    assert_eq!(causes.map(|cause| mended.of(cause)), [1; 4]);
    settle(&world, &a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

async fn i04_what_comes_at_or_below_the_floor_is_superseded(world: World) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "kept", 5, &track("kept"));
    world.fake.put(&a, "track", "gone", 6, &track("gone"));
    world.fake.delete(&a, "track", "gone", 10);
    settle(&world, &a).await?;
    let late = [
        world
            .tell(&uri(&a, "track", "gone"), 6, Some(&track("gone")))
            .await,
        world.tell(&uri(&a, "track", "kept"), 10, None).await,
        world.tell(&uri(&a, "like", "never"), 9, None).await,
    ];
    assert_eq!(late, [Outcome::Superseded; 3]);
    let later = world
        .tell(&uri(&a, "track", "gone"), 11, Some(&track("again")))
        .await;
    assert_eq!(later, Outcome::Applied);
    world.fake.put(&a, "track", "gone", 11, &track("again"));
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

async fn what_stays_above_the_head_never_was(world: World) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "one", 5, &track("true"));
    settle(&world, &a).await?;
    // A far rev, and one in between: neither is in the repo.
    world
        .tell(&uri(&a, "track", "one"), 900, Some(&track("invented")))
        .await;
    world
        .tell(&uri(&a, "track", "two"), 7, Some(&track("invented")))
        .await;
    world.repos.repair(&a).await?;
    let repo = world.repo(&a).await;
    assert_eq!(repo.state, RepoState::Desynchronized);
    assert_eq!(repo.ahead.map(|(ahead, _)| ahead), Some(rev(900)));
    assert_ne!(
        world.shown(&a).await,
        world.true_of(&a),
        "nothing was asked again"
    );
    // Still not there when asked again.
    let merged = world.repos.repair(&a).await?;
    assert_eq!(merged.of(Cause::Ahead), 2, "{merged:?}");
    settle(&world, &a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    // The floor is above the head now, and yet the head never went back.
    world.repos.repair(&a).await?;
    settle(&world, &a).await?;
    assert_eq!(world.repo(&a).await.state, RepoState::Verified);
    // It stays away when it is told again, and what really comes above it is taken.
    let told = world
        .tell(&uri(&a, "track", "one"), 900, Some(&track("invented")))
        .await;
    assert_eq!(told, Outcome::Superseded);
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    world.fake.put(&a, "track", "one", 901, &track("newer"));
    world
        .tell(&uri(&a, "track", "one"), 901, Some(&track("newer")))
        .await;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

async fn an_invented_delete_is_undone(world: World) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "one", 5, &track("true"));
    world.fake.put(&a, "track", "two", 6, &track("two"));
    world
        .tell(&uri(&a, "track", "one"), 5, Some(&track("true")))
        .await;
    settle(&world, &a).await?;
    // Below the head by now, and above it.
    world.tell(&uri(&a, "track", "one"), 8, None).await;
    world.fake.put(&a, "track", "three", 9, &track("three"));
    world.tell(&uri(&a, "track", "two"), 20, None).await;
    assert_eq!(world.shown(&a).await.len(), 0);
    settle(&world, &a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

async fn a_restored_backup_that_the_host_stands_by_is_followed(world: World) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "old", 5, &track("old"));
    let backup = world.fake.get(&a);
    world.fake.put(&a, "track", "old", 10, &track("changed"));
    world.fake.put(&a, "track", "new", 11, &track("new"));
    settle(&world, &a).await?;
    let full = world.true_of(&a);
    world.fake.change(&a, |repo| *repo = backup);
    world.repos.repair(&a).await?;
    assert_eq!(
        world.shown(&a).await,
        full,
        "it was followed at the first word"
    );
    assert_eq!(world.repo(&a).await.state, RepoState::Desynchronized);
    settle(&world, &a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    assert_eq!(world.repo(&a).await.state, RepoState::RolledBack);
    // What it lost and a stream tells again stays lost; what comes now is taken.
    let again = world
        .tell(&uri(&a, "track", "new"), 11, Some(&track("new")))
        .await;
    assert_eq!(again, Outcome::Superseded);
    world.fake.put(&a, "track", "next", 30, &track("next"));
    world
        .tell(&uri(&a, "track", "next"), 30, Some(&track("next")))
        .await;
    settle(&world, &a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    assert_eq!(world.repo(&a).await.state, RepoState::Verified);
    Ok(())
}

async fn an_unchanged_repo_costs_one_small_request(world: World) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "one", 5, &track("one"));
    settle(&world, &a).await?;
    let (before, head) = (world.fake.asked(), world.store.log_head().await?);
    let verified_at = world.repo(&a).await.verified_at;
    world.repos.check(&a).await?;
    let after = world.fake.asked();
    assert_eq!(
        (after.heads, after.fetches),
        (before.heads + 1, before.fetches)
    );
    assert!(world.repo(&a).await.verified_at > verified_at);
    // The head moved, our range didn't.
    world.fake.change(&a, |repo| repo.rev = 9);
    world.repos.check(&a).await?;
    let moved = world.fake.asked();
    assert_eq!(
        (moved.unchanged, moved.fetches),
        (after.unchanged + 1, after.fetches)
    );
    let repo = world.repo(&a).await;
    assert_eq!(repo.head, Some(world.fake.get(&a).head()));
    assert_eq!(repo.state, RepoState::Verified);
    assert_eq!(world.store.log_head().await?, head, "something was written");
    Ok(())
}

/// A record made and deleted again leaves the range as it was: if the delete was missed, the record
/// is still held.
async fn what_was_told_since_the_merge_is_looked_at_though_the_range_is_the_same(
    world: World,
) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "one", 5, &track("one"));
    settle(&world, &a).await?;
    world
        .tell(&uri(&a, "track", "brief"), 7, Some(&track("brief")))
        .await;
    world.fake.change(&a, |repo| repo.rev = 8);
    world.repos.check(&a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

async fn what_cannot_be_proven_is_refused(world: World) -> Checked {
    let (a, b) = (did("a"), did("b"));
    world.fake.put(&a, "track", "one", 5, &track("one"));
    world.fake.put(&b, "track", "one", 5, &track("one"));
    settle(&world, &a).await?;
    let shown = world.shown(&a).await;
    world.fake.put(&a, "track", "two", 6, &track("two"));
    world
        .fake
        .change(&a, |repo| repo.ill = Some(Ill::Truncated));
    let refused = world.repos.repair(&a).await;
    let Err(MergeError::Network(trouble)) = refused else {
        return Err(format!("it was taken: {refused:?}").into());
    };
    assert_eq!(
        (trouble.fault, trouble.reason),
        (Fault::Content, "truncated")
    );
    let repo = world.repo(&a).await;
    assert_eq!(repo.state, RepoState::Desynchronized);
    assert!(repo.last_error.is_some_and(|why| why.contains("truncated")));
    assert!(world.shown(&a).await.len() >= shown.len());
    settle(&world, &b).await?;
    // Unreachable since, and gone.
    world
        .fake
        .change(&a, |repo| repo.ill = Some(Ill::Unreachable));
    assert!(world.repos.repair(&a).await.is_err());
    let first = world.repo(&a).await;
    assert_eq!(first.state, RepoState::Unreachable);
    assert!(world.repos.repair(&a).await.is_err());
    let second = world.repo(&a).await;
    assert_eq!(second.unreachable_since, first.unreachable_since);
    assert_eq!(second.failures, first.failures + 1);
    let due = async || {
        let checks = world.store.snapshot().await?;
        let checks = checks.due_checks(i64::MAX, 100).await?;
        Ok::<_, plyr_schemas::StoreError>(checks.into_iter().find(|check| check.did == a))
    };
    if let Some(check) = due().await? {
        let (did, triggered_at) = (check.did, check.triggered_at);
        let checked = plyr_schemas::Change::Checked { did, triggered_at };
        world.store.apply(vec![checked]).await?;
    }
    assert_eq!(due().await?, None);
    world.fake.change(&a, |repo| repo.ill = Some(Ill::Gone));
    assert!(world.repos.repair(&a).await.is_err());
    assert_eq!(world.repo(&a).await.state, RepoState::Gone);
    // Its account is asked about, though the host had failed before.
    assert!(due().await?.is_some());
    world.fake.change(&a, |repo| repo.ill = None);
    settle(&world, &a).await?;
    let repo = world.repo(&a).await;
    assert_eq!((repo.failures, repo.unreachable_since), (0, 0));
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

async fn what_is_only_listed_is_never_verified(world: World) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "one", 5, &track("one"));
    world.fake.change(&a, |repo| repo.ill = Some(Ill::Listed));
    world.repos.repair(&a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    let repo = world.repo(&a).await;
    assert_eq!(
        (repo.state, repo.verified_at),
        (RepoState::Desynchronized, 0)
    );
    let collections = [uri(&a, "track", "one").collection];
    let floors = world
        .store
        .snapshot()
        .await?
        .floors(&a, &collections)
        .await?;
    assert_eq!(floors, [plyr_lexicons::Rev::MIN]);
    let one = [uri(&a, "track", "one")];
    let held = world.store.snapshot().await?.keys(&one).await?;
    let mut versions = held.iter().flat_map(|key| &key.versions);
    assert!(versions.all(|held| held.standing == Standing::Event));
    Ok(())
}

async fn i17_a_repo_over_its_quota_is_parked(world: World) -> Checked {
    let mut narrow = pace();
    narrow.quota = 10;
    let network = std::sync::Arc::new(super::Asking(world.fake.clone()));
    let store = world.store.clone();
    let repos = plyr_indexer::repos::Repos::new(super::namespace(), narrow, store, network);
    let a = did("a");
    for number in 0..11 {
        world
            .fake
            .put(&a, "track", &format!("r{number}"), number + 1, &track("t"));
    }
    let refused = repos.repair(&a).await;
    assert!(matches!(&refused, Err(MergeError::Network(t)) if t.fault == Fault::Quota));
    let repo = world.repo(&a).await;
    assert_eq!((repo.state, repo.verified_at), (RepoState::OverQuota, 0));
    world.fake.delete(&a, "track", "r0", 20);
    repos.repair(&a).await?;
    repos.repair(&a).await?;
    assert_eq!(world.repo(&a).await.state, RepoState::Verified);
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

async fn comparing_changes_nothing(world: World) -> Checked {
    let a = did("a");
    world.fake.put(&a, "track", "one", 5, &track("one"));
    let head = world.store.log_head().await?;
    let found = world.repos.compare(&a, 1_000).await?;
    assert_eq!(found.of(Cause::MissedCreate), 1);
    assert_eq!(world.store.log_head().await?, head);
    let snapshot = world.store.snapshot().await?;
    assert_eq!(snapshot.repos(std::slice::from_ref(&a)).await?, [None]);
    let collections = [uri(&a, "track", "one").collection];
    assert_eq!(
        snapshot.floors(&a, &collections).await?,
        [plyr_lexicons::Rev::MIN]
    );
    Ok(())
}

/// Where several may write, a repo counts as verified only when it was merged once more, after the
/// longest a write may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_several_writers_a_repo_is_merged_once_more() -> Checked {
    let mut patient = pace();
    patient.once_more = std::time::Duration::from_secs(1);
    let Some((world, _turn)) = clustered(patient).await? else {
        return Ok(());
    };
    let a = did("a");
    world.fake.put(&a, "track", "one", 5, &track("one"));
    let began = std::time::Instant::now();
    world.repos.check(&a).await?;
    assert_eq!(world.repo(&a).await.state, RepoState::Backfilling);
    while world.repo(&a).await.state != RepoState::Verified {
        world.repos.check(&a).await?;
        assert!(began.elapsed().as_secs() < 180);
    }
    assert!(began.elapsed() >= patient.once_more);
    let fetches = world.fake.asked().fetches;
    world.repos.check(&a).await?;
    assert_eq!(world.fake.asked().fetches, fetches);
    Ok(())
}

async fn one_record_is_settled_by_proof(world: World) -> Checked {
    let a = did("a");
    let (one, two) = (uri(&a, "track", "one"), uri(&a, "track", "two"));
    world.fake.put(&a, "track", "one", 5, &track("one"));
    settle(&world, &a).await?;
    // A delete that only one host told: below the head, so it is undone at once.
    world.tell(&one, 8, None).await;
    world.fake.change(&a, |repo| repo.rev = 9);
    let merged = world.repos.prove(&one, rev(8), false).await?;
    assert_eq!(merged.map(|merged| merged.of(Cause::MissedCreate)), Some(1));
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    // One above the head: asked again, and then it never was.
    world.tell(&one, 20, None).await;
    world.tell(&two, 21, Some(&track("invented"))).await;
    assert_eq!(world.repos.prove(&one, rev(20), false).await?, None);
    assert_ne!(world.shown(&a).await, world.true_of(&a));
    for (uri, at) in [(&one, 20), (&two, 21)] {
        let merged = world.repos.prove(uri, rev(at), true).await?;
        assert_eq!(merged.map(|merged| merged.of(Cause::Ahead)), Some(1));
    }
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    // What is as it was told changes nothing.
    world.fake.put(&a, "track", "two", 30, &track("two"));
    world.tell(&two, 30, Some(&track("two"))).await;
    let head = world.store.log_head().await?;
    let merged = world.repos.prove(&two, rev(30), false).await?;
    assert_eq!(merged.map(|merged| merged.differences), Some([0; 5]));
    assert_eq!(world.store.log_head().await?, head);
    settle(&world, &a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}
