//! Two visits to one repo at once: the one that was asked first may answer last.

use super::fake::{did, rev, track, uri};
use super::merging::settle;
use super::{Checked, World, clustered, embedded, pace};

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
