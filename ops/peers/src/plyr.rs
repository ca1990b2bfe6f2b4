//! The `plyr` binary as a test runs it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{Layout, Peers, PeersError};

const START: Duration = Duration::from_secs(300);
const STOP: Duration = Duration::from_secs(120);
/// Lines of a log that are told.
const TOLD: usize = 20;

#[derive(Deserialize)]
struct Ready {
    #[serde(default)]
    appview: String,
    metrics: String,
}

/// What is around a process that is started.
#[derive(Clone, Default, Debug)]
pub struct Around {
    /// Another program that runs it: the words that come before the binary's name.
    pub under: Vec<String>,
    /// Variables of its environment, besides those of the test.
    pub environment: Vec<(String, String)>,
}

/// A running `plyr serve`, or an AppView and an indexer in its place.
pub struct Plyr {
    /// The AppView's URL; empty for an indexer alone.
    pub appview: String,
    /// The probes' URL.
    pub metrics: String,
    binary: PathBuf,
    data_dir: PathBuf,
    store: Option<String>,
    child: Child,
    /// The indexer, where it is a process of its own.
    indexer: Option<Box<Plyr>>,
    client: reqwest::Client,
}

impl Plyr {
    /// Starts it over peers, on free ports. `binary` is `env!("CARGO_BIN_EXE_plyr")`; logs go to
    /// `plyr.log` in the data folder.
    pub async fn serve(binary: &str, peers: &Peers, data_dir: &Path) -> Result<Plyr, PeersError> {
        Plyr::run(binary, peers, data_dir, &Layout::Embedded).await
    }

    /// Starts it over peers in one of the ways to run it.
    pub async fn run(
        binary: &str,
        peers: &Peers,
        data_dir: &Path,
        layout: &Layout,
    ) -> Result<Plyr, PeersError> {
        let arguments = Plyr::arguments(peers, layout);
        let Layout::Apart(_) = layout else {
            return Plyr::command(binary, "serve", data_dir, &arguments).await;
        };
        let folder = data_dir.with_file_name("index");
        let indexer = Plyr::command(binary, "index", &folder, &arguments).await?;
        let mut plyr = Plyr::command(binary, "appview", data_dir, &arguments).await?;
        plyr.indexer = Some(Box::new(indexer));
        Ok(plyr)
    }

    /// The arguments that point it at peers and a store.
    pub fn arguments(peers: &Peers, layout: &Layout) -> Vec<String> {
        let mut arguments = vec!["--dev".to_owned()];
        let mut option = |name: &str, value: &str| {
            arguments.push(format!("--{name}"));
            arguments.push(value.to_owned());
        };
        option("plc-url", &peers.plc);
        for jetstream in [&peers.jetstream, &peers.jetstream2] {
            if !jetstream.is_empty() {
                option("jetstream", jetstream);
            }
        }
        option(
            "relay-url",
            match peers.collectiondir.as_str() {
                "" => "none",
                url => url,
            },
        );
        for pds in &peers.pds {
            option("handle-resolver", pds);
        }
        if let Some(store) = layout.store() {
            option("store", store);
        }
        arguments
    }

    /// Starts `plyr serve` with arguments of the test's own.
    pub async fn start(
        binary: &str,
        data_dir: &Path,
        arguments: &[String],
    ) -> Result<Plyr, PeersError> {
        Plyr::command(binary, "serve", data_dir, arguments).await
    }

    /// Starts `plyr serve`, `index` or `appview` with arguments of the test's own.
    pub async fn command(
        binary: &str,
        command: &str,
        data_dir: &Path,
        arguments: &[String],
    ) -> Result<Plyr, PeersError> {
        Plyr::launch(&Around::default(), binary, command, data_dir, arguments).await
    }

    /// The same with something around it.
    pub async fn launch(
        around: &Around,
        binary: &str,
        command: &str,
        data_dir: &Path,
        arguments: &[String],
    ) -> Result<Plyr, PeersError> {
        let start = |detail: std::io::Error| PeersError::Start(format!("plyr: {detail}"));
        std::fs::create_dir_all(data_dir).map_err(start)?;
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(data_dir.with_extension("log"))
            .map_err(start)?;
        let defaults = [
            ("--listen", ":0"),
            ("--metrics-listen", ":0"),
            ("--disk-reserve", "1MiB"),
        ];
        let defaults = defaults
            .iter()
            .filter(|(name, _)| !arguments.iter().any(|one| one == name));
        let defaults = defaults.flat_map(|(name, value)| [*name, *value]);
        let under = around.under.iter().map(String::as_str);
        let mut words = under.chain([binary, command]);
        let mut child = Command::new(words.next().unwrap_or(binary))
            .args(words)
            .arg("--data-dir")
            .arg(data_dir)
            .args(defaults)
            .args(arguments)
            .envs(around.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let out = child
            .stdout
            .take()
            .ok_or_else(|| PeersError::Start("no stdout".into()))?;
        let mut line = String::new();
        let mut lines = BufReader::new(out);
        match tokio::time::timeout(START, lines.read_line(&mut line)).await {
            Ok(Ok(_)) => {}
            Ok(Err(problem)) => return Err(start(problem)),
            Err(_) => return Err(PeersError::Start("plyr was not ready in time".into())),
        }
        if line.is_empty() {
            // Its output is closed: it is at its end.
            let ended = tokio::time::timeout(STOP, child.wait()).await;
            let ended = ended.map_err(|_| PeersError::Start("plyr said nothing".into()))?;
            return Err(PeersError::Unready {
                status: ended.map_err(start)?,
                log: end_of_log(data_dir),
            });
        }
        let ready: Ready = serde_json::from_str(&line).map_err(|problem| {
            let log = end_of_log(data_dir);
            PeersError::Start(format!("no ready line ({problem}); its log:\n{log}"))
        })?;
        let store = arguments.iter().position(|one| one == "--store");
        let store = store.and_then(|place| arguments.get(place + 1)).cloned();
        Ok(Plyr {
            store,
            indexer: None,
            appview: ready.appview,
            metrics: ready.metrics,
            binary: binary.into(),
            data_dir: data_dir.to_owned(),
            child,
            client: reqwest::Client::new(),
        })
    }

    /// Kills it at once, as a power switch would.
    pub async fn kill(mut self) -> Result<(), PeersError> {
        let mut killed = self.child.kill().await;
        if let Some(indexer) = &mut self.indexer {
            killed = killed.and(indexer.child.kill().await);
        }
        killed.map_err(|detail| PeersError::Start(format!("kill: {detail}")))
    }

    /// Asks it to stop and waits; answers its exit code, of two processes the one that isn't 0.
    pub async fn stop(mut self) -> Result<Option<i32>, PeersError> {
        if let Some(mut indexer) = self.indexer.take() {
            let (one, two) = (indexer.end().await?, self.end().await?);
            return Ok(if one == Some(0) { two } else { one });
        }
        self.end().await
    }

    /// Waits until it ends by itself; answers its exit code.
    pub async fn ended(&mut self, patience: Duration) -> Result<Option<i32>, PeersError> {
        let status = self.ended_with(patience).await?;
        Ok(status.code())
    }

    /// Waits until it ends by itself; answers with what: an exit code or a signal.
    pub async fn ended_with(&mut self, patience: Duration) -> Result<ExitStatus, PeersError> {
        let failed = |detail: &dyn std::fmt::Display| PeersError::Start(format!("plyr: {detail}"));
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(ended) => ended.map_err(|detail| failed(&detail)),
            Err(_) => Err(failed(&"it did not end by itself in time")),
        }
    }

