//! Jetstream v1 (`/subscribe`) over a websocket, one host at a time. A host that fails makes room
//! for the next; each has a cursor of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_lexicons::Namespace;
use plyr_schemas::{Change, Store, StreamCursor};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::connection::{Connection, Incoming};
use super::intake::{Intake, is_plausible};
use super::status::{Status, name};
use super::unzip::{Unzip, Unzipped};
use super::{Patience, Room};
use crate::IndexerError;
use crate::frame;
use crate::lane::Event;
use crate::progress::Progress;

const SAVE: Duration = Duration::from_secs(1);
/// Largest message, in bytes, as sent and unzipped: a record of a megabyte, its JSON escaped (six
/// bytes for one), and room.
const LARGEST: usize = 8 << 20;
/// Frames on their way at most; then the socket waits.
const IN_FLIGHT: usize = 20_000;
/// With no cursor yet: from as far back as the host keeps.
const BEGINNING: u64 = 1;
/// How long a stop may wait for a store that takes nothing.
const STOPPING: Duration = Duration::from_secs(8);

/// The source.
pub struct Jetstream {
    pub hosts: Vec<Url>,
    pub namespace: Namespace,
    pub store: Arc<dyn Store>,
    pub lanes: Vec<mpsc::Sender<Event>>,
    pub room: Room,
    pub status: Arc<Status>,
    pub patience: Patience,
}

/// What is remembered of a host from one connection to the next.
struct Host {
    url: Url,
    source: Arc<str>,
    /// A frame above the limit stood after this cursor. Until the stream has passed it, the host
    /// is asked to leave such frames out.
    too_large_after: Option<u64>,
    /// Whether the last connection brought anything new.
    moved: bool,
}

/// Why a connection ended without a problem.
enum Ended {
    Stopped,
    /// A frame above the limit was passed: nothing needs to be left out any more.
    Passed,
}

