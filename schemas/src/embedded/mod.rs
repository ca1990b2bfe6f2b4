//! The embedded engine: fjall in one folder, one writer thread, snapshots to read from. Reads run
//! where they are asked for (microseconds, seldom a wait for the disk).

mod blobs;
mod cells;
mod create;
mod disk;
mod erase;
mod folder;
mod hides;
mod layers;
mod mend;
mod observations;
mod reader;
mod rebuild;
mod rejudge;
mod repos;
pub(crate) mod rows;
mod scan;
mod stream;
mod sums;
mod torn;
mod versions;
mod whole;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use fjall::Database;
use plyr_lexicons::Namespace;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::fault::FaultHook;
pub use crate::fault::{AFTER_COMMIT, BEFORE_COMMIT};
use crate::log::LogPosition;
use crate::model::{Change, LogEntry, Micros, Outcome};
use crate::rebuild::{Pass, Passing, Stage};
use crate::store::{Snapshot, Store, StoreError};
use crate::tables::{Key, KeyReader, Kind, LOG, QUARANTINE};
use crate::whole::Whole;
pub use disk::Probe;
pub use folder::FORMAT;
use layers::{Engine, Layers, failed};
use reader::EmbeddedSnapshot;
pub use rejudge::Rejudging;
use rows::LogRow;
use writer::{Command, Writer};

/// The engine's name.
pub const NAME: &str = "embedded";

/// Commands that wait for the writer at most; whoever comes next waits to hand in.
const QUEUE: usize = 64;
/// Stack of the writer thread: records nest deeply.
const WRITER_STACK: usize = 8 << 20;
/// Journal on disk, in bytes, before memtables are written out.
const JOURNAL: u64 = 128 << 20;

/// How often a sum that was mended is looked at again while others write.
const LOOKS: usize = 3;

/// How to open it.
#[derive(Clone)]
pub struct EmbeddedOptions {
    /// The data folder; the engine lives in `store/` within.
    pub folder: PathBuf,
    /// The namespace whose collections it holds.
    pub namespace: Namespace,
    /// Block cache, in bytes.
    pub cache_bytes: u64,
    /// Free disk below which writes wait, in bytes.
    pub reserve_bytes: u64,
    /// Tells how much disk is free; none asks the file system.
    pub probe: Option<Probe>,
    /// The version of the rules that records are judged by; another one only in tests.
    pub rules: u16,
    /// Stops the engine at a crash point, as if killed; for tests.
    pub fault: Option<FaultHook>,
}

impl EmbeddedOptions {
    /// The usual: 64 MiB of cache, no reserve.
    pub fn new(folder: PathBuf, namespace: Namespace) -> EmbeddedOptions {
        let (cache_bytes, reserve_bytes) = (64 << 20, 0);
        EmbeddedOptions {
            folder,
            namespace,
            cache_bytes,
            reserve_bytes,
            probe: None,
            rules: plyr_lexicons::RULES_VERSION,
            fault: None,
        }
    }
}

/// The store.
pub struct EmbeddedStore {
    engine: Engine,
    /// The log's one stream.
    stream: String,
    commands: mpsc::Sender<Command>,
    head: watch::Receiver<u64>,
    space: disk::FreeSpace,
    broken: watch::Receiver<Option<StoreError>>,
    namespace: Namespace,
    /// One piece of a pass at a time.
    passing: Mutex<()>,
    _lock: folder::Lock,
}

/// Microseconds since 1970.
fn now() -> Micros {
    chrono::Utc::now().timestamp_micros()
}

