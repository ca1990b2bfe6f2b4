//! A real browser without a window, asked by the Chrome DevTools Protocol: what a page sounds like
//! to those who open it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::peers::missing_tools;
use crate::{PeersError, wait_until};

/// What it is started by, as Debian calls it.
const CHROMIUM: &str = "chromium";
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A browser with one page. It ends when this is dropped.
pub struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u64,
    _process: Child,
}

impl Browser {
    /// Starts one with a new profile in a folder. Nothing where none is installed.
    pub async fn start(folder: &Path) -> Result<Option<Browser>, PeersError> {
        if missing_tools(&[CHROMIUM])? {
            return Ok(None);
        }
        let failed = |detail: &dyn std::fmt::Display| {
            PeersError::Start(format!("{CHROMIUM} could not be started: {detail}"))
        };
        let profile: PathBuf = folder.join("browser");
        let process = Command::new(CHROMIUM)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--mute-audio",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--autoplay-policy=no-user-gesture-required",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|problem| failed(&problem))?;
        let told = profile.join("DevToolsActivePort");
        let port = wait_until("the browser says its port", || async {
            let text = std::fs::read_to_string(&told).map_err(|problem| problem.to_string())?;
            let port = text
                .lines()
                .next()
                .and_then(|line| line.parse::<u16>().ok());
            port.ok_or(text)
        })
        .await?;
        let page = wait_until("the browser has a page", || async {
            let list = reqwest::get(format!("http://127.0.0.1:{port}/json/list")).await;
            let list = list.map_err(|problem| problem.to_string())?;
            let list = list.text().await.map_err(|problem| problem.to_string())?;
            let list = crate::read_json(&list);
            let pages = list.as_array().into_iter().flatten();
            let mut pages = pages.filter(|one| one["type"] == "page");
            let address = pages
                .next()
                .and_then(|page| page["webSocketDebuggerUrl"].as_str());
            address.map(str::to_owned).ok_or(list.to_string())
        })
        .await?;
        let connected = tokio_tungstenite::connect_async(&page).await;
        let (socket, _) = connected.map_err(|problem| failed(&problem))?;
        let mut browser = Browser {
            socket,
            asked: 0,
            _process: process,
        };
        browser.ask("Page.enable", json!({})).await?;
        Ok(Some(browser))
    }

    /// Opens a page, and waits until it is loaded.
    pub async fn open(&mut self, url: &str) -> Result<(), PeersError> {
        let went = self.ask("Page.navigate", json!({ "url": url })).await?;
        if let Some(problem) = went["errorText"].as_str() {
            return Err(self.failed(url, problem));
        }
        self.run(
            "new Promise(done => document.readyState === 'complete' ? done(true) \
                  : addEventListener('load', () => done(true)))",
        )
        .await
        .map(drop)
    }

    /// Runs JavaScript in the page; answers what it comes to, or what it promises.
    pub async fn run(&mut self, script: &str) -> Result<Value, PeersError> {
        let question = json!({
            "expression": script, "awaitPromise": true, "returnByValue": true,
        });
        let answer = self.ask("Runtime.evaluate", question).await?;
        match answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            ref thrown => Err(self.failed(script, &thrown.to_string())),
        }
    }

    fn failed(&self, what: &str, detail: &str) -> PeersError {
        PeersError::Request {
            what: format!("the browser: {what}"),
            detail: detail.to_owned(),
        }
    }

    async fn ask(&mut self, method: &str, parameters: Value) -> Result<Value, PeersError> {
        self.asked += 1;
        let id = self.asked;
        let question = json!({ "id": id, "method": method, "params": parameters });
        let sent = self.socket.send(Message::text(question.to_string())).await;
        sent.map_err(|problem| self.failed(method, &problem.to_string()))?;
        let answered = tokio::time::timeout(PATIENCE, async {
            while let Some(message) = self.socket.next().await {
                let Ok(Message::Text(text)) = message else {
                    continue;
                };
                let message = crate::read_json(&text);
                if message["id"] == id {
                    return Some(message);
                }
            }
            None
        });
        match answered.await {
            Ok(Some(message)) if message["error"].is_null() => Ok(message["result"].clone()),
            Ok(Some(message)) => Err(self.failed(method, &message["error"].to_string())),
            Ok(None) => Err(self.failed(method, "it has ended")),
            Err(_) => Err(self.failed(method, "it does not answer")),
        }
    }
}
