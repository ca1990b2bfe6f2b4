//! The peers of one test: a PLC directory, PDSs, maybe a relay and Jetstreams.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::PeersError;

/// Which PDS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pds {
    /// The newest that runs on Node 20.
    V04,
    /// The latest, on Node 22.
    V05,
}

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct PeersOptions {
    /// Which PDS.
    pub pds: Pds,
    /// How many.
    pub pds_count: usize,
    /// A relay over them.
    pub relay: bool,
    /// Jetstream v1 over the relay, or over the first PDS.
    pub jetstream: bool,
    /// Jetstream v2 over the same.
    pub jetstream2: bool,
    /// A directory over the relay of which repos have records of which collection.
    pub collectiondir: bool,
}

impl Default for PeersOptions {
    /// One PDS that runs on Node 20, a relay and Jetstream v1.
    fn default() -> PeersOptions {
        PeersOptions {
            pds: Pds::V04,
            pds_count: 1,
            relay: true,
            jetstream: true,
            jetstream2: false,
            collectiondir: false,
        }
    }
}

#[derive(Deserialize)]
struct Ready {
    plc: String,
    pds: Vec<String>,
    jetstream: Option<String>,
    jetstream2: Option<String>,
    collectiondir: Option<String>,
    control: String,
    state: PathBuf,
}

/// Running peers.
pub struct Peers {
    /// The PLC directory's URL.
    pub plc: String,
    /// The PDSs' URLs.
    pub pds: Vec<String>,
    /// The Jetstream's URL (`ws://…`); empty when none was asked for.
    pub jetstream: String,
    /// The Jetstream v2's URL (`ws://…`); empty when none was asked for.
    pub jetstream2: String,
    /// The directory's URL; empty when none was asked for.
    pub collectiondir: String,
    /// The control endpoint's URL.
    pub control: String,
    /// Where they keep what they hold, until they end.
    pub folder: PathBuf,
    // Closing its standard input ends them.
    starter: Mutex<Starter>,
}

struct Starter {
    child: Child,
    said: BufReader<ChildStdout>,
}

/// First start: the peers may have to be fetched and built.
pub(crate) const START: Duration = Duration::from_secs(1500);
/// Starts that may fail, the last one included.
const TRIES: usize = 3;

impl Peers {
    /// Starts peers. None, after saying so, where what they need is missing and
    /// `PLYR_REQUIRE_PEERS` is not 1.
    pub async fn start(options: PeersOptions) -> Result<Option<Peers>, PeersError> {
        let mut needed = vec!["node", "npm"];
        if options.relay || options.jetstream || options.jetstream2 {
            needed.push("go");
        }
        if missing_tools(&needed)? {
            return Ok(None);
        }
        again("the peers", async || Peers::start_once(&options).await)
            .await
            .map(Some)
    }

    async fn start_once(options: &PeersOptions) -> Result<Peers, PeersError> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers.mjs");
        let mut command = Command::new("node");
        command
            .arg(script)
            .arg("up")
            .args(["--pds-count", &options.pds_count.to_string()]);
        command.arg(match options.pds {
            Pds::V04 => "--pds20",
            Pds::V05 => "--pds22",
        });
        if options.relay {
            command.arg("--relay");
        }
        if options.jetstream {
            command.arg("--jetstream");
        }
        if options.collectiondir {
            command.arg("--collectiondir");
        }
        if options.jetstream2 {
            command.arg("--jetstream2");
        }
        let start = |detail: std::io::Error| PeersError::Start(format!("node: {detail}"));
        let mut starter = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(false)
            .spawn()
            .map_err(start)?;
        let out = starter
            .stdout
            .take()
            .ok_or_else(|| PeersError::Start("no stdout".into()))?;
        let mut line = String::new();
        let mut lines = BufReader::new(out);
        match tokio::time::timeout(START, lines.read_line(&mut line)).await {
            Ok(Ok(_)) => {}
            Ok(Err(problem)) => return Err(start(problem)),
            Err(_) => return Err(PeersError::Start("the peers were not ready in time".into())),
        }
        let ready: Ready = serde_json::from_str(&line)
            .map_err(|problem| PeersError::Start(format!("the peers did not start: {problem}")))?;
        Ok(Peers {
            plc: ready.plc,
            pds: ready.pds,
            jetstream: ready.jetstream.unwrap_or_default(),
            jetstream2: ready.jetstream2.unwrap_or_default(),
            collectiondir: ready.collectiondir.unwrap_or_default(),
            control: ready.control,
            folder: ready.state,
            starter: Mutex::new(Starter {
                child: starter,
                said: lines,
            }),
        })
    }

    /// Steers a Jetstream (`jetstream` or `jetstream2`): `stop`, `start`, `pause`, `resume`, or
    /// `forget` what it holds. Waits until it is done.
    pub async fn steer(&self, word: &str, name: &str) -> Result<(), PeersError> {
        let failed =
            |detail: &dyn std::fmt::Display| PeersError::Start(format!("{word} {name}: {detail}"));
        let mut starter = self.starter.lock().await;
        let Starter { child, said } = &mut *starter;
        let stdin = child.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| failed(&"the starter does not listen"))?;
        let line = format!("{word} {name}\n");
        let told = stdin.write_all(line.as_bytes()).await;
        told.map_err(|problem| failed(&problem))?;
        let mut answer = String::new();
        let answered = tokio::time::timeout(START, said.read_line(&mut answer)).await;
        answered
            .map_err(|_| failed(&"not done in time"))?
            .map_err(|problem| failed(&problem))?;
        match answer.contains("done") {
            true => Ok(()),
            false => Err(failed(&"the peers have ended")),
        }
    }
}

/// Starts once more what did not start: a port that was found free may be taken before a peer
/// listens on it.
pub(crate) async fn again<T>(
    what: &str,
    start: impl AsyncFn() -> Result<T, PeersError>,
) -> Result<T, PeersError> {
    let mut tries = 1;
    loop {
        match start().await {
            Err(problem) if tries < TRIES => {
                let said = writeln!(std::io::stderr(), "{what}: {problem}; starting again");
                said.map_err(|problem| PeersError::Start(problem.to_string()))?;
                tries += 1;
            }
            ended => return ended,
        }
    }
}

/// Whether tools are missing here. That is said; it is an error when `PLYR_REQUIRE_PEERS` is 1.
pub(crate) fn missing_tools(needed: &[&str]) -> Result<bool, PeersError> {
    let missing: Vec<&str> = needed
        .iter()
        .copied()
        .filter(|tool| !is_there(tool))
        .collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let missing = missing.join(", ");
    if std::env::var("PLYR_REQUIRE_PEERS").as_deref() == Ok("1") {
        let message = format!("PLYR_REQUIRE_PEERS is 1, but {missing} is not installed");
        return Err(PeersError::Start(message));
    }
    let said = writeln!(std::io::stderr(), "skipped: real peers need {missing}");
    said.map(|()| true)
        .map_err(|problem| PeersError::Start(problem.to_string()))
}

pub(crate) fn is_there(tool: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(tool).is_file())
}