impl EmbeddedStore {
    /// Opens the folder, creating it where it is new.
    pub fn open(options: EmbeddedOptions) -> Result<EmbeddedStore, StoreError> {
        let EmbeddedOptions {
            folder,
            namespace,
            cache_bytes,
            reserve_bytes,
            probe,
            rules,
            fault,
        } = options;
        std::fs::create_dir_all(&folder).map_err(|problem| StoreError::Unusable {
            path: folder.display().to_string(),
            problem: problem.to_string(),
        })?;
        folder::look(&folder, &namespace)?;
        let lock = folder::lock(&folder)?;
        folder::prepare(&folder, &namespace)?;
        create::create(&folder)?;
        let place = folder.join(create::STORE);
        let database = torn::open(&place, || {
            Database::builder(&place)
                .cache_size(cache_bytes)
                .max_journaling_size(JOURNAL)
                .worker_threads(1)
                .open()
        })?;
        let engine = Engine::open(database)?;
        let stream = stream::stream(&engine)?;
        let newest = engine.keyspace(Kind::Log).last_key_value();
        let newest = newest.map(|row| row.key()).transpose();
        let newest = newest.map_err(|problem| failed("read the log", &problem))?;
        let newest = newest
            .and_then(|key| KeyReader::after(&key, 1).number())
            .unwrap_or(0);
        let (head_sender, head) = watch::channel(u64::try_from(newest).unwrap_or(0));
        let quarantine = Key::of(&QUARANTINE).into_bytes();
        let quarantined = engine.keyspace(Kind::Network).prefix(quarantine).count();
        let space = disk::FreeSpace::new(folder, reserve_bytes, probe);
        let (commands, receiver) = mpsc::channel(QUEUE);
        let layers = Layers::new(engine.clone());
        let broken = layers.broken.subscribe();
        let writer = Writer {
            layers,
            namespace: namespace.clone(),
            rules,
            commands: receiver,
            head: head_sender,
            space: space.clone(),
            fault,
            quarantined,
            erasing: erase::Erasing::default(),
            compacted: Arc::new(AtomicU64::new(0)),
            removed: 0,
            closing: None,
        };
        std::thread::Builder::new()
            .name("plyr-writer".to_owned())
            .stack_size(WRITER_STACK)
            .spawn(move || writer.run())
            .map_err(|problem| StoreError::Engine {
                engine: NAME,
                doing: "start the writer",
                detail: problem.to_string(),
            })?;
        Ok(EmbeddedStore {
            engine,
            stream,
            commands,
            head,
            space,
            broken,
            namespace,
            passing: Mutex::new(()),
            _lock: lock,
        })
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Judges everything again that was judged by older rules, and writes what rows older programs
    /// did not derive; a store that this program has kept has nothing to do. May be stopped and
    /// begun again at any time.
    pub async fn rejudge(&self, mut tell: impl FnMut(&Rejudging)) -> Result<Rejudging, StoreError> {
        let mut progress = Rejudging::default();
        while !progress.done {
            progress = self.ask(|reply| Command::Rejudge(progress, reply)).await?;
            tell(&progress);
        }
        let mut passing = self.pass(Pass::Derivations, None).await?;
        while !passing.is_done() {
            passing = self.pass(Pass::Derivations, Some(passing)).await?;
        }
        progress.written = passing.mended;
        Ok(progress)
    }

    /// Finds what is wrong, away from the workers: it may take a while.
    async fn find<T: Send + 'static>(
        &self,
        find: impl FnOnce(&Engine, &Namespace) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (engine, namespace) = (self.engine.clone(), self.namespace.clone());
        let found = tokio::task::spawn_blocking(move || find(&engine, &namespace));
        found.await.map_err(|problem| StoreError::Engine {
            engine: NAME,
            doing: "look for what is wrong",
            detail: problem.to_string(),
        })?
    }

    /// The rules judge everything before the store answers anything; here only what is left.
    async fn judge_rest(&self, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        let mut passing = so_far.unwrap_or_else(|| Passing::begin(Pass::Rules, now()));
        let mut done = Rejudging::default();
        while !done.done {
            done = self.ask(|reply| Command::Rejudge(done, reply)).await?;
        }
        passing.seen += done.judged;
        passing.mended += done.changed;
        passing.go_on(Pass::Rules, None);
        Ok(passing)
    }

