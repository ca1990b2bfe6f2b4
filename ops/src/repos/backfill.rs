//! `plyr backfill [REPO…]`: repos visited as soon as can be, each one's outcome told; paused,
//! resumed, cancelled.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use plyr_indexer::repos::Progress;
use plyr_lexicons::Did;
use plyr_schemas::{Micros, Repo, RepoState};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PAGE, Stand, Told, Work, alone, ask, named};
use crate::config::{Config, StoreChoice};
use crate::control::Request;
use crate::error::OpsError;
use crate::store::progress::Shown;

/// How often the repos are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Visit repos.
    #[default]
    Run,
    /// Take up nothing more.
    Pause,
    /// Go on.
    Resume,
    /// Leave what was asked for to the steady pass.
    Cancel,
    /// Tell how it goes.
    Status,
}

/// What to do, and with which repos.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// What.
    #[serde(default)]
    pub action: Action,
    /// DIDs and handles; none for every repo that was met and isn't verified.
    #[serde(default)]
    pub repos: Vec<String>,
}

/// Runs the command: exit code 1 where a repo could not be fetched.
pub async fn backfill(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let action = match arguments.subcommand_name() {
        Some("pause") => Action::Pause,
        Some("resume") => Action::Resume,
        Some("cancel") => Action::Cancel,
        Some("status") => Action::Status,
        _ => Action::Run,
    };
    let asked = Ask {
        action,
        repos: match action {
            Action::Run => named(arguments),
            _ => Vec::new(),
        },
    };
    let mut shown = Shown::new("fetching", "not verified");
    let request = Request::Backfill(asked.clone());
    let stand = match ask(config, &request, &mut |stand| shown.show(stand)).await? {
        Some(stand) => stand,
        None if matches!(action, Action::Pause | Action::Resume) => {
            return Err(OpsError::Usage(match config.store {
                StoreChoice::Embedded => "no server holds the data folder: nothing is under way",
                StoreChoice::Cluster(_) => {
                    "over a cluster every indexer fetches by itself: stop the indexers, or leave \
                     them; what is due is kept"
                }
            }
            .to_owned()));
        }
        None => {
            let work = alone(config).await?;
            let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
            if action == Action::Run {
                work.repos.start(&tasks, &cancel);
            }
            let mut last = Stand::default();
            let mut told = Told {
                out: &mut std::io::stdout(),
                tell: &mut |stand| {
                    shown.show(stand);
                    last = stand.clone();
                    Ok(())
                },
            };
            let ran = run(&work, &asked, &mut told).await;
            cancel.cancel();
            tasks.close();
            tasks.wait().await;
            ran?;
            work.store.close().await?;
            last
        }
    };
    if action != Action::Run {
        return Ok(ExitCode::SUCCESS);
    }
    shown.end(&format!(
        "{} of {} repos fetched, {} records; {} to be asked again, {} failed",
        stand.done - stand.failed,
        stand.of,
        stand.records,
        stand.found,
        stand.failed
    ));
    Ok(ExitCode::from(u8::from(stand.failed > 0)))
}

/// Does it. Of each repo `{"repo", "state"}`, and `records`, or `error` where it isn't verified;
/// `again` says that it is asked again by itself.
pub async fn run(work: &Work, asked: &Ask, told: &mut Told<'_>) -> Result<(), OpsError> {
    match asked.action {
        Action::Run => fetch(work, &asked.repos, told).await,
        Action::Pause => {
            work.repos.pause();
            told.line(&json!({ "paused": true }))
        }
        Action::Resume => {
            work.repos.resume();
            told.line(&json!({ "paused": false }))
        }
        Action::Cancel => {
            let cancelled = work.repos.cancel().await?;
            told.line(&json!({ "cancelled": cancelled }))
        }
        Action::Status => status(&work.repos.progress().await?, told),
    }
}

fn status(progress: &Progress, told: &mut Told<'_>) -> Result<(), OpsError> {
    told.line(&json!({ "paused": progress.is_paused, "waiting": progress.waiting }))?;
    for (state, count) in &progress.states {
        told.line(&json!({ "state": state.as_str(), "repos": count }))?;
    }
    for repo in &progress.under_way {
        let (did, host, cause) = (repo.did.as_str(), &repo.host, &repo.cause);
        told.line(&json!({ "underWay": did, "host": host, "cause": cause }))?;
    }
    for failure in &progress.failures {
        told.line(&json!({ "repo": failure.did.as_str(), "error": failure.why }))?;
    }
    Ok(())
}

async fn fetch(work: &Work, repos: &[String], told: &mut Told<'_>) -> Result<(), OpsError> {
    let began = chrono::Utc::now().timestamp_micros();
    let mut stand = Stand::default();
    let mut open = match repos {
        [] => unverified(work).await?,
        named => work.dids(named, &mut stand, told).await?,
    };
    stand.of = stand.done + open.len() as u64;
    (told.tell)(&stand)?;
    work.repos.want(&open).await?;
    while !open.is_empty() {
        let before = stand.done;
        let mut still = Vec::with_capacity(open.len());
        for some in open.chunks(PAGE) {
            let snapshot = work.store.snapshot().await?;
            let held = snapshot.repos(some).await?;
            for (did, repo) in some.iter().zip(held) {
                match repo.filter(|repo| repo.asked_at >= began) {
                    Some(repo) => visited(&repo, began, &mut stand, told)?,
                    None => still.push(did.clone()),
                }
            }
        }
        open = still;
        let paused = "paused; `plyr backfill resume` goes on";
        stand.waits = work.repos.is_paused().then(|| paused.to_owned());
        if stand.done > before || stand.waits.is_some() {
            (told.tell)(&stand)?;
        }
        if !open.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    }
    (told.tell)(&stand)
}

/// Every repo that was met and isn't verified.
async fn unverified(work: &Work) -> Result<Vec<Did>, OpsError> {
    let (mut open, mut after) = (Vec::new(), None);
    loop {
        let met = work.met(after.as_ref()).await?;
        let Some(last) = met.last() else {
            return Ok(open);
        };
        after = Some(last.did.clone());
        let is_open =
            |repo: &Repo| !matches!(repo.state, RepoState::Verified | RepoState::RolledBack);
        open.extend(met.into_iter().filter(is_open).map(|repo| repo.did));
    }
}

fn visited(
    repo: &Repo,
    began: Micros,
    stand: &mut Stand,
    told: &mut Told<'_>,
) -> Result<(), OpsError> {
    stand.done += 1;
    let (state, did) = (repo.state.as_str(), repo.did.as_str());
    let was_merged = repo.merged_at >= began || repo.verified_at >= began;
    if repo.failures == 0 && was_merged {
        stand.records += repo.records;
    }
    match &repo.last_error {
        Some(why) if repo.failures > 0 => {
            stand.failed += 1;
            told.line(&json!({ "repo": did, "state": state, "error": why }))
        }
        Some(why) => {
            stand.found += 1;
            told.line(&json!({ "repo": did, "state": state, "error": why, "again": true }))
        }
        None => {
            stand.found += u64::from(repo.verified_at < began);
            told.line(&json!({ "repo": did, "state": state, "records": repo.records }))
        }
    }
}
