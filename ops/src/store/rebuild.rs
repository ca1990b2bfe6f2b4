//! `plyr rebuild search|indexes|counts|all`: what is derived, again from the records, through the
//! server that holds the data folder, in the folder itself, or over the cluster from this process.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use indicatif::ProgressBar;
use plyr_schemas::{Pass, Passing, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::open::{self, Opened};
use super::{progress, rebuild_search};
use crate::config::{Config, StoreChoice};
use crate::control::{self, commands};
use crate::error::OpsError;

/// Between two lines of the log where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Between two tries of a store that is overloaded.
const REST: Duration = Duration::from_secs(1);
/// Tries of one piece.
const TRIES: usize = 60;

/// How far it has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Where it stands.
    pub passing: Passing,
    /// About how many records there are.
    pub records: u64,
}

/// Runs the command.
pub async fn rebuild(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let what = arguments.subcommand_name().unwrap_or_default();
    let pass = Pass::asked(what);
    let search = match what {
        "search" => Some(rebuild_search::Where::Here),
        "all" => Some(rebuild_search::Where::IfThereIsOne),
        _ => None,
    };
    if pass.is_none() && search.is_none() {
        let words = "name what to make again: search, indexes, counts or all";
        return Err(OpsError::Usage(words.to_owned()));
    }
    let is_embedded = config.store == StoreChoice::Embedded;
    if is_embedded && !config.data_dir.join("store").is_dir() {
        return Err(OpsError::Start(format!(
            "{} holds no store; name the folder that `plyr serve` keeps with --data-dir",
            config.data_dir.display()
        )));
    }
    let mut opened = None;
    if let Some(pass) = pass {
        let shown = rows_and_counts(config, (pass, what), &mut opened).await?;
        say(&shown.end()?)?;
    }
    if let Some(place) = search {
        say(&rebuild_search::rebuild(config, place, &mut opened).await?)?;
    }
    if let Some(opened) = opened {
        opened.store.close().await?;
    }
    Ok(ExitCode::SUCCESS)
}

fn say(line: &str) -> Result<(), OpsError> {
    let told = writeln!(std::io::stdout(), "{line}");
    told.map_err(|detail| OpsError::Output(detail.to_string()))
}

/// Index rows and counts, by the server that holds the data folder or in a store that is opened.
async fn rows_and_counts(
    config: &Config,
    (pass, what): (Pass, &str),
    opened: &mut Option<Opened>,
) -> Result<Shown, OpsError> {
    let mut shown = Shown::new();
    let what = what.to_owned();
    let request = commands::Request::Rebuild(commands::rebuild::Ask { what });
    let mut none = std::io::sink();
    let mut hear = |line: &[u8]| match serde_json::from_slice(line) {
        Ok(told) => shown.show(&told),
        Err(problem) => tracing::debug!(%problem, "the server told something unknown"),
    };
    let asked = (config.store == StoreChoice::Embedded)
        .then(|| control::ask(&config.data_dir, &request, &mut none, &mut hear))
        .transpose()?
        .flatten();
    if asked.is_none() {
        let opened = opened.insert(open::once(config).await?);
        let store = opened.store.as_ref();
        run(store, pass, &mut |told| {
            shown.show(told);
            Ok(())
        })
        .await?;
    }
    Ok(shown)
}

/// Makes it again, to the end; `tell` hears of each piece that is durable, and may end it.
pub async fn run(
    store: &dyn Store,
    pass: Pass,
    tell: &mut (dyn FnMut(&Told) -> Result<(), OpsError> + Send),
) -> Result<(), OpsError> {
    let sums = match store.snapshot().await?.totals().await {
        Ok(totals) => totals.sums,
        // That is what is to be mended.
        Err(StoreError::Corrupt { .. }) => plyr_schemas::ActorTotals::default(),
        Err(problem) => return Err(problem.into()),
    };
    let records = sums.tracks + sums.likes + sums.comments + sums.lists;
    let mut so_far: Option<Passing> = None;
    loop {
        let passing = piece(store, pass, so_far.as_ref()).await?;
        let told = Told { passing, records };
        tell(&told)?;
        if told.passing.is_done() {
            break;
        }
        so_far = Some(told.passing);
    }
    // In a cluster counts follow behind.
    Ok(store.settle().await?)
}

/// One piece; a store that is overloaded for a moment is asked again.
pub async fn piece(
    store: &dyn Store,
    pass: Pass,
    so_far: Option<&Passing>,
) -> Result<Passing, StoreError> {
    let mut tries = 1;
    loop {
        match store.pass(pass, so_far.cloned()).await {
            Err(problem) if problem.is_passing() && tries < TRIES => {
                tracing::warn!(%problem, "a piece of a pass failed; it is tried again");
                tokio::time::sleep(REST).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

/// A bar on a terminal, lines of the log elsewhere.
struct Shown {
    bar: ProgressBar,
    told_at: Instant,
    last: Option<Told>,
}

impl Shown {
    fn new() -> Shown {
        Shown {
            bar: progress::bar("{msg} {wide_bar} {human_pos} looked at, {per_sec}"),
            told_at: Instant::now(),
            last: None,
        }
    }

    fn show(&mut self, told: &Told) {
        let Passing {
            stage,
            seen,
            mended,
            elsewhere,
            ..
        } = told.passing;
        let stage = stage.name();
        self.bar.set_length(told.records.max(seen));
        self.bar.set_position(seen);
        let by = if elsewhere {
            ", by another process"
        } else {
            ""
        };
        self.bar
            .set_message(format!("{stage} ({mended} mended{by})"));
        if self.bar.is_hidden() && self.told_at.elapsed() >= TOLD_EVERY {
            self.told_at = Instant::now();
            tracing::info!(stage, seen, mended, elsewhere, "rebuilding");
        }
        self.last = Some(told.clone());
    }

    /// What it came to, in a line.
    fn end(self) -> Result<String, OpsError> {
        self.bar.finish_and_clear();
        let Some(Told { passing, .. }) = self.last.filter(|told| told.passing.is_done()) else {
            return Err(OpsError::Control("it ended before its work did".to_owned()));
        };
        let Passing {
            seen,
            mended,
            unreadable,
            ..
        } = passing;
        let mut line = format!("looked at {seen} rows, mended {mended}");
        if unreadable > 0 {
            line.push_str(&format!("; {unreadable} can't be read, the log names them"));
        }
        Ok(line)
    }
}
