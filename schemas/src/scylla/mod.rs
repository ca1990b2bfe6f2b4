//! The distributed engine: CQL over a cluster of ScyllaDB (or Apache Cassandra 5), for as many
//! processes as wanted. It takes no locks and keeps no counters: every write is stamped with what
//! decides it, so that any two writers end in one state.

mod blobs;
mod bounded;
mod cells;
mod counts;
mod cql;
mod derived;
mod due;
mod erase;
mod handles;
mod hides;
#[cfg(test)]
mod interleavings;
mod log;
mod migrate;
mod nodes;
mod observations;
mod options;
mod own;
mod pages;
mod placing;
mod reader;
mod rebuild;
mod repo_rows;
mod repos;
mod settle;
mod statements;
mod swaps;
mod whole;
mod writer;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use plyr_lexicons::Namespace;
use tokio::sync::RwLock;

use crate::fault::FaultHook;
pub use crate::fault::{AFTER_DERIVED, AFTER_LOG, AFTER_READ_BACK, AFTER_TRUTH, BEFORE_TRUTH};
use crate::log::LogPosition;
use crate::model::{Change, LogEntry, Micros, Outcome};
use crate::rebuild::{Pass, Passing};
use crate::store::{Snapshot, Store, StoreError};
use crate::whole::Whole;
#[doc(hidden)]
pub use migrate::empty;
pub use migrate::{FORMAT, Replication, migrate, plan};
pub use nodes::datacenters;
pub use options::ScyllaOptions;

/// The engine's name.
pub const NAME: &str = "scylla";

/// Things of each sort that are remembered so as not to be written twice.
const REMEMBERED: usize = 200_000;
/// How long closing waits for what is applied.
const CLOSING: Duration = Duration::from_secs(5);
/// How often other processes' streams are looked at by who waits for the log.
const LOOK: Duration = Duration::from_millis(200);

/// Microseconds since 1970.
fn now() -> Micros {
    chrono::Utc::now().timestamp_micros()
}

/// What all tasks of an open store share.
struct Inner {
    cql: cql::Cql,
    namespace: Namespace,
    rules: u16,
    log: log::LogWriter,
    settler: settle::Settler,
    /// Versions and actors that this process brought all the way to the log.
    logged: writer::Seen<writer::Logged>,
    logged_actors: writer::Seen<observations::Observed>,
    logged_hides: writer::Seen<hides::LoggedHide>,
    hides: hides::Hides,
    /// Rows of directories that are acknowledged.
    written: writer::Seen<String>,
    fault: Option<FaultHook>,
    ended: AtomicBool,
    /// Read while changes are applied; closing waits for those.
    under_way: Arc<RwLock<()>>,
    /// Passes of which a piece was begun and not ended.
    open_pieces: Mutex<HashSet<Pass>>,
}

impl Inner {
    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.ended.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError> {
        self.alive()?;
        let began = std::time::Instant::now();
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut versions = Vec::new();
        for change in changes {
            // Versions that follow one another go together.
            if let Change::Version(version) = change {
                versions.push(version);
                continue;
            }
            outcomes.extend(self.apply_versions(std::mem::take(&mut versions)).await?);
            outcomes.push(match change {
                Change::Version(_) => continue,
                Change::Floor(floor) => self.raise_floor(&floor).await?,
                Change::Account(account) => self.account(&account).await?,
                Change::Identity(identity) => self.identity(&identity).await?,
                Change::Bluesky(profile) => self.bluesky(&profile).await?,
                Change::Due(check) => self.due(&check).await?,
                Change::Checked { did, triggered_at } => self.checked(&did, triggered_at).await?,
                Change::Repo(repo) => self.write_repo(&repo).await?,
                Change::RepoDue(due) => self.repo_due(&due).await?,
                Change::RepoDone { did, wanted_at } => self.repo_done(&did, wanted_at).await?,
                Change::Erase { did } => self.erase(&did).await?,
                Change::Quarantine(entry) => self.quarantine(&entry).await?,
                Change::Released { id } => self.release(&id).await?,
                Change::Hide(hide) => self.hide(&hide).await?,
                Change::Cursor(cursor) => self.cursor(&cursor).await?,
            });
        }
        outcomes.extend(self.apply_versions(versions).await?);
        self.alive()?;
        metrics::histogram!("plyr_store_seconds", "op" => "apply").record(began.elapsed());
        Ok(outcomes)
    }
}

