//! Lives of `plyr` over a disk that is slow, and full for a while (`benches/powercut`).

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use plyr_peers::{Around, Plyr};
use serde_json::Value;

use super::{RunError, Scene};

/// Milliseconds that each sync takes longer.
const SLOW: u64 = 5;
/// How long a life goes on after its acts, if the disk isn't full by then.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// Acts between two looks at whether it goes on.
const ACTS: usize = 5;
/// What a process says that ends because it could not write.
const SAYS: [&str; 2] = ["could not write", "No space left on device"];

/// What was seen in all lives.
#[derive(Default, Debug)]
pub struct Seen {
    /// Calls that found no room.
    pub refused: u64,
    /// Syncs that took their time.
    pub slowed: u64,
    /// Lives that ended because the disk was full.
    pub ended: u64,
    /// Of them before it was ready.
    pub early: u64,
}

/// A data folder on such a disk.
pub struct Disk {
    tool: String,
    binary: String,
    folder: tempfile::TempDir,
    lives: u64,
    pub seen: Seen,
}

impl Disk {
    /// A new data folder.
    pub fn new(tool: &str, binary: &str) -> Result<Disk, RunError> {
        let folder = tempfile::tempdir().map_err(RunError::broken)?;
        std::fs::create_dir(folder.path().join("data")).map_err(RunError::broken)?;
        Ok(Disk {
            tool: tool.to_owned(),
            binary: binary.to_owned(),
            folder,
            lives: 0,
            seen: Seen::default(),
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn report(&self, life: u64) -> PathBuf {
        self.folder.path().join(format!("report-{life}"))
    }

    /// What runs it: the disk is full for some calls that need room, from one of them on.
    fn around(&mut self, full: Option<(u64, u64)>) -> Around {
        self.lives += 1;
        let mut under = vec![self.tool.clone()];
        let mut option = |name: &str, value: String| under.extend([format!("--{name}"), value]);
        let text = |path: &Path| path.display().to_string();
        option("folder", text(&self.data()));
        option("grave", text(&self.folder.path().join("grave")));
        option("report", text(&self.report(self.lives)));
        option("slow", SLOW.to_string());
        if let Some((at, calls)) = full {
            option("full-at", at.to_string());
            option("full-for", calls.to_string());
        }
        under.push("--".to_owned());
        Around {
            under,
            ..Around::default()
        }
    }

    /// One life, in which the disk is full from the `at`-th call that needs room on, for some
    /// calls, while the story goes on. Where the server meets that, it ends and says why.
    pub async fn life(
        &mut self,
        scene: &mut Scene,
        more: &[&str],
        (at, calls): (u64, u64),
        acts: usize,
    ) -> Result<(), RunError> {
        let around = self.around(Some((at, calls)));
        let (data, mut left) = (self.data(), acts);
        let started = scene.start(&around, &self.binary, "serve", &data, more);
        let ended = match started.await {
            Ok(mut plyr) => {
                let mut ended = None;
                while ended.is_none() && left > 0 {
                    let now = left.min(ACTS);
                    scene.go_on(now)?;
                    left -= now;
                    let wait = if left == 0 {
                        AFTERWARDS
                    } else {
                        Duration::ZERO
                    };
                    ended = plyr.ended_with(wait).await.ok();
                }
                match ended {
                    Some(status) => Some(status),
                    None => return self.stop(plyr).await,
                }
            }
            Err(RunError::Ended { status, .. }) => {
                self.seen.early += 1;
                Some(status)
            }
            Err(problem) => return Err(problem),
        };
        scene.go_on(left)?;
        self.seen.ended += 1;
        self.was_told(ended)
    }

    /// The disk was not full in this life, or nothing that matters was lost by it.
    async fn stop(&mut self, plyr: Plyr) -> Result<(), RunError> {
        let code = plyr.stop().await.map_err(RunError::broken)?;
        match code {
            Some(0) => Ok(()),
            // It ended by itself just then.
            Some(1) => {
                self.seen.ended += 1;
                self.was_told(None)
            }
            code => Err(RunError::Never(format!("it ended with {code:?}"))),
        }
    }

    fn was_told(&self, status: Option<ExitStatus>) -> Result<(), RunError> {
        let log = std::fs::read_to_string(self.data().with_extension("log"));
        let log = log.map_err(RunError::broken)?;
        let last = log.lines().last().unwrap_or_default();
        let is_error = status.is_none_or(|status| status.code() == Some(1));
        if is_error && SAYS.iter().any(|says| last.contains(says)) {
            return Ok(());
        }
        Err(RunError::Never(format!(
            "on a full disk it ended with {status:?}: {last}"
        )))
    }

    /// The last life: the disk has room. It is to be ended by [`Scene::ends`].
    pub async fn last(&mut self, scene: &Scene, more: &[&str]) -> Result<Plyr, RunError> {
        let (around, data) = (self.around(None), self.data());
        scene
            .start(&around, &self.binary, "serve", &data, more)
            .await
    }

    /// Reads what the tool has seen in all lives. No sync means that it was blind.
    pub fn count(&mut self) -> Result<&Seen, RunError> {
        for life in 1..=self.lives {
            let text = std::fs::read_to_string(self.report(life)).map_err(RunError::broken)?;
            let said: Value = serde_json::from_str(&text).map_err(RunError::broken)?;
            self.seen.refused += said["refused"].as_u64().unwrap_or_default();
            self.seen.slowed += said["slowed"].as_u64().unwrap_or_default();
        }
        if self.seen.slowed == 0 {
            return Err(RunError::broken(format!("it was blind: {:?}", self.seen)));
        }
        Ok(&self.seen)
    }
}
