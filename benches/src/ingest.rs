//! A simulated network's stream from its beginning into an empty store, in sizes ten times apart:
//! time of each event, memory, and disk of each record, and whether they grow with the number. What
//! grows beyond its bound fails; so does a dump that is not in the end what the simulated network
//! itself says that it must be (not the oracle, which the proofs ask: it would hold all in memory).

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

/// An event may take so many times as long as one of the size before: what grows with the square of
/// the number takes ten times as long where sizes are ten times apart.
const MOST_TIMES: f64 = 6.0;
/// Resident memory at most, in bytes.
const MOST_MEMORY: u64 = 1_000_000_000;
/// The data folder at most, in bytes for each record held.
const MOST_DISK: f64 = 3_000.0;

/// A replay.
#[derive(Clone, Copy)]
struct Ingested {
    /// Events that the stream has for whoever asks for our collections: writes of records of ours,
    /// and what it tells of identities and accounts.
    events: usize,
    /// Records held in the end.
    records: usize,
    repos: usize,
    seconds: f64,
    peak: u64,
    settled: u64,
    bytes: u64,
}

impl Ingested {
    /// Microseconds that each event takes.
    fn time(&self) -> f64 {
        self.seconds * 1e6 / self.events as f64
    }

    /// Bytes of the data folder for each record held.
    fn disk(&self) -> f64 {
        self.bytes as f64 / self.records as f64
    }

    /// What is beyond its bound, beside the size before.
    fn beyond(&self, before: Option<&Ingested>) -> Vec<String> {
        let mut beyond = Vec::new();
        let events = self.events;
        let times = before.map_or(0.0, |before| self.time() / before.time());
        if times > MOST_TIMES {
            let told = "times as long as an event of the size before";
            beyond.push(format!("one of {events} events takes {times:.1} {told}"));
        }
        if self.peak > MOST_MEMORY {
            let peak = memory::megabytes(self.peak);
            beyond.push(format!("{events} events take {peak} of memory"));
        }
        if self.disk() > MOST_DISK {
            let kilobytes = self.disk() / 1e3;
            beyond.push(format!(
                "of {events} events a record takes {kilobytes:.2} kB"
            ));
        }
        beyond
    }
}

/// Runs the campaign: one replay for each of `--replay-sizes`.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let mut before: Option<Ingested> = None;
    let mut beyond = Vec::new();
    for size in &arguments.replay_sizes {
        let done = one(&binary, arguments.seed, *size).await?;
        let Ingested {
            events,
            records,
            repos,
            seconds,
            ..
        } = done;
        let what = format!("{events} events of {repos} repos, {records} records held in the end");
        let time = done.time();
        let times = before.map_or(1.0, |before| time / before.time());
        report.add(
            &format!("{what}: until all are applied, from the start of the process"),
            format!(
                "{seconds:.1} s: {:.0} events/s; {time:.0} µs each, {times:.2} times the size \
                 before's",
                1e6 / time
            ),
            &format!("≤ {MOST_TIMES:.0} times"),
        );
        report.add(
            &format!("{what}: memory when it has settled (most), disk of each record held"),
            format!(
                "{} ({}), {:.2} kB",
                memory::megabytes(done.settled),
                memory::megabytes(done.peak),
                done.disk() / 1e3
            ),
            &format!(
                "≤ {}, ≤ {:.0} kB",
                memory::megabytes(MOST_MEMORY),
                MOST_DISK / 1e3
            ),
        );
        beyond.extend(done.beyond(before.as_ref()));
        before = Some(done);
    }
    match beyond.is_empty() {
        true => Ok(()),
        false => Err(beyond.join("; ").into()),
    }
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
    let (mut writes, mut repos) = (0, 0);
    for act in Story::new(plot)? {
        match &act.deed {
            Deed::Write { ops, .. } => writes += ops.len(),
            Deed::Join { .. } => repos += 1,
            _ => {}
        }
        network.act(&act)?;
        if writes >= size {
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
    let expected = network.dump(&namespace)?;
    until_right(&plyr, &expected).await?;
    plyr.stop().await?;
    let bytes = disk::allocated(Path::new(&data))?;
    network.stop().await;
    if events.min(records_of(&expected)) == 0 {
        return Err("the stream tells nothing; take larger --replay-sizes".into());
    }
    Ok(Ingested {
        events,
        records: records_of(&expected),
        repos,
        seconds,
        peak: memory.peak,
        settled: memory.now,
        bytes,
    })
}

/// How many of a dump's lines are records: others are counts of what is liked or commented on.
fn records_of(dump: &str) -> usize {
    dump.lines()
        .filter(|line| line.starts_with("{\"cid\":"))
        .count()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A replay of so many events that took so many microseconds each.
    fn of(events: usize, time: f64) -> Ingested {
        Ingested {
            events,
            records: events / 2,
            repos: 1,
            seconds: time * events as f64 / 1e6,
            peak: 300_000_000,
            settled: 200_000_000,
            bytes: events as u64 * 1_000,
        }
    }

    #[test]
    fn i14_what_grows_beyond_its_bound_is_told() {
        let small = of(10_000, 300.0);
        assert!(small.beyond(None).is_empty());
        assert!(of(100_000, 1_700.0).beyond(Some(&small)).is_empty());
        let square = of(100_000, 3_000.0).beyond(Some(&small));
        assert!(square.join("").contains("10.0 times"), "{square:?}");
        let large = Ingested {
            peak: MOST_MEMORY + 1,
            ..small
        };
        assert_eq!(large.beyond(None).len(), 1);
        let thick = Ingested {
            bytes: small.records as u64 * 3_001,
            ..small
        };
        assert_eq!(thick.beyond(None).len(), 1);
    }

    #[test]
    fn records_are_told_from_counts() {
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let mut world = World::new();
        let plot = Plot {
            seconds: (1, 2),
            tunes: 4,
            ..Plot::of_seed(1, namespace.clone())
        };
        for act in Story::new(plot).unwrap().take(1_000) {
            world.apply(&act).unwrap();
        }
        let dump = world.dump(&namespace).unwrap();
        let with = |word: &str| dump.lines().filter(|line| line.contains(word)).count();
        let (records, counts) = (with("\"verdict\":"), with("\"likeCount\":"));
        assert!(records > 100 && counts > 10, "{records}, {counts}");
        assert_eq!(records_of(&dump), records);
        assert_eq!(dump.lines().count(), records + counts);
    }
}
