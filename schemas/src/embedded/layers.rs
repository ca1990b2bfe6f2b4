//! Pending writes over the database: what one batch writes, over what the group before it in the
//! same commit wrote, over what is stored. Several changes of one key see one another.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use tokio::sync::watch;

use crate::store::StoreError;
use crate::tables::{Key, Kind};

/// Memtable of each keyspace, in bytes: small, for a small process.
const MEMTABLE: u64 = 8 << 20;

/// The database and its keyspaces.
#[derive(Clone)]
pub struct Engine {
    pub database: Database,
    network: Keyspace,
    derived: Keyspace,
    log: Keyspace,
    /// Whether anything was ever hidden; until then nobody asks whether it is.
    hides: Arc<AtomicBool>,
}

/// An error of the engine, with what was being done.
pub fn failed(doing: &'static str, problem: &fjall::Error) -> StoreError {
    StoreError::Engine {
        engine: super::NAME,
        doing,
        detail: problem.to_string(),
    }
}

impl Engine {
    pub fn open(database: Database) -> Result<Engine, StoreError> {
        let open = |name: &str| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE);
            database
                .keyspace(name, options)
                .map_err(|problem| failed("open a keyspace", &problem))
        };
        let (network, derived, log) = (open("network")?, open("derived")?, open("log")?);
        let engine = Engine {
            database,
            network,
            derived,
            log,
            hides: Arc::default(),
        };
        if super::hides::any(&engine) {
            engine.hides_from_now_on();
        }
        Ok(engine)
    }

    /// Whether anything was ever hidden. Before a snapshot shows the first hide this says so.
    pub fn has_hides(&self) -> bool {
        self.hides.load(Ordering::Acquire)
    }

    /// Something is about to be hidden.
    pub fn hides_from_now_on(&self) {
        self.hides.store(true, Ordering::Release);
    }

    pub fn keyspace(&self, kind: Kind) -> &Keyspace {
        match kind {
            Kind::Network => &self.network,
            Kind::Derived => &self.derived,
            Kind::Log => &self.log,
        }
    }
}

/// Key and value.
pub type Row = (Vec<u8>, Vec<u8>);
type Pending = BTreeMap<(Kind, Vec<u8>), Option<Vec<u8>>>;

/// The layers. Only the writer thread has one.
pub struct Layers {
    pub engine: Engine,
    /// Why a commit failed. The engine takes none after that: it can't know what the disk has.
    pub broken: watch::Sender<Option<StoreError>>,
    group: Pending,
    batch: Pending,
    group_likes: Likes,
    batch_likes: Likes,
}

/// How many liked what is liked by more or fewer now.
type Likes = BTreeMap<String, u64>;

impl Layers {
    pub fn new(engine: Engine) -> Layers {
        Layers {
            engine,
            broken: watch::Sender::default(),
            group: Pending::new(),
            batch: Pending::new(),
            group_likes: Likes::new(),
            batch_likes: Likes::new(),
        }
    }

    pub fn get(&self, kind: Kind, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.get_bytes(kind, &key.into_bytes())
    }

    pub fn get_bytes(&self, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = (kind, key.to_vec());
        if let Some(pending) = self.batch.get(&key).or_else(|| self.group.get(&key)) {
            return Ok(pending.clone());
        }
        let stored = self.engine.keyspace(kind).get(&key.1);
        let stored = stored.map_err(|problem| failed("read a row", &problem))?;
        Ok(stored.map(|value| value.to_vec()))
    }

    /// Rows under a prefix, in order, at most `limit`.
    pub fn under(&self, kind: Kind, prefix: Key, limit: usize) -> Result<Vec<Row>, StoreError> {
        let prefix = prefix.into_bytes();
        self.under_from(kind, &prefix, &prefix, limit)
    }

