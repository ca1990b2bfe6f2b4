//! The connection that a request came over, as those see it who answer with a long body.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A connection, or one stream of it: it can be cut, and the connection lasts as long as there is
/// a body on it.
#[derive(Clone, Default)]
pub struct Line {
    cut: CancellationToken,
    /// Of the whole connection.
    bodies: Arc<AtomicUsize>,
}

impl Line {
    /// One stream of a connection of HTTP/2: what is cut there leaves the others alone, which may
    /// be other people's.
    pub fn of_one_stream(&self) -> Line {
        Line {
            cut: CancellationToken::new(),
            bodies: self.bodies.clone(),
        }
    }

    /// Ends it at once: the connection with whatever is on it, or the one stream.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    pub fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// Waits until it is cut.
    pub async fn ended(&self) {
        self.cut.cancelled().await;
    }

    pub fn body_begins(&self) {
        self.bodies.fetch_add(1, Ordering::AcqRel);
    }

    pub fn body_ends(&self) {
        self.bodies.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether a long body is being sent on it.
    pub fn has_bodies(&self) -> bool {
        self.bodies.load(Ordering::Acquire) > 0
    }
}

/// A stream that takes back what the system has not sent yet, where its line was cut: seconds or
/// minutes of sound wait there for a slow reader.
pub struct Wire {
    stream: TcpStream,
    line: Line,
}

impl Wire {
    pub fn new(stream: TcpStream, line: Line) -> Wire {
        Wire { stream, line }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if !self.line.is_cut() {
            return;
        }
        if let Err(problem) = self.stream.set_zero_linger() {
            tracing::debug!(%problem, "what was not sent yet could not be taken back");
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
