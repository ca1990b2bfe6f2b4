//! Killed as by `kill -9` at every step and at random moments, over both engines: afterwards every
//! document is what the store would give. `PLYR_KILLS` sets how often.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plyr_indexer::search::SEARCH_CRASH_POINTS;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::scylla::{ScyllaOptions, ScyllaStore};
use plyr_schemas::{AccountState, Change, CrashPoint, FaultHook, Store, StoreError};
use rustix::process::{Signal, getpid, kill_process};
use serde_json::json;
use tokio::process::{Child, Command};

use crate::Checked;
use crate::world::{
    Kept, PATIENCE, account, delete, handle, keyspace, like, name, namespace, record, track, uri,
};

/// The folder that a child works in; without it the child's test does nothing.
const FOLDER: &str = "PLYR_SEARCH_CHILD";
/// The keyspace's URL; without it the child's store is embedded.
const KEYSPACE: &str = "PLYR_SEARCH_KEYSPACE";
/// `POINT:N`: dies when it comes to the step for the N-th time.
const CRASH_AT: &str = "PLYR_CRASH_AT";
/// The number of the life, from which everything that it writes follows.
const LIFE: &str = "PLYR_SEARCH_LIFE";

/// Each step once and two random moments, unless the environment wants more.
fn kills() -> u64 {
    let asked = std::env::var("PLYR_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Numbers that look like chance and are the same again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len() as u64) as usize]
    }
}

const ACTORS: [&str; 5] = ["ana", "bea", "cid", "dan", "eva"];
const WORDS: [&str; 6] = ["night", "drive", "kora", "light", "first", "song"];

/// The n-th batch of a writer in a life. `counts` says whether the engine counts as it writes: then
/// there are likes, of actors who are never hidden.
fn batch(life: u64, writer: u64, number: u64, counts: bool) -> Vec<Change> {
    let mut chance = Chance((life << 40) | (writer << 32) | number);
    let at = (life * 100_000 + number * 8 + writer * 4 + 1) as i64;
    let size = 1 + chance.below(4);
    let change = |chance: &mut Chance| {
        let actor = chance.pick(&ACTORS);
        let rkey = format!("t{}", chance.below(40));
        let title = format!("{} {}", chance.pick(&WORDS), chance.pick(&WORDS));
        match chance.below(if counts { 12 } else { 10 }) {
            0..=3 => track(&uri(actor, "track", &rkey), at, &title),
            4 => delete(&uri(actor, "track", &rkey), at),
            5 => record(&uri(actor, "track", &rkey), at, &json!({ "title": 5 })),
            6 => {
                let list = json!({ "name": title, "listType": "album", "items": [] });
                record(&uri(actor, "list", &rkey), at, &list)
            }
            7 => match chance.below(2) {
                0 => name(actor, at, &title),
                _ => handle(actor, at, &format!("{}.example.com", chance.pick(&WORDS))),
            },
            8 => {
                let states = [AccountState::Active, AccountState::Deactivated];
                account(actor, at, states[chance.below(2) as usize])
            }
            9 => {
                let profile = uri(actor, "actor.profile", "self");
                record(&profile, at, &json!({ "bio": title }))
            }
            _ => {
                let liker = format!("liker{}", chance.pick(&["b", "c", "d"]));
                let rkey = format!("{actor}-{rkey}");
                let subject = uri(actor, "track", rkey.split('-').nth(1).unwrap());
                like(&uri(&liker, "like", &rkey), at, &subject)
            }
        }
    };
    (0..size).map(|_| change(&mut chance)).collect()
}

async fn embedded(folder: &Path) -> Arc<dyn Store> {
    let mut tries = tokio::time::interval(Duration::from_millis(20));
    loop {
        let options = EmbeddedOptions::new(folder.to_owned(), namespace());
        match EmbeddedStore::open(options) {
            Ok(store) => return Arc::new(store),
            // The store before lets go of the folder when its writer has ended.
            Err(StoreError::Locked { .. } | StoreError::Engine { .. }) => tries.tick().await,
            Err(problem) => panic!("{problem}"),
        };
    }
}

async fn clustered(url: &str) -> Arc<dyn Store> {
    let mut options = ScyllaOptions::parse(url, namespace()).unwrap();
    options.read_patience = Duration::from_secs(60);
    Arc::new(ScyllaStore::open(options).await.unwrap())
}

fn answered(folder: &Path, writer: u64) -> std::path::PathBuf {
    folder.join(format!("answered-{writer}"))
}