    async fn end(&mut self) -> Result<Option<i32>, PeersError> {
        let failed = |detail: &dyn std::fmt::Display| PeersError::Start(format!("stop: {detail}"));
        let pid = self
            .child
            .id()
            .ok_or_else(|| failed(&"it has ended before"))?;
        let told = Command::new("kill").arg(pid.to_string()).status().await;
        told.map_err(|detail| failed(&detail))?;
        match tokio::time::timeout(STOP, self.child.wait()).await {
            Ok(Ok(status)) => Ok(status.code()),
            Ok(Err(detail)) => Err(failed(&detail)),
            Err(_) => Err(failed(&"it did not end in time")),
        }
    }

    /// The process's id, while it has not ended; what its memory is asked by.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// GETs a path of the AppView; answers status and JSON (null for no JSON).
    pub async fn get(&self, path: &str) -> Result<(u16, Value), PeersError> {
        let failed = |problem: reqwest::Error| PeersError::Request {
            what: path.to_owned(),
            detail: problem.to_string(),
        };
        let url = format!("{}{path}", self.appview);
        let response = self.client.get(url).send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(failed)?;
        Ok((status, crate::read_json(&body)))
    }

    /// A page of the AppView.
    pub async fn page(&self, path: &str) -> Result<String, String> {
        text(&self.client, &format!("{}{path}", self.appview)).await
    }

    /// Calls a method; an error when it is not answered with 200.
    pub async fn xrpc(&self, method: &str, query: &str) -> Result<Value, String> {
        let path = format!("/xrpc/{method}?{query}");
        match self.get(&path).await {
            Ok((200, answer)) => Ok(answer),
            Ok((status, answer)) => Err(format!("{method} answered {status} {answer}")),
            Err(problem) => Err(problem.to_string()),
        }
    }

    /// The probes' page; the indexer's, where it is a process of its own.
    pub async fn probe(&self, path: &str) -> Result<String, String> {
        let metrics = self.indexer.as_ref().map_or(&self.metrics, |i| &i.metrics);
        text(&self.client, &format!("{metrics}{path}")).await
    }

    /// The sum of a counter's rows on the probes' page whose labels hold a text; 0 where there is
    /// none yet.
    pub async fn counted(&self, name: &str, label: &str) -> Result<f64, String> {
        let page = self.probe("/metrics").await?;
        let rows = page.lines().filter(|row| {
            let rest = row.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
        });
        let number = |row: &str| row.rsplit(' ').next()?.parse::<f64>().ok();
        Ok(rows.filter_map(number).sum())
    }

    /// The canonical dump, through the running server or from the cluster.
    pub async fn dump(&self) -> Result<String, PeersError> {
        self.dumped(&[]).await
    }

    /// The full dump: also what was observed of accounts, versions, deletes, floors.
    pub async fn full_dump(&self) -> Result<String, PeersError> {
        self.dumped(&["--full"]).await
    }

    async fn dumped(&self, more: &[&str]) -> Result<String, PeersError> {
        let mut command = Command::new(&self.binary);
        command.arg("dump").arg("--data-dir").arg(&self.data_dir);
        command.args(more);
        if let Some(store) = &self.store {
            command.args(["--store", store]);
        }
        let done = command
            .output()
            .await
            .map_err(|detail| PeersError::Start(format!("plyr dump: {detail}")))?;
        if !done.status.success() {
            let detail = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(PeersError::Request {
                what: "plyr dump".to_owned(),
                detail,
            });
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

async fn text(client: &reqwest::Client, url: &str) -> Result<String, String> {
    let answered = client.get(url).send().await;
    let response = answered.map_err(|problem| problem.to_string())?;
    response.text().await.map_err(|problem| problem.to_string())
}

fn end_of_log(data_dir: &Path) -> String {
    let log = std::fs::read_to_string(data_dir.with_extension("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TOLD)..].join("\n")
}