/// The store.
pub struct ScyllaStore {
    inner: Arc<Inner>,
}

impl ScyllaStore {
    /// Opens a keyspace that is migrated, and waits for a node that answers.
    pub async fn open(options: ScyllaOptions) -> Result<ScyllaStore, StoreError> {
        let session = cql::connect(&options).await?;
        migrate::check(&session, &options).await?;
        let inner = Arc::new(Inner {
            cql: cql::Cql::prepare(session, &options).await?,
            namespace: options.namespace.clone(),
            rules: options.rules,
            log: log::LogWriter::new(),
            settler: settle::Settler::new(&options),
            logged: writer::Seen::new(REMEMBERED),
            logged_actors: writer::Seen::new(REMEMBERED),
            logged_hides: writer::Seen::new(REMEMBERED),
            hides: hides::Hides::default(),
            written: writer::Seen::new(REMEMBERED),
            fault: options.fault.clone(),
            ended: AtomicBool::new(false),
            under_way: Arc::default(),
            open_pieces: Mutex::default(),
        });
        // Nothing is answered before it is known what is hidden.
        inner.refresh_hides().await?;
        // Both end with the store: they hold no handle of their own.
        tokio::spawn(hides::run(Arc::downgrade(&inner)));
        tokio::spawn(settle::run(Arc::downgrade(&inner)));
        Ok(ScyllaStore { inner })
    }

    /// CQL statements sent so far, for measurements.
    pub fn statements(&self) -> u64 {
        self.inner.cql.statements()
    }
}

impl Drop for ScyllaStore {
    fn drop(&mut self) {
        self.inner.end();
    }
}

#[async_trait]
impl Store for ScyllaStore {
    fn engine(&self) -> &'static str {
        NAME
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError> {
        let inner = self.inner.clone();
        inner.alive()?;
        // Whoever goes away while there is no room leaves nothing behind.
        inner.settler.room(|| inner.alive()).await?;
        let under_way = inner.under_way.clone().read_owned().await;
        // A task of its own: dropped with whoever waits for it, it would leave rows that no log
        // entry names until they are handed in again.
        let applying = tokio::spawn(async move {
            let _under_way = under_way;
            inner.apply(changes).await
        });
        let applied = applying.await;
        applied.map_err(|problem| cql::failed("apply changes", problem))?
    }

    async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        self.inner.pass(pass, so_far).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.inner.settler.settled(|| self.inner.alive()).await
    }

    fn has_several_writers(&self) -> bool {
        true
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.alive()?;
        self.inner.fresh_hides().await?;
        Ok(Box::new(reader::ScyllaSnapshot {
            inner: self.inner.clone(),
        }))
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        self.inner.alive()?;
        // A hide is told before it is named: who has read the log's head sees all that it names.
        self.inner.refresh_hides().await?;
        Ok(Box::new(reader::ScyllaSnapshot {
            inner: self.inner.clone(),
        }))
    }

    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        let entries = log::after(&self.inner.cql, after, limit).await?;
        if !entries.is_empty() {
            // Who looks at what is named is to see why: a hide is written before it is named.
            self.inner.refresh_hides().await?;
        }
        Ok(entries)
    }

    async fn log_head(&self) -> Result<LogPosition, StoreError> {
        log::head(&self.inner.cql).await
    }

    async fn log_changed(&self, after: &LogPosition) -> Result<(), StoreError> {
        let mut own = self.inner.log.heads();
        loop {
            self.inner.alive()?;
            if !after.covers(&log::head(&self.inner.cql).await?) {
                return Ok(());
            }
            // Whichever comes first: this process wrote, or it is time to look at the others.
            let _ = tokio::time::timeout(LOOK, own.changed()).await;
        }
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.inner.alive()
    }

    async fn close(&self) -> Result<(), StoreError> {
        // What is applied comes to its end, and nothing more begins; what hangs is cut off as by a
        // kill.
        let under_way = tokio::time::timeout(CLOSING, self.inner.under_way.write()).await;
        self.inner.end();
        if under_way.is_err() {
            tracing::warn!("the store is closed while changes are applied; hand them in again");
        }
        Ok(())
    }
}
