//! Hours of one history in which as much goes as comes, asked all the while, with streams and hosts
//! that fail now and then: memory, open files and disk stay as they were, in the meaning of
//! `scene::churn`.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::COMMAND;
use super::scene::churn::{Churn, FILES, Flat, LOOKS, line};
use crate::report::{Report, median};
use crate::{Arguments, Outcome, binary, disk, memory};

type Failure = Box<dyn std::error::Error>;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);

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
    /// By how much it may grow over the second half.
    flat: Flat,
    /// What each event received may add by design.
    by_event: f64,
}

/// Of what is told in megabytes.
const MEGABYTES: Flat = Flat {
    may_grow: 0.10,
    grain: 4.0,
};
const FIGURES: [Figure; 3] = [
    Figure {
        name: "resident memory, MB",
        of: |seen| seen.memory / 1e6,
        flat: MEGABYTES,
        by_event: 0.0,
    },
    Figure {
        name: "open files",
        of: |seen| seen.files,
        flat: FILES,
        by_event: 0.0,
    },
    // A deleted record leaves the memory of it, and each change stands in the log for three days.
    // Three hosts tell of each.
    Figure {
        name: "data folder, MB",
        of: |seen| seen.disk / 1e6,
        flat: MEGABYTES,
        by_event: 100.0 / 1e6,
    },
];

/// Runs the campaign: `--minutes` of it. An error names the command that does the same again.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let Err(problem) = soak(arguments, report).await else {
        return Ok(());
    };
    let again = command(arguments);
    writeln!(std::io::stderr(), "FAILED: {problem}\n  {again}")?;
    Err(format!("{problem}; again: `{again}`").into())
}

fn command(arguments: &Arguments) -> String {
    let Arguments { seed, minutes, .. } = arguments;
    format!("{COMMAND} soak --seed {seed} --minutes {minutes}")
}

async fn soak(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut churn = Churn::open(&binary, &data, arguments.seed).await?;
    let (minutes, began) = (arguments.minutes, Instant::now());
    let (mut seen, mut next_look) = (Vec::new(), began);
    while began.elapsed() < Duration::from_secs(minutes * 60) {
        churn.goes_on().await?;
        if Instant::now() >= next_look {
            seen.push(look(&churn, &data, began).await?);
            next_look += LOOK;
        }
    }
    let (acts, questions) = (churn.acts, churn.questions);
    let (lines, asked) = churn.scene.ends(churn.plyr).await?;
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
        self.flat.most(begins) + events * self.by_event
    }

    fn is_flat(&self, seen: &[Seen]) -> bool {
        let Some((begins, grows)) = self.line(seen) else {
            return false;
        };
        grows <= self.most(seen, begins)
    }

    fn line(&self, seen: &[Seen]) -> Option<(f64, f64)> {
        let looks = seen.iter().map(|seen| (seen.at, (self.of)(seen)));
        line(&looks.collect::<Vec<_>>())
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

async fn look(churn: &Churn, data: &Path, began: Instant) -> Result<Seen, Failure> {
    let plyr = &churn.plyr;
    Ok(Seen {
        at: began.elapsed().as_secs_f64(),
        memory: memory::of(plyr)?.now as f64,
        files: churn.open_files()?,
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

    #[test]
    fn the_command_that_does_it_again_is_taken() {
        let words = ["", "soak", "--seed", "7", "--minutes", "9"];
        let command = command(&Arguments::read(words).unwrap());
        let words = command.split(' ').skip_while(|word| *word != "--");
        let again = Arguments::read(words).unwrap();
        assert_eq!((again.seed, again.minutes), (7, 9), "{command}");
    }
}
