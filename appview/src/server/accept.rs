//! The accept loop: a cap on connections, an end to every idle wait (also of a client that sends no
//! byte), and a graceful stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::filters::BoxedFilter;
use warp::reply::Response;

/// Until the first byte of a connection.
const FIRST_BYTE: Duration = Duration::from_secs(5);
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
    // The protocol is told apart by the first bytes; a client that sends none would wait for ever.
    let mut byte = [0];
    let first = tokio::select! {
        () = cancel.cancelled() => return,
        first = tokio::time::timeout(FIRST_BYTE, stream.peek(&mut byte)) => first,
    };
    if !matches!(first, Ok(Ok(1))) {
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
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
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
