//! The accept loop: a cap on connections, an end to every idle wait (also of a client that sends no
//! byte), and a graceful stop.

use std::convert::Infallible;
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
/// A connection's life at most; clients open another.
const LIFE: Duration = Duration::from_secs(600);
/// Open requests may take this long after the stop.
const DRAIN: Duration = Duration::from_secs(9);
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
                    converse(stream, service, &cancel).await;
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

async fn converse<S>(stream: TcpStream, service: S, cancel: &CancellationToken)
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
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut service = service.clone();
        async move {
            // A CONNECT names no path, which warp can't take.
            if request.uri().path().is_empty() {
                return Ok(super::no_path(request.method(), request.headers()));
            }
            service.call(request).await
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = cancel.cancelled() => None,
        () = tokio::time::sleep(LIFE) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // No new request; the open one finishes.
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(DRAIN, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(problem) = ended {
        tracing::debug!(%problem, "a connection broke");
    }
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
