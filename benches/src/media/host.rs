//! A directory and PDS in one that sends blobs, of as few lines as it takes: it is what plyr is
//! compared with, and must not be what plyr waits for.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::wave::{Wave, silence};

/// The longest line of a request.
const LONGEST_LINE: u64 = 4 << 10;

/// The host; it ends when it is dropped.
pub struct Host {
    pub url: String,
    shelf: Arc<Shelf>,
    task: tokio::task::JoinHandle<()>,
}

struct Shelf {
    url: String,
    /// By their CIDs.
    waves: HashMap<String, Wave>,
    sent: Arc<AtomicU64>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Host {
    /// Starts it on a free port.
    pub async fn start(waves: &[Wave]) -> io::Result<Host> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let waves = waves
            .iter()
            .map(|wave| (wave.cid.to_string(), wave.clone()));
        let shelf = Arc::new(Shelf {
            url: url.clone(),
            waves: waves.collect(),
            sent: Arc::default(),
        });
        let ours = shelf.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shelf = ours.clone();
                tokio::spawn(async move {
                    // Whoever asked may hang up at any time; what wasn't sent is missed there.
                    drop(shelf.answer_all(stream).await);
                });
            }
        });
        Ok(Host { url, shelf, task })
    }

    /// Counts the bytes of blobs that it sends.
    pub fn sent(&self) -> Arc<AtomicU64> {
        self.shelf.sent.clone()
    }

    /// Where a blob is had from it.
    pub fn path_of(did: &str, wave: &Wave) -> String {
        let cid = wave.cid;
        format!("/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}")
    }
}

impl Shelf {
    async fn answer_all(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        loop {
            let Some(first) = line(&mut stream).await? else {
                return Ok(());
            };
            while line(&mut stream)
                .await?
                .is_some_and(|line| !line.is_empty())
            {}
            let target = first.split(' ').nth(1).unwrap_or_default();
            self.answer(stream.get_mut(), target).await?;
        }
    }

    async fn answer(&self, stream: &mut TcpStream, target: &str) -> io::Result<()> {
        if let Some(did) = target.strip_prefix("/did:") {
            let document = self.document(&format!("did:{did}"));
            return say(stream, "200 OK", &document).await;
        }
        let cid = target
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("cid="));
        let wave = cid.and_then(|cid| self.waves.get(cid));
        let Some(wave) = wave.filter(|_| target.starts_with("/xrpc/com.atproto.sync.getBlob?"))
        else {
            let told = r#"{"error":"MethodNotImplemented","message":"it sends blobs alone"}"#;
            return say(stream, "501 Not Implemented", told).await;
        };
        let length = wave.size;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        self.send(stream, &wave.beginning).await?;
        let mut left = length - wave.beginning.len() as u64;
        while left > 0 {
            let piece = silence(left);
            self.send(stream, piece).await?;
            left -= piece.len() as u64;
        }
        stream.flush().await
    }

    async fn send(&self, stream: &mut TcpStream, piece: &[u8]) -> io::Result<()> {
        stream.write_all(piece).await?;
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn document(&self, did: &str) -> String {
        json!({
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": did,
            "alsoKnownAs": [],
            "verificationMethod": [],
            "service": [{ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": self.url }],
        })
        .to_string()
    }
}

/// A line without its end; none where nothing comes any more.
async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    use tokio::io::AsyncReadExt;

    let mut line = String::new();
    stream.take(LONGEST_LINE).read_line(&mut line).await?;
    Ok(line.ends_with('\n').then(|| line.trim_end().to_owned()))
}

async fn say(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await
}
