//! i03: three nodes, three copies, two indexers and an AppView under continuous writes from real
//! PDSs, while nodes are killed and started again and an indexer is killed: the dump ends equal to
//! what the PDSs hold, so that nothing is missing and nothing came back. It takes minutes and the
//! whole machine, so that it runs where `PLYR_NODE_KILLS` sets the number of kills (`.ci/long`).

mod flood;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flood::{flood as write_flood, truth};
use plyr_peers::{Account, Cluster, Layout, Pds, Peers, PeersOptions, Plyr, migrate, wait_until};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

/// Between two commits of a writer: the machine has to run everything at once.
const EVERY: Duration = Duration::from_secs(4);
/// How long nothing may move before the rest counts as lost.
const STANDSTILL: Duration = Duration::from_secs(120);

fn kills() -> Option<usize> {
    let number = std::env::var("PLYR_NODE_KILLS").ok();
    number.and_then(|text| text.parse().ok())
}

/// How many events an indexer has finished.
async fn finished(indexer: &Plyr) -> Result<f64, String> {
    indexer.counted("plyr_events_total", "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_nodes_die_under_writes_and_nothing_is_lost() -> Tested {
    let Some(kills) = kills() else {
        tell("skipped: PLYR_NODE_KILLS is not set; .ci/long sets it");
        return Ok(());
    };
    let Some(cluster) = Cluster::start(3).await? else {
        return Ok(());
    };
    let options = PeersOptions {
        pds: Pds::V04,
        pds_count: 2,
        relay: true,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let url = cluster.url("nodes");
    migrate(BINARY, &url).await?;
    let folder = tempfile::tempdir()?;
    let arguments = Plyr::arguments(&peers, &Layout::Together(url));
    let start = async |command: &str, name: &str| {
        Plyr::command(BINARY, command, &folder.path().join(name), &arguments).await
    };
    let mut accounts = Vec::new();
    for number in 0..2 {
        accounts
            .push(Account::create(&peers.pds[number % 2], &format!("writer-{number}.test")).await?);
    }
    let dids: Vec<String> = accounts.iter().map(|account| account.did.clone()).collect();
    let first = start("index", "first").await?;
    let mut second = Some(start("index", "second").await?);
    let appview = start("appview", "appview").await?;

    // Floods follow one another until the last node is back.
    let (stop, floods) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut writers = tokio::task::JoinSet::new();
    for (seed, account) in accounts.iter().enumerate() {
        let (account, dids) = (account.clone(), dids.clone());
        let (stop, floods) = (stop.clone(), floods.clone());
        writers.spawn(async move {
            let is_stopped = || stop.load(Ordering::SeqCst);
            let wrote =
                write_flood(account, dids, seed as u64 + 1, 150, EVERY, &is_stopped).await?;
            floods.fetch_add(wrote, Ordering::SeqCst);
            Ok::<_, String>(())
        });
    }
    let mut back = Duration::ZERO;
    for number in 0..kills {
        let node = u8::try_from(number % 3 + 1)?;
        let before = finished(&first).await?;
        cluster.kill(node).await?;
        let began = Instant::now();
        // Two of three nodes are enough: writes go on while it is down.
        wait_until("events are finished with a node down", || async {
            let now = finished(&first).await?;
            if now >= before + 100.0 {
                Ok(())
            } else {
                Err(format!("{before}, then {now}"))
            }
        })
        .await?;
        back = back.max(began.elapsed());
        if number == 0
            && let Some(second) = second.take()
        {
            second.kill().await?;
        }
        cluster.start_node(node).await?;
        if second.is_none() {
            second = Some(start("index", "second").await?);
        }
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(done) = writers.join_next().await {
        done??;
    }
    let written = floods.load(Ordering::SeqCst);
    // A backlog is no loss: an indexer that has finished every event of the stream has none.
    let began = Instant::now();
    let behind = |finished: f64| written as f64 - finished;
    until_still("an indexer finishes every event", || async {
        let behind = behind(finished(&first).await?);
        Ok((behind <= 0.0).then_some(()).ok_or(behind.to_string()))
    })
    .await?;
    let caught_up = began.elapsed();
    let expected = truth(&accounts).await?;
    until_still("the dump equals what the PDSs hold", || async {
        let dump = appview
            .dump()
            .await
            .map_err(|problem| problem.to_string())?;
        Ok(difference(&dump, &expected))
    })
    .await?;
    let lines = expected.lines().count();
    tell(&format!(
        "measured: {kills} kills, {written} writes, {lines} lines; at most {} s until 100 more \
         events were finished with a node down, {} s to catch up, equal {} s after the last write",
        back.as_secs(),
        caught_up.as_secs(),
        began.elapsed().as_secs()
    ));
    for process in [Some(appview), Some(first), second].into_iter().flatten() {
        assert_eq!(process.stop().await?, Some(0));
    }
    Ok(())
}

/// Asks again and again until it is answered with nothing left; fails when what is left has not
/// changed for long.
async fn until_still<F>(what: &str, ask: impl Fn() -> F) -> Tested
where
    F: Future<Output = Result<Result<(), String>, String>>,
{
    let mut ticks = tokio::time::interval(Duration::from_secs(2));
    let (mut last, mut since) = (String::new(), Instant::now());
    loop {
        ticks.tick().await;
        let left = match ask().await? {
            Ok(()) => return Ok(()),
            Err(left) => left,
        };
        if left != last {
            (last, since) = (left, Instant::now());
        }
        if since.elapsed() > STANDSTILL {
            return Err(format!("{what}: stands still at {last}").into());
        }
    }
}

/// What a dump lacks and has too much, told apart: records, then counts.
fn difference(dump: &str, expected: &str) -> Result<(), String> {
    let (ours, theirs) = (lines_of(dump), lines_of(expected));
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&theirs).collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    let records = |lines: &[&&str]| lines.iter().filter(|line| line.contains("\"cid\"")).count();
    Err(format!(
        "{} lines missing, {} of them records ({:?}); {} too much, {} of them records ({:?})",
        missing.len(),
        records(&missing),
        missing.first(),
        extra.len(),
        records(&extra),
        extra.first(),
    ))
}

fn lines_of(dump: &str) -> BTreeSet<&str> {
    dump.lines().collect()
}

/// A figure for `docs/proof.md`.
#[allow(clippy::print_stderr)]
fn tell(figures: &str) {
    eprintln!("{figures}");
}
