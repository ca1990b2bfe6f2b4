//! Connections taken in until it is over; each is a task that ends with it.

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Accepts connections for a named server until cancelled, then waits for those under way, which
/// are broken off.
pub async fn accept<F>(
    listener: TcpListener,
    name: &str,
    cancel: &CancellationToken,
    converse: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let conversation = match accepted {
            Ok((socket, _)) => converse(socket),
            Err(problem) => {
                tracing::warn!(%problem, server = name, "a connection could not be accepted");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let cancel = cancel.clone();
        open.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                ended = conversation => {
                    if let Err(problem) = ended {
                        tracing::debug!(problem, "a connection broke");
                    }
                }
            }
        });
    }
    open.close();
    open.wait().await;
}