impl Jetstream {
    /// Follows one host after another until cancelled; then makes the cursor durable.
    pub async fn run(self, cancel: CancellationToken) {
        if self.hosts.is_empty() {
            tracing::warn!("no jetstream is configured: nothing new will be heard of");
            return;
        }
        let host = |url: &Url| Host {
            url: url.clone(),
            source: name(url).into(),
            too_large_after: None,
            moved: false,
        };
        let mut hosts: Vec<Host> = self.hosts.iter().map(host).collect();
        let mut failures: u32 = 0;
        let mut place = 0;
        loop {
            let began = Instant::now();
            let ended = self.follow(place, &mut hosts[place], &cancel).await;
            let problem = match ended {
                Ok(Ended::Stopped) => return,
                Ok(Ended::Passed) => continue,
                Err(problem) => problem.to_string(),
            };
            if cancel.is_cancelled() {
                tracing::warn!(host = %hosts[place].source, problem, "stopped with a problem");
                return;
            }
            let good = hosts[place].moved || began.elapsed() >= self.patience.good;
            failures = if good { 0 } else { failures + 1 };
            self.status.set(place, false, Some(problem.clone()));
            // The whole list is gone through before anybody waits long.
            let rounds = failures.saturating_sub(1) / hosts.len() as u32;
            let Patience {
                least_wait,
                most_wait,
                ..
            } = self.patience;
            let wait = crate::backoff(rounds, least_wait, most_wait);
            let next = (place + 1) % hosts.len();
            tracing::warn!(
                host = %hosts[place].source,
                problem,
                next_try_seconds = wait.as_secs_f64(),
                next_host = %hosts[next].source,
                "jetstream can't be followed"
            );
            place = next;
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn address(&self, host: &Host, cursor: u64) -> Url {
        let mut url = host.url.clone();
        url.set_path("/subscribe");
        url.query_pairs_mut()
            .extend_pairs(
                self.namespace
                    .nsids()
                    .iter()
                    .map(|n| ("wantedCollections", n.as_str())),
            )
            .append_pair("cursor", &cursor.to_string())
            .append_pair("compress", "true");
        if host.too_large_after.is_some() {
            url.query_pairs_mut()
                .append_pair("maxMessageSizeBytes", &LARGEST.to_string());
        }
        url
    }

    async fn follow(
        &self,
        place: usize,
        host: &mut Host,
        cancel: &CancellationToken,
    ) -> Result<Ended, IndexerError> {
        host.moved = false;
        let source = host.source.clone();
        let mut stored = self.store.snapshot().await?.cursor(&source).await?;
        let began_at = stored.as_ref().map(|cursor| cursor.position);
        if began_at.is_some_and(|position| !is_plausible(position, crate::now())) {
            // Asked for a time to come, a host sends only what is new.
            tracing::warn!(
                host = %source, position = began_at,
                "the cursor lies in the future (was a clock wrong?): the stream is read from its \
                 beginning"
            );
            stored = None;
        }
        let cursor = stored.as_ref().map_or(BEGINNING, |stored| stored.position);
        let address = self.address(host, cursor);
        let mut connection = tokio::select! {
            () = cancel.cancelled() => return Ok(Ended::Stopped),
            opened = Connection::open(&address, LARGEST, self.patience) => opened?,
        };
        tracing::info!(host = %source, cursor, "following jetstream");
        self.status.set(place, true, None);
        let room = self.room.clone();
        let mut intake = Intake::new(source.clone(), &self.lanes, room, cursor, stored);
        let passing = host.too_large_after;
        let mut ended = self
            .read(&mut connection, &mut intake, passing, cancel)
            .await;
        match &ended {
            Err(problem) => {
                self.status.set(place, false, Some(problem.to_string()));
                let refused = self.refuse(host, &mut intake, problem).await;
                ended = refused.and(ended);
            }
            Ok(Ended::Passed) => host.too_large_after = None,
            Ok(Ended::Stopped) => {}
        }
        connection.close().await;
        let drained = self.drain(intake.progress(), &source, cancel).await;
        let position = intake.progress().position().map(|(position, _)| position);
        host.moved = position.is_some() && position != began_at;
        drained.and(ended)
    }

    /// A frame that the websocket library can't take ends the connection, and would do so again:
    /// it is counted and quarantined, and the host is asked to leave it out next time.
    async fn refuse(
        &self,
        host: &mut Host,
        intake: &mut Intake<'_>,
        problem: &IndexerError,
    ) -> Result<(), IndexerError> {
        match problem {
            IndexerError::TooLarge { .. } => {
                host.too_large_after = Some(intake.at());
                intake.take_refused("too-large", &problem.to_string()).await
            }
            IndexerError::NotText => intake.take_refused("frame", &problem.to_string()).await,
            IndexerError::Stream(_) | IndexerError::Store(_) => Ok(()),
        }
    }

    async fn read(
        &self,
        connection: &mut Connection,
        intake: &mut Intake<'_>,
        passing: Option<u64>,
        cancel: &CancellationToken,
    ) -> Result<Ended, IndexerError> {
        let mut saved = 0;
        let mut save = tokio::time::interval(SAVE);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unzip = Unzip::new(LARGEST)?;
        loop {
            let full = intake.progress().unfinished() >= IN_FLIGHT;
            tokio::select! {
                () = cancel.cancelled() => return Ok(Ended::Stopped),
                _ = save.tick() => {
                    let source = intake.source();
                    if let Err(problem) = self.save(intake.progress(), &source, &mut saved).await {
                        tracing::warn!(%problem, "the cursor waits");
                    }
                    if full {
                        connection.was_away();
                    }
                }
                incoming = connection.next(), if !full => {
                    match incoming? {
                        Incoming::Text(text) => {
                            let bytes = text.as_bytes();
                            intake.take(frame::decode(bytes), bytes).await?;
                        }
                        Incoming::Zipped(bytes) => match unzip.unzip(&bytes) {
                            Unzipped::Frame(bytes) => {
                                intake.take(frame::decode(bytes), bytes).await?;
                            }
                            Unzipped::TooLarge => {
                                let detail = format!("a frame of more than {LARGEST} bytes");
                                intake.take_refused("too-large", &detail).await?;
                            }
                            Unzipped::Broken(problem) => {
                                let cursor = None;
                                let broken = frame::Frame::Malformed { cursor, problem };
                                intake.take(broken, &bytes).await?;
                            }
                        },
                    }
                    connection.was_away();
                    if passing.is_some_and(|after| intake.at() > after) {
                        return Ok(Ended::Passed);
                    }
                }
            }
        }
    }

    async fn save(
        &self,
        progress: &Progress,
        source: &str,
        saved: &mut u64,
    ) -> Result<(), IndexerError> {
        let Some((position, recent)) = progress.position() else {
            return Ok(());
        };
        let lag = (crate::now() / 1_000_000).saturating_sub((position / 1_000_000) as i64);
        metrics::gauge!("plyr_cursor_lag_seconds", "source" => source.to_owned()).set(lag as f64);
        if position == *saved {
            return Ok(());
        }
        let cursor = StreamCursor {
            source: source.to_owned(),
            position,
            recent,
        };
        self.store.apply(vec![Change::Cursor(cursor)]).await?;
        *saved = position;
        Ok(())
    }

    /// What was taken in becomes durable before the cursor is written for the last time.
    async fn drain(
        &self,
        progress: &Progress,
        source: &str,
        cancel: &CancellationToken,
    ) -> Result<(), IndexerError> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let mut stopping = None;
        while progress.unfinished() > 0 {
            look.tick().await;
            if !cancel.is_cancelled() {
                continue;
            }
            // A store that takes nothing holds a stop up only so long; the cursor stays behind.
            let began = *stopping.get_or_insert_with(Instant::now);
            let lanes_ended = self.lanes.iter().any(mpsc::Sender::is_closed);
            if lanes_ended || began.elapsed() > STOPPING {
                break;
            }
        }
        self.save(progress, source, &mut 0).await
    }
}