    /// Waits until the engine could not write: [`StoreError::Broken`], or [`StoreError::Closed`]
    /// once nothing is written any more. It must be opened anew then; reads go on.
    pub async fn broken(&self) -> StoreError {
        let mut broken = self.broken.clone();
        match broken.wait_for(Option::is_some).await {
            Ok(problem) => problem.clone().unwrap_or(StoreError::Closed),
            Err(_) => StoreError::Closed,
        }
    }

    /// Removes log entries written before a time, some thousands at a call; answers how many.
    pub async fn trim_log(&self, before: Micros) -> Result<usize, StoreError> {
        self.ask(|reply| Command::Trim(before, reply)).await
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn engine(&self) -> &'static str {
        NAME
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError> {
        self.ask(|reply| Command::Apply(changes, reply)).await
    }

    async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        if pass == Pass::Rules {
            return self.judge_rest(so_far).await;
        }
        let _turn = self.passing.lock().await;
        let before = so_far.clone();
        let found = self
            .find(move |engine, namespace| rebuild::look(engine, namespace, pass, before.as_ref()));
        let Some(mut mend) = found.await? else {
            // Somebody else has brought it to its end.
            let mut passing = so_far.unwrap_or_else(|| Passing::begin(pass, now()));
            passing.stage = Stage::Done;
            return Ok(passing);
        };
        let (subjects, actors) = mend.afterwards();
        let (_, place) = self
            .ask(|reply| Command::Mend(Box::new(mend), reply))
            .await?;
        let mut passing = place.unwrap_or_else(|| Passing::begin(pass, now()));
        for _ in 0..LOOKS {
            if subjects.is_empty() && actors.is_empty() {
                break;
            }
            let (subjects, actors) = (subjects.clone(), actors.clone());
            let again = self.find(move |engine, namespace| {
                rebuild::again(engine, namespace, &subjects, &actors)
            });
            let again = again.await?;
            if again.is_empty() {
                break;
            }
            let (mended, _) = self
                .ask(|reply| Command::Mend(Box::new(again), reply))
                .await?;
            passing.mended += mended;
        }
        Ok(passing)
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(EmbeddedSnapshot::new(self.engine.clone())))
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        Ok(Box::new(reader::EmbeddedSnapshot::new(self.engine.clone())))
    }

    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        let next = after
            .of(&self.stream)
            .saturating_add(1)
            .min(i64::MAX as u64);
        let from = Key::of(&LOG).number(next as i64);
        let mut entries = Vec::new();
        for row in self
            .engine
            .keyspace(Kind::Log)
            .range(from.into_bytes()..)
            .take(limit)
        {
            let (key, cell) = row
                .into_inner()
                .map_err(|problem| failed("read the log", &problem))?;
            let number = KeyReader::after(&key, 1).number();
            let number = number.ok_or_else(|| cells::corrupt("LOG", "a key is cut"))?;
            let row: LogRow = cells::decode("LOG", &cell)?;
            entries.push(row.entry(&self.stream, number as u64)?);
        }
        Ok(entries)
    }

    async fn log_head(&self) -> Result<LogPosition, StoreError> {
        let mut position = LogPosition::default();
        position.advance(&self.stream, *self.head.borrow());
        Ok(position)
    }

    async fn log_changed(&self, after: &LogPosition) -> Result<(), StoreError> {
        let (mut head, after) = (self.head.clone(), after.of(&self.stream));
        head.wait_for(|head| *head > after)
            .await
            .map(|_| ())
            .map_err(|_| StoreError::Closed)
    }

    fn writable(&self) -> Result<(), StoreError> {
        match &*self.broken.borrow() {
            Some(broken) => Err(broken.clone()),
            None => self.space.check(),
        }
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.ask(Command::Close).await
    }
}
