//! The one thread that writes. It drains what was handed in and commits it as one synced batch:
//! a group commit whose size follows the load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use plyr_lexicons::Namespace;
use tokio::sync::{mpsc, oneshot, watch};

use super::blobs::BlobWrite;
use super::disk::FreeSpace;
use super::erase::Erasing;
use super::layers::{Layers, failed};
use super::mend::Mend;
use super::rejudge::Rejudging;
use super::rows::{CursorRow, LogRow, QuarantineRow};
use super::{cells, hides, observations, repos, sums, versions};
use crate::fault::{AFTER_COMMIT, BEFORE_COMMIT, CrashPoint, FaultHook};
use crate::model::{Change, LogSubject, Micros, Outcome, QuarantineEntry};
use crate::rebuild::Passing;
use crate::store::StoreError;
use crate::tables::{CURSORS, Key, KeyReader, Kind, LOG, QUARANTINE, QUARANTINE_IDS};

/// Changes that one commit gathers at most.
const GROUP: usize = 2_000;
/// Log entries that one trim removes at most.
const TRIM: usize = 10_000;
/// Refused events that are kept; then the oldest leave.
const MOST_QUARANTINED: usize = 100_000;
/// Rows removed since the last compaction that make one worth it.
const WORTH_COMPACTING: usize = 50_000;

/// What goes into one commit with others.
enum Work {
    Changes(
        Vec<Change>,
        oneshot::Sender<Result<Vec<Outcome>, StoreError>>,
    ),
    Blob(BlobWrite, oneshot::Sender<Result<bool, StoreError>>),
}

/// Tells who waits for it how the commit went.
type Answer = Box<dyn FnOnce(Result<(), StoreError>)>;

pub enum Command {
    Apply(
        Vec<Change>,
        oneshot::Sender<Result<Vec<Outcome>, StoreError>>,
    ),
    Blob(BlobWrite, oneshot::Sender<Result<bool, StoreError>>),
    Trim(Micros, oneshot::Sender<Result<usize, StoreError>>),
    Mend(
        Box<Mend>,
        oneshot::Sender<Result<(u64, Option<Passing>), StoreError>>,
    ),
    Rejudge(Rejudging, oneshot::Sender<Result<Rejudging, StoreError>>),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// Who waits for the end, and whether everything was synced.
type Closing = (
    oneshot::Sender<Result<(), StoreError>>,
    Result<(), StoreError>,
);

pub struct Writer {
    pub layers: Layers,
    pub namespace: Namespace,
    pub rules: u16,
    pub commands: mpsc::Receiver<Command>,
    pub head: watch::Sender<u64>,
    pub space: FreeSpace,
    pub fault: Option<FaultHook>,
    pub quarantined: usize,
    pub erasing: Erasing,
    pub compacted: Arc<AtomicU64>,
    pub removed: usize,
    /// Once it is to end.
    pub closing: Option<Closing>,
}

impl Writer {
    /// Runs until closed, or until nobody can hand anything in any more.
    pub fn run(mut self) {
        self.work();
        let closing = self.closing.take();
        // Who is told may open the folder anew: nothing of it is held here any more.
        drop(self);
        if let Some((reply, synced)) = closing {
            answer(reply, synced);
        }
    }

    fn work(&mut self) {
        while let Some(command) = self.commands.blocking_recv() {
            let mut group = Vec::new();
            let mut next = Some(command);
            let mut gathered = 0;
            while let Some(command) = next {
                match command {
                    Command::Apply(changes, reply) => {
                        gathered += changes.len();
                        group.push(Work::Changes(changes, reply));
                    }
                    Command::Blob(write, reply) => {
                        gathered += 1;
                        group.push(Work::Blob(write, reply));
                    }
                    other => {
                        if !self.apply_group(std::mem::take(&mut group)) || !self.other(other) {
                            return;
                        }
                    }
                }
                next = if gathered < GROUP {
                    self.commands.try_recv().ok()
                } else {
                    None
                };
            }
            if !self.apply_group(group) {
                return;
            }
        }
    }

