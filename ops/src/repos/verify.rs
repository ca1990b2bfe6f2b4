//! `plyr verify [--repair] [REPO…]`: what differs between the repos and what is held of them.

use std::collections::VecDeque;
use std::process::ExitCode;

use clap::ArgMatches;
use plyr_indexer::repos::{Cause, MergeError, Merged};
use plyr_lexicons::Did;
use plyr_schemas::RepoState;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Stand, Told, Work, alone, ask, named};
use crate::config::Config;
use crate::control::Request;
use crate::error::OpsError;
use crate::store::progress::Shown;

/// Repos asked at once; each host bears fewer.
const AT_ONCE: usize = 16;

/// Which repos, and whether differences are settled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// Settles what differs.
    #[serde(default)]
    pub repair: bool,
    /// DIDs and handles; none for every repo that was met.
    #[serde(default)]
    pub repos: Vec<String>,
}

/// Runs the command: exit code 1 where something differs and was not settled, or a repo could not
/// be asked.
pub async fn verify(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let asked = Ask {
        repair: arguments.get_flag("repair"),
        repos: named(arguments),
    };
    let mut shown = Shown::new("verifying", "differences");
    let request = Request::Verify(asked.clone());
    let stand = match ask(config, &request, &mut |stand| shown.show(stand)).await? {
        Some(stand) => stand,
        None => {
            let work = alone(config).await?;
            let mut last = Stand::default();
            let mut told = Told {
                out: &mut std::io::stdout(),
                tell: &mut |stand| {
                    shown.show(stand);
                    last = stand.clone();
                    Ok(())
                },
            };
            run(&work, &asked, &mut told).await?;
            work.store.close().await?;
            last
        }
    };
    shown.end(&format!(
        "{} of {} repos verified, {} records; {} differences, {} settled; {} repos failed",
        stand.done - stand.failed,
        stand.of,
        stand.records,
        stand.found,
        stand.settled,
        stand.failed
    ));
    let is_well = stand.failed == 0 && stand.found == stand.settled;
    Ok(ExitCode::from(u8::from(!is_well)))
}

/// Asks the repos and prints what differs: `{"cause", "uri"}` for each difference; of a repo that
/// could not be asked `{"repo", "error"}`.
pub async fn run(work: &Work, asked: &Ask, told: &mut Told<'_>) -> Result<(), OpsError> {
    let mut stand = Stand::default();
    let mut waiting = VecDeque::from(work.dids(&asked.repos, &mut stand, told).await?);
    let is_all = asked.repos.is_empty();
    stand.of = match is_all {
        true => work.count().await?,
        false => stand.done + waiting.len() as u64,
    };
    (told.tell)(&stand)?;
    let mut after: Option<Did> = None;
    let mut at_end = !is_all;
    let mut tasks = JoinSet::new();
    loop {
        if waiting.is_empty() && !at_end {
            let met = work.met(after.as_ref()).await?;
            at_end = met.is_empty();
            after = met.last().map(|repo| repo.did.clone());
            waiting.extend(met.into_iter().map(|repo| repo.did));
        }
        while tasks.len() < AT_ONCE
            && let Some(did) = waiting.pop_front()
        {
            let (work, repair) = (work.clone(), asked.repair);
            tasks.spawn(async move {
                let verified = one(&work, &did, repair).await;
                (did, verified)
            });
        }
        let Some(ended) = tasks.join_next().await else {
            if at_end && waiting.is_empty() {
                return Ok(());
            }
            continue;
        };
        let (did, verified) = ended.map_err(|problem| OpsError::Control(problem.to_string()))?;
        stand.done += 1;
        stand.of = stand.of.max(stand.done);
        tell_of(&did, verified, asked.repair, &mut stand, told)?;
        (told.tell)(&stand)?;
    }
}

/// What came of asking one repo, and why it is not settled yet where it isn't.
async fn one(work: &Work, did: &Did, repair: bool) -> Result<(Merged, Option<String>), MergeError> {
    let merged = work.repos.verify(did, repair).await?;
    if !repair {
        return Ok((merged, None));
    }
    let snapshot = work.store.snapshot().await?;
    let repo = snapshot.repos(std::slice::from_ref(did)).await?;
    let repo = repo.into_iter().next().flatten();
    let open = repo.filter(|repo| {
        let is_settled = matches!(repo.state, RepoState::Verified | RepoState::RolledBack);
        !is_settled && repo.last_error.is_some()
    });
    Ok((merged, open.and_then(|repo| repo.last_error)))
}

fn tell_of(
    did: &Did,
    verified: Result<(Merged, Option<String>), MergeError>,
    repair: bool,
    stand: &mut Stand,
    told: &mut Told<'_>,
) -> Result<(), OpsError> {
    let repo = did.as_str();
    let (merged, open) = match verified {
        Ok(verified) => verified,
        Err(MergeError::Store(problem)) => return Err(problem.into()),
        Err(problem) => {
            stand.failed += 1;
            return told.line(&json!({ "repo": repo, "error": problem.to_string() }));
        }
    };
    let all: u64 = merged.differences.iter().sum();
    stand.records += merged.records;
    stand.found += all;
    stand.settled += if repair { all } else { 0 };
    for difference in &merged.some {
        let (cause, uri) = (difference.cause.as_str(), difference.uri.to_string());
        told.line(&json!({ "cause": cause, "uri": uri }))?;
    }
    if all > merged.some.len() as u64 {
        let by_cause = Cause::ALL.map(|cause| (cause.as_str().to_owned(), merged.of(cause).into()));
        let by_cause = Value::Object(by_cause.into_iter().collect());
        told.line(&json!({ "repo": repo, "all": by_cause }))?;
    }
    if merged.refused > 0 {
        told.line(&json!({ "repo": repo, "refused": merged.refused }))?;
    }
    // It may only be that the head was asked too early; the server asks again by itself.
    if let Some(rev) = merged.ahead {
        told.line(&json!({ "repo": repo, "aboveHead": rev.to_string() }))?;
    }
    match open {
        Some(why) => told.line(&json!({ "repo": repo, "unsettled": why })),
        None => Ok(()),
    }
}
