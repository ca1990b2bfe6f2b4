//! `plyr blobs list|audit|sweep|retry|copy`: the upkeep of bytes, by the server that holds the data
//! folder or by this process.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use serde_json::Value;

use super::ask::{Ask, What, run};
use super::{GRACE, blobstore, copy};
use crate::config::{Config, read_duration};
use crate::control::{self, commands};
use crate::error::OpsError;
use crate::store::{open, progress};

/// Between two lines of the log where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Runs the command: exit code 1 where an audit found something.
pub async fn blobs(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let Some((name, arguments)) = arguments.subcommand() else {
        return Err(OpsError::Usage(
            "name one: list, audit, sweep, retry or copy".to_owned(),
        ));
    };
    let ask = match name {
        "copy" => return copy::copy(config, arguments).await,
        "list" => Ask::of(What::List),
        "audit" => audit(arguments),
        "sweep" => sweep(arguments)?,
        _ => retry(arguments)?,
    };
    let mut shown = Shown::new(ask.what);
    let request = commands::Request::Blobs(ask.clone());
    let mut out = Vec::new();
    let mut hear = |line: &[u8]| match serde_json::from_slice(line) {
        Ok(stand) => shown.show(&stand),
        Err(problem) => tracing::debug!(%problem, "the server told something unknown"),
    };
    let asked = control::ask(&config.data_dir, &request, &mut out, &mut hear)?;
    let done = match asked {
        Some(_) => serde_json::from_slice(&out).map_err(|problem| {
            OpsError::Control(format!("the server's answer can't be read: {problem}"))
        })?,
        None => {
            let opened = open::once(config).await?;
            let blobstore = blobstore(config, opened.blobs.clone()).await?;
            let mut tell = |stand: &Value| {
                shown.show(stand);
                true
            };
            run(&ask, &blobstore, opened.store.as_ref(), &mut tell).await?
        }
    };
    shown.end();
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{done}");
    written.map_err(|problem| OpsError::Start(format!("stdout: {problem}")))?;
    let found = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or(0);
    let is_well =
        ask.what != What::Audit || found("missing") + found("wrong") + found("unreadable") == 0;
    Ok(ExitCode::from(u8::from(!is_well)))
}

fn audit(arguments: &ArgMatches) -> Ask {
    Ask {
        is_dry: arguments.get_flag("dry-run"),
        is_quick: arguments.get_flag("quick"),
        ..Ask::of(What::Audit)
    }
}

fn sweep(arguments: &ArgMatches) -> Result<Ask, OpsError> {
    let grace = match arguments.get_one::<String>("grace") {
        None => GRACE,
        Some(text) => read_duration(text).map_err(|(problem, fix)| {
            OpsError::Usage(format!("--grace {text} {problem}; {fix}"))
        })?,
    };
    Ok(Ask {
        is_dry: arguments.get_flag("dry-run"),
        grace_seconds: grace.as_secs(),
        ..Ask::of(What::Sweep)
    })
}

fn retry(arguments: &ArgMatches) -> Result<Ask, OpsError> {
    let cids = arguments.get_many::<String>("cid").into_iter().flatten();
    let cids: Vec<String> = cids.cloned().collect();
    if cids.is_empty() && !arguments.get_flag("all") {
        return Err(OpsError::Usage(
            "name CIDs, or --all; `plyr blobs list` tells what failed".to_owned(),
        ));
    }
    Ok(Ask {
        cids,
        ..Ask::of(What::Retry)
    })
}

/// A bar that only moves on a terminal, lines of the log elsewhere.
struct Shown {
    bar: indicatif::ProgressBar,
    doing: &'static str,
    told_at: Instant,
}

impl Shown {
    fn new(what: What) -> Shown {
        Shown {
            bar: progress::bar("{msg} {spinner} {elapsed}"),
            doing: match what {
                What::Audit => "auditing",
                What::Sweep => "sweeping",
                What::Retry => "making due again",
                What::List => "listing",
            },
            told_at: Instant::now(),
        }
    }

    fn show(&mut self, stand: &Value) {
        self.bar.set_message(format!("{}: {stand}", self.doing));
        self.bar.tick();
        if self.bar.is_hidden() && self.told_at.elapsed() >= TOLD_EVERY {
            self.told_at = Instant::now();
            tracing::info!(%stand, "{}", self.doing);
        }
    }

    fn end(self) {
        self.bar.finish_and_clear();
    }
}
