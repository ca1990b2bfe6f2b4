//! A simulated network with a story that goes on, and whether `plyr` ends as it must.

pub mod churn;
pub mod disk;
pub mod held;
pub mod power;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use plyr_lexicons::Namespace;
use plyr_oracle::{Account, Ask, Disagreement, Expected, Held, compare, dump_difference, json_of};
use plyr_peers::{Around, PeersError, Plyr};
use plyr_simnet::world::Standing;
use plyr_simnet::{Act, Deed, Faults, HostFaults, Network, Options, Plot, Speaks, Story};
use plyr_simnet::{StreamFaults, World};
use rest::Rest;
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

/// How long the state may take until it is what it must be. A host that failed twice is asked again
/// within two minutes; what is held above a head, within one.
const PATIENCE: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_millis(100);
/// Characters of a line of a stream that are printed.
const TOLD: usize = 400;
/// The last lines that are printed of each stream.
const LINES: usize = 20;

/// The network, and what goes on in it.
pub struct Scene {
    /// The servers.
    pub network: Network,
    /// Whose records.
    pub namespace: Namespace,
    /// How long the state may take in the end.
    pub patience: Duration,
    story: Story,
    /// Every handle that somebody ever had.
    handles: BTreeSet<String>,
    /// Whether streams carry different events, so that some are doubted.
    differ: bool,
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
        let mut handles = BTreeSet::new();
        for act in story.by_ref().take(opening) {
            handles.extend(handle_of(&act));
            world.apply(&act).map_err(RunError::broken)?;
        }
        let is_otherwise = |one: &StreamFaults| one.drops + one.invents > 0 || one.blind.is_some();
        let differ = faults.streams.iter().any(is_otherwise);
        let options = Options {
            streams: HOSTS.to_vec(),
            faults,
            ..Options::default()
        };
        let network = Network::start(world, options).await;
        Ok(Scene {
            network: network.map_err(RunError::broken)?,
            namespace,
            patience: PATIENCE,
            story,
            handles,
            differ,
        })
    }

    /// Goes on for some acts.
    pub fn go_on(&mut self, acts: usize) -> Result<(), RunError> {
        for act in self.story.by_ref().take(acts) {
            self.handles.extend(handle_of(&act));
            self.network.act(&act).map_err(RunError::broken)?;
        }
        Ok(())
    }

    /// From here on the story tells of what happens now: what is older than its following doesn't
    /// count when a host is called blind.
    pub fn skip_to_now(&mut self) {
        self.story.skip_to(chrono::Utc::now().timestamp_micros());
    }

    /// Waits until a server that follows the streams from their beginning judges by what each of
    /// them carries from now on: what they told just after it had begun says nothing of the others.
    pub async fn until_judged(&self) {
        let first = |host| self.network.lines(host).first().map(|line| line.time);
        let began = (0..HOSTS.len()).filter_map(first).max().unwrap_or_default();
        let judged_at = began + rest::GRACE.as_micros() as i64;
        while chrono::Utc::now().timestamp_micros() <= judged_at {
            tokio::time::sleep(LOOK).await;
        }
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
        let untold = self.untold();
        let world = self.network.world();
        // The directory has a document of everybody but the deleted.
        let documented = |did: &str| {
            let account = world.account(did);
            account.filter(|account| account.standing != Standing::Deleted)
        };
        let proven = |handle: &str| {
            let named = world.handle(handle)?;
            documented(&named.did).filter(|account| account.handle == handle)
        };
        for account in world.accounts() {
            let mut records = BTreeMap::new();
            for (path, record) in account.records() {
                let value = json_of(&record.bytes).map_err(|problem| Disagreement {
                    question: format!("bytes of at://{}/{path}", account.did),
                    expected: "a record".to_owned(),
                    answered: problem.to_string(),
                })?;
                let held = Held {
                    cid: record.cid.to_string(),
                    value,
                };
                records.insert(path.clone(), held);
            }
            let handle = proven(&account.handle).filter(|named| named.did == account.did);
            said.add(Account {
                did: account.did.clone(),
                handle: handle.map(|named| named.handle.clone()),
                is_active: account.standing == Standing::Active,
                is_told: !untold.contains(&account.did),
                records,
            });
        }
        for handle in &self.handles {
            let owner = proven(handle).map(|account| account.did.clone());
            said.handles.insert(handle.clone(), owner);
        }
        Ok(said)
    }

    /// Accounts that no stream has told of.
    fn untold(&self) -> BTreeSet<String> {
        let world = self.network.world();
        let mut untold: BTreeSet<String> = world.accounts().map(|one| one.did.clone()).collect();
        drop(world);
        for line in (0..HOSTS.len()).flat_map(|host| self.network.lines(host)) {
            if untold.is_empty() {
                break;
            }
            let text = line.subscribe(true);
            untold.retain(|did| !text.contains(did.as_str()));
        }
        untold
    }

    /// Waits until the dump is what the oracle says, and every list, count and answer; then until
    /// nothing is under way any more that could change it, and compares once more: what comes last
    /// must not break it. (Of an account that holds nothing the dump doesn't tell whether it was
    /// already asked about.) Answers how many lines and questions that were.
    async fn agrees(&self, plyr: &Plyr, indexers: &[Plyr]) -> Result<(usize, u64), RunError> {
        let said = self.said()?;
        let expected = Expected::of(&said);
        // The network reads and judges by the code that is proven here: a slip of it is a finding.
        let by_world = self.network.dump(&self.namespace);
        let by_world = by_world.map_err(|problem| Disagreement {
            question: "the simulated network's own dump".to_owned(),
            expected: "a dump".to_owned(),
            answered: problem.to_string(),
        })?;
        if let Some(mut two) = dump_difference(&expected.dump, &by_world) {
            two.question = format!("the simulated network's own {}", two.question);
            return Err(two.into());
        }
        let began = Instant::now();
        let mut questions = loop {
            match self.compared(plyr, &said, &expected).await? {
                Ok(questions) => break questions,
                Err(wrong) if began.elapsed() > self.patience => {
                    return Err(RunError::Never(self.explained(wrong)));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        };
        let mut rest = Rest::of(self, &said, plyr, indexers);
        while let Some(under_way) = rest.under_way().await? {
            if began.elapsed() > self.patience {
                let told = self.told_of(&under_way);
                return Err(RunError::Never(format!("at rest: {under_way}{told}")));
            }
            tokio::time::sleep(LOOK).await;
        }
        match self.compared(plyr, &said, &expected).await? {
            Ok(more) => questions += more,
            Err(mut wrong) => {
                wrong.question = format!("after it had agreed once: {}", wrong.question);
                wrong.answered += &self.told_of(&wrong.to_string());
                return Err(wrong.into());
            }
        }
        Ok((expected.dump.lines().count(), questions))
    }

    /// Compares the dump and all answers now; answers how many questions that were.
    async fn compared(
        &self,
        plyr: &Plyr,
        said: &plyr_oracle::Network,
        expected: &Expected,
    ) -> Result<Result<u64, Disagreement>, RunError> {
        let dump = plyr.dump().await.map_err(RunError::broken)?;
        if let Some(difference) = dump_difference(&expected.dump, &dump) {
            return Ok(Err(difference));
        }
        let now = chrono::Utc::now().timestamp_micros();
        Ok(compare(&Asking(plyr), said, now).await)
    }

    fn explained(&self, wrong: Disagreement) -> String {
        let wrong = wrong.to_string();
        let told = self.told_of(&wrong);
        format!("{wrong}{told}")
    }

    /// What each stream told of the first record that a disagreement names, or of the first
    /// account: what led to it.
    fn told_of(&self, wrong: &str) -> String {
        // As queries write it.
        let wrong = wrong.replace("%3A", ":").replace("%2F", "/");
        let begins = wrong.find("at://").or_else(|| wrong.find("did:"));
        let Some(begins) = begins else {
            return String::new();
        };
        let end = |of: char| !(of.is_ascii_alphanumeric() || ":./_~-".contains(of));
        let named = wrong[begins..].split(end).next().unwrap_or_default();
        let named = named.trim_end_matches([':', '.']);
        let parts: Vec<&str> = named.trim_start_matches("at://").split('/').collect();
        let mut told = format!("\n  what the streams told of {named}:");
        for host in 0..HOSTS.len() {
            let lines = self.network.lines(host).into_iter();
            let texts = lines.map(|line| line.subscribe(true));
            let texts: Vec<String> = texts
                .filter(|text| parts.iter().all(|part| text.contains(part)))
                .collect();
            let left_out = texts.len().saturating_sub(LINES);
            if left_out > 0 {
                told += &format!("\n    host {host}: ({left_out} earlier ones)");
            }
            for text in &texts[left_out..] {
                let text: String = text.chars().take(TOLD).collect();
                told += &format!("\n    host {host}: {text}");
            }
        }
        told
    }

    /// Nothing goes wrong any more: the state comes to be what it must be and stays so, and `plyr`
    /// stops as it should. Answers how many lines the dump has, and how many questions were asked.
    pub async fn ends(self, plyr: Plyr) -> Result<(usize, u64), RunError> {
        self.ends_beside(plyr, &[]).await
    }

    /// The same where indexers are processes of their own, which go on.
    pub async fn ends_beside(
        self,
        plyr: Plyr,
        indexers: &[Plyr],
    ) -> Result<(usize, u64), RunError> {
        self.network.calm();
        let compared = self.agrees(&plyr, indexers).await?;
        let code = plyr.stop().await.map_err(RunError::broken)?;
        if code != Some(0) {
            return Err(RunError::Never(format!("it ended with exit code {code:?}")));
        }
        self.network.stop().await;
        Ok(compared)
    }
}

/// The handle that an act gives somebody.
fn handle_of(act: &Act) -> Option<String> {
    match &act.deed {
        Deed::Join { handle, .. } | Deed::Rename { handle } | Deed::Move { handle, .. } => {
            Some(handle.clone())
        }
        _ => None,
    }
}

struct Asking<'a>(&'a Plyr);

impl Ask for Asking<'_> {
    async fn ask(&self, method: &str, query: &str) -> Result<Value, String> {
        self.0.xrpc(method, query).await
    }
}
