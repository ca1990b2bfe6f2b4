//! `plyr verify [--repair] [REPO…]`: what differs between the repos and what is held of them.

use std::collections::VecDeque;
use std::process::ExitCode;

use clap::ArgMatches;
use plyr_indexer::repos::{Cause, Fault, MergeError, Merged};
use plyr_lexicons::Did;
use plyr_schemas::RepoState;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Stand, Told, Work, ask, here, named};
use crate::config::Config;
use crate::control::Request;
use crate::error::OpsError;
use crate::store::progress::Shown;

/// Repos asked at once; each host bears fewer.
const AT_ONCE: usize = 16;

/// Differences of one repo that are told one by one; of more, only how many of each cause.
const MOST_TOLD: usize = 100_000;

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

/// Runs the command: exit code 1 where something differs and was not settled, where it can't be
/// told yet, or where a repo could not be asked.
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
            let mut show = |stand: &Stand| shown.show(stand);
            here(config, &mut show, async |work, told| {
                run(work, &asked, told).await
            })
            .await?
        }
    };
    shown.end(&format!(
        "{} of {} repos verified, {} records; {} differences, {} settled; {} repos still open, {} \
         failed, {} gone",
        stand.done - stand.failed - stand.gone,
        stand.of,
        stand.records,
        stand.found,
        stand.settled,
        stand.open,
        stand.failed,
        stand.gone
    ));
    let is_well = stand.failed == 0 && stand.open == 0 && stand.found == stand.settled;
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
        tell_of(&did, verified, asked, &mut stand, told)?;
        (told.tell)(&stand)?;
    }
}

/// What came of asking one repo, and why it is not settled yet where it isn't.
async fn one(work: &Work, did: &Did, repair: bool) -> Result<(Merged, Option<String>), MergeError> {
    if !repair {
        let merged = work.repos.compare(did, MOST_TOLD).await?;
        return Ok((merged, None));
    }
    let merged = work.repos.repair(did).await?;
    let snapshot = work.store.snapshot().await?;
    let repo = snapshot.repos(std::slice::from_ref(did)).await?;
    let repo = repo.into_iter().next().flatten();
    let open = repo.filter(|repo| {
        let is_settled = matches!(repo.state, RepoState::Verified | RepoState::RolledBack);
        !is_settled && repo.last_error.is_some()
    });
    let why = open.and_then(|repo| repo.last_error);
    let meanwhile = || "something was written while it was merged; ask again".to_owned();
    let is_open = merged.ahead.is_none() && !merged.is_sure;
    Ok((merged, why.or_else(|| is_open.then(meanwhile))))
}

fn tell_of(
    did: &Did,
    verified: Result<(Merged, Option<String>), MergeError>,
    asked: &Ask,
    stand: &mut Stand,
    told: &mut Told<'_>,
) -> Result<(), OpsError> {
    let repo = did.as_str();
    let (merged, open) = match verified {
        Ok(verified) => verified,
        Err(MergeError::Store(problem)) => return Err(problem.into()),
        // Of all repos some are of accounts that have left; one that was named should be there.
        Err(MergeError::Network(trouble))
            if trouble.fault == Fault::Account && asked.repos.is_empty() =>
        {
            stand.gone += 1;
            return told.line(&json!({ "repo": repo, "gone": trouble.to_string() }));
        }
        Err(problem) => {
            stand.failed += 1;
            return told.line(&json!({ "repo": repo, "error": problem.to_string() }));
        }
    };
    let all: u64 = merged.differences.iter().sum();
    stand.records += merged.records;
    stand.found += all;
    stand.settled += if asked.repair { all } else { 0 };
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
    if let Some((rev, uri)) = &merged.ahead {
        told.line(&json!({ "aboveHead": rev.to_string(), "uri": uri.to_string() }))?;
    }
    let is_listed = !merged.is_proven && open.is_none();
    if is_listed {
        told.line(&json!({ "repo": repo, "unproven": "its host only lists its records" }))?;
    }
    if let Some(why) = &open {
        told.line(&json!({ "repo": repo, "unsettled": why }))?;
    }
    stand.open += u64::from(open.is_some() || is_listed || merged.ahead.is_some());
    Ok(())
}
