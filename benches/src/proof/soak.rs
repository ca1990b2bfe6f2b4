//! Hours of one history in which as much goes as comes, asked all the while, with streams and hosts
//! that fail now and then: memory, open files and disk stay as they were.
//!
//! Flat is what grows by no more than a part of itself over the second half of a run, as the line
//! through all looks of that half says (least squares): caches and tables fill in the first half,
//! and compaction and the trimming of the log make it go up and down in both.

use std::path::Path;
use std::time::{Duration, Instant};

use plyr_peers::Plyr;
use plyr_simnet::{Faults, HostFaults, Kind, Plot, Proportions, StreamFaults};

use super::scene::{HOSTS, Scene};
use crate::report::{Report, median};
use crate::{Arguments, Outcome, binary, disk, memory};

type Failure = Box<dyn std::error::Error>;

/// How often something is done and something asked.
const BEAT: Duration = Duration::from_millis(50);
/// Acts of one beat: so many that memtables are written out every minute or two.
const ACTS: usize = 5;
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Looks that a figure of the table is the median of.
const LOOKS: usize = 15;
/// What the end may take: a check of an account that failed three times is asked again within ten
/// minutes.
const PATIENCE: Duration = Duration::from_secs(900);
const METHODS: [&str; 4] = [
    "fm.plyr.stats.getStats",
    "fm.plyr.feed.getLatest",
    "fm.plyr.sync.getQuarantine",
    "fm.plyr.sync.getCoverage",
];

/// What was seen of it at a time.
struct Seen {
    /// Seconds since the beginning.
    at: f64,
    memory: f64,
    files: f64,
    disk: f64,
    events: f64,
}

/// A figure that must be flat.
struct Figure {
    name: &'static str,
    of: fn(&Seen) -> f64,
    /// By what part of itself it may grow over the second half.
    may_grow: f64,
    /// What is no growth whatever it is a part of.
    grain: f64,
    /// What each event received may add by design.
    by_event: f64,
}

const FIGURES: [Figure; 3] = [
    Figure {
        name: "resident memory, MB",
        of: |seen| seen.memory / 1e6,
        may_grow: 0.10,
        grain: 4.0,
        by_event: 0.0,
    },
    Figure {
        name: "open files",
        of: |seen| seen.files,
        may_grow: 0.10,
        grain: 4.0,
        by_event: 0.0,
    },
    // A deleted record leaves the memory of it, and each change stands in the log for three days.
    // Three hosts tell of each.
    Figure {
        name: "data folder, MB",
        of: |seen| seen.disk / 1e6,
        may_grow: 0.10,
        grain: 4.0,
        by_event: 100.0 / 1e6,
    },
];

/// Runs the campaign: `--minutes` of it.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let open = Scene::open_as(arguments.seed, faults(arguments.seed), churning).await;
    let mut scene = open?;
    scene.patience = PATIENCE;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let more = ["--verify-every", "60s", "--stream-grace", "2s"];
    let plyr = scene.serve(&binary, &data, &more).await?;
    let minutes = arguments.minutes;
    let (began, mut beat) = (Instant::now(), tokio::time::interval(BEAT));
    let (mut seen, mut acts, mut questions) = (Vec::new(), 0, 0);
    let mut next_look = began;
    while began.elapsed() < Duration::from_secs(minutes * 60) {
        beat.tick().await;
        scene.go_on(ACTS)?;
        acts += ACTS;
        for method in METHODS {
            plyr.xrpc(method, "").await?;
            questions += 1;
        }
        if Instant::now() >= next_look {
            seen.push(look(&plyr, &data, began).await?);
            next_look += LOOK;
        }
    }
    let (lines, asked) = scene.ends(plyr).await?;
    report.add(
        &format!(
            "{minutes} minutes, {acts} acts, {questions} requests (seed {})",
            arguments.seed
        ),
        format!("all as it must be in the end: {lines} lines, {asked} questions"),
        "nothing lost",
    );
    let events = |seen: &Seen| seen.events;
    report.add(
        "events received by then: start, middle, end",
        at_times(&seen, events),
        "",
    );
    let mut grew = Vec::new();
    for figure in &FIGURES {
        let name = figure.name;
        report.add(
            &format!("{name}: start, middle, end"),
            at_times(&seen, figure.of),
            "",
        );
        let (grows, aim) = match figure.line(&seen) {
            Some((begins, grows)) => {
                let (part, most) = (grows / begins * 100.0, figure.most(&seen, begins));
                (
                    format!("{grows:+.1} ({part:+.1} %)"),
                    format!("≤ {most:.1}"),
                )
            }
            None => ("not known: too few looks".to_owned(), String::new()),
        };
        report.add(&format!("{name}: growth over the second half"), grows, &aim);
        if !figure.is_flat(&seen) {
            grew.push(name);
        }
    }
    match grew.is_empty() {
        true => Ok(()),
        false => Err(format!("not flat: {}", grew.join("; ")).into()),
    }
}

impl Figure {
    /// By how much it may grow over the second half from what it is in the middle.
    fn most(&self, seen: &[Seen], begins: f64) -> f64 {
        let events = |seen: Option<&Seen>| seen.map_or(0.0, |seen| seen.events);
        let events = events(seen.last()) - events(seen.get(seen.len() / 2));
        (begins * self.may_grow).max(self.grain) + events * self.by_event
    }

