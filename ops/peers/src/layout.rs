//! The ways to run `plyr` that one end-to-end suite runs over.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::{Cluster, PeersError};

/// A busy node takes many seconds for twenty tables.
const MIGRATION: Duration = Duration::from_secs(300);

/// Which processes, over which store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Layout {
    /// One process over the embedded store in its data folder.
    Embedded,
    /// One process over the keyspace of a cluster, by its URL.
    Together(String),
    /// Indexer and AppView apart, over the keyspace of a cluster.
    Apart(String),
}

/// One cluster of one node for a test binary; it ends with the process.
static CLUSTER: OnceCell<Option<Cluster>> = OnceCell::const_new();

impl Layout {
    /// One process over a new keyspace of the test binary's own cluster. None, after saying so,
    /// where a cluster can't be started.
    pub async fn together(binary: &str, keyspace: &str) -> Result<Option<Layout>, PeersError> {
        let cluster = CLUSTER.get_or_try_init(|| Cluster::start(1)).await?;
        let Some(cluster) = cluster else {
            return Ok(None);
        };
        let url = cluster.url(keyspace);
        migrate(binary, &url).await?;
        Ok(Some(Layout::Together(url)))
    }

    /// The same with indexer and AppView apart.
    pub async fn apart(binary: &str, keyspace: &str) -> Result<Option<Layout>, PeersError> {
        let together = Layout::together(binary, keyspace).await?;
        Ok(together.map(|layout| match layout {
            Layout::Together(url) => Layout::Apart(url),
            other => other,
        }))
    }

    /// The URL of the keyspace; none for the embedded store.
    pub fn store(&self) -> Option<&str> {
        match self {
            Layout::Embedded => None,
            Layout::Together(url) | Layout::Apart(url) => Some(url),
        }
    }
}

/// Makes a keyspace with `plyr store migrate`.
pub async fn migrate(binary: &str, url: &str) -> Result<(), PeersError> {
    let failed = |detail: String| PeersError::Start(format!("plyr store migrate: {detail}"));
    let migrating = Command::new(binary)
        .args(["store", "migrate", "--store", url])
        .stdin(Stdio::null())
        .output();
    let migrated = tokio::time::timeout(MIGRATION, migrating).await;
    let migrated = migrated.map_err(|_| failed("not done in time".to_owned()))?;
    let migrated = migrated.map_err(|problem| failed(problem.to_string()))?;
    match migrated.status.success() {
        true => Ok(()),
        false => Err(failed(
            String::from_utf8_lossy(&migrated.stderr).into_owned(),
        )),
    }
}
