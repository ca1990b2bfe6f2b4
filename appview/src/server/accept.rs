//! The accept loop: a cap on connections, an end to every idle wait (also of a client that sends no
//! byte), and a graceful stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::line::{Line, Wire};
use crate::input::Peer;

/// Until a connection shows which version of HTTP it speaks.
const FIRST_BYTES: Duration = Duration::from_secs(5);
/// What HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between two looks at the first bytes, where they may still become either version.
const LOOK: Duration = Duration::from_millis(20);
/// Until a request's headers are whole; also between two requests.
const HEADERS: Duration = Duration::from_secs(10);
/// Largest header block, in bytes, with the request line.
const LARGEST_HEADERS: usize = 128 << 10;
/// A connection's life at most; clients open another. A body that was begun is sent to its end.
const LIFE: Duration = Duration::from_secs(600);
/// The life of one with a body on it, however slowly that is read.
const LONGEST_LIFE: Duration = Duration::from_secs(12 * 3600);
/// Open requests may take this long after the stop.
const DRAIN: Duration = Duration::from_secs(9);
/// Bytes that the system is handed ahead of what it can send. A body is watched until its last
/// bytes are handed on: where the system takes as much as it likes (4 MiB) that is the whole of a
/// song at once, and nobody would be left to end it.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 256 << 10;
/// After an accept that failed (no file handles, say).
const BREATH: Duration = Duration::from_millis(50);

/// Accepts until cancelled, then lets open requests finish.
pub async fn serve(
    listener: TcpListener,
    routes: BoxedFilter<(Response,)>,
    connections: usize,
    cancel: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(connections));
    let open = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = cancel.cancelled() => break,
            place = places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let service = warp::service(routes.clone());
                let cancel = cancel.clone();
                open.spawn(async move {
                    converse(stream, peer, service, &cancel).await;
                    tracing::trace!(%peer, "connection ended");
                    drop(place);
                });
            }
            Err(problem) => {
                tracing::warn!(%problem, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(DRAIN, open.wait()).await.is_err() {
        tracing::warn!("some connections were cut");
    }
}

async fn converse<S>(stream: TcpStream, peer: SocketAddr, service: S, cancel: &CancellationToken)
where
    S: tower_service::Service<
            hyper::Request<hyper::body::Incoming>,
            Response = Response,
            Error = Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    // Below, the version is told apart without a timeout: a client that sends no byte, or only the
    // beginning of the preface, would hold its place for long.
    let told = tokio::select! {
        () = cancel.cancelled() => return,
        told = tokio::time::timeout(FIRST_BYTES, tells_its_version(&stream)) => told,
    };
    if !matches!(told, Ok(true)) {
        return;
    }
    if let Err(problem) = stream.set_nodelay(true) {
        tracing::debug!(%problem, "nagle stays on");
    }
    // Unlike a bound on the whole buffer this leaves to the system how much is on its way.
    #[cfg(target_os = "linux")]
    if let Err(problem) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%problem, "the system takes as much ahead as it likes");
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(LARGEST_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(LARGEST_HEADERS as u32)
        .keep_alive_interval(HEADERS)
        .keep_alive_timeout(HEADERS);
    let line = Line::default();
    let line_of_requests = line.clone();
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let mut service = service.clone();
        let line = match request.version() {
            hyper::Version::HTTP_2 => line_of_requests.of_one_stream(),
            _ => line_of_requests.clone(),
        };
        request.extensions_mut().insert(line);
        async move {
            // A CONNECT names no path, which warp can't take.
            if request.uri().path().is_empty() {
                return Ok(super::no_path(request.method(), request.headers()));
            }
            request.extensions_mut().insert(Peer(peer.ip()));
            service.call(request).await
        }
    });
    let wire = TokioIo::new(Wire::new(stream, line.clone()));
    let connection = builder.serve_connection(wire, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = line.ended() => return,
        () = cancel.cancelled() => None,
        () = tokio::time::sleep(LIFE) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // No new request; the open one finishes.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = line.ended() => return,
                () = end_of_patience(&line, cancel) => return,
            }
        }
    };
    if let Err(problem) = ended {
        tracing::debug!(%problem, "a connection broke");
    }
}

/// Waits as long as what is open on a connection may take that is to end.
async fn end_of_patience(line: &Line, cancel: &CancellationToken) {
    let latest = tokio::time::Instant::now() + LONGEST_LIFE;
    while !cancel.is_cancelled() && tokio::time::Instant::now() < latest {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(DRAIN) => {
                if !line.has_bodies() {
                    return;
                }
            }
        }
    }
    tokio::time::sleep(DRAIN).await;
}

/// Waits for the bytes that tell HTTP/1 from HTTP/2; `false` when the connection ended before.
async fn tells_its_version(stream: &TcpStream) -> bool {
    let mut bytes = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(length) if length == bytes.len() || !PREFACE.starts_with(&bytes[..length]) => {
                return true;
            }
            Ok(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
