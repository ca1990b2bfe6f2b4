//! A real S3 server: versitygw over a folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::PeersError;
use crate::peers::{START, again, missing_tools};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    url: String,
    folder: PathBuf,
    access_key: String,
    secret_key: String,
}

/// A running S3 server. It ends, and its buckets are removed, when the handle is dropped or the
/// process that holds it ends.
pub struct S3Server {
    /// `http://127.0.0.1:PORT`; buckets are paths.
    pub url: String,
    /// The access key of who may do everything.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Where the buckets are folders and objects are files: what goes on beneath the server.
    pub folder: PathBuf,
    // Closing its standard input ends the server.
    starter: Mutex<(Child, BufReader<ChildStdout>)>,
}

fn failed(what: &str, detail: &dyn std::fmt::Display) -> PeersError {
    PeersError::Start(format!("{what}: {detail}"))
}

impl S3Server {
    /// Starts a server with those buckets (names of three letters and more) on a free port, and
    /// waits until it answers. None, after saying so, where Node or Go is missing and
    /// `PLYR_REQUIRE_PEERS` is not 1.
    pub async fn start(buckets: &[&str]) -> Result<Option<S3Server>, PeersError> {
        if missing_tools(&["node", "go"])? {
            return Ok(None);
        }
        again("the S3 server", async || {
            S3Server::start_once(buckets).await
        })
        .await
        .map(Some)
    }

    async fn start_once(buckets: &[&str]) -> Result<S3Server, PeersError> {
        let mut starter = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers.mjs"))
            .arg("s3")
            .args(buckets)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(false)
            .spawn()
            .map_err(|problem| failed("node", &problem))?;
        let out = starter.stdout.take();
        let mut said = BufReader::new(out.ok_or_else(|| failed("node", &"no stdout"))?);
        let line = line(&mut said, "the S3 server").await?;
        let ready: Ready = serde_json::from_str(&line)
            .map_err(|problem| failed("the S3 server did not start", &problem))?;
        Ok(S3Server {
            url: ready.url,
            access_key: ready.access_key,
            secret_key: ready.secret_key,
            folder: ready.folder,
            starter: Mutex::new((starter, said)),
        })
    }

    /// Adds an empty bucket.
    pub fn add_bucket(&self, name: &str) -> Result<(), PeersError> {
        let made = std::fs::create_dir(self.folder.join(name));
        made.map_err(|problem| failed(name, &problem))
    }

    /// `stop`, `start` (on the same port, with what it holds), `pause` or `resume`. Waits until it
    /// is done.
    pub async fn steer(&self, word: &str) -> Result<(), PeersError> {
        let mut starter = self.starter.lock().await;
        let (child, said) = &mut *starter;
        let stdin = child.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| failed(word, &"the starter does not listen"))?;
        let told = stdin.write_all(format!("{word} s3\n").as_bytes()).await;
        told.map_err(|problem| failed(word, &problem))?;
        match line(said, word).await?.contains("done") {
            true => Ok(()),
            false => Err(failed(word, &"the S3 server has ended")),
        }
    }
}

async fn line(said: &mut BufReader<ChildStdout>, what: &str) -> Result<String, PeersError> {
    let mut line = String::new();
    let read = tokio::time::timeout(START, said.read_line(&mut line)).await;
    read.map_err(|_| failed(what, &"not done in time"))?
        .map_err(|problem| failed(what, &problem))?;
    Ok(line)
}
