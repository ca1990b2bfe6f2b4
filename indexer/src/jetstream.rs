//! Jetstream v1 (`/subscribe`) over a websocket, one host at a time. A host that fails makes room
//! for the next; each has a cursor of its own.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use plyr_lexicons::Namespace;
use plyr_schemas::{Change, Store, StreamCursor};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::IndexerError;
use crate::check::{self, Operation};
use crate::frame::{self, Commit, Frame};
use crate::lane::{Event, Work};
use crate::progress::Progress;

const HANDSHAKE: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);
const LEAST_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(30);
/// A connection that lasted this long was good: the next failure waits little again.
const GOOD: Duration = Duration::from_secs(30);
const SAVE: Duration = Duration::from_secs(1);
/// Largest message, in bytes: a record of a megabyte, its JSON escaped, and room.
const LARGEST: usize = 8 << 20;
/// Frames on their way at most; then the socket waits.
const IN_FLIGHT: usize = 20_000;
/// Frames that may pass before one of the last events must have come again.
const OVERLAP: usize = 2_000;
/// With no cursor yet: from as far back as the host keeps.
const BEGINNING: u64 = 1;

/// The dictionary Jetstream v1 compresses with.
const DICTIONARY: &[u8] = include_bytes!("jetstream.zdict");

/// How a source is doing.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// The host.
    pub host: String,
    /// Whether it delivers.
    pub connected: bool,
    /// Why not, when it last failed.
    pub problem: Option<String>,
}

/// Of all sources.
#[derive(Debug)]
pub struct Status {
    sources: Mutex<Vec<SourceStatus>>,
}

impl Status {
    pub fn new(hosts: &[Url]) -> Status {
        let source = |host: &Url| SourceStatus {
            host: name(host),
            connected: false,
            problem: None,
        };
        Status {
            sources: Mutex::new(hosts.iter().map(source).collect()),
        }
    }

    pub fn sources(&self) -> Vec<SourceStatus> {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn missing(&self) -> Vec<String> {
        let sources = self.sources();
        if sources.iter().any(|source| source.connected) {
            return Vec::new();
        }
        let why = |source: SourceStatus| match source.problem {
            Some(problem) => format!("{}: {problem}", source.host),
            None => format!("{}: not connected yet", source.host),
        };
        sources.into_iter().map(why).collect()
    }

    fn set(&self, place: usize, connected: bool, problem: Option<String>) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get_mut(place) {
            source.connected = connected;
            source.problem = problem;
        }
    }
}

