//! Where a history ends: in which processes, over which store.

use std::path::Path;

use clap::ValueEnum;
use plyr_peers::{Around, Cluster, Plyr, migrate};
use plyr_schemas::scylla::{self, ScyllaOptions};

use super::scene::{RunError, Scene};

/// Which processes, over which store.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Over {
    /// `plyr serve` over the embedded store.
    #[default]
    Embedded,
    /// `plyr serve` over a CQL cluster of one node (needs Java and Maven).
    Cluster,
    /// Two indexers and an AppView over such a cluster.
    Indexers,
}

/// How many indexers there are, where they are processes of their own.
const INDEXERS: usize = 2;
const KEYSPACE: &str = "proof";

/// A place that is there for all runs of a campaign.
pub struct Place {
    over: Over,
    binary: String,
    cluster: Option<(Cluster, ScyllaOptions)>,
}

/// What runs over it: who is asked, and who indexes beside.
pub struct Servers {
    /// `plyr serve`, or the AppView.
    pub asked: Plyr,
    /// The indexers, where they are processes of their own.
    pub indexers: Vec<Plyr>,
}

impl Place {
    /// Starts what has to be there.
    pub async fn open(over: Over, binary: String) -> Result<Place, Box<dyn std::error::Error>> {
        let mut place = Place {
            over,
            binary,
            cluster: None,
        };
        if over == Over::Embedded {
            return Ok(place);
        }
        let cluster = Cluster::start(1).await?;
        let cluster =
            cluster.ok_or("no cluster can be started here; see what was skipped above")?;
        let url = cluster.url(KEYSPACE);
        migrate(&place.binary, &url).await?;
        let options = ScyllaOptions::parse(&url, "fm.plyr".parse()?)?;
        place.cluster = Some((cluster, options));
        Ok(place)
    }

    /// Whether indexers are processes of their own.
    pub fn is_apart(&self) -> bool {
        self.over == Over::Indexers
    }

    /// How it is called in a table.
    pub fn name(&self) -> &'static str {
        match self.over {
            Over::Embedded => "embedded",
            Over::Cluster => "one process over CQL",
            Over::Indexers => "two indexers and an AppView over CQL",
        }
    }

    /// Empties what a run before has left. The embedded store is in each run's own folder.
    pub async fn empty(&self) -> Result<(), RunError> {
        let Some((_, options)) = &self.cluster else {
            return Ok(());
        };
        scylla::empty(options).await.map_err(RunError::broken)
    }

    /// Starts one process: `plyr serve`, or indexer or AppView.
    pub async fn start(
        &self,
        scene: &Scene,
        command: &str,
        folder: &Path,
        more: &[&str],
        around: &Around,
    ) -> Result<Plyr, RunError> {
        let url = self.cluster.as_ref().map(|(_, options)| options.url());
        let mut arguments = more.to_vec();
        if let Some(url) = &url {
            arguments.extend(["--store", url]);
        }
        let binary = &self.binary;
        scene
            .start(around, binary, command, folder, &arguments)
            .await
    }

    /// Starts all that belongs to it.
    pub async fn serve(
        &self,
        scene: &Scene,
        folder: &Path,
        more: &[&str],
    ) -> Result<Servers, RunError> {
        let (data, around) = (folder.join("data"), Around::default());
        if !self.is_apart() {
            let asked = self.start(scene, "serve", &data, more, &around).await?;
            let indexers = Vec::new();
            return Ok(Servers { asked, indexers });
        }
        let mut indexers = Vec::new();
        for number in 0..INDEXERS {
            let folder = folder.join(format!("index-{number}"));
            indexers.push(self.start(scene, "index", &folder, more, &around).await?);
        }
        let asked = self.start(scene, "appview", &data, more, &around).await?;
        Ok(Servers { asked, indexers })
    }
}

impl Servers {
    /// Nothing goes wrong any more, and all is as it must be; then each process stops as it should.
    pub async fn end(self, scene: Scene) -> Result<(usize, u64), RunError> {
        let compared = scene.ends_beside(self.asked, &self.indexers).await?;
        for indexer in self.indexers {
            let code = indexer.stop().await.map_err(RunError::broken)?;
            if code != Some(0) {
                return Err(RunError::Never(format!("an indexer ended with {code:?}")));
            }
        }
        Ok(compared)
    }
}