    fn is_flat(&self, seen: &[Seen]) -> bool {
        let Some((begins, grows)) = self.line(seen) else {
            return false;
        };
        grows <= self.most(seen, begins)
    }

    /// The line through the looks of the second half: where it begins, and by how much it rises.
    fn line(&self, seen: &[Seen]) -> Option<(f64, f64)> {
        let half = &seen[seen.len() / 2..];
        let (first, last) = (half.first()?, half.last()?);
        let count = half.len() as f64;
        let middle = half.iter().map(|seen| seen.at).sum::<f64>() / count;
        let mean = half.iter().map(self.of).sum::<f64>() / count;
        let spread: f64 = half.iter().map(|seen| (seen.at - middle).powi(2)).sum();
        let together: f64 = half
            .iter()
            .map(|seen| (seen.at - middle) * ((self.of)(seen) - mean))
            .sum();
        let slope = together / spread;
        let begins = mean + slope * (first.at - middle);
        let grows = slope * (last.at - first.at);
        (half.len() >= LOOKS && grows.is_finite()).then_some((begins, grows))
    }
}

/// A figure at the beginning, in the middle and at the end, each the median of some looks.
fn at_times(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> String {
    let last = seen.len().saturating_sub(LOOKS);
    let medians = [0, last / 2, last].map(|from| {
        let some = seen.iter().skip(from).take(LOOKS);
        format!("{:.0}", median(some.map(&of).collect()))
    });
    medians.join(", ")
}

/// Of three streams one has everything; hosts and the directory fail now and then.
fn faults(seed: u64) -> Faults {
    let stream = |place: u64| StreamFaults {
        drops: if place == 0 { 0 } else { 300 },
        duplicates: 50,
        delays: 50,
        cuts: 3_000,
        garbage: 2_000,
        rewinds: 3_000,
        ..StreamFaults::default()
    };
    Faults {
        seed,
        hosts: HostFaults {
            fails: 100,
            busy: 200,
            cuts: 100,
            lies: 100,
            ..HostFaults::default()
        },
        directory: HostFaults {
            fails: 200,
            ..HostFaults::default()
        },
        streams: (0..HOSTS.len() as u64).map(stream).collect(),
        ..Faults::default()
    }
}

/// As much is taken away as is written, once there are some 1,200 records: whoever deletes may find
/// nothing, so deletes are more than what they take away.
fn churning(plot: Plot) -> Plot {
    let proportions = Proportions::default()
        .with(Kind::Unlike, 320)
        .with(Kind::Delete, 400)
        .with(Kind::Comment, 60)
        .with(Kind::Track, 25)
        .with(Kind::Interim, 4)
        .with(Kind::Album, 1)
        .with(Kind::Playlist, 10)
        .with(Kind::Foreign, 2)
        .with(Kind::Join, 0)
        .with(Kind::Leave, 0);
    Plot {
        artists: 40,
        listeners: 60,
        tracks: 400,
        history: 2_000,
        pace: Duration::from_secs(20),
        proportions,
        ..plot
    }
}

async fn look(plyr: &Plyr, data: &Path, began: Instant) -> Result<Seen, Failure> {
    let pid = plyr.pid().ok_or("plyr has ended")?;
    Ok(Seen {
        at: began.elapsed().as_secs_f64(),
        memory: memory::of(plyr)?.now as f64,
        files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64,
        disk: disk::size_of(data)? as f64,
        events: plyr.counted("plyr_events_received_total", "").await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half an hour of looks whose memory, in MB, is some function of the part that is over.
    fn run(memory: impl Fn(f64) -> f64) -> Vec<Seen> {
        let look = |number: u32| Seen {
            at: f64::from(number) * 2.0,
            memory: memory(f64::from(number) / 900.0) * 1e6,
            files: 0.0,
            disk: 0.0,
            events: 0.0,
        };
        (0..900).map(look).collect()
    }

    #[test]
    fn i14_what_grows_is_seen_whatever_goes_up_and_down() {
        let figure = &FIGURES[0];
        let teeth = |part: f64| 10.0 * (part * 8.0).fract();
        // It fills in the first half; then it goes up and down.
        assert!(figure.is_flat(&run(|part| 100.0 + 50.0 * part.min(0.4) + teeth(part))));
        assert!(figure.is_flat(&run(|part| 100.0 + 8.0 * part)));
        assert!(figure.is_flat(&run(|part| 100.0 - 50.0 * part)));
        // It goes on to fill.
        assert!(!figure.is_flat(&run(|part| 100.0 + 40.0 * part + teeth(part))));
        assert!(!figure.is_flat(&run(|part| 100.0 + 50.0 * (part - 0.5).max(0.0))));
        // A line is not drawn through a few looks.
        assert!(!figure.is_flat(&run(|_| 100.0)[..20]));
        // What is kept by design comes with events alone.
        let disk = |by_event: f64| {
            let look = |one: Seen| Seen {
                disk: one.memory,
                events: one.at * by_event,
                ..one
            };
            run(|part| 100.0 + 40.0 * part)
                .into_iter()
                .map(look)
                .collect::<Vec<_>>()
        };
        assert!(FIGURES[2].is_flat(&disk(300.0)) && !FIGURES[2].is_flat(&disk(0.0)));
    }
}
