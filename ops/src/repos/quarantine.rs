//! `plyr quarantine list|retry`: what was refused and why; asked of its repo again.

use std::collections::{BTreeSet, HashMap};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat};
use clap::ArgMatches;
use plyr_indexer::repos::{MergeError, Merged};
use plyr_lexicons::{Did, RecordUri, Rev, Verdict};
use plyr_schemas::{Change, QuarantineEntry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{PAGE, Stand, Told, Work, ask, here};
use crate::config::Config;
use crate::control::Request;
use crate::error::OpsError;
use crate::store::progress::Shown;

/// Which entries, and whether they are asked about again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ask {
    /// Asks again, instead of telling.
    pub retry: bool,
    /// Those of these ids alone.
    pub ids: Vec<String>,
    /// Those refused for this reason alone.
    pub reason: Option<String>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Ask {
    fn is_meant(&self, entry: &QuarantineEntry) -> bool {
        let reason = self.reason.as_ref();
        reason.is_none_or(|reason| *reason == entry.reason)
            && (self.ids.is_empty() || self.ids.contains(&entry.id))
    }
}

/// Runs the command: `retry` ends with exit code 1 where something is still refused.
pub async fn quarantine(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let Some((name, arguments)) = arguments.subcommand() else {
        return Err(OpsError::Usage("name one: list or retry".to_owned()));
    };
    let retry = name == "retry";
    let ids = match retry {
        true => arguments
            .get_many::<String>("id")
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        false => Vec::new(),
    };
    let asked = Ask {
        retry,
        ids,
        reason: arguments.get_one::<String>("reason").cloned(),
        limit: match retry {
            true => None,
            false => arguments.get_one::<u64>("limit").copied(),
        },
    };
    if retry && asked.ids.is_empty() && asked.reason.is_none() && !arguments.get_flag("all") {
        return Err(OpsError::Usage(
            "name ids, a --reason, or --all; `plyr quarantine list` tells them".to_owned(),
        ));
    }
    let mut shown = Shown::new("asking again", "still refused");
    let request = Request::Quarantine(asked.clone());
    let mut show = |stand: &Stand| {
        if retry {
            shown.show(stand);
        }
    };
    let stand = match ask(config, &request, &mut show).await? {
        Some(stand) => stand,
        None => {
            here(config, &mut show, async |work, told| {
                run(work, &asked, told).await
            })
            .await?
        }
    };
    if !retry {
        return Ok(ExitCode::SUCCESS);
    }
    shown.end(&format!(
        "{} settled, {} still refused, {} could not be asked about",
        stand.settled, stand.found, stand.failed
    ));
    let is_well = stand.found + stand.failed == 0;
    Ok(ExitCode::from(u8::from(!is_well)))
}

/// Lists entries, newest first, or asks about them again; a line for each.
pub async fn run(work: &Work, asked: &Ask, told: &mut Told<'_>) -> Result<(), OpsError> {
    let mut stand = Stand::default();
    let mut after: Option<(i64, String)> = None;
    let most = asked.limit.unwrap_or(u64::MAX);
    let mut unmet: BTreeSet<&str> = asked.ids.iter().map(String::as_str).collect();
    let mut repos = AskedRepos::new();
    'all: loop {
        let snapshot = work.store.snapshot().await?;
        let place = after.as_ref().map(|(at, id)| (*at, id.as_str()));
        let entries = snapshot.quarantine(place, PAGE).await?;
        let Some(last) = entries.last() else { break };
        after = Some((last.seen_at, last.id.clone()));
        for entry in entries.iter().filter(|entry| asked.is_meant(entry)) {
            if stand.done >= most {
                break 'all;
            }
            stand.done += 1;
            unmet.remove(entry.id.as_str());
            match asked.retry {
                true => retry(work, entry, &mut repos, &mut stand, told).await?,
                false => told.line(&line_of(entry))?,
            }
            (told.tell)(&stand)?;
        }
    }
    for id in unmet {
        stand.failed += 1;
        told.line(&json!({ "id": id, "outcome": "unknown" }))?;
    }
    if let Some(reason) = asked
        .reason
        .as_ref()
        .filter(|_| asked.retry && stand.done == 0)
    {
        stand.failed += 1;
        let why = "nothing was refused for this reason";
        told.line(&json!({ "reason": reason, "outcome": "unknown", "why": why }))?;
    }
    (told.tell)(&stand)
}

