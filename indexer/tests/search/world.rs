//! A store, a folder of indexes, and what is written and found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plyr_indexer::search::{SearchIndex, SearchOptions, check};
use plyr_lexicons::{Did, Namespace, RecordUri, Rev};
use plyr_peers::Cluster;
use plyr_schemas::conformance::put;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::scylla::{Replication, ScyllaOptions, ScyllaStore, empty, migrate};
use plyr_schemas::{
    Account, AccountState, BlueskyProfile, Body, Change, FaultHook, HiddenSubject, Hide, Identity,
    Outcome, Standing, Store, Version,
};
use plyr_search::{Budget, Filters, Page, Query};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::Checked;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

static CLUSTER: OnceCell<Option<Cluster>> = OnceCell::const_new();
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) fn namespace() -> Namespace {
    "fm.plyr".parse().unwrap()
}

pub(crate) fn did(actor: &str) -> Did {
    format!("did:plc:{actor:a<24}").parse().unwrap()
}

pub(crate) fn uri(actor: &str, collection: &str, rkey: &str) -> RecordUri {
    let did = did(actor);
    format!("at://{}/fm.plyr.{collection}/{rkey}", did.as_str())
        .parse()
        .unwrap()
}

/// A record at a rev.
pub(crate) fn record(uri: &RecordUri, at: i64, value: &Value) -> Change {
    put(uri, at, value).unwrap()
}

pub(crate) fn track(uri: &RecordUri, at: i64, title: &str) -> Change {
    let value = json!({ "title": title, "artist": "A", "fileType": "mp3", "duration": 60 });
    record(uri, at, &value)
}

pub(crate) fn like(uri: &RecordUri, at: i64, subject: &RecordUri) -> Change {
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    let value = json!({ "subject": { "uri": subject.to_string(), "cid": cid } });
    record(uri, at, &value)
}

pub(crate) fn delete(uri: &RecordUri, at: i64) -> Change {
    Change::Version(Version {
        uri: uri.clone(),
        rev: Rev::from_micros(1_700_000_000_000_000 + at * 1_000_000, 0),
        standing: Standing::Event,
        body: Body::Delete,
        seen_at: 5,
    })
}

pub(crate) fn account(actor: &str, at: i64, state: AccountState) -> Change {
    Change::Account(Account {
        did: did(actor),
        state,
        since: at,
        asked_at: at,
    })
}

pub(crate) fn hide(subject: HiddenSubject, hidden: bool, at: i64) -> Change {
    Change::Hide(Hide {
        subject,
        hidden,
        at,
    })
}

pub(crate) fn handle(actor: &str, at: i64, handle: &str) -> Change {
    Change::Identity(Identity {
        did: did(actor),
        pds: None,
        signing_key: None,
        handle: Some(handle.parse().unwrap()),
        asked_at: at,
    })
}

pub(crate) fn name(actor: &str, at: i64, name: &str) -> Change {
    Change::Bluesky(BlueskyProfile {
        did: did(actor),
        display_name: Some(name.to_owned()),
        avatar: None,
        asked_at: at,
    })
}

/// A store and a folder for indexes of it.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn embedded() -> World {
        World::embedded_too().0
    }

    /// The same, with the engine.
    pub(crate) fn embedded_too() -> (World, Arc<EmbeddedStore>) {
        let folder = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions::new(folder.path().to_owned(), namespace());
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        let world = World {
            store: store.clone(),
            folder,
        };
        (world, store)
    }

    /// The index in the folder, kept from now on.
    pub(crate) fn start(&self) -> Kept {
        self.start_with(None)
    }

    pub(crate) fn start_with(&self, fault: Option<FaultHook>) -> Kept {
        Kept::start(self.store.clone(), self.folder.path(), fault)
    }

    pub(crate) async fn apply(&self, changes: Vec<Change>) {
        for outcome in self.store.apply(changes).await.unwrap() {
            assert_eq!(outcome, Outcome::Applied);
        }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("search")
    }

    /// The folders of indexes.
    pub(crate) fn folders(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with('v')).collect();
        names.sort();
        names
    }
}

