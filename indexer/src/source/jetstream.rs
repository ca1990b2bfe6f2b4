//! Jetstream over a websocket, v2 where the host offers it and else v1. A host that fails makes
//! room for the next of its group; each has a cursor of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_lexicons::Namespace;
use plyr_schemas::{Change, Store, StreamCursor};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Patience;
use super::connection::{Connection, Incoming, LARGEST};
use super::intake::{Intake, Ways};
use super::negotiate::{self, Opened};
use super::protocol::Protocol;
use super::status::{Status, name};
use super::unzip::{Unzip, Unzipped};
use crate::IndexerError;
use crate::frame::Frame;
use crate::progress::Progress;

const SAVE: Duration = Duration::from_secs(1);
/// Frames of one host on their way at most; then its socket waits.
const IN_FLIGHT: usize = 20_000;
/// How long a stop may wait for a store that takes nothing.
const STOPPING: Duration = Duration::from_secs(8);

/// A source: hosts of which one is followed at a time.
pub struct Jetstream {
    /// With the place of each among all hosts.
    pub hosts: Vec<(Url, usize)>,
    pub namespace: Namespace,
    pub store: Arc<dyn Store>,
    pub ways: Ways,
    pub status: Arc<Status>,
    pub patience: Patience,
}

/// What is remembered of a host from one connection to the next.
struct Host {
    place: usize,
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
            return;
        }
        let host = |(url, place): &(Url, usize)| Host {
            place: *place,
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
            let ended = self.follow(&mut hosts[place], &cancel).await;
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
            self.status.failed(hosts[place].place, problem.clone());
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

    async fn follow(
        &self,
        host: &mut Host,
        cancel: &CancellationToken,
    ) -> Result<Ended, IndexerError> {
        host.moved = false;
        let source = host.source.clone();
        let stored = self.stored_cursor(&source).await?;
        let began_at = stored.as_ref().map(|cursor| cursor.position);
        let is_limited = host.too_large_after.is_some();
        let asking = negotiate::Asking {
            url: &host.url,
            namespace: &self.namespace,
            is_limited,
            patience: self.patience,
        };
        let opened = tokio::select! {
            () = cancel.cancelled() => return Ok(Ended::Stopped),
            opened = asking.open(stored.as_ref()) => opened?,
        };
        let Opened {
            mut connection,
            protocol,
            start,
        } = opened;
        tracing::info!(
            host = %source, cursor = start.cursor, protocol = protocol.name(), "following"
        );
        self.status.connected(host.place, protocol);
        if start.is_gap {
            tracing::warn!(host = %source, "the stream has a gap: it can't go on where it stopped");
            self.ways.comparison.gap(host.place, None, crate::now());
        }
        if protocol == Protocol::V2 {
            self.tell_archive(host.place, start.is_gap, stored.as_ref());
        }
        let mut intake = Intake::new(source.clone(), host.place, &self.ways, start, stored);
        let passing = host.too_large_after;
        let mut ended = self
            .read(&mut connection, protocol, &mut intake, passing, cancel)
            .await;
        match &ended {
            Err(problem) => {
                self.status.failed(host.place, problem.to_string());
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

    /// A host that keeps too little for its stream may have the rest in its archive.
    fn tell_archive(&self, place: usize, is_gap: bool, stored: Option<&StreamCursor>) {
        let Some(news) = self.ways.archives.get(place) else {
            return;
        };
        news.speaks_v2();
        if let Some(after) = stored.and_then(Protocol::number).filter(|_| is_gap) {
            news.gap(after);
        }
    }

    /// The host's cursor, but for one that could only make it send what is new.
    async fn stored_cursor(&self, source: &str) -> Result<Option<StreamCursor>, IndexerError> {
        let stored = self.store.snapshot().await?.cursor(source).await?;
        let position = stored.as_ref().map(|cursor| cursor.position);
        if position.is_some_and(|position| Protocol::is_ahead(position, crate::now())) {
            tracing::warn!(
                host = source,
                position,
                "the cursor lies in the future (was a clock wrong?): the stream is read from its \
                 beginning"
            );
            return Ok(None);
        }
        Ok(stored)
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
            IndexerError::Stream(_)
            | IndexerError::Refused { .. }
            | IndexerError::NotOffered
            | IndexerError::Store(_) => Ok(()),
        }
    }

    async fn read(
        &self,
        connection: &mut Connection,
        protocol: Protocol,
        intake: &mut Intake<'_>,
        passing: Option<u64>,
        cancel: &CancellationToken,
    ) -> Result<Ended, IndexerError> {
        let mut saved = 0;
        let mut save = tokio::time::interval(SAVE);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unzip = Unzip::new(protocol.dictionary(), LARGEST)?;
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
                        intake.was_away();
                    }
                }
                incoming = connection.next(), if !full => {
                    match incoming? {
                        Incoming::Text(text) => {
                            let bytes = text.as_bytes();
                            intake.take(protocol.decode(bytes), bytes).await?;
                        }
                        Incoming::Zipped(bytes) => match unzip.unzip(&bytes) {
                            Unzipped::Frame(bytes) => {
                                intake.take(protocol.decode(bytes), bytes).await?;
                            }
                            Unzipped::TooLarge => {
                                let detail = format!("a frame of more than {LARGEST} bytes");
                                intake.take_refused("too-large", &detail).await?;
                            }
                            Unzipped::Broken(problem) => {
                                let broken = Frame::Malformed { at: None, problem };
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
        if let Some(time) = progress.time() {
            let lag = crate::now().saturating_sub(time) as f64 / 1e6;
            metrics::gauge!("plyr_cursor_lag_seconds", "source" => source.to_owned()).set(lag);
        }
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
            let lanes_ended = self.ways.lanes.iter().any(mpsc::Sender::is_closed);
            if lanes_ended || began.elapsed() > STOPPING {
                break;
            }
        }
        self.save(progress, source, &mut 0).await
    }
}