/// An entry as it is listed.
fn line_of(entry: &QuarantineEntry) -> Value {
    let seen_at = DateTime::from_timestamp_micros(entry.seen_at).unwrap_or_default();
    json!({
        "seenAt": seen_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "reason": entry.reason,
        "id": entry.id,
        "repo": entry.did.as_ref().map(|did| did.as_str()),
        "uri": entry.uri.as_ref().map(ToString::to_string),
        "source": entry.source,
        "detail": entry.detail,
    })
}

/// What came of the repos that were asked as a whole: each is asked once.
type AskedRepos = HashMap<Did, Outcome>;

/// What came of asking about an entry.
#[derive(Clone)]
enum Outcome {
    /// Its repo said what holds, and that is held.
    Settled,
    /// Its repo holds what is refused.
    Refused(String),
    /// It could not be asked.
    Failed(String),
}

/// Asks the repo what holds: that is what is kept then, and the entry is released.
async fn retry(
    work: &Work,
    entry: &QuarantineEntry,
    repos: &mut AskedRepos,
    stand: &mut Stand,
    told: &mut Told<'_>,
) -> Result<(), OpsError> {
    let id = &entry.id;
    let outcome = match (&entry.uri, &entry.did) {
        (Some(uri), _) => record(work, uri, entry, repos).await?,
        (None, Some(did)) => repo(work, did, repos).await?,
        (None, None) => {
            stand.failed += 1;
            let why = "it names no repo that could be asked";
            return told.line(&json!({ "id": id, "outcome": "kept", "why": why }));
        }
    };
    match outcome {
        Outcome::Failed(why) => {
            stand.failed += 1;
            told.line(&json!({ "id": id, "outcome": "failed", "why": why }))
        }
        Outcome::Refused(why) => {
            stand.found += 1;
            told.line(&json!({ "id": id, "outcome": "refused", "why": why }))
        }
        Outcome::Settled => {
            let released = Change::Released { id: id.clone() };
            work.store.apply(vec![released]).await?;
            stand.settled += 1;
            told.line(&json!({ "id": id, "outcome": "settled" }))
        }
    }
}

/// Asks about one record. A repo that could not be asked isn't asked again.
async fn record(
    work: &Work,
    uri: &RecordUri,
    entry: &QuarantineEntry,
    repos: &mut AskedRepos,
) -> Result<Outcome, OpsError> {
    if let Some(failed @ Outcome::Failed(_)) = repos.get(&uri.did) {
        return Ok(failed.clone());
    }
    let outcome = outcome(work.repos.prove(uri, Rev::MIN, false).await)?;
    match &outcome {
        Outcome::Failed(_) => drop(repos.insert(uri.did.clone(), outcome.clone())),
        Outcome::Refused(_) => {}
        Outcome::Settled => {
            let snapshot = work.store.snapshot().await?;
            let held = snapshot.records(std::slice::from_ref(uri)).await?;
            let held = held.into_iter().next().flatten();
            if held.is_some_and(|held| held.judgement.verdict == Verdict::Invalid) {
                return Ok(Outcome::Refused(entry.detail.clone()));
            }
        }
    }
    Ok(outcome)
}

/// Asks a whole repo, once.
async fn repo(work: &Work, did: &Did, repos: &mut AskedRepos) -> Result<Outcome, OpsError> {
    if let Some(outcome) = repos.get(did) {
        return Ok(outcome.clone());
    }
    let outcome = outcome(work.repos.repair(did).await.map(Some))?;
    repos.insert(did.clone(), outcome.clone());
    Ok(outcome)
}

fn outcome(asked: Result<Option<Merged>, MergeError>) -> Result<Outcome, OpsError> {
    let merged = match asked {
        Ok(merged) => merged.unwrap_or_default(),
        Err(MergeError::Store(problem)) => return Err(problem.into()),
        Err(problem) => return Ok(Outcome::Failed(problem.to_string())),
    };
    if merged.refused > 0 {
        let why = "its repo holds what can't be read";
        return Ok(Outcome::Refused(why.to_owned()));
    }
    // Nothing is released that was not proven, or that others wrote to meanwhile.
    if !merged.is_proven || !merged.is_sure {
        let why = "its repo's state is not certain yet; ask again in a minute";
        return Ok(Outcome::Failed(why.to_owned()));
    }
    Ok(Outcome::Settled)
}
