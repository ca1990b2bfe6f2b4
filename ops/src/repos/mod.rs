//! Commands about repos: `verify`, `backfill` and `quarantine`. Each works through the server that
//! holds the data folder, in the folder itself, or over the cluster from this process.

pub mod backfill;
pub mod quarantine;
pub mod verify;

use std::io::Write;
use std::sync::Arc;

use clap::ArgMatches;
use plyr_indexer::Repos;
use plyr_lexicons::{AtIdentifier, Did};
use plyr_outbound::{Freshness, Outbound};
use plyr_schemas::{Repo, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, StoreChoice};
use crate::control::{self, Request};
use crate::error::OpsError;
use crate::run::heartbeat::Heart;
use crate::run::parts;
use crate::store::open;

/// Repos read from the store at a time.
pub const PAGE: usize = 500;

/// What the commands work with.
#[derive(Clone)]
pub struct Work {
    /// What is held.
    pub store: Arc<dyn Store>,
    /// Who asks the network which DID a handle names.
    pub outbound: Outbound,
    /// Who asks and merges repos.
    pub repos: Repos,
    /// Whether it ends with the command: no server goes on.
    pub is_alone: bool,
}

/// Hears how far a command has come, and writes what it prints.
pub struct Told<'a> {
    /// Lines for standard output.
    pub out: &'a mut (dyn Write + Send),
    /// How far it has come.
    pub tell: &'a mut (dyn FnMut(&Stand) -> Result<(), OpsError> + Send),
}

impl Told<'_> {
    /// Prints an object, in a line of its own.
    pub fn line(&mut self, line: &Value) -> Result<(), OpsError> {
        writeln!(self.out, "{line}").map_err(|detail| OpsError::Output(detail.to_string()))
    }
}

/// How far a command has come.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stand {
    /// What was looked at: repos, or refused entries.
    pub done: u64,
    /// Of how many, as far as known.
    pub of: u64,
    /// Records of the repos that were looked at.
    pub records: u64,
    /// Differences found, or entries that are still refused.
    pub found: u64,
    /// Of them settled.
    pub settled: u64,
    /// Of what was looked at, what is not settled yet.
    pub open: u64,
    /// What could not be looked at.
    pub failed: u64,
    /// Accounts that are not there any more.
    pub gone: u64,
    /// Why it stands still.
    pub waits: Option<String>,
}

/// Has the server that holds the data folder do a request, and answers how far it came; none where
/// there is no such server, and the work is to be done [`here`].
pub async fn ask(
    config: &Config,
    request: &Request,
    show: &mut (dyn FnMut(&Stand) + Send),
) -> Result<Option<Stand>, OpsError> {
    if config.store != StoreChoice::Embedded {
        return Ok(None);
    }
    if !config.data_dir.join("store").is_dir() {
        return Err(OpsError::Start(format!(
            "{} holds no store; name the folder that `plyr serve` keeps with --data-dir",
            config.data_dir.display()
        )));
    }
    let mut last = Stand::default();
    let mut out = std::io::stdout();
    let mut hear = |line: &[u8]| match serde_json::from_slice::<Stand>(line) {
        Ok(stand) => {
            show(&stand);
            last = stand;
        }
        Err(problem) => tracing::debug!(%problem, "the server told something unknown"),
    };
    let asked = control::ask(&config.data_dir, request, &mut out, &mut hear)?;
    Ok(asked.map(|()| last))
}

/// Does the work of a command here, where no server does it; answers how far it came. Over a
/// cluster this process has a heart of its own, like every writer: standing still for too long ends
/// it.
pub async fn here(
    config: &Config,
    show: &mut (dyn FnMut(&Stand) + Send),
    run: impl AsyncFnOnce(&Work, &mut Told<'_>) -> Result<(), OpsError>,
) -> Result<Stand, OpsError> {
    parts::choose_crypto();
    let store = open::once(config).await?.store;
    let outbound = parts::outbound(config)?;
    let repos = parts::repos(config, store.clone(), outbound.clone());
    let beating = CancellationToken::new();
    if store.has_several_writers() {
        Heart::start(store.clone(), config.heartbeat_patience, &beating)?;
    }
    let work = Work {
        store,
        outbound,
        repos,
        is_alone: true,
    };
    let mut last = Stand::default();
    let mut told = Told {
        out: &mut std::io::stdout(),
        tell: &mut |stand| {
            show(stand);
            last = stand.clone();
            Ok(())
        },
    };
    let ran = run(&work, &mut told).await;
    let ended = work.end(&beating).await;
    ran.and(ended).map(|()| last)
}

/// The repos named on the command line, with and without `--repo`.
pub fn named(arguments: &ArgMatches) -> Vec<String> {
    let of = |name| arguments.get_many::<String>(name).into_iter().flatten();
    of("repo").chain(of("repo-option")).cloned().collect()
}

impl Work {
    /// Waits until counts have followed, and closes the store.
    async fn end(&self, beating: &CancellationToken) -> Result<(), OpsError> {
        self.store.settle().await?;
        beating.cancel();
        Ok(self.store.close().await?)
    }

    /// The DID of a repo named by DID or handle.
    pub async fn did(&self, named: &str) -> Result<Did, String> {
        let named = named.strip_prefix('@').unwrap_or(named);
        let identifier = named.parse::<AtIdentifier>();
        let handle = match identifier {
            Ok(AtIdentifier::Did(did)) => return Ok(did),
            Ok(AtIdentifier::Handle(handle)) => handle,
            Err(_) => return Err("neither a DID nor a handle".to_owned()),
        };
        match self
            .outbound
            .resolve_handle(&handle, Freshness::Fresh)
            .await
        {
            Ok(Some(did)) => Ok(did),
            Ok(None) => Err("no DID answers for this handle".to_owned()),
            Err(problem) => Err(problem.to_string()),
        }
    }

    /// The DIDs of those named; the others are told, and counted as failed.
    pub async fn dids(
        &self,
        named: &[String],
        stand: &mut Stand,
        told: &mut Told<'_>,
    ) -> Result<Vec<Did>, OpsError> {
        let mut dids = Vec::new();
        for name in named {
            match self.did(name).await {
                Ok(did) => dids.push(did),
                Err(problem) => {
                    (stand.done, stand.failed) = (stand.done + 1, stand.failed + 1);
                    told.line(&json!({ "repo": name, "error": problem }))?;
                }
            }
        }
        dids.sort_by(|one: &Did, two| one.as_str().cmp(two.as_str()));
        dids.dedup();
        Ok(dids)
    }

    /// Repos that were met, after one of them.
    pub async fn met(&self, after: Option<&Did>) -> Result<Vec<Repo>, OpsError> {
        let snapshot = self.store.snapshot().await?;
        Ok(snapshot.all_repos(after, PAGE).await?)
    }

    /// How many repos were met.
    pub async fn count(&self) -> Result<u64, OpsError> {
        let states = self.store.snapshot().await?.repo_states().await?;
        Ok(states.iter().map(|(_, count)| count).sum())
    }
}
