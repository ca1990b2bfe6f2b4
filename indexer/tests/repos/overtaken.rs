//! What happens while a repo is merged: another visit, of which the one asked first may answer
//! last, or an event that is written.

use plyr_schemas::{Change, RepoState};

use super::fake::{did, rev, track, uri};
use super::merging::settle;
use super::{Checked, World, clustered, embedded, pace, told};

#[tokio::test]
async fn i04_an_older_state_that_comes_late_settles_nothing() -> Checked {
    comes_late(embedded(pace())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i04_an_older_state_that_comes_late_settles_nothing_over_a_cluster() -> Checked {
    let Some((world, _turn)) = clustered(pace()).await? else {
        return Ok(());
    };
    comes_late(world).await
}

/// Fetched at one rev, answered after another visit has merged a later one in which a record is
/// deleted: neither the older state nor the older proof brings it back.
async fn comes_late(world: World) -> Checked {
    let a = did("a");
    for by_proof in [false, true] {
        let at = if by_proof { 100 } else { 0 };
        world
            .fake
            .put(&a, "track", "stays", at + 10, &track("stays"));
        world.fake.put(&a, "track", "goes", at + 20, &track("goes"));
        settle(&world, &a).await?;
        let (fake, repos, other) = (world.fake.clone(), world.repos.clone(), a.clone());
        world.fake.meanwhile(Box::new(move || {
            let (fake, repos, a) = (fake.clone(), repos.clone(), other.clone());
            Box::pin(async move {
                fake.delete(&a, "track", "goes", at + 30);
                repos.repair(&a).await.unwrap();
            })
        }));
        let goes = uri(&a, "track", "goes");
        match by_proof {
            true => drop(world.repos.prove(&goes, rev(at + 20), false).await?),
            false => drop(world.repos.repair(&a).await?),
        }
        assert_eq!(world.shown(&a).await, world.true_of(&a));
        assert_eq!(world.shown(&a).await.len(), 1);
    }
    Ok(())
}

/// An event at or below the rev that is written while a repo is merged, of a key that was looked at
/// before: the repo is merged once more within seconds, and only then counts as verified.
async fn written_during_a_merge(world: &World) -> Checked {
    let a = did("a");
    for number in 0..9 {
        let rkey = format!("r{number}");
        world
            .fake
            .put(&a, "track", &rkey, number + 1, &track(&rkey));
    }
    let late = Change::Version(told(&uri(&a, "track", "r0"), rev(8), Some(&track("late"))));
    let store = world.store.clone();
    world.fake.between(Box::new(move || {
        let (store, late) = (store.clone(), late.clone());
        Box::pin(async move {
            store.apply(vec![late]).await.unwrap();
        })
    }));
    world.repos.check(&a).await?;
    assert_eq!(world.repo(&a).await.state, RepoState::Backfilling);
    let snapshot = world.store.snapshot().await?;
    let due = snapshot.due_of(std::slice::from_ref(&a)).await?.pop();
    let due = due.flatten().ok_or("nothing is due")?;
    drop(snapshot);
    assert!(due.due_at - due.wanted_at < 60_000_000, "{due:?}");
    world.repos.check(&a).await?;
    assert_eq!(world.shown(&a).await, world.true_of(&a));
    Ok(())
}

#[tokio::test]
async fn i04_what_is_written_during_a_merge_is_looked_at_again() -> Checked {
    let world = embedded(pace());
    written_during_a_merge(&world).await?;
    assert_eq!(world.repo(&did("a")).await.state, RepoState::Verified);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i04_what_is_written_during_a_merge_is_looked_at_again_over_a_cluster() -> Checked {
    let mut patient = pace();
    patient.once_more = std::time::Duration::from_secs(3_600);
    let Some((world, _turn)) = clustered(patient).await? else {
        return Ok(());
    };
    written_during_a_merge(&world).await
}
