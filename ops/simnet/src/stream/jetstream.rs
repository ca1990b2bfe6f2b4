//! The websocket end of a stream: what is asked for, what is sent, and what goes wrong on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_util::sync::CancellationToken;

use super::frame::Line;
use super::log::Log;
use super::wire;
use crate::accept::accept;
use crate::dice::Dice;
use crate::event::Event;
use crate::faults::StreamFaults;

const EVENTS: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
const SUBPROTOCOL: &str = "xrpc.v1.json";
/// Cursors from here on are times in microseconds, as v2 tells them apart.
const FIRST_TIME: u64 = 1_000_000_000_000_000;
/// Lines read from the log at a time.
const BATCH: usize = 200;
/// How far a stream goes back when it does, in lines.
const BACK: u64 = 60;
/// By how much another instance's numbers and times are others.
const STRANGE_NUMBER: u64 = 1_000_000;
const STRANGE_TIME: i64 = -3_600_000_000;

/// Which protocol a host speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    /// `/subscribe` alone.
    V1,
    /// `network.bsky.jetstream.subscribeEvents`, and `/subscribe` beside it.
    V2,
}

/// One host.
pub struct Stream {
    speaks: Speaks,
    seed: u64,
    log: Mutex<Log>,
    grown: watch::Sender<u64>,
    connections: Mutex<u64>,
}

/// How a client wants its stream.
#[derive(Clone, Debug)]
struct Asked {
    is_events: bool,
    collections: Vec<String>,
    kinds: Vec<String>,
    cursor: Option<u64>,
    is_limited: bool,
}

/// Archives are asked for by POST, and no host has one here.
async fn refuse_post(mut socket: TcpStream) -> Result<(), String> {
    const ANSWER: &[u8] =
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let answered = async {
        socket.write_all(ANSWER).await?;
        socket.shutdown().await?;
        // Closed before all of the question was read, the answer would be lost.
        tokio::io::copy(&mut socket, &mut tokio::io::sink()).await
    };
    let answered = answered.await;
    answered.map(drop).map_err(|problem| problem.to_string())
}

impl Stream {
    /// A host that has heard nothing yet and keeps so many lines.
    pub fn new(speaks: Speaks, seed: u64, faults: StreamFaults, keep: usize) -> Arc<Stream> {
        Arc::new(Stream {
            speaks,
            seed,
            log: Mutex::new(Log::new(seed, faults, keep)),
            grown: watch::Sender::new(0),
            connections: Mutex::new(0),
        })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of an event.
    pub fn hear(&self, event: &Event, relayed: u64, now: i64) {
        let mut log = self.log();
        log.hear(event, relayed, now);
        self.grown.send_replace(log.next());
    }

    /// Nothing goes wrong from now on, and what was late comes.
    pub fn calm(&self, now: i64) {
        let mut log = self.log();
        log.calm(now);
        self.grown.send_replace(log.next());
    }

    /// Connections that were ever made.
    pub fn connections(&self) -> u64 {
        *self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How often what went wrong, by the name that [`StreamFaults`] has for it.
    pub fn went_wrong(&self) -> BTreeMap<&'static str, u64> {
        self.log().went_wrong().clone()
    }

    fn goes_wrong(&self, fault: &'static str) {
        self.log().goes_wrong(fault);
    }

    /// What it has written down and still keeps.
    pub fn lines(&self) -> Vec<Line> {
        let log = self.log();
        log.read(log.first(), usize::MAX)
    }

    /// Accepts connections until cancelled.
    pub async fn serve(self: Arc<Stream>, listener: TcpListener, cancel: CancellationToken) {
        let converse = |socket: TcpStream| {
            let stream = self.clone();
            async move { stream.converse(socket).await }
        };
        accept(listener, "stream", &cancel, converse).await;
    }

    async fn converse(&self, socket: TcpStream) -> Result<(), String> {
        let mut first = [0];
        let peeked = socket.peek(&mut first).await;
        peeked.map_err(|problem| problem.to_string())?;
        if first == [b'P'] {
            return refuse_post(socket).await;
        }
        let number = {
            let connections = self.connections.lock();
            let mut connections = connections.unwrap_or_else(PoisonError::into_inner);
            *connections += 1;
            *connections
        };
        let mut asked = None;
        #[allow(clippy::result_large_err)] // the library's own type
        let handshake = |request: &Request, response: Response| {
            let mut response = response;
            match self.read(request) {
                Ok(read) => {
                    if read.is_events {
                        let name = "sec-websocket-protocol";
                        let offered = request.headers().get(name).cloned();
                        if let Some(offered) = offered.filter(|text| text == SUBPROTOCOL) {
                            response.headers_mut().insert(name, offered);
                        }
                    }
                    asked = Some(read);
                    Ok(response)
                }
                Err((status, body)) => {
                    let mut refusal = ErrorResponse::new(Some(body));
                    *refusal.status_mut() = status;
                    Err(refusal)
                }
            }
        };
        let socket = tokio_tungstenite::accept_hdr_async(socket, handshake).await;
        let socket = socket.map_err(|problem| problem.to_string())?;
        let asked = asked.ok_or("nothing was asked")?;
        let sending = Sending {
            stream: self,
            may_rewind: true,
            dice: Dice::named(self.seed ^ number.rotate_left(48), "connection"),
            asked,
        };
        sending.run(socket).await
    }

    fn read(&self, request: &Request) -> Result<Asked, (StatusCode, String)> {
        let path = request.uri().path();
        let is_events = match (path, self.speaks) {
            ("/subscribe", _) => false,
            (EVENTS, Speaks::V2) => true,
            _ => {
                let body = r#"{"message":"Not Found"}"#.to_owned();
                return Err((StatusCode::NOT_FOUND, body));
            }
        };
        let query = request.uri().query().unwrap_or_default();
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let all = |name: &str| -> Vec<String> {
            let named = fields.iter().filter(|(own, _)| own == name);
            named.map(|(_, value)| value.clone()).collect()
        };
        let cursor = all("cursor").first().and_then(|text| text.parse().ok());
        if let Some(cursor) = cursor
            && cursor < FIRST_TIME
            && is_events
            && cursor < self.log().first()
        {
            let body = r#"{"error":"CursorTooOld","message":"it is no longer kept"}"#.to_owned();
            return Err((StatusCode::BAD_REQUEST, body));
        }
        let wanted = if is_events {
            "collections"
        } else {
            "wantedCollections"
        };
        let largest = all("maxMessageSizeBytes");
        Ok(Asked {
            is_events,
            collections: all(wanted),
            kinds: all("kinds"),
            cursor,
            is_limited: largest.iter().any(|text| text != "0"),
        })
    }
}

/// A connection that is open.
struct Sending<'a> {
    stream: &'a Stream,
    asked: Asked,
    /// It goes back once, else it would never come to an end.
    may_rewind: bool,
    dice: Dice,
}