/// A keyspace of the one cluster of these tests, and the turn to use it; none where there is no
/// cluster.
pub(crate) async fn keyspace() -> Result<
    Option<(ScyllaOptions, tokio::sync::MutexGuard<'static, ()>)>,
    Box<dyn std::error::Error + Send + Sync>,
> {
    let turn = ONE.lock().await;
    let Some(cluster) = CLUSTER.get_or_try_init(|| Cluster::start(1)).await? else {
        return Ok(None);
    };
    let mut options = ScyllaOptions::parse(&cluster.url("search"), namespace())?;
    options.read_patience = Duration::from_secs(60);
    let copies = Replication {
        factor: 1,
        ..Replication::default()
    };
    migrate(&options, &copies).await?;
    empty(&options).await?;
    Ok(Some((options, turn)))
}

/// A world over a cluster, and the turn to use it.
pub(crate) async fn clustered() -> Result<
    Option<(World, tokio::sync::MutexGuard<'static, ()>)>,
    Box<dyn std::error::Error + Send + Sync>,
> {
    let Some((options, turn)) = keyspace().await? else {
        return Ok(None);
    };
    let store = Arc::new(ScyllaStore::open(options).await?);
    let folder = tempfile::tempdir()?;
    Ok(Some((World { store, folder }, turn)))
}

/// An index that is kept.
pub(crate) struct Kept {
    pub(crate) index: SearchIndex,
    store: Arc<dyn Store>,
    cancel: CancellationToken,
}

impl Kept {
    pub(crate) fn start(store: Arc<dyn Store>, folder: &Path, fault: Option<FaultHook>) -> Kept {
        let cancel = CancellationToken::new();
        let options = SearchOptions {
            store: store.clone(),
            folder: folder.join("search"),
            namespace: namespace(),
            reserve_bytes: 0,
            fault,
        };
        let index = SearchIndex::start(options, cancel.clone()).unwrap();
        Kept {
            index,
            store,
            cancel,
        }
    }

    /// Waits until answers cover everything that was written.
    pub(crate) async fn caught_up(&self) {
        let head = self.store.log_head().await.unwrap();
        let waited = tokio::time::timeout(PATIENCE, self.index.caught_up(&head)).await;
        let stands = || panic!("not caught up with {head}: {:?}", self.standing());
        waited.unwrap_or_else(|_| stands()).unwrap();
    }

    pub(crate) fn standing(&self) -> plyr_search::Standing {
        self.index.live().standing()
    }

    /// Waits for how the index stands.
    pub(crate) async fn stands(&self, what: &str, is_so: impl Fn(&plyr_search::Standing) -> bool) {
        let mut standing = self.index.standing();
        let waited = tokio::time::timeout(PATIENCE, standing.wait_for(|now| is_so(now))).await;
        let is_met = matches!(waited, Ok(Ok(_)));
        assert!(is_met, "{what}: {:?}", self.standing());
    }

    /// Waits until so many indexes were built.
    pub(crate) async fn built(&self, builds: u64) {
        self.stands("built", |standing| standing.builds >= builds)
            .await;
    }

    /// Subjects found now, in order; as many are counted.
    pub(crate) fn found(&self, query: &str) -> Vec<String> {
        let live = self.index.live();
        let (index, hidden) = (live.serving().unwrap(), live.hidden());
        let (page, filters) = (
            Page {
                from: 0,
                size: 100,
                count: true,
            },
            Filters::default(),
        );
        let query = Query::parse(query).unwrap();
        let searcher = index.searcher();
        let found = searcher.search(&query, &filters, page, hidden.as_ref(), Budget::QUERY);
        let found = found.unwrap();
        assert_eq!(found.total.count, found.hits.len() as u64);
        found.hits.into_iter().map(|hit| hit.subject).collect()
    }

    /// Every document, with its fingerprint.
    pub(crate) fn documents(&self) -> BTreeMap<String, u64> {
        let searcher = self.index.live().serving().unwrap().searcher();
        searcher.documents().map(Result::unwrap).collect()
    }

    /// Every document is what the store would give, and nothing else is there.
    pub(crate) async fn is_right(&self) -> u64 {
        let index = self.index.live().serving().unwrap();
        let found = check(self.store.clone(), namespace(), &index)
            .await
            .unwrap();
        assert_eq!(found.count, 0, "{found:?}");
        found.compared
    }

    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(PATIENCE, self.index.stopped())
            .await
            .unwrap();
    }

    pub(crate) async fn right_and_stopped(self) -> Checked {
        self.caught_up().await;
        self.is_right().await;
        self.stop().await;
        Ok(())
    }
}
