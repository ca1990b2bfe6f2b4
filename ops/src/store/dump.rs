//! `plyr dump`: through the server that holds the data folder, from the folder itself, or from the
//! cluster.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use plyr_schemas::{OwnJournal, Store, StoreError};

use super::open;
use crate::config::{Config, StoreChoice};
use crate::control;
use crate::control::commands::dump::Ask;
use crate::error::OpsError;

/// Writers count as idle when the log has not grown for this long: longer than what follows behind
/// the writes takes.
const IDLE: Duration = Duration::from_secs(8);
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Runs the command.
pub async fn dump(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let target = arguments
        .get_one::<String>("out")
        .map_or("-", String::as_str);
    let (wait_idle, full) = (arguments.get_flag("wait-idle"), arguments.get_flag("full"));
    let kind = Ask { wait_idle, full };
    let failed = |detail: std::io::Error| OpsError::Dump(format!("{target}: {detail}"));
    let is_embedded = config.store == StoreChoice::Embedded;
    if is_embedded && !config.data_dir.join("store").is_dir() {
        return Err(OpsError::Dump(format!(
            "{} holds no store; name the folder that `plyr serve` keeps with --data-dir",
            config.data_dir.display()
        )));
    }
    // A file is only replaced by a whole dump.
    let folder = Path::new(target)
        .parent()
        .filter(|path| !path.as_os_str().is_empty());
    let is_file = target != "-" && (!Path::new(target).exists() || Path::new(target).is_file());
    let draft = is_file.then(|| {
        tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
    });
    let draft = draft.transpose().map_err(failed)?;
    let mut out: Box<dyn Write + Send> = match (&draft, target) {
        (Some(draft), _) => Box::new(BufWriter::new(draft.reopen().map_err(failed)?)),
        (None, "-") => Box::new(BufWriter::new(std::io::stdout())),
        (None, path) => Box::new(BufWriter::new(File::create(path).map_err(failed)?)),
    };
    let request = control::Request::Dump(kind);
    let asked = is_embedded
        .then(|| control::ask(&config.data_dir, &request, &mut out, &mut |_| ()))
        .transpose()?
        .flatten();
    if asked.is_none() {
        let opened = open::once(config).await?;
        let scratch = match &opened.embedded {
            Some(_) => config.data_dir.clone(),
            None => std::env::temp_dir(),
        };
        let own = opened.journal.as_ref();
        write(opened.store.as_ref(), own, &mut out, &scratch, kind).await?;
        opened.store.close().await?;
    }
    out.flush().map_err(failed)?;
    if let Some(draft) = draft {
        draft
            .persist(target)
            .map_err(|problem| failed(problem.error))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the dump of a store; sorts on disk in `scratch`.
pub async fn write(
    store: &dyn Store,
    own: &dyn OwnJournal,
    out: &mut (dyn Write + Send),
    scratch: &Path,
    kind: Ask,
) -> Result<(), OpsError> {
    if kind.wait_idle {
        idle(store).await?;
    }
    let failed = |problem: plyr_schemas::dump::DumpError| OpsError::Dump(problem.to_string());
    if kind.full {
        let whole = store.whole().await?;
        let written =
            plyr_schemas::full_dump::full_dump(whole.as_ref(), Some(own), out, scratch).await;
        return written.map(|_| ()).map_err(failed);
    }
    let snapshot = store.snapshot().await?;
    let written = plyr_schemas::dump::dump(snapshot.as_ref(), out, scratch).await;
    written.map(|_| ()).map_err(failed)
}

/// Waits until nothing was written for a while.
async fn idle(store: &dyn Store) -> Result<(), StoreError> {
    let mut head = store.log_head().await?;
    let mut since = tokio::time::Instant::now();
    while since.elapsed() < IDLE {
        tokio::time::sleep(LOOK).await;
        let now = store.log_head().await?;
        if now != head {
            (head, since) = (now, tokio::time::Instant::now());
        }
    }
    store.settle().await
}
