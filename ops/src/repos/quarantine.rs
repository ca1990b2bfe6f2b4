//! `plyr quarantine list|retry`: what was refused and why; asked of its repo again.

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat};
use clap::ArgMatches;
use plyr_indexer::repos::MergeError;
use plyr_lexicons::{Rev, Verdict};
use plyr_schemas::{Change, QuarantineEntry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{PAGE, Stand, Told, Work, alone, ask};
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
    loop {
        let snapshot = work.store.snapshot().await?;
        let place = after.as_ref().map(|(at, id)| (*at, id.as_str()));
        let entries = snapshot.quarantine(place, PAGE).await?;
        let Some(last) = entries.last() else {
            return (told.tell)(&stand);
        };
        after = Some((last.seen_at, last.id.clone()));
        for entry in entries.iter().filter(|entry| asked.is_meant(entry)) {
            if stand.done >= most {
                return (told.tell)(&stand);
            }
            stand.done += 1;
            match asked.retry {
                true => retry(work, entry, &mut stand, told).await?,
                false => told.line(&line_of(entry))?,
            }
            (told.tell)(&stand)?;
        }
    }
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

/// Asks the repo what holds: that is what is kept then, and the entry is released.
async fn retry(
    work: &Work,
    entry: &QuarantineEntry,
    stand: &mut Stand,
    told: &mut Told<'_>,
) -> Result<(), OpsError> {
    let id = &entry.id;
    let asked = match (&entry.uri, &entry.did) {
        (Some(uri), _) => work.repos.prove(uri, Rev::MIN, false).await,
        (None, Some(did)) => work.repos.verify(did, true).await.map(Some),
        (None, None) => {
            stand.failed += 1;
            let why = "it names no repo that could be asked";
            return told.line(&json!({ "id": id, "outcome": "kept", "why": why }));
        }
    };
    let merged = match asked {
        Ok(merged) => merged.unwrap_or_default(),
        Err(MergeError::Store(problem)) => return Err(problem.into()),
        Err(problem) => {
            stand.failed += 1;
            return told
                .line(&json!({ "id": id, "outcome": "failed", "why": problem.to_string() }));
        }
    };
    if merged.refused > 0 {
        stand.found += 1;
        let why = "its repo holds what can't be read";
        return told.line(&json!({ "id": id, "outcome": "refused", "why": why }));
    }
    if let Some(uri) = &entry.uri {
        let snapshot = work.store.snapshot().await?;
        let held = snapshot.records(std::slice::from_ref(uri)).await?;
        let held = held.into_iter().next().flatten();
        if held.is_some_and(|held| held.judgement.verdict == Verdict::Invalid) {
            stand.found += 1;
            return told.line(&json!({ "id": id, "outcome": "refused", "why": entry.detail }));
        }
    }
    let released = Change::Released { id: id.clone() };
    work.store.apply(vec![released]).await?;
    stand.settled += 1;
    told.line(&json!({ "id": id, "outcome": "settled" }))
}