    fn other(&mut self, command: Command) -> bool {
        match command {
            Command::Apply(..) | Command::Blob(..) => true,
            Command::Trim(before, reply) => {
                answer(reply, self.trim(before));
                true
            }
            Command::Rejudge(progress, reply) => {
                let rejudged = self.rejudge(progress);
                self.finish(&rejudged);
                answer(reply, rejudged);
                true
            }
            Command::Mend(mend, reply) => {
                let mended = self.mend(*mend);
                self.finish(&mended);
                answer(reply, mended);
                true
            }
            Command::Close(reply) => {
                let synced = self
                    .layers
                    .engine
                    .database
                    .persist(fjall::PersistMode::SyncAll);
                let synced = synced.map_err(|problem| failed("close", &problem));
                self.closing = Some((reply, synced));
                false
            }
        }
    }

    /// Forgets what was to be written where that failed.
    fn finish<T>(&mut self, done: &Result<T, StoreError>) {
        if done.is_err() {
            self.layers.drop_batch();
            self.layers.drop_group();
        }
    }

    /// Does work in one commit. `false` when a test wants the engine dead.
    fn apply_group(&mut self, group: Vec<Work>) -> bool {
        if group.is_empty() {
            return true;
        }
        let began = Instant::now();
        let mut group = group;
        if let Err(problem) = self.space.check() {
            let (hides, others): (Vec<Work>, Vec<Work>) =
                group.into_iter().partition(Work::is_only_hides);
            for work in others {
                work.refuse(problem.clone());
            }
            group = hides;
            if group.is_empty() {
                return true;
            }
        }
        let (head_before, quarantined_before) = (*self.head.borrow(), self.quarantined);
        let mut head = head_before;
        let mut done: Vec<Answer> = Vec::new();
        for work in group {
            let (head_here, quarantined_here) = (head, self.quarantined);
            let worked: Result<Answer, Answer> = match work {
                Work::Changes(changes, reply) => {
                    answered(reply, self.apply_batch(changes, &mut head))
                }
                Work::Blob(write, reply) => answered(reply, write.apply(&mut self.layers)),
            };
            match worked {
                Ok(worked) => {
                    self.layers.keep_batch();
                    done.push(worked);
                }
                Err(failed) => {
                    self.layers.drop_batch();
                    self.erasing = Erasing::default();
                    (head, self.quarantined) = (head_here, quarantined_here);
                    failed(Ok(()));
                }
            }
        }
        let named = self.log_likes(&mut head);
        if self.stops_at(BEFORE_COMMIT) {
            return false;
        }
        match named.and_then(|()| self.layers.commit()) {
            Ok(removed) => {
                if self.stops_at(AFTER_COMMIT) {
                    return false;
                }
                self.head.send_replace(head);
                done.into_iter().for_each(|answer| answer(Ok(())));
                self.compact_if_worth(removed);
            }
            Err(problem) => {
                self.layers.drop_batch();
                self.layers.drop_group();
                self.erasing = Erasing::default();
                self.quarantined = quarantined_before;
                done.into_iter()
                    .for_each(|answer| answer(Err(problem.clone())));
            }
        }
        metrics::histogram!("plyr_store_seconds", "op" => "apply").record(began.elapsed());
        true
    }

