//! i03: killed at random points, during a flood of writes and during a replay into an empty store,
//! the dump ends equal to what the PDSs hold. `PLYR_KILLS` sets the number of random points.

mod ending;
mod flood;

use std::path::Path;
use std::time::Duration;

use ending::ends_as;
use flood::{Random, flood as write_flood, truth};
use plyr_peers::{Account, Layout, Pds, Peers, PeersOptions, Plyr};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

/// Between two commits of a writer: as fast as the PDS takes them.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Random points: the environment's number, or few enough for every run.
fn kills() -> u64 {
    std::env::var("PLYR_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(4)
}

async fn kill_after(plyr: Plyr, random: &mut Random, most_millis: u64) -> Tested {
    tokio::time::sleep(Duration::from_millis(random.below(most_millis))).await;
    plyr.kill().await?;
    Ok(())
}

#[tokio::test]
async fn i03_killed_at_random_points_nothing_is_lost_and_nothing_comes_back() -> Tested {
    killed_at_random_points(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn i03_killed_at_random_points_over_a_cluster() -> Tested {
    killed_at_random_points(Layout::together(BINARY, "killed").await?).await
}

async fn killed_at_random_points(layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let options = PeersOptions {
        pds: Pds::V04,
        pds_count: 1,
        relay: true,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let serve = async |folder: &Path| Plyr::run(BINARY, &peers, folder, &layout).await;
    let mut accounts = Vec::new();
    for number in 0..4 {
        accounts.push(Account::create(&peers.pds[0], &format!("writer-{number}.test")).await?);
    }
    let dids: Vec<String> = accounts.iter().map(|account| account.did.clone()).collect();
    let mut random = Random(7);

    // During a flood of writes.
    let each = if kills() > 10 { 2_500 } else { 600 };
    let mut writers = tokio::task::JoinSet::new();
    for (seed, account) in accounts.iter().enumerate() {
        let (account, dids) = (account.clone(), dids.clone());
        writers.spawn(async move {
            write_flood(account, dids, seed as u64 + 1, each, AT_ONCE, &|| true).await
        });
    }
    let live = folder.path().join("live");
    for _ in 0..kills() {
        let plyr = serve(&live).await?;
        kill_after(plyr, &mut random, 700).await?;
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    let expected = truth(&accounts).await?;
    assert!(
        expected.lines().count() > each,
        "the flood wrote too little to prove anything"
    );
    let plyr = serve(&live).await?;
    ends_as(&plyr, &expected).await?;
    plyr.stop().await?;

    if layout != Layout::Embedded {
        return Ok(());
    }
    // During a replay of everything into an empty store.
    for number in 0..kills() {
        let replay = folder.path().join(format!("replay-{number}"));
        kill_after(serve(&replay).await?, &mut random, 500).await?;
        let plyr = serve(&replay).await?;
        ends_as(&plyr, &expected).await?;
        plyr.kill().await?;
        std::fs::remove_dir_all(&replay)?;
    }
    Ok(())
}
