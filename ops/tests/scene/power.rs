//! Lives of `plyr` that end with a cut of the power (`benches/powercut`), and whether what the disk
//! holds then is what it must hold.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plyr_peers::{Around, Plyr, built};
use serde_json::Value;
use tokio::process::Command;

use super::held::Held;
use super::{RunError, Scene};

/// How long a life goes on after its last act, if the call before which it is cut doesn't come.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// How long a cut may take.
const CUTTING: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(20);
/// The tool's name.
const TOOL: &str = "plyr-powercut";
/// Acts between two looks at what is answered.
const ACTS: usize = 3;
/// Below this a cursor is a host's number of the frame, else a time in microseconds.
const FIRST_TIME: u64 = 1_000_000_000_000;

/// A cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The call that changes or syncs the folder before which it comes, from 1 on.
    pub at: u64,
    /// What survives of the unsynced, as the tool names it.
    pub way: &'static str,
    /// Decides what survives.
    pub seed: u64,
}

/// What was seen and done in all lives.
#[derive(Default, Debug)]
pub struct Seen {
    pub cuts: u64,
    /// Cuts before it was ready.
    pub early: u64,
    /// Cuts in the end of a life, when nothing happened any more.
    pub late: u64,
    pub writes: u64,
    pub syncs: u64,
    pub folder_syncs: u64,
    /// Bytes that were written and not synced.
    pub unsynced: u64,
    /// Bytes of them that were taken back.
    pub taken: u64,
    /// Names that were taken back.
    pub names: u64,
    /// Versions that were answered before a cut, and looked for after it.
    pub answered: u64,
    /// Frames up to a cursor that were looked for.
    pub frames: u64,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} cuts, {} of them before it was ready and {} when nothing happened; {} writes, {} \
             syncs of files and {} of folders; of {} unsynced bytes {} taken back, and {} \
             names; {} answered versions and {} frames up to a cursor looked for",
            self.cuts,
            self.early,
            self.late,
            self.writes,
            self.syncs,
            self.folder_syncs,
            self.unsynced,
            self.taken,
            self.names,
            self.answered,
            self.frames,
        )
    }
}

/// A data folder whose power is cut again and again.
pub struct Power {
    tool: String,
    binary: String,
    folder: tempfile::TempDir,
    /// Frames up to a cursor whose versions were not there: at-uri, rev and source. One that is
    /// never held was refused.
    missed: Vec<(String, String, String)>,
    pub seen: Seen,
}

/// Builds the tool that cuts; none where it can't work.
pub async fn tool() -> Result<Option<String>, RunError> {
    let works =
        cfg!(target_os = "linux") && cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    if !works {
        return Ok(None);
    }
    // The whole workspace is named so that its dependencies are those that are built already.
    let tool = built(TOOL, &["--workspace", "--bin", TOOL]).await;
    let path = tool.map_err(RunError::broken)?;
    Ok(Some(path.display().to_string()))
}

