//! The distributed engine: CQL over a cluster of ScyllaDB (or Apache Cassandra 5), for as many
//! processes as wanted. It takes no locks and keeps no counters: every write is stamped with what
//! decides it, so that any two writers end in one state.

mod bounded;
mod cells;
mod counts;
mod cql;
mod derived;
mod due;
mod erase;
#[cfg(test)]
mod interleavings;
mod log;
mod migrate;
mod nodes;
mod observations;
mod options;
mod pages;
mod placing;
mod reader;
mod rebuild;
mod repo_rows;
mod repos;
mod settle;
mod statements;
mod whole;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use plyr_lexicons::Namespace;

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
    logged_actors: writer::Seen<String>,
    /// Rows of directories that are acknowledged.
    written: writer::Seen<String>,
    fault: Option<FaultHook>,
    ended: AtomicBool,
    /// A piece of a pass was begun and not ended.
    piece_open: AtomicBool,
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
            written: writer::Seen::new(REMEMBERED),
            fault: options.fault.clone(),
            ended: AtomicBool::new(false),
            piece_open: AtomicBool::new(false),
        });
        // Ends with the store: it holds no handle of its own.
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
        let inner = &self.inner;
        inner.alive()?;
        let began = std::time::Instant::now();
        inner.settler.room(|| inner.alive()).await?;
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut versions = Vec::new();
        for change in changes {
            // Versions that follow one another go together.
            if let Change::Version(version) = change {
                versions.push(version);
                continue;
            }
            outcomes.extend(inner.apply_versions(std::mem::take(&mut versions)).await?);
            outcomes.push(match change {
                Change::Version(_) => continue,
                Change::Floor(floor) => inner.raise_floor(&floor).await?,
                Change::Account(account) => inner.account(&account).await?,
                Change::Identity(identity) => inner.identity(&identity).await?,
                Change::Bluesky(profile) => inner.bluesky(&profile).await?,
                Change::Due(check) => inner.due(&check).await?,
                Change::Checked { did, triggered_at } => inner.checked(&did, triggered_at).await?,
                Change::Repo(repo) => inner.write_repo(&repo).await?,
                Change::RepoDue(due) => inner.repo_due(&due).await?,
                Change::RepoDone { did, wanted_at } => inner.repo_done(&did, wanted_at).await?,
                Change::Erase { did } => inner.erase(&did).await?,
                Change::Quarantine(entry) => inner.quarantine(&entry).await?,
                Change::Released { id } => inner.release(&id).await?,
                Change::Cursor(cursor) => inner.cursor(&cursor).await?,
            });
        }
        outcomes.extend(inner.apply_versions(versions).await?);
        inner.alive()?;
        metrics::histogram!("plyr_store_seconds", "op" => "apply").record(began.elapsed());
        Ok(outcomes)
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
        Ok(Box::new(reader::ScyllaSnapshot {
            inner: self.inner.clone(),
        }))
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        self.inner.alive()?;
        Ok(Box::new(reader::ScyllaSnapshot {
            inner: self.inner.clone(),
        }))
    }

    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        log::after(&self.inner.cql, after, limit).await
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
        self.inner.end();
        Ok(())
    }
}
