//! A simulated network with a story that goes on, and whether `plyr` ends as it must.

pub mod disk;
mod held;
pub mod power;

use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use plyr_lexicons::{Namespace, data};
use plyr_oracle::{Account, Ask, Disagreement, Expected, Held, compare, dump_difference};
use plyr_peers::{Around, PeersError, Plyr};
use plyr_simnet::world::Standing;
use plyr_simnet::{Faults, HostFaults, Network, Options, Plot, Speaks, Story, StreamFaults, World};
use serde_json::Value;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state is otherwise than it must be.
    #[error("{0}")]
    Wrong(#[from] Disagreement),
    /// It never came to be what it must be.
    #[error("never there: {0}")]
    Never(String),
    /// It ended before it was ready, or where nobody had asked it to.
    #[error("it ended with {status}: {told}")]
    Ended {
        /// With what.
        status: ExitStatus,
        /// What it said last.
        told: String,
    },
    /// The run itself could not be made.
    #[error("{0}")]
    Broken(String),
}

impl RunError {
    /// Anything that kept the run from being made.
    pub fn broken(problem: impl std::fmt::Display) -> RunError {
        RunError::Broken(problem.to_string())
    }
}

/// Three hosts of streams, of both protocols.
pub const HOSTS: [Speaks; 3] = [Speaks::V1, Speaks::V2, Speaks::V1];

/// An interleaving of what the hosts tell: each late, twice, out of order across repos and from
/// further back. One of them has everything, another one with each order; the others drop some.
pub fn interleaved(order: u64) -> Faults {
    let whole = order % HOSTS.len() as u64;
    let host = |place| StreamFaults {
        drops: if place == whole { 0 } else { 4 },
        duplicates: 3,
        delays: 3,
        rewinds: 60,
        cuts: 120,
        ..StreamFaults::default()
    };
    Faults {
        seed: order,
        streams: (0..HOSTS.len() as u64).map(host).collect(),
        ..Faults::default()
    }
}

/// PDSs of which every few answers are wrong, late or none.
pub const TROUBLED: HostFaults = HostFaults {
    fails: 30,
    busy: 60,
    cuts: 40,
    lies: 40,
    redirects: 80,
    hangs: 0,
};

/// How long the state may take until it is what it must be.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(100);
/// Characters of a line of a stream that are printed.
const TOLD: usize = 400;

/// The network, and what goes on in it.
pub struct Scene {
    /// The servers.
    pub network: Network,
    story: Story,
    namespace: Namespace,
}

impl Scene {
    /// Opens a network of a seed: what happened before is in the repos, and no stream tells of it.
    pub async fn open(seed: u64, faults: Faults) -> Result<Scene, RunError> {
        Scene::open_as(seed, faults, |plot| plot).await
    }

    /// The same, of a plot that is otherwise.
    pub async fn open_as(
        seed: u64,
        faults: Faults,
        otherwise: impl Fn(Plot) -> Plot,
    ) -> Result<Scene, RunError> {
        let namespace: Namespace = "fm.plyr".parse().map_err(RunError::broken)?;
        let plot = otherwise(Plot {
            artists: 6,
            listeners: 8,
            tracks: 24,
            history: 150,
            seconds: (1, 2),
            tunes: 4,
            ..Plot::of_seed(seed, namespace.clone())
        });
        let mut story = Story::new(plot).map_err(RunError::broken)?;
        let mut world = World::new();
        let opening = story.opening();
        for act in story.by_ref().take(opening) {
            world.apply(&act).map_err(RunError::broken)?;
        }
        let options = Options {
            streams: HOSTS.to_vec(),
            faults,
            ..Options::default()
        };
        let network = Network::start(world, options).await;
        Ok(Scene {
            network: network.map_err(RunError::broken)?,
            story,
            namespace,
        })
    }

    /// Goes on for some acts.
    pub fn go_on(&mut self, acts: usize) -> Result<(), RunError> {
        for act in self.story.by_ref().take(acts) {
            self.network.act(&act).map_err(RunError::broken)?;
        }
        Ok(())
    }

    /// Starts `plyr serve` over it.
    pub async fn serve(
        &self,
        binary: &str,
        folder: &Path,
        more: &[&str],
    ) -> Result<Plyr, RunError> {
        let around = Around::default();
        self.start(&around, binary, "serve", folder, more).await
    }

