//! i03, i09: a mirror that is killed at the steps of its fetches, again and again, ends with every
//! blob whole, and with nothing else. `PLYR_KILLS` sets the number of kills.

use std::path::Path;
use std::time::Duration;

use plyr_blobstore::BLOB_CRASH_POINTS;
use plyr_lexicons::{Cid, Namespace};
use plyr_peers::{Around, Plyr, wait_for};
use plyr_simnet::{Network, Options, Plot, Story, World};
use sha2::{Digest, Sha256};

type Error = Box<dyn std::error::Error>;
type Tested = Result<(), Error>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
/// How long a process may take to come to its end, and a mirror to have everything.
const PATIENCE: Duration = Duration::from_secs(300);
/// What is due within it is on its way, in microseconds: longer than a lease and the first waits;
/// what nobody names any more waits for hours.
const SOON: i64 = 150_000_000;

fn kills() -> usize {
    let told = std::env::var("PLYR_KILLS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(6)
}

async fn network(seed: u64) -> Result<Network, Error> {
    let namespace: Namespace = "fm.plyr".parse()?;
    let plot = Plot {
        artists: 6,
        listeners: 2,
        tracks: 30,
        history: 60,
        seconds: (1, 3),
        tunes: 30,
        ..Plot::of_seed(seed, namespace)
    };
    let mut story = Story::new(plot)?;
    let mut world = World::new();
    let opening = story.opening();
    for act in story.by_ref().take(opening) {
        world.apply(&act)?;
    }
    Ok(Network::start(world, Options::default()).await?)
}

/// The originals in a folder: each is what its name says, or this fails.
fn originals(folder: &Path) -> Result<Vec<Cid>, Error> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(found);
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut originals(&path)?);
            continue;
        }
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let cid: Cid = name
            .parse()
            .map_err(|_| format!("{} is no blob", path.display()))?;
        let digest = Sha256::digest(std::fs::read(&path)?);
        if digest.as_slice() != cid.hash().digest() {
            return Err(format!("{} holds other bytes", path.display()).into());
        }
        found.push(cid);
    }
    Ok(found)
}

fn told(data_dir: &Path, words: &[&str]) -> Result<serde_json::Value, Error> {
    let mut command = std::process::Command::new(BINARY);
    let done = command
        .arg("blobs")
        .args(words)
        .arg("--data-dir")
        .arg(data_dir)
        .output()?;
    match done.status.success() {
        true => Ok(serde_json::from_slice(&done.stdout)?),
        false => Err(format!("{words:?}: {}", String::from_utf8_lossy(&done.stderr)).into()),
    }
}

// The network is in this process, and goes on while a command is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_a_mirror_killed_at_its_steps_ends_whole() -> Tested {
    let (mut killed, mut seed) = (0, 0);
    while killed < kills() {
        seed += 1;
        killed += one_world(seed, kills() - killed).await?;
    }
    Ok(())
}

/// Kills a mirror of one world until it has everything; answers how often.
async fn one_world(seed: u64, most: usize) -> Result<usize, Error> {
    let network = network(seed).await?;
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    let mut arguments = network.arguments();
    arguments.extend(["--media", "mirror"].map(str::to_owned));
    let kept = data_dir.join("blobs/originals");
    let mut killed = 0;
    while killed < most {
        let step = BLOB_CRASH_POINTS[(killed + seed as usize) % BLOB_CRASH_POINTS.len()];
        let times = 1 + killed % 3;
        let around = Around {
            environment: vec![("PLYR_CRASH_AT".to_owned(), format!("{}:{times}", step.0))],
            ..Around::default()
        };
        let before = originals(&kept)?.len();
        let launched = Plyr::launch(&around, BINARY, "serve", &data_dir, &arguments).await;
        let ended = match launched {
            Ok(mut plyr) => {
                let idle = || plyr.counted("plyr_media_jobs_total", "kept");
                let done = wait_for(
                    Duration::from_secs(8),
                    "it is killed",
                    async || match idle().await {
                        Ok(kept) => Err(kept.to_string()),
                        Err(gone) => Ok(gone),
                    },
                );
                let is_dead = done.await.is_ok();
                match is_dead {
                    true => plyr.ended(PATIENCE).await.map(|_| true)?,
                    false => {
                        plyr.kill().await?;
                        false
                    }
                }
            }
            // It died before it was ready.
            Err(_) => true,
        };
        let after = originals(&kept)?.len();
        killed += 1;
        if !ended && after == before {
            break;
        }
    }
    let plyr = Plyr::command(BINARY, "serve", &data_dir, &arguments).await?;
    let last = std::sync::Mutex::new((u64::MAX, 0));
    wait_for(PATIENCE, "everything is kept", || async {
        let list = told(&data_dir, &["list"]).map_err(|problem| problem.to_string())?;
        let kept = list["kept"].as_u64().unwrap_or(0);
        let soon = chrono::Utc::now().timestamp_micros() + SOON;
        let is_soon = |one: &&serde_json::Value| one["dueAt"].as_i64().is_some_and(|at| at < soon);
        let waiting = list["notKept"].as_array().into_iter().flatten();
        let waiting = waiting.filter(is_soon).count();
        let mut last = last.lock().map_err(|problem| problem.to_string())?;
        *last = match kept == last.0 {
            true => (kept, last.1 + 1),
            false => (kept, 0),
        };
        // Nothing new for a while, nothing on its way, and something at all.
        (kept > 20 && waiting == 0 && last.1 > 20)
            .then_some(())
            .ok_or(list.to_string())
    })
    .await?;
    let audited = told(&data_dir, &["audit"])?;
    assert_eq!(
        (&audited["missing"], &audited["wrong"]),
        (&0.into(), &0.into()),
        "{audited}"
    );
    // What an edit replaced while it was fetched may be unnamed; nothing may be unknown.
    let swept = told(&data_dir, &["sweep", "--grace", "24h"])?;
    assert_eq!(
        (&swept["unknown"], &swept["gone"]),
        (&0.into(), &0.into()),
        "{swept}"
    );
    let kept = originals(&kept)?;
    assert_eq!(Some(kept.len() as u64), audited["blobs"].as_u64());
    assert_eq!(plyr.stop().await?, Some(0));
    let staged = std::fs::read_dir(data_dir.join("staging/0"))?.count();
    assert_eq!(staged, 0);
    network.stop().await;
    Ok(killed)
}
