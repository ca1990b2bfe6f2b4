//! `plyr dump`: through the server that holds the data folder, or from the folder itself.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use plyr_schemas::Store;

use crate::config::Config;
use crate::control;
use crate::error::OpsError;
use crate::serve::open_store;

/// Runs the command.
pub async fn dump(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let target = arguments
        .get_one::<String>("out")
        .map_or("-", String::as_str);
    let failed = |detail: std::io::Error| OpsError::Dump(format!("{target}: {detail}"));
    if !config.data_dir.join("store").is_dir() {
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
    if control::ask(&config.data_dir, &control::Request::Dump, &mut out)?.is_none() {
        let store = open_store(config).await?;
        write(store.as_ref(), &mut out, &config.data_dir).await?;
        store.close().await?;
    }
    out.flush().map_err(failed)?;
    if let Some(draft) = draft {
        draft
            .persist(target)
            .map_err(|problem| failed(problem.error))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the dump of a store; sorts on disk beside it.
pub async fn write(
    store: &dyn Store,
    out: &mut (dyn Write + Send),
    scratch: &Path,
) -> Result<(), OpsError> {
    let snapshot = store.snapshot().await?;
    plyr_schemas::dump::dump(snapshot.as_ref(), out, scratch)
        .await
        .map_err(|problem| OpsError::Dump(problem.to_string()))?;
    Ok(())
}