impl Sending<'_> {
    async fn run(mut self, mut socket: WebSocketStream<TcpStream>) -> Result<(), String> {
        let is_stranger = {
            let strangers = self.stream.log().faults().strangers;
            self.dice.once_in(strangers)
        };
        let (number, time) = match is_stranger {
            true => {
                self.stream.goes_wrong("strangers");
                (STRANGE_NUMBER, STRANGE_TIME)
            }
            false => (0, 0),
        };
        let mut grown = self.stream.grown.subscribe();
        let mut from = self.begin(number, time);
        loop {
            grown.borrow_and_update();
            // Faults may have ended meanwhile.
            let (lines, faults) = {
                let log = self.stream.log();
                (log.read(from, BATCH), log.faults().clone())
            };
            let is_end = lines.is_empty();
            let mut back = None;
            for mut line in lines {
                from = line.seq + 1;
                if !self.wants(&line) {
                    continue;
                }
                line.seq += number;
                line.time += time;
                let text = match self.asked.is_events {
                    true => line.event(),
                    false => line.subscribe(self.stream.speaks == Speaks::V2),
                };
                if self.dice.once_in(faults.cuts) {
                    self.stream.goes_wrong("cuts");
                    return wire::cut(socket, wire::TEXT, text.as_bytes()).await;
                }
                if self.dice.once_in(faults.garbage) {
                    self.stream.goes_wrong("garbage");
                    let garbage = self
                        .dice
                        .one(&["{", "[]", "", "{\"kind\":\"commit\"}", "\u{0}"]);
                    wire::feed(&mut socket, Message::text(garbage)).await?;
                }
                if !self.asked.is_limited && self.dice.once_in(faults.giants) {
                    self.stream.goes_wrong("giants");
                    return wire::giant(socket, wire::TEXT).await;
                }
                wire::feed(&mut socket, Message::text(text)).await?;
                if self.may_rewind && self.dice.once_in(faults.rewinds) {
                    self.stream.goes_wrong("rewinds");
                    back = Some(from.saturating_sub(self.dice.between(1, BACK)));
                    break;
                }
            }
            let flushed = socket.flush().await;
            flushed.map_err(|problem| problem.to_string())?;
            if let Some(back) = back {
                from = back.max(1);
                self.may_rewind = false;
                continue;
            }
            if !is_end {
                continue;
            }
            tokio::select! {
                // Pings are answered by reading.
                heard = socket.next() => match heard {
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(Ok(_)) => {}
                    Some(Err(problem)) => return Err(problem.to_string()),
                },
                grew = grown.changed() => grew.map_err(|problem| problem.to_string())?,
            }
        }
    }

    /// The first line's number for a cursor, which another instance reads by its own numbers.
    fn begin(&self, number: u64, time: i64) -> u64 {
        let log = self.stream.log();
        match self.asked.cursor {
            None => log.next(),
            Some(cursor) if cursor < FIRST_TIME && self.asked.is_events => {
                cursor.saturating_sub(number)
            }
            // A v1 cursor is a time, however small.
            Some(cursor) => log.since(i64::try_from(cursor).unwrap_or(i64::MAX) - time),
        }
    }

    fn wants(&self, line: &Line) -> bool {
        let Some(collection) = line.collection() else {
            return self.asked.kinds.is_empty()
                || self.asked.kinds.iter().any(|kind| kind != "commit");
        };
        let is_of = |wanted: &String| match wanted.strip_suffix('*') {
            Some(beginning) => collection.starts_with(beginning),
            None => wanted == collection,
        };
        self.asked.collections.is_empty() || self.asked.collections.iter().any(is_of)
    }
}
