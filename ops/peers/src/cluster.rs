//! A real CQL cluster: Apache Cassandra in place of ScyllaDB, which speaks the same protocol.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::PeersError;
use crate::peers::is_there;

/// First start: the jars may have to be fetched.
const START: Duration = Duration::from_secs(900);
/// Starts that may fail before the last one.
const TRIES: usize = 3;
/// How long one node may take to come back.
const NODE: Duration = Duration::from_secs(200);

/// A running cluster of one or three nodes, with no data at first. One for a test binary (a start
/// takes 8 to 20 s), a keyspace for each test. It ends, and its data is removed, when the handle is
/// dropped or the process that holds it ends.
pub struct Cluster {
    /// `host:port` of each node.
    pub nodes: Vec<String>,
    environment: Vec<(&'static str, String)>,
    // Closing its standard input ends the nodes.
    _starter: Child,
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cassandra/cassandra.sh")
}

fn failed(what: &str, detail: impl ToString) -> PeersError {
    PeersError::Start(format!("{what}: {}", detail.to_string()))
}

/// A port that is free on every address of the nodes, with `width` more above it.
fn free_port(nodes: u8, width: u16) -> Result<u16, PeersError> {
    for _ in 0..100 {
        // Below the ports that the system gives to outgoing connections (those come and go) and
        // those of other peers.
        let chance = RandomState::new().build_hasher().finish();
        let port = 10_000 + (chance % 4_900) as u16;
        let last = port + width;
        let is_free =
            |(node, port)| TcpListener::bind((Ipv4Addr::new(127, 0, 0, node), port)).is_ok();
        if (1..=nodes).all(|node| (port..=last).all(|port| is_free((node, port)))) {
            return Ok(port);
        }
    }
    Err(failed("no free port", "100 tries"))
}

impl Cluster {
    /// Starts one or three nodes on free ports. None, after saying so, where Java or Maven is
    /// missing and `PLYR_REQUIRE_PEERS` is not 1.
    pub async fn start(nodes: u8) -> Result<Option<Cluster>, PeersError> {
        let needed = ["bash", "java", "mvn"];
        let missing: Vec<&str> = needed.into_iter().filter(|tool| !is_there(tool)).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            if std::env::var("PLYR_REQUIRE_PEERS").as_deref() == Ok("1") {
                let message = format!("PLYR_REQUIRE_PEERS is 1, but {missing} is not installed");
                return Err(PeersError::Start(message));
            }
            let said = writeln!(std::io::stderr(), "skipped: a CQL cluster needs {missing}");
            return said
                .map(|()| None)
                .map_err(|problem| failed("stderr", problem));
        }
        // A port may be taken between its being found free and the node's listening on it.
        let mut tries = 1;
        loop {
            match Cluster::start_once(nodes).await {
                Err(problem) if tries < TRIES => {
                    let said = writeln!(std::io::stderr(), "{problem}; starting again");
                    said.map_err(|problem| failed("stderr", problem))?;
                    tries += 1;
                }
                started => return started.map(Some),
            }
        }
    }

    async fn start_once(nodes: u8) -> Result<Cluster, PeersError> {
        let (cql, storage, jmx) = (
            free_port(nodes, 0)?,
            free_port(nodes, 1)?,
            free_port(1, u16::from(nodes))?,
        );
        let run = std::env::temp_dir().join(format!("plyr-cassandra-{}-{cql}", std::process::id()));
        let environment = vec![
            // Keyspaces of tests have twenty tables each.
            ("CASSANDRA_HEAP", "384m".to_owned()),
            ("CASSANDRA_PORT", cql.to_string()),
            ("CASSANDRA_STORAGE_PORT", storage.to_string()),
            ("CASSANDRA_JMX_PORT", jmx.to_string()),
            ("CASSANDRA_RUN", run.display().to_string()),
        ];
        let mut starter = Command::new("bash")
            .arg(script())
            .args(["run", &nodes.to_string()])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(false)
            .spawn()
            .map_err(|problem| failed("bash", problem))?;
        let out = starter.stdout.take();
        let out = out.ok_or_else(|| failed("bash", "no stdout"))?;
        let mut line = String::new();
        let mut lines = BufReader::new(out);
        match tokio::time::timeout(START, lines.read_line(&mut line)).await {
            Ok(Ok(read)) if read > 0 => {}
            Ok(Ok(_)) => return Err(failed("the cluster did not start", "see above")),
            Ok(Err(problem)) => return Err(failed("bash", problem)),
            Err(_) => return Err(failed("the cluster", "not ready in time")),
        }
        Ok(Cluster {
            nodes: line.trim().split(',').map(str::to_owned).collect(),
            environment,
            _starter: starter,
        })
    }

    /// `scylla://host:port,…/keyspace`.
    pub fn url(&self, keyspace: &str) -> String {
        format!("scylla://{}/{keyspace}", self.nodes.join(","))
    }

    async fn tell(&self, words: &[&str]) -> Result<(), PeersError> {
        let ended = Command::new("bash")
            .arg(script())
            .args(words)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        let what = format!("cassandra.sh {}", words.join(" "));
        match tokio::time::timeout(NODE, ended).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(&what, status)),
            Ok(Err(problem)) => Err(failed(&what, problem)),
            Err(_) => Err(failed(&what, "not done in time")),
        }
    }

    /// Kills a node (1, 2 or 3) as a power cut would its process.
    pub async fn kill(&self, node: u8) -> Result<(), PeersError> {
        self.tell(&["kill", &node.to_string()]).await
    }

    /// Starts a node that is down; answers when it serves and sees the others.
    pub async fn start_node(&self, node: u8) -> Result<(), PeersError> {
        self.tell(&["start", &node.to_string()]).await
    }

    /// Makes a node hang: its sockets stay open, nothing is answered.
    pub async fn pause(&self, node: u8) -> Result<(), PeersError> {
        self.tell(&["pause", &node.to_string()]).await
    }

    /// Lets a hanging node go on.
    pub async fn resume(&self, node: u8) -> Result<(), PeersError> {
        self.tell(&["resume", &node.to_string()]).await
    }
}
