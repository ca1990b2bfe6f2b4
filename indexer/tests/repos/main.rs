//! Repos merged, verified and scheduled over a fake network, on both engines.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod fake;
mod merging;
mod overtaken;
mod scheduling;

use std::sync::Arc;
use std::time::Duration;

use plyr_indexer::repos::{Pace, Repos};
use plyr_lexicons::{Did, Namespace, RecordUri, Rev, data, validate};
use plyr_peers::Cluster;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::scylla::{Replication, ScyllaOptions, ScyllaStore, empty, migrate};
use plyr_schemas::{Body, Change, Derived, Outcome, Repo, Standing, Store, Version};
use serde_json::Value;
use tokio::sync::OnceCell;

use fake::{Asking, Fake, rev};

pub(crate) type Checked = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A store, a network, and what stands between them.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) fake: Arc<Fake>,
    pub(crate) repos: Repos,
    _folder: tempfile::TempDir,
}

/// Nothing is waited for.
pub(crate) fn pace() -> Pace {
    Pace {
        once_more: Duration::ZERO,
        soon_again: Duration::from_millis(10),
        ask_again: Duration::ZERO,
        retry: Duration::from_millis(50),
        look: Duration::from_millis(50),
        ..Pace::default()
    }
}

pub(crate) fn namespace() -> Namespace {
    "fm.plyr".parse().unwrap()
}

static CLUSTER: OnceCell<Option<Cluster>> = OnceCell::const_new();
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A world over the embedded engine.
pub(crate) fn embedded(pace: Pace) -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions::new(folder.path().to_owned(), namespace());
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(options).unwrap());
    World::over(store, pace, folder)
}

/// A world over a cluster, and the turn to use it; none where there is no cluster.
pub(crate) async fn clustered(
    pace: Pace,
) -> Result<
    Option<(World, tokio::sync::MutexGuard<'static, ()>)>,
    Box<dyn std::error::Error + Send + Sync>,
> {
    let turn = ONE.lock().await;
    let Some(cluster) = CLUSTER.get_or_try_init(|| Cluster::start(1)).await? else {
        return Ok(None);
    };
    let mut options = ScyllaOptions::parse(&cluster.url("repos"), namespace())?;
    options.settle_after = Duration::from_millis(10);
    options.settle_again = Duration::from_millis(300);
    options.read_patience = Duration::from_secs(60);
    let copies = Replication {
        factor: 1,
        ..Replication::default()
    };
    migrate(&options, &copies).await?;
    empty(&options).await?;
    let store: Arc<dyn Store> = Arc::new(ScyllaStore::open(options).await?);
    let folder = tempfile::tempdir()?;
    Ok(Some((World::over(store, pace, folder), turn)))
}

impl World {
    fn over(store: Arc<dyn Store>, pace: Pace, folder: tempfile::TempDir) -> World {
        let fake = Arc::new(Fake::default());
        let network = Arc::new(Asking(fake.clone()));
        let repos = Repos::new(namespace(), pace, store.clone(), network);
        World {
            store,
            fake,
            repos,
            _folder: folder,
        }
    }

    /// A stream tells of a record, or of its delete.
    pub(crate) async fn tell(&self, uri: &RecordUri, at: i64, record: Option<&Value>) -> Outcome {
        let change = Change::Version(told(uri, rev(at), record));
        self.store.apply(vec![change]).await.unwrap()[0]
    }

    pub(crate) async fn repo(&self, did: &Did) -> Repo {
        let snapshot = self.store.snapshot().await.unwrap();
        let repos = snapshot.repos(std::slice::from_ref(did)).await.unwrap();
        repos[0].clone().unwrap()
    }

    /// What is shown of a repo: keys and titles.
    pub(crate) async fn shown(&self, did: &Did) -> Vec<String> {
        let snapshot = self.store.snapshot().await.unwrap();
        let mut shown = Vec::new();
        for collection in namespace().nsids() {
            let records = snapshot.repo_records(did, collection.as_str(), None, false, 10_000);
            for record in records.await.unwrap() {
                shown.push(format!("{} {}", record.uri, record.cid));
            }
        }
        shown.sort();
        shown
    }

    /// The same of the repo itself.
    pub(crate) fn true_of(&self, did: &Did) -> Vec<String> {
        let repo = self.fake.get(did);
        let records = repo.records.iter().map(|((collection, rkey), bytes)| {
            let cid = data::cid_of(bytes);
            format!("at://{}/{collection}/{rkey} {cid}", did.as_str())
        });
        let mut records: Vec<String> = records.collect();
        records.sort();
        records
    }
}

/// What a stream would tell.
pub(crate) fn told(uri: &RecordUri, rev: Rev, record: Option<&Value>) -> Version {
    let body = match record {
        None => Body::Delete,
        Some(record) => {
            let value = data::from_json(record.to_string().as_bytes()).unwrap();
            let bytes = data::to_cbor(&value).unwrap();
            let namespace = namespace();
            let collection = namespace.collection(uri.collection.as_str()).unwrap();
            Body::Record {
                cid: data::cid_of(&bytes),
                bytes,
                judgement: validate::judge(&namespace, collection, &value),
                derived: Derived::of(uri, collection, &value),
            }
        }
    };
    Version {
        uri: uri.clone(),
        rev,
        standing: Standing::Event,
        body,
        seen_at: 5,
    }
}
