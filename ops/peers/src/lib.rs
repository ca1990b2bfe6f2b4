//! Starts the real AT Protocol peers on loopback, and the `plyr` binary beside them: what
//! end-to-end tests stand on. Everything ends when its handle is dropped, or when the test dies.

mod account;
mod browser;
mod built;
mod clients;
mod cluster;
mod layout;
mod lifecycle;
mod peers;
mod plyr;
mod s3;

use std::future::Future;
use std::time::{Duration, Instant};

pub use account::Account;
pub use browser::Browser;
pub use built::built;
pub use clients::Clients;
pub use cluster::Cluster;
pub use layout::{Layout, migrate};
pub use peers::{Pds, Peers, PeersOptions};
pub use plyr::{Around, Plyr};
pub use s3::S3Server;

/// What can go wrong in a test's surroundings.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// A peer or the binary could not be started, or ended too soon.
    #[error("{0}")]
    Start(String),
    /// The binary ended before it was ready.
    #[error("it ended before it was ready, {status}; the end of its log:\n{log}")]
    Unready {
        /// With what: an exit code or a signal.
        status: std::process::ExitStatus,
        /// Its last lines.
        log: String,
    },
    /// A request failed.
    #[error("{what}: {detail}")]
    Request {
        /// What was asked.
        what: String,
        /// What came back.
        detail: String,
    },
    /// A condition did not come true.
    #[error("after {seconds} s still not so: {what}; last seen: {last}")]
    Waited {
        /// The condition.
        what: String,
        /// How long it was waited for.
        seconds: u64,
        /// What was seen last.
        last: String,
    },
}

/// Reads JSON however deeply it nests (records may nest a thousand levels); null for no JSON.
pub fn read_json(text: &str) -> serde_json::Value {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    serde::Deserialize::deserialize(&mut reader).unwrap_or(serde_json::Value::Null)
}

/// How long a condition may take to come true on a busy machine: one request that timed out is
/// repeated a minute later.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks at least; and as long as a look takes, so that what is looked at goes on.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until a question is answered with `Ok`; the last `Err` tells what was seen instead.
pub async fn wait_until<T, F>(what: &str, question: impl FnMut() -> F) -> Result<T, PeersError>
where
    F: Future<Output = Result<T, String>>,
{
    wait_for(PATIENCE, what, question).await
}

/// As [`wait_until`], for what takes its time by design.
pub async fn wait_for<T, F>(
    patience: Duration,
    what: &str,
    mut question: impl FnMut() -> F,
) -> Result<T, PeersError>
where
    F: Future<Output = Result<T, String>>,
{
    let began = Instant::now();
    loop {
        let looked = Instant::now();
        match question().await {
            Ok(answer) => return Ok(answer),
            Err(last) if began.elapsed() > patience => {
                let seconds = patience.as_secs();
                return Err(PeersError::Waited {
                    what: what.to_owned(),
                    seconds,
                    last,
                });
            }
            Err(_) => {}
        }
        tokio::time::sleep(looked.elapsed().max(LOOK)).await;
    }
}
