//! i03: killed at random points of a backfill it resumes: the dump ends equal to what the PDSs hold,
//! and what was merged before a kill isn't fetched again. `PLYR_KILLS` sets the number of points.

mod ending;
mod flood;

use std::path::Path;
use std::time::Duration;

use ending::ends_as;
use flood::{Random, flood as write_flood, truth};
use plyr_peers::{Account, Layout, Peers, PeersOptions, Plyr, wait_until};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const REPOS: usize = 24;
/// Operations written into each repo.
const EACH: usize = 150;
/// Repos under way at once: three of each of two hosts.
const UNDER_WAY: u64 = 6;

/// Random points: the environment's number, or few enough for every run.
fn kills() -> u64 {
    let number = std::env::var("PLYR_KILLS").ok();
    number.and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// Visits of this life that ended with a merge.
async fn merged(plyr: &Plyr) -> Result<u64, String> {
    let page = plyr.probe("/metrics").await?;
    let row = page
        .lines()
        .find(|row| row.starts_with("plyr_repo_visits_total{") && row.contains("merged"));
    let number = row.and_then(|row| row.rsplit(' ').next()?.parse().ok());
    Ok(number.unwrap_or(0))
}

/// Repos that are verified.
async fn verified(plyr: &Plyr) -> Result<u64, String> {
    let coverage = plyr.xrpc("fm.plyr.sync.getCoverage", "limit=100").await?;
    let repos = coverage["repos"].as_array().cloned().unwrap_or_default();
    Ok(repos
        .iter()
        .filter(|repo| repo["state"] == "verified")
        .count() as u64)
}

async fn written(peers: &Peers) -> Result<Vec<Account>, Box<dyn std::error::Error>> {
    let mut accounts = Vec::new();
    for number in 0..REPOS {
        let pds = &peers.pds[number % peers.pds.len()];
        accounts.push(Account::create(pds, &format!("artist-{number}.test")).await?);
    }
    let dids: Vec<String> = accounts.iter().map(|account| account.did.clone()).collect();
    for (seed, account) in accounts.iter().enumerate() {
        let at_once = Duration::from_millis(1);
        let (account, dids) = (account.clone(), dids.clone());
        write_flood(account, dids, seed as u64 + 1, EACH, at_once, &|| true).await?;
    }
    Ok(accounts)
}

#[tokio::test]
async fn i03_killed_at_random_points_of_a_backfill_it_resumes() -> Tested {
    let options = PeersOptions {
        pds_count: 2,
        jetstream: false,
        collectiondir: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let accounts = written(&peers).await?;
    let expected = truth(&accounts).await?;
    let folder = tempfile::tempdir()?;
    let mut arguments = Plyr::arguments(&peers, &Layout::Embedded);
    arguments.extend(["--jetstream", "ws://127.0.0.1:1"].map(str::to_owned));
    let start = async |folder: &Path| Plyr::start(BINARY, folder, &arguments).await;

    let mut random = Random(11);
    let (mut killed, mut lives, mut fetched, mut backfills) = (0, 0, 0, 0);
    while killed < kills() {
        let data = folder.path().join(format!("backfill-{backfills}"));
        backfills += 1;
        loop {
            let plyr = start(&data).await?;
            lives += 1;
            tokio::time::sleep(Duration::from_millis(random.below(900))).await;
            let of_this_life = merged(&plyr).await?;
            if verified(&plyr).await? < REPOS as u64 && killed < kills() {
                plyr.kill().await?;
                fetched += of_this_life;
                killed += 1;
                continue;
            }
            ends_as(&plyr, &expected).await?;
            wait_until("every repo is verified", || async {
                let verified = verified(&plyr).await?;
                let is_all = verified == REPOS as u64;
                is_all.then_some(()).ok_or(format!("{verified} are"))
            })
            .await?;
            fetched += merged(&plyr).await?;
            assert_eq!(plyr.stop().await?, Some(0));
            break;
        }
        std::fs::remove_dir_all(&data)?;
    }
    let needed = backfills * REPOS as u64;
    println!(
        "{killed} kills in {lives} lives of {backfills} backfills of {REPOS} repos: {fetched} \
         repos merged, {needed} needed"
    );
    assert!(
        fetched <= needed + killed * UNDER_WAY,
        "what was merged was fetched again"
    );
    Ok(())
}
