//! The listening end, in the server.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use plyr_blobstore::Blobstore;
use plyr_indexer::IndexerHandle;
use plyr_indexer::search::SearchIndex;
use plyr_outbound::Outbound;
use plyr_schemas::Store;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::{
    AT_ONCE, BEAT, CONNECTIONS, LONGEST_BLOCK, LONGEST_REQUEST, NAME, Request, TELLS, Verdict,
    lost, short_path,
};
use crate::admin::Acts;
use crate::error::OpsError;
use crate::repos::Work;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const BLOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a command waits for others to end.
const PLACE_TIMEOUT: Duration = Duration::from_secs(30);
/// After a connection could not be accepted.
const REST: Duration = Duration::from_millis(100);

/// What commands work with.
#[derive(Clone)]
pub struct Served {
    pub store: Arc<dyn Store>,
    pub data_dir: PathBuf,
    pub outbound: Outbound,
    /// The indexer of this process, which starts after the socket; none where it has none.
    pub indexer: Option<Arc<OnceLock<Arc<IndexerHandle>>>>,
    /// What operators work with.
    pub acts: Acts,
    /// The search index of this process.
    pub search: Arc<SearchIndex>,
    /// What serves bytes.
    pub blobs: Blobstore,
}

impl Served {
    /// What commands about repos work with.
    pub fn work(&self) -> Result<Work, OpsError> {
        let indexer = self.indexer.as_ref();
        let indexer = indexer.ok_or_else(|| lost("it is an AppView alone; ask an indexer"))?;
        let indexer = indexer.get();
        let indexer = indexer.ok_or_else(|| lost("it is just starting; ask again in a moment"))?;
        Ok(Work {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            repos: indexer.repos().clone(),
            is_alone: false,
        })
    }
}

/// The listening end.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket in the data folder, whose lock this process holds: a socket left there
    /// belongs to nobody.
    pub fn bind(data_dir: &Path) -> Result<Control, OpsError> {
        let path = data_dir.join(NAME);
        let problem = |detail: std::io::Error| {
            OpsError::Start(format!("{} can't be opened: {detail}", path.display()))
        };
        let (_folder, short) = short_path(data_dir).map_err(problem)?;
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => {}
            Err(detail) => return Err(problem(detail)),
        }
        let listener = UnixListener::bind(short).map_err(problem)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(problem)?;
        Ok(Control { listener, path })
    }

    /// Answers until cancelled, then takes the socket away.
    pub async fn serve(self, served: Served, cancel: CancellationToken) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection = tokio::select! {
                        () = cancel.cancelled() => break,
                        connection = connections.clone().acquire_owned() => connection,
                    };
                    let Ok(connection) = connection else { break };
                    let (served, cancel) = (served.clone(), cancel.clone());
                    let places = places.clone();
                    tokio::spawn(async move {
                        if let Err(problem) = answer(stream, served, places, cancel).await {
                            tracing::warn!(%problem, "a command on the control socket failed");
                        }
                        drop(connection);
                    });
                }
                Err(problem) => {
                    tracing::warn!(%problem, "the control socket could not accept");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        if let Err(problem) = std::fs::remove_file(&self.path) {
            tracing::warn!(%problem, "the control socket could not be taken away");
        }
    }
}

async fn answer(
    stream: UnixStream,
    served: Served,
    places: Arc<Semaphore>,
    cancel: CancellationToken,
) -> Result<(), OpsError> {
    let mut lines = BufReader::new(stream.take(LONGEST_REQUEST));
    let mut line = String::new();
    let read = tokio::time::timeout(REQUEST_TIMEOUT, lines.read_line(&mut line)).await;
    match read {
        Ok(read) => read.map_err(lost)?,
        Err(_) => return Err(lost("no request came")),
    };
    let asked = serde_json::from_str::<Request>(&line);
    let stream = lines.into_inner().into_inner().into_std().map_err(lost)?;
    stream.set_nonblocking(false).map_err(lost)?;
    stream
        .set_write_timeout(Some(BLOCK_TIMEOUT))
        .map_err(lost)?;
    let mut reply = Reply(Arc::new(Mutex::new(stream)));
    let beat = reply.clone();
    let (done, waits) = channel::<()>();
    let beating = std::thread::Builder::new()
        .name("control-beat".to_owned())
        .spawn(move || beat.beat_until(&waits));
    beating.map_err(lost)?;
    // Written with blocking calls, on a thread that may block: a slow reader holds nobody up.
    let runtime = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let worked = match asked {
            Ok(request) => runtime.block_on(async {
                let _place = place(&request, &places).await?;
                tokio::select! {
                    worked = request.answer(&served, &mut reply) => worked,
                    () = cancel.cancelled() => Err(lost("it is stopping; ask again later")),
                }
            }),
            Err(problem) => Err(lost(format!(
                "it does not understand this request ({problem}); is it of another version? \
                 Restart it"
            ))),
        };
        drop(done);
        let verdict = match &worked {
            Ok(()) => Verdict {
                ok: true,
                error: None,
            },
            Err(problem) => Verdict {
                ok: false,
                error: Some(problem.to_string()),
            },
        };
        reply.end(&verdict).map_err(lost)?;
        worked
    });
    work.await.map_err(lost)?
}

/// A place to work in. What only steers the work of others must not wait for them.
async fn place<'a>(
    request: &Request,
    places: &'a Semaphore,
) -> Result<Option<SemaphorePermit<'a>>, OpsError> {
    if request.is_short() {
        return Ok(None);
    }
    match tokio::time::timeout(PLACE_TIMEOUT, places.acquire()).await {
        Ok(place) => place.map(Some).map_err(lost),
        Err(_) => Err(lost(format!(
            "{AT_ONCE} other commands are at work; ask again when one has ended"
        ))),
    }
}

/// An answer on its way: written bytes become blocks, and between them goes how far it has come.
#[derive(Clone)]
pub struct Reply(Arc<Mutex<BlockingStream>>);

impl Reply {
    fn stream(&self) -> MutexGuard<'_, BlockingStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn block(&self, length: u32, bytes: &[u8]) -> std::io::Result<()> {
        let mut stream = self.stream();
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(bytes)
    }

    /// Tells how far the work has come.
    pub fn tell(&self, progress: &impl Serialize) -> Result<(), OpsError> {
        let line = serde_json::to_vec(progress).map_err(lost)?;
        let length = u32::try_from(line.len()).unwrap_or(0);
        self.block(TELLS | length, &line).map_err(lost)
    }

    /// Tells that the server lives, until the other end of the channel is dropped.
    fn beat_until(&self, done: &std::sync::mpsc::Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = done.recv_timeout(BEAT) {
            if let Err(problem) = self.block(TELLS, &[]) {
                tracing::debug!(%problem, "who asked is gone");
                return;
            }
        }
    }

    fn end(&self, verdict: &Verdict) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(verdict)?;
        line.push(b'\n');
        self.block(0, &line)
    }
}

impl Write for Reply {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let piece = &bytes[..bytes.len().min(LONGEST_BLOCK)];
        if piece.is_empty() {
            return Ok(0);
        }
        self.block(u32::try_from(piece.len()).unwrap_or(0), piece)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream().flush()
    }
}
