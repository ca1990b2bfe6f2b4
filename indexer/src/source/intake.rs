//! The intake: each frame of a connection is counted, remembered in the connection's progress, and
//! handed to its repo's lane. When the lanes are full it waits, and so does the socket.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use plyr_schemas::{QuarantineEntry, StreamCursor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::compare::Comparison;
use super::overlap::Overlap;
use super::protocol::{Protocol, Start};
use crate::IndexerError;
use crate::archive::News;
use crate::check::{self, AHEAD, Operation};
use crate::frame::{At, Commit, Frame, Trigger};
use crate::lane::{Event, Work};
use crate::progress::Progress;

/// Bytes of frames on their way at most, from the socket until they are durable.
const ROOM: usize = 32 << 20;
/// What room is counted in, in bytes.
const PIECE: usize = 1 << 10;

/// The room that events on their way share, in bytes: memory stays bounded however large the frames
/// are and however long the store takes.
#[derive(Clone)]
pub struct Room(Arc<Semaphore>);

impl Room {
    pub fn new() -> Room {
        Room(Arc::new(Semaphore::new(ROOM / PIECE)))
    }

    /// Waits until there is room for `bytes`.
    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, IndexerError> {
        let pieces = bytes.div_ceil(PIECE).clamp(1, ROOM / PIECE) as u32;
        let taken = self.0.clone().acquire_many_owned(pieces).await;
        taken.map_err(|problem| IndexerError::Stream(problem.to_string()))
    }
}

/// Where the frames of all hosts go.
#[derive(Clone)]
pub struct Ways {
    /// Each repo has its lane.
    pub lanes: Vec<mpsc::Sender<Event>>,
    /// What events on their way share.
    pub room: Room,
    /// What each host carried.
    pub comparison: Arc<Comparison>,
    /// What those are told who read the hosts' archives.
    pub archives: Vec<News>,
}

/// What takes in the frames of one connection.
pub struct Intake<'a> {
    source: Arc<str>,
    place: usize,
    ways: &'a Ways,
    progress: Arc<Progress>,
    overlap: Overlap,
    at: u64,
}

