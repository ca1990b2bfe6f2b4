//! A history in which as much goes as comes, in real time, with a server that is asked all the
//! while; and what "flat" means.
//!
//! Flat is what grows by no more than a part of itself over the second half of a run, as the line
//! through all looks of that half says (least squares): caches and tables fill in the first half,
//! and compaction and the trimming of the log make it go up and down in both.

use std::path::Path;
use std::time::Duration;

use plyr_peers::Plyr;
use plyr_simnet::{Faults, HostFaults, Kind, Plot, Proportions, StreamFaults};
use tokio::time::Interval;

use super::{HOSTS, RunError, Scene};

/// How often something is done and something asked.
const BEAT: Duration = Duration::from_millis(50);
/// Acts of one beat: so many that memtables are written out every minute or two.
const ACTS: usize = 5;
/// Looks that a line is drawn through at least.
pub const LOOKS: usize = 15;
/// What the end may take: a check of an account that failed three times is asked again within ten
/// minutes.
const PATIENCE: Duration = Duration::from_secs(900);
const METHODS: [&str; 4] = [
    "fm.plyr.stats.getStats",
    "fm.plyr.feed.getLatest",
    "fm.plyr.sync.getQuarantine",
    "fm.plyr.sync.getCoverage",
];

/// The history and its server.
pub struct Churn {
    /// To be ended by [`Scene::ends`].
    pub scene: Scene,
    /// Who is asked.
    pub plyr: Plyr,
    /// Acts until now.
    pub acts: usize,
    /// Questions until now, each of which was answered.
    pub questions: usize,
    beat: Interval,
}

impl Churn {
    /// Starts a server over the history of a seed.
    pub async fn open(binary: &str, data: &Path, seed: u64) -> Result<Churn, RunError> {
        let mut scene = Scene::open_as(seed, faults(seed), churning).await?;
        scene.patience = PATIENCE;
        let more = ["--verify-every", "60s", "--stream-grace", "2s"];
        let plyr = scene.serve(binary, data, &more).await?;
        Ok(Churn {
            scene,
            plyr,
            acts: 0,
            questions: 0,
            beat: tokio::time::interval(BEAT),
        })
    }

    /// Goes on for a beat. A question that is not answered is an error.
    pub async fn goes_on(&mut self) -> Result<(), RunError> {
        self.beat.tick().await;
        self.scene.go_on(ACTS)?;
        self.acts += ACTS;
        for method in METHODS {
            let answered = self.plyr.xrpc(method, "").await;
            answered.map_err(|problem| RunError::Never(format!("{method}: {problem}")))?;
            self.questions += 1;
        }
        Ok(())
    }

    /// Files that the server has open now.
    pub fn open_files(&self) -> Result<f64, RunError> {
        let pid = self.plyr.pid();
        let pid = pid.ok_or_else(|| RunError::Never("it has ended".to_owned()))?;
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
        Ok(files.map_err(RunError::broken)?.count() as f64)
    }
}

/// How far what is flat may grow over the second half of a run.
#[derive(Clone, Copy)]
pub struct Flat {
    /// By what part of itself.
    pub may_grow: f64,
    /// What is no growth whatever it is a part of.
    pub grain: f64,
}

/// Of open files.
pub const FILES: Flat = Flat {
    may_grow: 0.10,
    grain: 4.0,
};

impl Flat {
    /// By how much it may grow from what it is in the middle.
    pub fn most(self, begins: f64) -> f64 {
        (begins * self.may_grow).max(self.grain)
    }
}

/// The line through the second half of the looks, each a time and a figure: where it begins, and by
/// how much it rises. None for too few.
pub fn line(looks: &[(f64, f64)]) -> Option<(f64, f64)> {
    let half = looks.get(looks.len() / 2..)?;
    let ((first, _), (last, _)) = (half.first()?, half.last()?);
    let count = half.len() as f64;
    let middle = half.iter().map(|(at, _)| at).sum::<f64>() / count;
    let mean = half.iter().map(|(_, figure)| figure).sum::<f64>() / count;
    let spread: f64 = half.iter().map(|(at, _)| (at - middle).powi(2)).sum();
    let together = half
        .iter()
        .map(|(at, figure)| (at - middle) * (figure - mean));
    let slope = together.sum::<f64>() / spread;
    let begins = mean + slope * (first - middle);
    let grows = slope * (last - first);
    (half.len() >= LOOKS && grows.is_finite()).then_some((begins, grows))
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
