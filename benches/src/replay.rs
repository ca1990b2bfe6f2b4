//! Everything a real Jetstream has, from its beginning into an empty store, until it can be read;
//! beside a reader of the same stream that only counts.

use std::path::Path;
use std::time::{Duration, Instant};

use plyr_peers::Plyr;

use crate::corpus::{self, Entry};
use crate::memory::{self, Memory};
use crate::network::{self, Network, SKIPPED, TRACK};
use crate::report::{Report, median};
use crate::{Arguments, Outcome, binary};

type Failure = Box<dyn std::error::Error>;

/// Repos the records are spread over, as in the nearest system's measurement.
const ACCOUNTS: usize = 13;
const RUNS: usize = 5;
const LOOK: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(300);

/// What the nearest system came to with 12,793 events, and how many times that is aimed at.
const THEIRS: f64 = 1_075.0;
const AIM: &str = "≥ 20 × the nearest system's 1,050–1,100/s";

/// One replay.
struct Replayed {
    from_start: f64,
    from_ready: f64,
    memory: Memory,
}

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let count = arguments.replay_records;
    let binary = binary::find(arguments, report).await?;
    let Some(network) = network::start(ACCOUNTS).await? else {
        report.add("replay", SKIPPED.to_owned(), "");
        return Ok(());
    };
    let entries = corpus::tracks(arguments.seed, count)?;
    let folder = tempfile::tempdir()?;

    // One follows the filling, so that it is known when Jetstream has everything.
    let follower = folder.path().join("follower");
    let plyr = Plyr::serve(&binary, &network.peers, &follower).await?;
    let began = Instant::now();
    network.fill(&entries).await?;
    let written = began.elapsed();
    until_readable(&plyr, count).await?;
    let behind = began.elapsed().saturating_sub(written);
    plyr.stop().await?;

    let mut bare = Vec::new();
    let mut runs = Vec::new();
    for number in 0..RUNS {
        bare.push(only_read(&network, count).await?);
        let data_dir = folder.path().join(format!("replay-{number}"));
        let settle = number + 1 == RUNS;
        runs.push(replay(&binary, &network, &data_dir, &entries, settle).await?);
    }
    let rates = |time: fn(&Replayed) -> f64| -> Vec<f64> {
        runs.iter().map(|run| count as f64 / time(run)).collect()
    };
    let rate = median(rates(|run| run.from_start));
    let ready = median(rates(|run| run.from_ready));
    let bare = median(bare.into_iter().map(|time| count as f64 / time).collect());
    let memory = runs.last().map(|run| &run.memory).ok_or("no run")?;

    report.add(
        &format!(
            "{count} records written to a PDS at {:.0}/s, followed live: readable after the \
            last write",
            count as f64 / written.as_secs_f64()
        ),
        format!("{:.2} s", behind.as_secs_f64()),
        "given",
    );
    report.add(
        &format!("replay of {count} events, from the start of the process, median of {RUNS}"),
        format!("{rate:.0} events/s"),
        AIM,
    );
    report.add(
        "the same, from the ready line",
        format!("{ready:.0} events/s"),
        "given",
    );
    report.add(
        "a reader of the same Jetstream that only counts",
        format!("{bare:.0} events/s"),
        "compared",
    );
    report.add(
        "ratio replay ÷ the nearest system's, measured elsewhere",
        format!("{:.0}", rate / THEIRS),
        "≥ 20",
    );
    report.add(
        "resident memory after the replay (most during it)",
        format!(
            "{} ({})",
            memory::megabytes(memory.now),
            memory::megabytes(memory.peak)
        ),
        "nearest system: 90 MB",
    );
    Ok(())
}

/// Seconds that reading alone takes.
async fn only_read(network: &Network, count: usize) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut reader = network.follow(Some(1)).await?;
    for _ in 0..count {
        tokio::time::timeout(PATIENCE, reader.next()).await??;
    }
    Ok(began.elapsed().as_secs_f64())
}

async fn replay(
    binary: &str,
    network: &Network,
    data_dir: &Path,
    entries: &[Entry],
    settle: bool,
) -> Result<Replayed, Failure> {
    let began = Instant::now();
    let plyr = Plyr::serve(binary, &network.peers, data_dir).await?;
    let ready = began.elapsed();
    until_readable(&plyr, entries.len()).await?;
    let done = began.elapsed();
    // The total was not made of something else: each repo's last record is there.
    let share = entries.len().div_ceil(ACCOUNTS).max(1);
    for (account, entries) in network.accounts.iter().zip(entries.chunks(share)) {
        let rkey = entries.last().map_or("", |entry| entry.uri.rkey.as_str());
        let query = format!("uri=at://{}/{TRACK}/{rkey}", account.did);
        plyr.xrpc("fm.plyr.feed.getTrack", &query).await?;
    }
    let memory = if settle {
        memory::settled(&plyr).await?
    } else {
        memory::of(&plyr)?
    };
    plyr.stop().await?;
    Ok(Replayed {
        from_start: done.as_secs_f64(),
        from_ready: (done - ready).as_secs_f64(),
        memory,
    })
}

async fn until_readable(plyr: &Plyr, count: usize) -> Outcome {
    let began = Instant::now();
    loop {
        let stats = plyr.xrpc("fm.plyr.stats.getStats", "").await?;
        let seen = stats["trackCount"].as_u64().unwrap_or(0);
        if seen >= count as u64 {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("only {seen} of {count} records are readable").into());
        }
        tokio::time::sleep(LOOK).await;
    }
}