    fn stops_at(&self, point: CrashPoint) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault(point))
    }

    fn apply_batch(
        &mut self,
        changes: Vec<Change>,
        head: &mut u64,
    ) -> Result<Vec<Outcome>, StoreError> {
        let now = super::now();
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            let layers = &mut self.layers;
            let (outcome, subject) = match change {
                Change::Version(version) => {
                    let subject = LogSubject::Record(version.uri.clone());
                    (
                        versions::apply(layers, &self.namespace, self.rules, version)?,
                        Some(subject),
                    )
                }
                Change::Floor(floor) => (versions::raise_floor(layers, &floor)?, None),
                Change::Account(account) => {
                    let outcome = observations::account(layers, &self.namespace, &account)?;
                    (outcome, Some(LogSubject::Actor(account.did)))
                }
                Change::Identity(identity) => {
                    let (outcome, lost) = observations::identity(layers, &identity)?;
                    if let Some(lost) = lost {
                        *head += 1;
                        self.log(*head, &LogRow::of(&LogSubject::Actor(lost), now))?;
                    }
                    (outcome, Some(LogSubject::Actor(identity.did)))
                }
                Change::Bluesky(profile) => {
                    let outcome = observations::bluesky(layers, &profile)?;
                    (outcome, Some(LogSubject::Actor(profile.did)))
                }
                Change::Due(check) => (observations::due(layers, &check)?, None),
                Change::Checked { did, triggered_at } => {
                    (observations::checked(layers, &did, triggered_at)?, None)
                }
                Change::Repo(repo) => (repos::repo(layers, &repo)?, None),
                Change::RepoDue(due) => (repos::due(layers, &due)?, None),
                Change::RepoDone { did, wanted_at } => {
                    (repos::done(layers, &did, wanted_at)?, None)
                }
                Change::Erase { did } => (self.erase(&did, head)?, None),
                Change::Quarantine(entry) => (self.quarantine(&entry)?, None),
                Change::Released { id } => (self.release(&id)?, None),
                Change::Hide(hide) => hides::apply(layers, &self.namespace, &hide)?,
                Change::Cursor(cursor) => {
                    let key = Key::of(&CURSORS).text(&cursor.source);
                    let cell = cells::encode("CURSORS", &CursorRow::of(&cursor))?;
                    layers.put(Kind::Network, key, cell);
                    (Outcome::Applied, None)
                }
            };
            if let (Outcome::Applied, Some(subject)) = (outcome, subject) {
                *head += 1;
                self.log(*head, &LogRow::of(&subject, now))?;
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    pub(super) fn log(&mut self, number: u64, row: &LogRow) -> Result<(), StoreError> {
        let key = Key::of(&LOG).number(number as i64);
        self.layers.put(Kind::Log, key, cells::encode("LOG", row)?);
        Ok(())
    }

    /// Names once, in the commit that moves them, whose likes are more or fewer than before it.
    pub(super) fn log_likes(&mut self, head: &mut u64) -> Result<(), StoreError> {
        let now = super::now();
        for (subject, before) in self.layers.moved_likes() {
            if sums::counts_of(&self.layers, &subject)?.likes == before {
                continue;
            }
            if let Some(subject) = LogSubject::liked(&subject) {
                *head += 1;
                self.log(*head, &LogRow::of(&subject, now))?;
            }
        }
        self.layers.keep_batch();
        Ok(())
    }

    fn quarantine(&mut self, entry: &QuarantineEntry) -> Result<Outcome, StoreError> {
        let id = Key::of(&QUARANTINE_IDS).text(&entry.id);
        if self.layers.get(Kind::Network, id.clone())?.is_some() {
            return Ok(Outcome::Superseded);
        }
        if self.quarantined >= MOST_QUARANTINED {
            self.forget_oldest()?;
        }
        let newest_first = entry.seen_at.saturating_neg();
        let place = Key::of(&QUARANTINE).number(newest_first).text(&entry.id);
        let cell = cells::encode("QUARANTINE", &QuarantineRow::of(entry))?;
        self.layers.put(Kind::Network, place, cell);
        self.layers.put(
            Kind::Network,
            id,
            cells::encode("QUARANTINE_IDS", &newest_first)?,
        );
        self.quarantined += 1;
        Ok(Outcome::Applied)
    }

    fn release(&mut self, id: &str) -> Result<Outcome, StoreError> {
        let ids = Key::of(&QUARANTINE_IDS).text(id);
        let Some(cell) = self.layers.get(Kind::Network, ids.clone())? else {
            return Ok(Outcome::Superseded);
        };
        let newest_first: i64 = cells::decode("QUARANTINE_IDS", &cell)?;
        let place = Key::of(&QUARANTINE).number(newest_first).text(id);
        self.layers.remove(Kind::Network, ids);
        self.layers.remove(Kind::Network, place);
        self.quarantined = self.quarantined.saturating_sub(1);
        Ok(Outcome::Applied)
    }

    fn forget_oldest(&mut self) -> Result<(), StoreError> {
        let prefix = Key::of(&QUARANTINE).into_bytes();
        let oldest = self
            .layers
            .engine
            .keyspace(Kind::Network)
            .prefix(&prefix)
            .next_back();
        let Some(oldest) = oldest else { return Ok(()) };
        let key = oldest
            .key()
            .map_err(|problem| failed("read the quarantine", &problem))?;
        let mut columns = KeyReader::after(&key, prefix.len());
        let id = columns
            .number()
            .and_then(|_| columns.text())
            .map(str::to_owned);
        let id = id.ok_or_else(|| cells::corrupt("QUARANTINE", "a key is cut"))?;
        self.layers
            .remove(Kind::Network, Key::of(&QUARANTINE_IDS).text(&id));
        self.layers.remove_bytes(Kind::Network, key.to_vec());
        self.quarantined = self.quarantined.saturating_sub(1);
        metrics::counter!("plyr_quarantine_forgotten_total").increment(1);
        Ok(())
    }

    fn trim(&mut self, before: Micros) -> Result<usize, StoreError> {
        let oldest = self.layers.under(Kind::Log, Key::of(&LOG), TRIM)?;
        // The newest entry stays: it tells a restart where the numbers go on.
        let newest = Key::of(&LOG)
            .number(*self.head.borrow() as i64)
            .into_bytes();
        let mut trimmed = 0;
        for (key, cell) in oldest {
            let row: LogRow = cells::decode("LOG", &cell)?;
            if row.written_at >= before || key == newest {
                break;
            }
            self.layers.remove_bytes(Kind::Log, key);
            trimmed += 1;
        }
        self.layers.keep_batch();
        self.layers.commit()?;
        Ok(trimmed)
    }

    /// Deleted rows take disk until they are compacted away.
    fn compact_if_worth(&mut self, removed: usize) {
        self.removed += removed;
        if self.removed < WORTH_COMPACTING || self.compacted.load(Ordering::Acquire) % 2 == 1 {
            return;
        }
        self.removed = 0;
        let (engine, compacted) = (self.layers.engine.clone(), self.compacted.clone());
        // Odd while a compaction runs.
        compacted.fetch_add(1, Ordering::AcqRel);
        let compaction = move || {
            for kind in [Kind::Network, Kind::Derived, Kind::Log] {
                let keyspace = engine.keyspace(kind);
                let done = keyspace
                    .rotate_memtable_and_wait()
                    .and_then(|()| keyspace.major_compact());
                if let Err(problem) = done {
                    tracing::warn!(%problem, "a compaction failed; the next one tries again");
                }
            }
            compacted.fetch_add(1, Ordering::AcqRel);
        };
        if let Err(problem) = std::thread::Builder::new()
            .name("plyr-compact".to_owned())
            .spawn(compaction)
        {
            tracing::warn!(%problem, "no thread for a compaction");
            self.compacted.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Work {
    /// Whether it is only what the operator hides: that is what the reserve is kept for. What has
    /// to be taken down can't wait for room.
    fn is_only_hides(&self) -> bool {
        let Work::Changes(changes, _) = self else {
            return false;
        };
        let is_hide = |change: &Change| matches!(change, Change::Hide(_));
        !changes.is_empty() && changes.iter().all(is_hide)
    }

    fn refuse(self, problem: StoreError) {
        match self {
            Work::Changes(_, reply) => answer(reply, Err(problem)),
            Work::Blob(_, reply) => answer(reply, Err(problem)),
        }
    }
}

/// What will be answered when the commit went well, else why it didn't; or at once what failed
/// before it.
fn answered<T: 'static>(
    reply: oneshot::Sender<Result<T, StoreError>>,
    done: Result<T, StoreError>,
) -> Result<Answer, Answer> {
    let has_failed = done.is_err();
    let tell: Answer = Box::new(move |committed| answer(reply, committed.and(done)));
    if has_failed { Err(tell) } else { Ok(tell) }
}

/// Whoever asked may have gone; then nobody needs the answer.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("an answer of the store came too late for its asker");
    }
}
