//! The control socket: how a command reaches the server that holds the data folder.
//!
//! A Unix socket `control.sock` (mode 0600) in the folder. One request a connection: a JSON object
//! on one line. The answer is blocks of bytes, each behind its length (u32, big-endian); a length
//! of 0 ends them, and one JSON line tells how it went: `{"ok":true}` or `{"error":"…"}`.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plyr_schemas::Store;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::OpsError;
use crate::store::dump;

const NAME: &str = "control.sock";
const LONGEST_REQUEST: u64 = 64 << 10;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const BLOCK_TIMEOUT: Duration = Duration::from_secs(60);
const AT_ONCE: usize = 4;

/// What can be asked of a running server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase")]
pub enum Request {
    /// The canonical dump.
    Dump {
        /// Only once nothing was written for a while.
        #[serde(default, rename = "waitIdle")]
        wait_idle: bool,
        /// With everything that is kept.
        #[serde(default)]
        full: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct Verdict {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The socket's path by way of the open folder, which must stay open meanwhile: an address holds
/// 107 bytes, and a data folder's path may be longer.
fn short_path(data_dir: &Path) -> std::io::Result<(File, PathBuf)> {
    let folder = File::open(data_dir)?;
    let path = format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd());
    Ok((folder, path.into()))
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
    pub async fn serve(self, store: Arc<dyn Store>, data_dir: PathBuf, cancel: CancellationToken) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let Ok(place) = places.clone().acquire_owned().await else {
                        break;
                    };
                    let (store, data_dir) = (store.clone(), data_dir.clone());
                    tokio::spawn(async move {
                        if let Err(problem) = answer(stream, store, &data_dir).await {
                            tracing::warn!(%problem, "a command on the control socket failed");
                        }
                        drop(place);
                    });
                }
                Err(problem) => {
                    tracing::warn!(%problem, "the control socket could not accept");
                    tokio::task::yield_now().await;
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
    store: Arc<dyn Store>,
    data_dir: &Path,
) -> Result<(), OpsError> {
    let lost = |detail: std::io::Error| OpsError::Control(detail.to_string());
    let mut lines = BufReader::new(stream.take(LONGEST_REQUEST));
    let mut line = String::new();
    let read = tokio::time::timeout(REQUEST_TIMEOUT, lines.read_line(&mut line)).await;
    match read {
        Ok(read) => read.map_err(lost)?,
        Err(_) => return Err(OpsError::Control("no request came".to_owned())),
    };
    let stream = lines.into_inner().into_inner().into_std().map_err(lost)?;
    stream.set_nonblocking(false).map_err(lost)?;
    stream
        .set_write_timeout(Some(BLOCK_TIMEOUT))
        .map_err(lost)?;
    // Written with blocking calls, on a thread that may block: a slow reader holds nobody up.
    let runtime = tokio::runtime::Handle::current();
    let data_dir = data_dir.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let mut blocks = Blocks { stream };
        let done = match serde_json::from_str::<Request>(&line) {
            Ok(Request::Dump { wait_idle, full }) => {
                let kind = dump::Kind { wait_idle, full };
                runtime.block_on(dump::write(store.as_ref(), &mut blocks, &data_dir, kind))
            }
            Err(problem) => Err(OpsError::Control(format!("not understood: {problem}"))),
        };
        let verdict = match &done {
            Ok(()) => Verdict {
                ok: true,
                error: None,
            },
            Err(problem) => Verdict {
                ok: false,
                error: Some(problem.to_string()),
            },
        };
        blocks.end(&verdict).map_err(lost)?;
        done
    });
    work.await
        .map_err(|detail| OpsError::Control(detail.to_string()))?
}

/// Turns written bytes into blocks.
struct Blocks {
    stream: BlockingStream,
}

impl Blocks {
    fn end(&mut self, verdict: &Verdict) -> std::io::Result<()> {
        self.stream.write_all(&0u32.to_be_bytes())?;
        let mut line = serde_json::to_vec(verdict)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }
}

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let piece = &bytes[..bytes.len().min(1 << 20)];
        if piece.is_empty() {
            return Ok(0);
        }
        let length = u32::try_from(piece.len()).unwrap_or(0);
        self.stream.write_all(&length.to_be_bytes())?;
        self.stream.write_all(piece)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// Asks the server that holds a data folder and copies its answer to `out`. None if no server
/// listens there.
pub fn ask(
    data_dir: &Path,
    request: &Request,
    out: &mut dyn Write,
) -> Result<Option<()>, OpsError> {
    let lost = |detail: std::io::Error| OpsError::Control(detail.to_string());
    let connected = short_path(data_dir).and_then(|(_folder, path)| BlockingStream::connect(path));
    let Ok(mut stream) = connected else {
        return Ok(None);
    };
    let mut line =
        serde_json::to_vec(request).map_err(|detail| OpsError::Control(detail.to_string()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(lost)?;
    let mut block = Vec::new();
    loop {
        let mut length = [0u8; 4];
        stream.read_exact(&mut length).map_err(lost)?;
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 {
            break;
        }
        block.resize(length, 0);
        stream.read_exact(&mut block).map_err(lost)?;
        out.write_all(&block)
            .map_err(|detail| OpsError::Dump(detail.to_string()))?;
    }
    let mut verdict = String::new();
    stream
        .take(LONGEST_REQUEST)
        .read_to_string(&mut verdict)
        .map_err(lost)?;
    match serde_json::from_str::<Verdict>(&verdict) {
        Ok(Verdict { ok: true, .. }) => Ok(Some(())),
        Ok(Verdict {
            error: Some(problem),
            ..
        }) => Err(OpsError::Control(problem)),
        _ => Err(OpsError::Control("the answer was cut off".to_owned())),
    }
}