impl<'a> Intake<'a> {
    /// `place`: the host's among all; `start`: where its stream was begun; `stored`: what that
    /// comes from.
    pub fn new(
        source: Arc<str>,
        place: usize,
        ways: &'a Ways,
        start: Start,
        stored: Option<StreamCursor>,
    ) -> Intake<'a> {
        let (position, recent) = match stored {
            Some(cursor) => (Some(cursor.position), cursor.recent),
            None => (None, Vec::new()),
        };
        Intake {
            source,
            place,
            ways,
            progress: Arc::new(Progress::resumed(position, &recent)),
            at: start.cursor,
            overlap: start.overlap,
        }
    }

    /// Whose frames these are.
    pub fn source(&self) -> Arc<str> {
        self.source.clone()
    }

    /// Where the stream is: the cursor of the last frame that told a plausible one.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// What is finished of the frames taken in.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Nobody listened for a while.
    pub fn was_away(&self) {
        self.ways.comparison.was_away(self.place, crate::now());
    }

    /// Takes a frame in; `bytes` is what it was decoded from. A problem where the host says that
    /// it ends.
    pub async fn take(&mut self, frame: Frame<'_>, bytes: &[u8]) -> Result<(), IndexerError> {
        match frame {
            Frame::Commit(commit) => {
                let (at, key) = (Some(commit.at), event_key(&commit));
                let (number, compared) = self.begin(at, key, Some(&commit));
                let operation = Operation::from(commit);
                let did = operation.did.clone();
                let work = Work::Operation(operation);
                self.hand_over(&did, work, number, compared, bytes.len())
                    .await
            }
            Frame::Trigger(trigger) => {
                let (number, _) = self.begin(Some(trigger.at), trigger_key(&trigger), None);
                let did = trigger.did.into_owned();
                let work = match trigger.is_sync {
                    true => Work::Desynchronized(did.clone()),
                    false => Work::Trigger(did.clone()),
                };
                self.hand_over(&did, work, number, None, bytes.len()).await
            }
            Frame::Unknown { at } => {
                let (number, _) = self.begin(at, hash(bytes), None);
                let source = self.source.to_string();
                metrics::counter!(
                    "plyr_events_total", "source" => source, "outcome" => "out_of_scope"
                )
                .increment(1);
                self.progress.finish(number);
                Ok(())
            }
            Frame::Malformed { at, problem } => {
                let entry = check::malformed(&self.source, bytes, &problem, crate::now());
                self.refuse(entry, at, hash(bytes)).await
            }
            Frame::Notice { name, message } => {
                tracing::info!(host = &*self.source, name, message, "the host says");
                Ok(())
            }
            Frame::Ended { problem } => Err(IndexerError::Stream(format!("it ended: {problem}"))),
        }
    }

    /// Quarantines what is too large to be taken in, or can't be unpacked.
    pub async fn take_refused(&mut self, reason: &str, detail: &str) -> Result<(), IndexerError> {
        // No more of it is known than where in the stream it stood.
        let place = format!("{} {} {detail}", self.source, self.at);
        let entry = check::refused(
            &self.source,
            reason,
            place.as_bytes(),
            format!("{detail}, after cursor {}", self.at),
            crate::now(),
        );
        self.refuse(entry, None, hash(place.as_bytes())).await
    }

    async fn refuse(
        &mut self,
        entry: QuarantineEntry,
        at: Option<At>,
        key: u64,
    ) -> Result<(), IndexerError> {
        let (number, _) = self.begin(at, key, None);
        let work = Work::Refused(Box::new(entry));
        self.hand_over("", work, number, None, PIECE).await
    }

    /// Counts a frame as received and remembers it; answers its number, and its name where hosts
    /// are compared.
    ///
    /// The position follows the order of the stream, not the greatest cursor told: a host whose
    /// clock was set back is followed back. A cursor ahead of our clock moves nothing, or the next
    /// connection would ask for a time to come and miss everything until then.
    fn begin(
        &mut self,
        at: Option<At>,
        key: u64,
        commit: Option<&Commit<'_>>,
    ) -> (u64, Option<u64>) {
        let source = self.source.to_string();
        metrics::counter!("plyr_events_received_total", "source" => source).increment(1);
        let now = crate::now();
        let at = at.filter(|at| !Protocol::is_ahead(at.cursor, now));
        if self.overlap.is_gap(key, at) {
            tracing::warn!(
                host = &*self.source,
                "the stream has a gap: none of the last events came again"
            );
            self.ways.comparison.gap(self.place, at, now);
            self.tell_archive(at);
        }
        let compared = self.ways.comparison.carried(self.place, at, commit, now);
        self.at = at.map_or(self.at, |at| at.cursor);
        let number = self
            .progress
            .begin(self.at, at.and_then(|at| at.time), Some(key));
        (number, compared)
    }

    /// Numbers that go on after the last one: what is between is in the archive, if the host has
    /// one.
    fn tell_archive(&self, at: Option<At>) {
        let Some(news) = self.ways.archives.get(self.place) else {
            return;
        };
        news.elsewhere();
        let after = self.overlap.number();
        if let Some(after) = after.filter(|after| at.is_some_and(|at| at.cursor > *after)) {
            news.gap(after);
        }
    }

    async fn hand_over(
        &self,
        did: &str,
        work: Work,
        number: u64,
        compared: Option<u64>,
        bytes: usize,
    ) -> Result<(), IndexerError> {
        let Ways { lanes, room, .. } = self.ways;
        let place = (hash(did) % lanes.len().max(1) as u64) as usize;
        let event = Event {
            work,
            source: self.source.clone(),
            received: Instant::now(),
            progress: self.progress.clone(),
            number,
            compared,
            _room: room.take(bytes).await?,
        };
        let ended = || IndexerError::Stream("the lanes have ended".to_owned());
        let lane = lanes.get(place).ok_or_else(ended)?;
        lane.send(event).await.map_err(|_| ended())
    }
}

/// Whether a time told, in microseconds since 1970, is no time to come.
pub fn is_plausible(time: u64, now: i64) -> bool {
    i64::try_from(time).is_ok_and(|time| time <= now.saturating_add(AHEAD))
}

/// Names an event, the same on every host and at every replay.
fn event_key(commit: &Commit<'_>) -> u64 {
    hash((&commit.did, &commit.collection, &commit.rkey, &commit.rev))
}

/// Names an account or identity event; without a time of its own, by where it stands.
fn trigger_key(trigger: &Trigger<'_>) -> u64 {
    let at = match trigger.time {
        Some(_) => 0,
        None => trigger.at.cursor,
    };
    hash((&trigger.did, &trigger.time, at))
}

/// A short name of something, the same in every process of one build.
pub fn hash(what: impl Hash) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