fn name(host: &Url) -> String {
    let text = host.as_str();
    text.strip_suffix('/').unwrap_or(text).to_owned()
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

pub struct Jetstream {
    pub hosts: Vec<Url>,
    pub namespace: Namespace,
    pub store: Arc<dyn Store>,
    pub lanes: Vec<mpsc::Sender<Event>>,
    pub status: Arc<Status>,
}

impl Jetstream {
    /// Follows one host after another until cancelled; then makes the cursor durable.
    pub async fn run(self, cancel: CancellationToken) {
        if self.hosts.is_empty() {
            tracing::warn!("no jetstream is configured: nothing new will be heard of");
            return;
        }
        let mut failures: u32 = 0;
        for place in (0..self.hosts.len()).cycle() {
            let host = &self.hosts[place];
            let began = Instant::now();
            let problem = match self.follow(place, host, &cancel).await {
                Ok(()) => return,
                Err(problem) => problem.to_string(),
            };
            if cancel.is_cancelled() {
                return;
            }
            failures = if began.elapsed() >= GOOD {
                0
            } else {
                failures + 1
            };
            self.status.set(place, false, Some(problem.clone()));
            // The whole list is gone through before anybody waits long.
            let rounds = failures.saturating_sub(1) / self.hosts.len() as u32;
            let wait = crate::backoff(rounds, LEAST_WAIT, MOST_WAIT);
            let next = &self.hosts[(place + 1) % self.hosts.len()];
            tracing::warn!(
                host = name(host),
                problem,
                next_try_seconds = wait.as_secs_f64(),
                next_host = name(next),
                "jetstream can't be followed"
            );
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn connect(&self, host: &Url, cursor: u64) -> Result<Socket, IndexerError> {
        let mut url = host.clone();
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
        let request = url
            .as_str()
            .into_client_request()
            .map_err(|problem| IndexerError::Stream(problem.to_string()))?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let connecting = connect_async_with_config(request, Some(limits), false);
        match tokio::time::timeout(HANDSHAKE, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(SocketError::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
                Err(IndexerError::Stream(format!(
                    "it answered {}: {body}",
                    answer.status()
                )))
            }
            Ok(Err(problem)) => Err(IndexerError::Stream(problem.to_string())),
            Err(_) => Err(IndexerError::Stream(format!(
                "no connection within {} s",
                HANDSHAKE.as_secs()
            ))),
        }
    }

    async fn follow(
        &self,
        place: usize,
        host: &Url,
        cancel: &CancellationToken,
    ) -> Result<(), IndexerError> {
        let source: Arc<str> = name(host).into();
        let stored = self.store.snapshot().await?.cursor(&source).await?;
        let (position, recent) = stored.map_or((None, Vec::new()), |cursor| {
            (Some(cursor.position), cursor.recent)
        });
        let cursor = position.unwrap_or(BEGINNING);
        let socket = tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            socket = self.connect(host, cursor) => socket?,
        };
        tracing::info!(host = %source, cursor, "following jetstream");
        self.status.set(place, true, None);
        let progress = Arc::new(Progress::resumed(position, &recent));
        let mut reading = Reading {
            overlap: Overlap {
                expected: recent,
                frames: 0,
            },
            unzip: Unzip::new()?,
            source: source.clone(),
            progress: progress.clone(),
            lanes: &self.lanes,
        };
        let ended = self.read(socket, &mut reading, cancel).await;
        let drained = self.drain(&progress, &source, cancel).await;
        ended.and(drained)
    }

    async fn read(
        &self,
        mut socket: Socket,
        reading: &mut Reading<'_>,
        cancel: &CancellationToken,
    ) -> Result<(), IndexerError> {
        let mut saved = 0;
        let mut save = tokio::time::interval(SAVE);
        let mut ping = tokio::time::interval(PING);
        let mut heard = Instant::now();
        loop {
            if reading.progress.unfinished() >= IN_FLIGHT {
                tokio::select! {
                    () = cancel.cancelled() => return Ok(()),
                    _ = save.tick() => {
                        self.save(&reading.progress, &reading.source, &mut saved).await?;
                    }
                }
                continue;
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                _ = save.tick() => {
                    if let Err(problem) =
                        self.save(&reading.progress, &reading.source, &mut saved).await
                    {
                        tracing::warn!(%problem, "the cursor waits");
                    }
                }
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE {
                        let silence = SILENCE.as_secs();
                        return Err(IndexerError::Stream(format!("silent for {silence} s")));
                    }
                    let sent = socket.send(Message::Ping(Bytes::new())).await;
                    sent.map_err(|problem| IndexerError::Stream(problem.to_string()))?;
                }
                message = socket.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => reading.take(text.as_bytes()).await?,
                        Some(Ok(Message::Binary(bytes))) => reading.take_zipped(&bytes).await?,
                        Some(Ok(Message::Close(reason))) => {
                            let reason = reason.map_or_else(String::new, |r| r.to_string());
                            return Err(IndexerError::Stream(format!("it closed: {reason}")));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(problem)) => {
                            return Err(IndexerError::Stream(problem.to_string()));
                        }
                        None => {
                            return Err(IndexerError::Stream("the connection ended".to_owned()));
                        }
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
        let patience = Instant::now();
        // A store that takes nothing holds a stop up only so long; the cursor then stays behind.
        while progress.unfinished() > 0
            && !(cancel.is_cancelled() && patience.elapsed() > Duration::from_secs(8))
        {
            look.tick().await;
        }
        self.save(progress, source, &mut 0).await
    }
}

struct Reading<'a> {
    overlap: Overlap,
    unzip: Unzip,
    source: Arc<str>,
    progress: Arc<Progress>,
    lanes: &'a [mpsc::Sender<Event>],
}

impl Reading<'_> {
    async fn take_zipped(&mut self, bytes: &[u8]) -> Result<(), IndexerError> {
        let mut buffer = std::mem::take(&mut self.unzip.buffer);
        let taken = match self
            .unzip
            .decompressor
            .decompress_to_buffer(bytes, &mut buffer)
        {
            Ok(_) => self.take(&buffer).await,
            Err(problem) => {
                self.malformed(bytes, None, format!("zstd: {problem}"))
                    .await
            }
        };
        buffer.clear();
        self.unzip.buffer = buffer;
        taken
    }

    async fn malformed(
        &mut self,
        bytes: &[u8],
        cursor: Option<u64>,
        problem: String,
    ) -> Result<(), IndexerError> {
        self.received();
        let entry = check::malformed(&self.source, bytes, problem, crate::now());
        let at = cursor.or_else(|| self.progress.position().map(|(position, _)| position));
        let number = self.progress.begin(at.unwrap_or_default(), None);
        self.hand_over(String::new(), Work::Refused(Box::new(entry)), number)
            .await
    }

    fn received(&self) {
        let source = self.source.to_string();
        metrics::counter!("plyr_events_received_total", "source" => source).increment(1);
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<(), IndexerError> {
        match frame::decode(bytes) {
            Frame::Commit(commit) => {
                self.received();
                let key = event_key(&commit);
                self.overlap.look(key, &self.source);
                let number = self.progress.begin(commit.cursor, Some(key));
                let operation = Operation {
                    is_delete: commit.operation == frame::Operation::Delete,
                    did: commit.did.into_owned(),
                    rev: commit.rev.into_owned(),
                    collection: commit.collection.into_owned(),
                    rkey: commit.rkey.into_owned(),
                    cid: commit.cid.map(|cid| cid.into_owned()),
                    record: commit.record.map(|record| record.get().to_owned()),
                };
                self.hand_over(operation.did.clone(), Work::Operation(operation), number)
                    .await
            }
            Frame::Trigger(trigger) => {
                self.received();
                let did = trigger.did.into_owned();
                let number = self.progress.begin(trigger.cursor, None);
                self.hand_over(did.clone(), Work::Trigger(did), number)
                    .await
            }
            Frame::Unknown { cursor } => {
                self.received();
                let source = self.source.to_string();
                metrics::counter!(
                    "plyr_events_total", "source" => source, "outcome" => "out_of_scope"
                )
                .increment(1);
                let number = self.progress.begin(cursor, None);
                self.progress.finish(number);
                Ok(())
            }
            Frame::Malformed { cursor, problem } => self.malformed(bytes, cursor, problem).await,
        }
    }

    async fn hand_over(&self, did: String, work: Work, number: u64) -> Result<(), IndexerError> {
        let mut hasher = std::hash::DefaultHasher::new();
        did.hash(&mut hasher);
        let place = (hasher.finish() % self.lanes.len().max(1) as u64) as usize;
        let event = Event {
            work,
            source: self.source.clone(),
            received: Instant::now(),
            progress: self.progress.clone(),
            number,
        };
        let ended = || IndexerError::Stream("the lanes have ended".to_owned());
        let lane = self.lanes.get(place).ok_or_else(ended)?;
        lane.send(event).await.map_err(|_| ended())
    }
}

/// Names an event, the same on every host and at every replay.
fn event_key(commit: &Commit<'_>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    (&commit.did, &commit.collection, &commit.rkey, &commit.rev).hash(&mut hasher);
    hasher.finish()
}

/// After a reconnect one of the last events must come again; else the stream has a gap.
struct Overlap {
    expected: Vec<u64>,
    frames: usize,
}

impl Overlap {
    fn look(&mut self, key: u64, source: &str) {
        if self.expected.is_empty() {
            return;
        }
        self.frames += 1;
        if self.expected.contains(&key) {
            self.expected.clear();
        } else if self.frames >= OVERLAP {
            self.expected.clear();
            metrics::counter!("plyr_stream_gaps_total", "source" => source.to_owned()).increment(1);
            tracing::warn!(
                host = source,
                "the stream has a gap: none of the last events came again"
            );
        }
    }
}

struct Unzip {
    decompressor: zstd::bulk::Decompressor<'static>,
    buffer: Vec<u8>,
}

impl Unzip {
    fn new() -> Result<Unzip, IndexerError> {
        let decompressor = zstd::bulk::Decompressor::with_dictionary(DICTIONARY)
            .map_err(|problem| IndexerError::Stream(format!("zstd: {problem}")))?;
        Ok(Unzip {
            decompressor,
            buffer: Vec::with_capacity(LARGEST),
        })
    }
}
