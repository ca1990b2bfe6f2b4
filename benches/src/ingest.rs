//! A simulated network's stream from its beginning into an empty store, in sizes ten times apart:
//! time, memory and disk of each record, and whether they grow with the number.

use std::path::Path;
use std::time::{Duration, Instant};

use plyr_lexicons::Namespace;
use plyr_peers::Plyr;
use plyr_simnet::{Deed, Line, Network, Options, Plot, Speaks, Story, World};

use crate::report::Report;
use crate::{Arguments, Outcome, binary, disk, memory};

type Failure = Box<dyn std::error::Error>;

/// A story begins long enough ago for its last act to lie in the past: 2012-01-01, in
/// microseconds since 1970.
const BEGINNING: i64 = 1_325_376_000_000_000;
const LOOK: Duration = Duration::from_millis(20);
/// Nothing has moved for so long: it won't any more.
const PATIENCE: Duration = Duration::from_secs(120);

/// A replay.
struct Ingested {
    records: usize,
    events: usize,
    repos: usize,
    seconds: f64,
    peak: u64,
    settled: u64,
    bytes: u64,
}

/// Runs the campaign: one replay for each of `--replay-sizes`.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let mut first: Option<f64> = None;
    for size in &arguments.replay_sizes {
        let done = one(&binary, arguments.seed, *size).await?;
        let rate = done.records as f64 / done.seconds;
        let Ingested {
            records,
            events,
            repos,
            ..
        } = done;
        let what = format!("{records} writes of {repos} repos ({events} events)");
        let ratio = rate / *first.get_or_insert(rate);
        report.add(
            &format!("{what}: until all are applied, from the start of the process"),
            format!(
                "{:.1} s: {rate:.0} records/s, {ratio:.2} of the first size's",
                done.seconds
            ),
            "near-linear",
        );
        let kilobytes = done.bytes as f64 / records as f64 / 1e3;
        report.add(
            &format!("{what}: memory when it has settled (most), disk of each record"),
            format!(
                "{} ({}), {kilobytes:.2} kB",
                memory::megabytes(done.settled),
                memory::megabytes(done.peak)
            ),
            "flat",
        );
    }
    Ok(())
}

/// Each host has some 120 repos, whatever the size: the questions that are asked of each repo once
/// must not wait for the pace at which one host is asked.
fn hosts(size: usize) -> usize {
    (size / 5_000).max(2)
}

async fn one(binary: &str, seed: u64, size: usize) -> Result<Ingested, Failure> {
    let namespace: Namespace = "fm.plyr".parse()?;
    let artists = (size / 250).max(4);
    let plot = Plot {
        start: BEGINNING,
        artists,
        listeners: artists * 2,
        tracks: size / 10,
        hosts: hosts(size),
        history: 0,
        seconds: (1, 2),
        tunes: 4,
        pace: Duration::from_secs(60),
        ..Plot::of_seed(seed, namespace.clone())
    };
    let options = Options {
        streams: vec![Speaks::V1],
        keep: usize::MAX,
        hosts: hosts(size),
        ..Options::default()
    };
    let network = Network::start(World::new(), options).await?;
    let (mut records, mut repos) = (0, 0);
    for act in Story::new(plot)? {
        match &act.deed {
            Deed::Write { ops, .. } => records += ops.len(),
            Deed::Join { .. } => repos += 1,
            _ => {}
        }
        network.act(&act)?;
        if records >= size {
            break;
        }
    }
    // Of other applications' records the stream tells nobody who didn't ask for them.
    let is_asked_for = |line: &Line| {
        let nsid = line.collection();
        nsid.is_none_or(|nsid| namespace.collection(nsid).is_some())
    };
    let events = network.lines(0);
    let events = events.iter().filter(|line| is_asked_for(line)).count();
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let began = Instant::now();
    let plyr = Plyr::start(binary, &data, &network.arguments()).await?;
    until_finished(&plyr, events as f64).await?;
    let seconds = began.elapsed().as_secs_f64();
    let memory = memory::settled(&plyr).await?;
    until_right(&plyr, &network.dump(&namespace)?).await?;
    plyr.stop().await?;
    let bytes = disk::allocated(Path::new(&data))?;
    network.stop().await;
    Ok(Ingested {
        records,
        events,
        repos,
        seconds,
        peak: memory.peak,
        settled: memory.now,
        bytes,
    })
}

/// Waits until as many events are finished as the stream has.
async fn until_finished(plyr: &Plyr, events: f64) -> Outcome {
    let (mut finished, mut moved) = (0.0, Instant::now());
    while finished < events {
        tokio::time::sleep(LOOK).await;
        let now = plyr.counted("plyr_events_total", "").await?;
        if now > finished {
            (finished, moved) = (now, Instant::now());
        }
        if moved.elapsed() > PATIENCE {
            return Err(format!("{finished} of {events} events, and no more for long").into());
        }
    }
    Ok(())
}

/// Waits until the dump is what the network demands: states of accounts come later than records.
async fn until_right(plyr: &Plyr, expected: &str) -> Outcome {
    let began = Instant::now();
    loop {
        let dump = plyr.dump().await?;
        let Some(difference) = plyr_oracle::dump_difference(expected, &dump) else {
            return Ok(());
        };
        if began.elapsed() > PATIENCE * 10 {
            return Err(difference.into());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
