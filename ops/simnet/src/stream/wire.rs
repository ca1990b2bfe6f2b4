//! Frames on a websocket, whole and broken.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The first byte of a frame that is whole: of text, and of bytes.
/// Spec: <https://www.rfc-editor.org/rfc/rfc6455#section-5.2>.
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
/// Bytes that the head of a giant frame promises.
const GIANT: u64 = 64 << 20;

/// Writes a message, which goes out with the next flush.
pub async fn feed<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    message: Message,
) -> Result<(), String> {
    let sent = socket.feed(message).await;
    sent.map_err(|problem| problem.to_string())
}

/// The head of a frame and half of what it promises; then nothing.
pub async fn cut<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    kind: u8,
    content: &[u8],
) -> Result<(), String> {
    let half = &content[..content.len() / 2];
    let raw = [&head(kind, content.len() as u64)[..], half].concat();
    send_raw(&mut socket, &raw).await
}

/// The head of a frame that nobody takes, and a little of it.
pub async fn giant<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    kind: u8,
) -> Result<(), String> {
    let raw = [&head(kind, GIANT)[..], &[b'x'; 1000]].concat();
    send_raw(&mut socket, &raw).await?;
    // Until the other side has read what it doesn't want.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

fn head(kind: u8, length: u64) -> Vec<u8> {
    let mut head = vec![kind, 127];
    head.extend_from_slice(&length.to_be_bytes());
    head
}

async fn send_raw<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    raw: &[u8],
) -> Result<(), String> {
    let flushed = socket.flush().await;
    flushed.map_err(|problem| problem.to_string())?;
    let written = socket.get_mut().write_all(raw).await;
    written.map_err(|problem| problem.to_string())?;
    let flushed = socket.get_mut().flush().await;
    flushed.map_err(|problem| problem.to_string())
}
