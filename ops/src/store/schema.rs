//! `plyr store migrate` and `plyr store plan`: the schema of a cluster's keyspace.

use std::io::Write;
use std::process::ExitCode;

use plyr_schemas::scylla::{self, FORMAT, Replication, ScyllaOptions};

use super::open;
use crate::config::Config;
use crate::error::OpsError;

/// Copies of every row, where there are nodes enough.
const COPIES: usize = 3;

/// Creates the keyspace where there is none and brings it to this version.
pub async fn migrate(config: &Config) -> Result<ExitCode, OpsError> {
    let options = options(config)?;
    let replication = replication(config, &options).await?;
    let applied = scylla::migrate(&options, &replication).await?;
    let url = options.url();
    let line = match applied.as_slice() {
        [] => format!("{url} is at version {FORMAT}; nothing to do"),
        applied => format!(
            "{url} is at version {FORMAT}; applied {}",
            applied.join(", ")
        ),
    };
    print(&[line])
}

/// Prints what [`migrate`] would do, statement by statement, and changes nothing.
pub async fn plan(config: &Config) -> Result<ExitCode, OpsError> {
    let options = options(config)?;
    let replication = replication(config, &options).await?;
    let planned = scylla::plan(&options, &replication).await?;
    let url = options.url();
    if planned.is_empty() {
        return print(&[format!("-- {url} is at version {FORMAT}; nothing to do")]);
    }
    let mut lines = vec![format!("-- `plyr store migrate` would run on {url}:")];
    lines.extend(planned.into_iter().map(|statement| {
        let is_comment = statement.starts_with("--");
        if is_comment {
            statement
        } else {
            statement + ";"
        }
    }));
    print(&lines)
}

fn options(config: &Config) -> Result<ScyllaOptions, OpsError> {
    open::cluster_options(config)?.ok_or_else(|| {
        OpsError::Config(vec![
            "  store = \"embedded\": the embedded store makes its own tables; write \
             store = \"scylla://host:port/keyspace\""
                .to_owned(),
        ])
    })
}

/// As configured, else the least of 3 and the nodes of the smallest datacenter.
async fn replication(config: &Config, options: &ScyllaOptions) -> Result<Replication, OpsError> {
    let mut replication = Replication {
        tablets: config.tablets,
        ..Replication::default()
    };
    match &config.replication {
        Some(chosen) => {
            replication.factor = chosen.factor;
            replication.datacenters.clone_from(&chosen.datacenters);
        }
        None => {
            let datacenters = scylla::datacenters(options).await?;
            let least = datacenters.iter().map(|(_, nodes)| *nodes).min();
            let factor = least.unwrap_or(1).clamp(1, COPIES);
            replication.factor = u8::try_from(factor).unwrap_or(1);
        }
    }
    Ok(replication)
}

fn print(lines: &[String]) -> Result<ExitCode, OpsError> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")
            .map_err(|detail| OpsError::Start(format!("stdout can't be written: {detail}")))?;
    }
    Ok(ExitCode::SUCCESS)
}