/// Dies at a step as the environment asks.
fn dies_at(asked: &str) -> FaultHook {
    let (point, number) = asked.rsplit_once(':').unwrap();
    let (point, number) = (point.to_owned(), number.parse::<u64>().unwrap());
    let passed = AtomicU64::new(0);
    Arc::new(move |step: CrashPoint| {
        if step.0 == point && passed.fetch_add(1, Ordering::SeqCst) + 1 == number {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        false
    })
}

/// The process that is killed: a store, one writer or two, and a follower, until it dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() -> Checked {
    let Ok(folder) = std::env::var(FOLDER) else {
        return Ok(());
    };
    let folder = Path::new(&folder).to_owned();
    let life: u64 = std::env::var(LIFE)?.parse()?;
    let stores = match std::env::var(KEYSPACE) {
        Ok(url) => vec![clustered(&url).await, clustered(&url).await],
        Err(_) => vec![embedded(&folder).await],
    };
    let fault = std::env::var(CRASH_AT).ok().map(|asked| dies_at(&asked));
    let kept = Kept::start(stores[0].clone(), &folder, fault);
    // Indexes are built all the while, so that their steps are come to.
    if life.is_multiple_of(2) {
        kept.index.rebuild();
    }
    let counts = stores.len() == 1;
    let mut writers = tokio::task::JoinSet::new();
    for (writer, store) in (0..).zip(stores) {
        let path = answered(&folder, writer);
        writers.spawn(async move {
            let mut file = fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            for number in 0.. {
                store
                    .apply(batch(life, writer, number, counts))
                    .await
                    .unwrap();
                writeln!(file, "{life} {number}").unwrap();
            }
        });
    }
    loop {
        kept.caught_up().await;
        if life % 2 == 1 {
            kept.index.rebuild();
        }
        kept.built(kept.standing().builds + life % 2).await;
        tokio::task::yield_now().await;
    }
}

fn child(folder: &Path, url: Option<&str>, life: u64, crash_at: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "kills::the_process_that_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(LIFE, life.to_string())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    if let Some(url) = url {
        command.env(KEYSPACE, url);
    }
    if let Some(crash_at) = crash_at {
        command.env(CRASH_AT, crash_at);
    }
    command.spawn().unwrap()
}

/// Batches that a writer was answered for in a life.
fn answers(folder: &Path, writer: u64, life: u64) -> u64 {
    let Ok(text) = fs::read_to_string(answered(folder, writer)) else {
        return 0;
    };
    let prefix = format!("{life} ");
    // A line may be cut.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter(|line| line.starts_with(&prefix))
        .count() as u64
}

async fn killed(folder: &Path, url: Option<&str>) -> Checked {
    let mut chance = Chance(7);
    let writers = if url.is_some() { 2 } else { 1 };
    let (mut compared, mut batches) = (0, 0);
    for life in 1..=kills() {
        let step = SEARCH_CRASH_POINTS.get((life as usize - 1) % 8);
        // Steps of a build are come to once.
        let times = 1 + chance.below(if life % 8 > 3 { 1 } else { 6 });
        let crash_at = step.map(|step| format!("{}:{times}", step.0));
        let mut child = child(folder, url, life, crash_at.as_deref());
        if crash_at.is_none() {
            let moment = Duration::from_millis(300 + chance.below(2_000));
            if tokio::time::timeout(moment, child.wait()).await.is_err() {
                child.start_kill()?;
            }
        }
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        let status = ended.map_err(|_| format!("{crash_at:?} was never come to"))??;
        assert_eq!(status.signal(), Some(9), "{crash_at:?}: {status}");

        let store = match url {
            Some(url) => clustered(url).await,
            None => embedded(folder).await,
        };
        // What wasn't answered is handed in again, as whoever writes does.
        for writer in 0..writers {
            let answered = answers(folder, writer, life);
            batches += answered;
            let again = batch(life, writer, answered, url.is_none());
            store.apply(again).await?;
        }
        let kept = Kept::start(store.clone(), folder, None);
        kept.caught_up().await;
        compared += kept.is_right().await;
        kept.stop().await;
        store.close().await?;
    }
    assert!(compared > kills(), "{compared} documents were compared");
    assert!(batches > kills(), "{batches} batches were written");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_killed_at_every_step_the_index_is_what_the_store_holds() -> Checked {
    let folder = tempfile::tempdir()?;
    killed(folder.path(), None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_killed_at_every_step_over_a_cluster_with_two_writers() -> Checked {
    let Some((options, _turn)) = keyspace().await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    killed(folder.path(), Some(&options.url())).await
}
