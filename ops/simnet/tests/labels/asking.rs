//! Asking a labeler: over a websocket, and by GET.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use plyr_simnet::Network;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::reading::{Frame, read};

type Error = Box<dyn std::error::Error>;

/// How long a frame may take that must come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the largest frame that is taken.
const LARGEST: usize = 1 << 20;

/// Who is told labels.
pub struct Subscriber(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Subscriber {
    pub async fn connect(network: &Network, query: &str) -> Result<Subscriber, Error> {
        let url = network.labeler.replacen("http", "ws", 1);
        let url = format!("{url}/xrpc/com.atproto.label.subscribeLabels{query}");
        let config = WebSocketConfig::default().max_frame_size(Some(LARGEST));
        let (socket, _) = connect_async_with_config(url, Some(config), false).await?;
        Ok(Subscriber(socket))
    }

    async fn next(&mut self) -> Result<Message, Error> {
        let message = tokio::time::timeout(PATIENCE, self.0.next()).await?;
        Ok(message.ok_or("the stream has ended")??)
    }

    /// The next frame's bytes.
    pub async fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        match self.next().await? {
            Message::Binary(bytes) => Ok(bytes.into()),
            other => Err(format!("no frame of bytes: {other:?}").into()),
        }
    }

    pub async fn frame(&mut self) -> Result<Frame, Error> {
        read(&self.bytes().await?)
    }

    /// The number of the next frame, which tells labels.
    pub async fn seq(&mut self) -> Result<u64, Error> {
        match self.frame().await? {
            Frame::Labels { seq, .. } => Ok(seq),
            other => Err(format!("no labels: {other:?}").into()),
        }
    }

    /// The numbers of all frames up to now: who is asked whether it is there answers when nothing
    /// is left to tell.
    pub async fn seqs(&mut self) -> Result<Vec<u64>, Error> {
        self.0.send(Message::Ping(Default::default())).await?;
        let mut seqs = Vec::new();
        loop {
            match self.next().await? {
                Message::Pong(_) => return Ok(seqs),
                Message::Binary(bytes) => match read(&bytes)? {
                    Frame::Labels { seq, .. } => seqs.push(seq),
                    other => return Err(format!("no labels: {other:?}").into()),
                },
                other => return Err(format!("no frame of bytes: {other:?}").into()),
            }
        }
    }

    /// The code with which the stream is closed, and now.
    pub async fn closed(&mut self) -> Result<u16, Error> {
        match self.next().await? {
            Message::Close(Some(close)) => Ok(close.code.into()),
            other => Err(format!("not closed: {other:?}").into()),
        }
    }
}

/// The status and the JSON of an answer.
pub async fn get(url: &str) -> Result<(u16, Value), Error> {
    let url = url::Url::parse(url)?;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(80));
    let mut socket = TcpStream::connect((host, port)).await?;
    let query = url.query().map(|query| format!("?{query}"));
    let (path, query) = (url.path(), query.unwrap_or_default());
    let request =
        format!("GET {path}{query} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.split(' ').nth(1).ok_or("no status")?;
    Ok((status.parse()?, serde_json::from_str(body)?))
}
