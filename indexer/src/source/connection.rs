//! One websocket connection: opened within a time, kept alive by pings, and given up when nothing
//! comes back.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use url::Url;

use super::Patience;
use crate::IndexerError;

/// Largest message, in bytes, as sent and unzipped: a record of a megabyte, its JSON escaped (six
/// bytes for one), and room.
pub const LARGEST: usize = 8 << 20;
/// What a host tells about a refusal or a close, in characters at most.
const LONGEST_REASON: usize = 300;
const GOODBYE: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A message.
pub enum Incoming {
    /// JSON.
    Text(Utf8Bytes),
    /// Compressed JSON.
    Zipped(Bytes),
}

/// An open connection.
pub struct Connection {
    socket: Socket,
    patience: Patience,
    ping: Interval,
    heard: Instant,
}

impl Connection {
    /// Opens one, by a subprotocol that the host has to offer if one is named.
    pub async fn open(
        url: &Url,
        subprotocol: Option<&'static str>,
        patience: Patience,
    ) -> Result<Connection, IndexerError> {
        let mut request = url.as_str().into_client_request().map_err(ended)?;
        if let Some(name) = subprotocol {
            let value = HeaderValue::from_static(name);
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        let limits = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let connecting = connect_async_with_config(request, Some(limits), false);
        let socket = match tokio::time::timeout(patience.handshake, connecting).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(SocketError::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                return Err(IndexerError::Refused {
                    status: answer.status().as_u16(),
                    name: error_name(body),
                    body: shortened(&String::from_utf8_lossy(body)),
                });
            }
            Ok(Err(problem)) => return Err(ended(problem)),
            Err(_) => {
                let seconds = patience.handshake.as_secs_f64();
                let problem = format!("no connection within {seconds} s");
                return Err(IndexerError::Stream(problem));
            }
        };
        let mut ping = tokio::time::interval(patience.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Connection {
            socket,
            patience,
            ping,
            heard: Instant::now(),
        })
    }

    /// The next message, however long it takes on a quiet stream; pings show that the host is
    /// there. Nothing is lost when this is dropped while it waits.
    pub async fn next(&mut self) -> Result<Incoming, IndexerError> {
        loop {
            tokio::select! {
                _ = self.ping.tick() => self.ping().await?,
                message = self.socket.next() => {
                    self.heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => return Ok(Incoming::Text(text)),
                        Some(Ok(Message::Binary(bytes))) => return Ok(Incoming::Zipped(bytes)),
                        Some(Ok(Message::Close(frame))) => {
                            let reason = frame.map_or_else(String::new, |f| f.to_string());
                            let reason = format!("it closed: {}", shortened(&reason));
                            return Err(IndexerError::Stream(reason));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(problem)) => return Err(ended(problem)),
                        None => {
                            return Err(IndexerError::Stream("the connection ended".to_owned()));
                        }
                    }
                }
            }
        }
    }

    /// Nobody listened for a while, which is not the host's silence.
    pub fn was_away(&mut self) {
        self.heard = Instant::now();
    }

    async fn ping(&mut self) -> Result<(), IndexerError> {
        if self.heard.elapsed() > self.patience.silence {
            let seconds = self.patience.silence.as_secs_f64();
            return Err(IndexerError::Stream(format!("silent for {seconds} s")));
        }
        let sending = self.socket.send(Message::Ping(Bytes::new()));
        match tokio::time::timeout(self.patience.handshake, sending).await {
            Ok(sent) => sent.map_err(ended),
            Err(_) => Err(IndexerError::Stream("it takes no pings".to_owned())),
        }
    }

    /// Says goodbye, if the host takes it at once.
    pub async fn close(mut self) {
        let closing = self.socket.close(None);
        match tokio::time::timeout(GOODBYE, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => tracing::debug!(%problem, "the host took no goodbye"),
            Err(_) => tracing::debug!("the host took no goodbye in time"),
        }
    }
}

fn ended(problem: SocketError) -> IndexerError {
    match problem {
        SocketError::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            IndexerError::TooLarge { bytes: size }
        }
        SocketError::Utf8(_) => IndexerError::NotText,
        SocketError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            IndexerError::NotOffered
        }
        problem => IndexerError::Stream(problem.to_string()),
    }
}

/// The name of an XRPC error.
fn error_name(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct XrpcError {
        error: String,
    }
    let answer: XrpcError = serde_json::from_slice(body).ok()?;
    Some(answer.error)
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}