    /// Starts a part of it over it, with something around it.
    pub async fn start(
        &self,
        around: &Around,
        binary: &str,
        command: &str,
        folder: &Path,
        more: &[&str],
    ) -> Result<Plyr, RunError> {
        let mut arguments = self.network.arguments();
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        let started = Plyr::launch(around, binary, command, folder, &arguments).await;
        started.map_err(|problem| match problem {
            PeersError::Unready { status, log } => RunError::Ended { status, told: log },
            problem => RunError::broken(problem),
        })
    }

    /// What the network says now, for the oracle.
    fn said(&self) -> Result<plyr_oracle::Network, RunError> {
        let mut said = plyr_oracle::Network::default();
        let lines = (0..HOSTS.len()).flat_map(|host| self.network.lines(host));
        let told: String = lines.map(|line| line.subscribe(true)).collect();
        let world = self.network.world();
        for account in world.accounts() {
            let mut records = std::collections::BTreeMap::new();
            for (path, record) in account.records() {
                let value = data::from_cbor(&record.bytes).map_err(RunError::broken)?;
                let held = Held {
                    cid: record.cid.to_string(),
                    value: data::to_json(&value),
                };
                records.insert(path.clone(), held);
            }
            said.add(Account {
                did: account.did.clone(),
                is_active: account.standing == Standing::Active,
                is_told: told.contains(&account.did),
                records,
            });
        }
        Ok(said)
    }

    /// Waits until the dump is what the oracle says, and every list and count. (Of an account that
    /// holds nothing the dump doesn't tell whether it was already asked about.) Answers how many
    /// lines and questions that were.
    async fn agrees(&self, plyr: &Plyr) -> Result<(usize, u64), RunError> {
        let said = self.said()?;
        let expected = Expected::of(&said);
        let by_world = self.network.dump(&self.namespace);
        let by_world = by_world.map_err(RunError::broken)?;
        if let Some(two) = dump_difference(&expected.dump, &by_world) {
            return Err(RunError::broken(format!(
                "oracle and network differ: {two}"
            )));
        }
        let began = Instant::now();
        loop {
            let dump = plyr.dump().await.map_err(RunError::broken)?;
            let Some(difference) = dump_difference(&expected.dump, &dump) else {
                break;
            };
            if began.elapsed() > PATIENCE {
                let told = self.told_of(&difference.to_string());
                return Err(RunError::Never(format!("{difference}{told}")));
            }
            tokio::time::sleep(LOOK).await;
        }
        let questions = loop {
            let now = chrono::Utc::now().timestamp_micros();
            match compare(&Asking(plyr), &said, now).await {
                Ok(questions) => break questions,
                Err(mut wrong) if began.elapsed() > PATIENCE => {
                    wrong.answered += &self.told_of(&wrong.to_string());
                    return Err(wrong.into());
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        };
        Ok((expected.dump.lines().count(), questions))
    }

    /// What each stream told of the first record that a disagreement names: what led to it.
    fn told_of(&self, wrong: &str) -> String {
        let Some((_, named)) = wrong.split_once("at://") else {
            return String::new();
        };
        let end = |of: char| !(of.is_ascii_alphanumeric() || ":./_~-".contains(of));
        let named = named.split(end).next().unwrap_or_default();
        let parts: Vec<&str> = named.split('/').collect();
        let mut told = format!("\n  what the streams told of at://{named}:");
        for host in 0..HOSTS.len() {
            for line in self.network.lines(host) {
                let text = line.subscribe(true);
                if parts.iter().all(|part| text.contains(part)) {
                    let text: String = text.chars().take(TOLD).collect();
                    told += &format!("\n    host {host}: {text}");
                }
            }
        }
        told
    }

    /// Nothing goes wrong any more: the state comes to be what it must be, and `plyr` stops as it
    /// should. Answers how many lines the dump has, and how many questions were asked.
    pub async fn ends(self, plyr: Plyr) -> Result<(usize, u64), RunError> {
        self.network.calm();
        let compared = self.agrees(&plyr).await?;
        let code = plyr.stop().await.map_err(RunError::broken)?;
        if code != Some(0) {
            return Err(RunError::Never(format!("it ended with exit code {code:?}")));
        }
        self.network.stop().await;
        Ok(compared)
    }
}

struct Asking<'a>(&'a Plyr);

impl Ask for Asking<'_> {
    async fn ask(&self, method: &str, query: &str) -> Result<Value, String> {
        self.0.xrpc(method, query).await
    }
}
