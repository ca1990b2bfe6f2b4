//! i03: killed at random points of a backfill it resumes: the dump ends equal to what the PDSs
//! hold, and a repo that was verified before a kill isn't fetched again. `PLYR_KILLS` sets how
//! many.

mod ending;
mod flood;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use ending::ends_as;
use flood::{Random, flood as write_flood, truth};
use plyr_peers::{Account, Layout, Peers, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const REPOS: usize = 24;
/// Operations written into each repo.
const EACH: usize = 150;
/// Records of somebody else in each repo.
const FOREIGN: usize = 40;
/// Repos under way at once: three of each of two hosts.
const UNDER_WAY: u64 = 6;
/// No later than this after the ready line a life ends.
const MOST_MILLIS: u64 = 1_500;

/// Random points: the environment's number, or few enough for every run.
fn kills() -> u64 {
    let number = std::env::var("PLYR_KILLS").ok();
    number.and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// When each verified repo was verified.
type Verified = BTreeMap<String, String>;

async fn verified(plyr: &Plyr) -> Result<Verified, String> {
    let coverage = plyr.xrpc("fm.plyr.sync.getCoverage", "limit=100").await?;
    let repos = coverage["repos"].as_array().cloned().unwrap_or_default();
    let text = |repo: &Value, name: &str| repo[name].as_str().unwrap_or_default().to_owned();
    let verified = repos.iter().filter(|repo| repo["state"] == "verified");
    Ok(verified
        .map(|repo| (text(repo, "did"), text(repo, "verifiedAt")))
        .collect())
}

/// Bytes of repos that one life fetched.
async fn fetched_bytes(plyr: &Plyr) -> Result<u64, String> {
    let bytes = plyr.counted("plyr_repo_fetched_bytes_total", "").await?;
    Ok(bytes as u64)
}

async fn all_verified(plyr: &Plyr) -> Result<Verified, Box<dyn std::error::Error>> {
    let all = wait_until("every repo is verified", || async {
        let verified = verified(plyr).await?;
        let number = verified.len();
        (number == REPOS)
            .then_some(verified)
            .ok_or(format!("{number} are"))
    });
    Ok(all.await?)
}

async fn written(peers: &Peers) -> Result<Vec<Account>, Box<dyn std::error::Error>> {
    let mut accounts = Vec::new();
    for number in 0..REPOS {
        let pds = &peers.pds[number % peers.pds.len()];
        accounts.push(Account::create(pds, &format!("artist-{number}.test")).await?);
    }
    let dids: Vec<String> = accounts.iter().map(|account| account.did.clone()).collect();
    for (seed, account) in accounts.iter().enumerate() {
        let posts = (0..FOREIGN).map(|at| {
            json!({ "$type": "com.atproto.repo.applyWrites#create",
                "collection": "app.bsky.feed.post", "rkey": format!("p{at}"),
                "value": { "$type": "app.bsky.feed.post", "text": "t",
                    "createdAt": "2026-06-01T12:00:00.000Z" } })
        });
        account.apply_writes(&posts.collect::<Vec<_>>()).await?;
        let at_once = Duration::from_millis(1);
        let (account, dids) = (account.clone(), dids.clone());
        write_flood(account, dids, seed as u64 + 1, EACH, at_once, &|| true).await?;
    }
    Ok(accounts)
}

/// Waits until the directory lists every account, so that no life finds fewer.
async fn listed(peers: &Peers, accounts: &[Account]) -> Tested {
    let mut directory = accounts[0].clone();
    directory.pds.clone_from(&peers.collectiondir);
    let directory = &directory;
    wait_until("the directory lists every repo", || async {
        let method = "com.atproto.sync.listReposByCollection";
        let answer = directory.get(method, "collection=fm.plyr.track").await;
        let answer = answer.map_err(|problem| problem.to_string())?.to_string();
        let listed = accounts.iter().filter(|one| answer.contains(&one.did));
        let listed = listed.count();
        (listed == accounts.len())
            .then_some(())
            .ok_or(format!("{listed} are listed"))
    })
    .await?;
    Ok(())
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
    listed(&peers, &accounts).await?;
    let expected = truth(&accounts).await?;
    let folder = tempfile::tempdir()?;
    let mut arguments = Plyr::arguments(&peers, &Layout::Embedded);
    arguments.extend(["--jetstream", "ws://127.0.0.1:1"].map(str::to_owned));
    let start = async |folder: &Path| Plyr::start(BINARY, folder, &arguments).await;

    // What a backfill fetches that nothing disturbs.
    let whole = start(&folder.path().join("undisturbed")).await?;
    all_verified(&whole).await?;
    ends_as(&whole, &expected).await?;
    let needed = fetched_bytes(&whole).await?;
    assert!(needed > 0, "nothing was counted");
    assert_eq!(whole.stop().await?, Some(0));

    let mut random = Random(11);
    let (mut killed, mut midway, mut backfills, mut fetched) = (0, 0, 0, 0);
    let started = Instant::now();
    while killed < kills() {
        let data = folder.path().join(format!("backfill-{backfills}"));
        backfills += 1;
        let mut done_before = Verified::new();
        loop {
            let plyr = start(&data).await?;
            // The point of the kill is random, so there is no condition to wait for.
            tokio::time::sleep(Duration::from_millis(random.below(MOST_MILLIS))).await;
            let bytes = fetched_bytes(&plyr).await?;
            let done = verified(&plyr).await?;
            let is_killed = done.len() < REPOS && killed < kills();
            let (done, bytes) = if is_killed {
                plyr.kill().await?;
                killed += 1;
                midway += u64::from(!done.is_empty());
                (done, bytes)
            } else {
                let done = all_verified(&plyr).await?;
                ends_as(&plyr, &expected).await?;
                let bytes = fetched_bytes(&plyr).await?;
                assert_eq!(plyr.stop().await?, Some(0));
                (done, bytes)
            };
            fetched += bytes;
            for (did, when) in &done_before {
                assert_eq!(
                    done.get(did),
                    Some(when),
                    "{did} was verified before the kill"
                );
            }
            if !is_killed {
                break;
            }
            done_before = done;
        }
        std::fs::remove_dir_all(&data)?;
    }
    let records = expected
        .lines()
        .filter(|row| row.contains("\"uri\""))
        .count();
    let (all, seconds) = (needed * backfills, started.elapsed().as_secs());
    println!(
        "{killed} kills, {midway} of them with some repos verified and some not, in {backfills} \
         backfills of {REPOS} repos with {records} records, {seconds} s: {fetched} bytes of repos \
         fetched, {all} undisturbed"
    );
    // A repo whose fetch a kill interrupts may be fetched again, and no other.
    let interrupted = killed * UNDER_WAY * 2 * needed / REPOS as u64;
    assert!(fetched <= all + interrupted, "more was fetched again");
    assert!(kills() < 10 || midway > 0, "no kill came in the middle");
    Ok(())
}