impl Power {
    /// A new data folder.
    pub fn new(tool: &str, binary: &str) -> Result<Power, RunError> {
        let folder = tempfile::tempdir().map_err(RunError::broken)?;
        std::fs::create_dir(folder.path().join("data")).map_err(RunError::broken)?;
        Ok(Power {
            tool: tool.to_owned(),
            binary: binary.to_owned(),
            folder,
            missed: Vec::new(),
            seen: Seen::default(),
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Whether the disk holds a store. Where it doesn't, the next life makes one.
    pub fn has_store(&self) -> bool {
        self.data().join("store").exists()
    }

    /// One life, in which the story goes on for some acts, until the cut; then what the disk holds
    /// is looked at, in a copy.
    pub async fn life(&mut self, scene: &mut Scene, cut: Cut, acts: usize) -> Result<(), RunError> {
        let data = self.data();
        let (grave, report) = (data.with_extension("grave"), data.with_extension("json"));
        let mut under = vec![self.tool.clone()];
        let mut option = |name: &str, value: String| under.extend([format!("--{name}"), value]);
        option("folder", data.display().to_string());
        option("grave", grave.display().to_string());
        option("report", report.display().to_string());
        option("at", cut.at.to_string());
        option("way", cut.way.to_owned());
        option("seed", cut.seed.to_string());
        under.push("--".to_owned());
        let arguments = scene.network.arguments();
        let around = Around {
            under,
            ..Around::default()
        };
        let started = Plyr::launch(&around, &self.binary, "serve", &data, &arguments).await;
        let mut answered = Held::default();
        match started {
            Ok(mut plyr) => {
                answered = self.until_cut(scene, &mut plyr, &report, acts).await?;
            }
            Err(_) if is_cut(&report) => {
                self.seen.early += 1;
                scene.go_on(acts)?;
            }
            Err(problem) => {
                return Err(RunError::Never(format!("it did not start: {problem}")));
            }
        }
        self.count(&report)?;
        std::fs::remove_dir_all(&grave).map_err(RunError::broken)?;
        self.look(scene, &answered).await
    }

    /// Goes on until the power is cut. Answers what the server answered last.
    async fn until_cut(
        &mut self,
        scene: &mut Scene,
        plyr: &mut Plyr,
        report: &Path,
        acts: usize,
    ) -> Result<Held, RunError> {
        let (data, mut answered, mut left) = (self.data(), Held::default(), acts);
        let mut ended = Instant::now();
        while !report.exists() {
            let now = left.min(ACTS);
            scene.go_on(now)?;
            left -= now;
            if now > 0 {
                ended = Instant::now();
            }
            match Held::answered(&data).await {
                Ok(held) => answered = held,
                // It is being cut.
                Err(_) => tokio::time::sleep(LOOK).await,
            }
            if ended.elapsed() > AFTERWARDS {
                let pid = plyr.pid().unwrap_or_default().to_string();
                let told = Command::new("kill").args(["-USR1", &pid]).status().await;
                told.map_err(RunError::broken)?;
                self.seen.late += 1;
                break;
            }
        }
        plyr.ended(CUTTING).await.map_err(RunError::broken)?;
        scene.go_on(left)?;
        Ok(answered)
    }

    /// Reads what the tool has seen. Nothing written or synced in a life means that it was blind.
    fn count(&mut self, report: &Path) -> Result<(), RunError> {
        let text = std::fs::read_to_string(report).map_err(|problem| {
            let log = std::fs::read_to_string(self.data().with_extension("log"));
            let log = log.unwrap_or_default();
            let last = log.lines().last().unwrap_or_default();
            RunError::broken(format!(
                "{problem}: the tool ended without a report: {last}"
            ))
        })?;
        std::fs::remove_file(report).map_err(RunError::broken)?;
        let said: Value = serde_json::from_str(&text).map_err(RunError::broken)?;
        if said["cut"] != true {
            return Err(RunError::Never(format!("it ended by itself: {said}")));
        }
        let number = |name: &str| said[name].as_u64().unwrap_or_default();
        let seen = &mut self.seen;
        seen.cuts += 1;
        seen.writes += number("writes");
        seen.syncs += number("syncs");
        seen.folder_syncs += number("folderSyncs");
        seen.unsynced += number("unsyncedBytes");
        seen.taken += number("takenBack");
        seen.names += number("namesTakenBack");
        Ok(())
    }

    /// Looks at what the disk holds: all that was answered, and every frame up to a cursor.
    async fn look(&mut self, scene: &Scene, answered: &Held) -> Result<(), RunError> {
        let held = Held::in_copy_of(&self.data(), &scene.namespace).await?;
        if let Some(lost) = held.lacks(answered) {
            return Err(RunError::Never(format!("after a cut {lost}")));
        }
        self.seen.answered += answered.count() as u64;
        for (stream, url) in scene.network.streams.iter().enumerate() {
            let Some(cursor) = held.cursors.get(url.trim_end_matches('/')) else {
                continue;
            };
            let by_number = *cursor < FIRST_TIME;
            for line in scene.network.lines(stream) {
                let place = if by_number {
                    line.seq
                } else {
                    line.time as u64
                };
                let Some((uri, rev)) = line.version().filter(|_| place <= *cursor) else {
                    continue;
                };
                let ours = line
                    .collection()
                    .and_then(|nsid| scene.namespace.collection(nsid));
                if ours.is_none() {
                    continue;
                }
                self.seen.frames += 1;
                let rev = rev.to_string();
                if !held.covers(&uri, &rev) && !held.refused(&uri, &rev) {
                    self.missed.push((uri, rev, url.clone()));
                }
            }
        }
        Ok(())
    }

    /// The last life, without a cut: everything comes to be what it must be.
    pub async fn ends(&self, scene: Scene) -> Result<(usize, u64), RunError> {
        let (data, namespace) = (self.data(), scene.namespace.clone());
        let plyr = scene.serve(&self.binary, &data, &[]).await?;
        let compared = scene.ends(plyr).await?;
        let held = Held::in_folder(&data, &namespace).await?;
        for (uri, rev, url) in &self.missed {
            if held.covers(uri, rev) {
                let told = format!("the cursor of {url} had passed {uri} at {rev}, not held then");
                return Err(RunError::Never(told));
            }
        }
        let seen = &self.seen;
        if seen.writes == 0 || seen.syncs == 0 || seen.answered == 0 || seen.frames == 0 {
            return Err(RunError::broken(format!("it was blind: {seen:?}")));
        }
        Ok(compared)
    }
}

fn is_cut(report: &Path) -> bool {
    let text = std::fs::read_to_string(report).unwrap_or_default();
    text.contains("\"cut\":true")
}