    /// Rows under a prefix from a key on, in order, at most `limit`.
    pub fn under_from(
        &self,
        kind: Kind,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut pending: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        for layer in [&self.group, &self.batch] {
            let from = Bound::Included((kind, from.to_vec()));
            let rows = layer.range((from, Bound::Unbounded));
            for ((_, key), value) in
                rows.take_while(|((of, key), _)| *of == kind && key.starts_with(prefix))
            {
                pending.insert(key, value.as_deref());
            }
        }
        let mut found = BTreeMap::new();
        for row in self.engine.keyspace(kind).range(from..) {
            let (key, value) = row
                .into_inner()
                .map_err(|problem| failed("read a range", &problem))?;
            if !key.starts_with(prefix) {
                break;
            }
            if !pending.contains_key(key.as_ref()) {
                found.insert(key.to_vec(), value.to_vec());
            }
            if found.len() >= limit {
                break;
            }
        }
        for (key, value) in pending {
            if let Some(value) = value {
                found.insert(key.to_vec(), value.to_vec());
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// Every row under a prefix, in order, one at a time: memory doesn't grow with them.
    pub fn each_under(
        &self,
        kind: Kind,
        prefix: Key,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let prefix = prefix.into_bytes();
        let mut pending: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        for layer in [&self.group, &self.batch] {
            let from = Bound::Included((kind, prefix.clone()));
            for ((of, key), value) in layer.range((from, Bound::Unbounded)) {
                if *of != kind || !key.starts_with(&prefix) {
                    break;
                }
                pending.insert(key, value.as_deref());
            }
        }
        let mut pending = pending.into_iter().peekable();
        for row in self.engine.keyspace(kind).prefix(&prefix) {
            let (key, value) = row
                .into_inner()
                .map_err(|problem| failed("read a range", &problem))?;
            let mut is_pending = false;
            while let Some((at, value)) = pending.next_if(|(at, _)| *at <= key.as_ref()) {
                is_pending |= at == key.as_ref();
                if let Some(value) = value {
                    each(at, value)?;
                }
            }
            if !is_pending {
                each(&key, &value)?;
            }
        }
        for (at, value) in pending {
            if let Some(value) = value {
                each(at, value)?;
            }
        }
        Ok(())
    }

    /// Stored rows under a prefix, strictly after a key, in order, at most `limit`; nothing may be
    /// pending.
    pub fn after(
        &self,
        kind: Kind,
        prefix: Key,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        debug_assert!(self.group.is_empty() && self.batch.is_empty());
        let prefix = prefix.into_bytes();
        let from = match after {
            Some(key) => Bound::Excluded(key),
            None => Bound::Included(prefix.clone()),
        };
        let rows = self
            .engine
            .keyspace(kind)
            .range::<Vec<u8>, _>((from, Bound::Unbounded));
        let mut found = Vec::new();
        for row in rows.take(limit) {
            let (key, value) = row
                .into_inner()
                .map_err(|problem| failed("read a range", &problem))?;
            if !key.starts_with(&prefix) {
                break;
            }
            found.push((key.to_vec(), value.to_vec()));
        }
        Ok(found)
    }

    pub fn put(&mut self, kind: Kind, key: Key, value: Vec<u8>) {
        self.batch.insert((kind, key.into_bytes()), Some(value));
    }

    pub fn put_bytes(&mut self, kind: Kind, key: Vec<u8>, value: Vec<u8>) {
        self.batch.insert((kind, key), Some(value));
    }

    pub fn remove(&mut self, kind: Kind, key: Key) {
        self.batch.insert((kind, key.into_bytes()), None);
    }

    pub fn remove_bytes(&mut self, kind: Kind, key: Vec<u8>) {
        self.batch.insert((kind, key), None);
    }

    /// Keeps the batch for the commit.
    pub fn keep_batch(&mut self) {
        self.group.append(&mut self.batch);
        for (subject, before) in std::mem::take(&mut self.batch_likes) {
            self.group_likes.entry(subject).or_insert(before);
        }
    }

    /// Remembers how many liked a subject until now.
    pub fn likes_move(&mut self, subject: &str, before: u64) {
        self.batch_likes.entry(subject.to_owned()).or_insert(before);
    }

    /// The subjects of which the group moved the likes, and how many there were before it.
    pub fn moved_likes(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.group_likes)
    }

    /// Forgets the batch.
    pub fn drop_batch(&mut self) {
        self.batch.clear();
        self.batch_likes.clear();
    }

    /// Forgets the group.
    pub fn drop_group(&mut self) {
        self.group.clear();
        self.group_likes.clear();
    }

    /// Writes the group in one synced batch (fdatasync). Answers how many rows were removed.
    pub fn commit(&mut self) -> Result<usize, StoreError> {
        let mut batch = self
            .engine
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        let mut removed = 0;
        for ((kind, key), value) in std::mem::take(&mut self.group) {
            match value {
                Some(value) => batch.insert(self.engine.keyspace(kind), key, value),
                None => {
                    removed += 1;
                    batch.remove(self.engine.keyspace(kind), key);
                }
            }
        }
        batch.commit().map_err(|problem| self.breaks(&problem))?;
        Ok(removed)
    }

    fn breaks(&self, problem: &fjall::Error) -> StoreError {
        let broken = StoreError::Broken {
            engine: super::NAME,
            detail: problem.to_string(),
        };
        // The first reason stays.
        self.broken.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(broken.clone());
            is_first
        });
        self.broken.borrow().clone().unwrap_or(broken)
    }
}
