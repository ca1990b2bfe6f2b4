//! Hours of one history in which as much goes as comes, asked all the while: memory, open files and
//! disk stay as they were.

use std::path::Path;
use std::time::{Duration, Instant};

use plyr_peers::Plyr;
use plyr_simnet::{Faults, Kind, Plot, Proportions};

use super::over;
use super::scene::Scene;
use crate::report::{Report, median};
use crate::{Arguments, Outcome, binary, disk, memory};

type Failure = Box<dyn std::error::Error>;

/// How often something is done and something asked.
const BEAT: Duration = Duration::from_millis(50);
/// Acts of one beat.
const ACTS: usize = 5;
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A figure of the last quarter may be that of the second one so many times over.
const FLAT: f64 = 1.15;
const METHODS: [&str; 4] = [
    "fm.plyr.stats.getStats",
    "fm.plyr.feed.getLatest",
    "fm.plyr.sync.getQuarantine",
    "fm.plyr.sync.getCoverage",
];

/// What was seen of it at a time.
struct Seen {
    memory: f64,
    files: f64,
    disk: f64,
}

type Figure = fn(&Seen) -> f64;

/// Runs the campaign: `--minutes` of it.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    over::only_embedded(arguments, "soak")?;
    let binary = binary::find(arguments, report).await?;
    let open = Scene::open_as(arguments.seed, Faults::default(), churning).await;
    let mut scene = open?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let more = ["--verify-every", "60s"];
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
            seen.push(look(&plyr, &data)?);
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
    let mut grew = Vec::new();
    let figures: [(&str, Figure); 3] = [
        ("resident memory, bytes", |seen| seen.memory),
        ("open files", |seen| seen.files),
        ("data folder, bytes", |seen| seen.disk),
    ];
    for (name, figure) in figures {
        let all: Vec<f64> = seen.iter().map(figure).collect();
        let quarter = all.len() / 4;
        let before = median(all[quarter..quarter * 2].to_vec());
        let after = median(all[all.len() - quarter..].to_vec());
        let ratio = after / before;
        report.add(
            &format!("{name}: median of the last quarter ÷ of the second one"),
            format!("{ratio:.2} ({after:.0} ÷ {before:.0})"),
            &format!("≤ {FLAT}"),
        );
        if ratio.is_nan() || ratio > FLAT {
            grew.push(name);
        }
    }
    match grew.is_empty() {
        true => Ok(()),
        false => Err(format!("not flat: {}", grew.join("; ")).into()),
    }
}

/// As much is taken away as is written.
fn churning(plot: Plot) -> Plot {
    let proportions = Proportions::default()
        .with(Kind::Unlike, 308)
        .with(Kind::Delete, 280)
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

fn look(plyr: &Plyr, data: &Path) -> Result<Seen, Failure> {
    let pid = plyr.pid().ok_or("plyr has ended")?;
    Ok(Seen {
        memory: memory::of(plyr)?.now as f64,
        files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64,
        disk: disk::size_of(data)? as f64,
    })
}
