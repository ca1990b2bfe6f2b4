//! Logs: structured, on stderr, text on a terminal and JSON where asked.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::error::OpsError;

/// Starts logging for the whole process.
pub fn start(config: &Config) -> Result<(), OpsError> {
    // What libraries say at info is of no use to an operator; a filter of theirs still wins.
    let quiet =
        "fjall=warn,lsm_tree=warn,jetstream_oxide=off,scylla=error,scylla::cluster::metadata=off";
    let filter = EnvFilter::try_new(format!("{quiet},{}", config.log))
        .map_err(|problem| OpsError::Start(format!("log = {:?}: {problem}", config.log)))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
    started.map_err(|problem| OpsError::Start(format!("logging can't start: {problem}")))
}
