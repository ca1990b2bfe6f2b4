//! A directory and PDS in one, of a few lines, that does to blobs whatever it is told to: real ones
//! never send wrong, endless or dripping bytes. `ops/tests/media.rs` asks real ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use plyr_lexicons::Cid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the host does when it is asked for a blob.
#[derive(Clone, Debug)]
pub enum Does {
    /// Sends these, as that type.
    Sends(Vec<u8>, &'static str),
    /// Says that there will be as many, and hangs up after those.
    CutsOff(Vec<u8>, usize),
    /// Sends zeros for ever.
    NeverEnds,
    /// Sends zeros for ever, so many a second.
    Drips(usize),
    /// Says that there will be so many bytes, and sends none.
    Announces(u64),
    /// Sends so many zeros.
    SendsZeros(u64),
    /// Answers that status.
    Answers(u16),
    /// Answers 429, and that it is to be left alone for so many seconds.
    Rests(u32),
    /// Sends to another address.
    Redirects(&'static str),
    /// Accepts, and says nothing until it is dropped.
    Hangs,
}

type Told = Arc<Mutex<HashMap<(String, String), Does>>>;
/// At which other host DIDs are.
type Homes = Arc<Mutex<HashMap<String, String>>>;

/// The host.
pub struct Host {
    pub url: String,
    told: Told,
    homes: Homes,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Host {
    pub async fn start() -> Host {
        Host::start_at(1).await
    }

    /// At `127.0.0.number`, which counts as a host of its own.
    pub async fn start_at(number: u8) -> Host {
        let listener = TcpListener::bind((std::net::Ipv4Addr::new(127, 0, 0, number), 0));
        let listener = listener.await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (told, homes) = (Told::default(), Homes::default());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (ours, log, own) = (told.clone(), asked.clone(), url.clone());
        let moved = homes.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (told, log, own) = (ours.clone(), log.clone(), own.clone());
                let homes = moved.clone();
                tokio::spawn(async move {
                    // Whoever asked may hang up at any time.
                    let _ = answer(stream, &told, &log, (&homes, &own)).await;
                });
            }
        });
        Host {
            url,
            told,
            homes,
            asked,
            task,
        }
    }

    /// As the directory it says that a DID is at another host.
    pub fn is_at(&self, did: &str, host: &Host) {
        let mut homes = self.homes.lock().unwrap();
        homes.insert(did.to_owned(), host.url.clone());
    }

    /// What it does when asked for that blob of that DID.
    pub fn tell(&self, did: &str, cid: &Cid, does: Does) {
        let key = (did.to_owned(), cid.to_string());
        self.told.lock().unwrap().insert(key, does);
    }

    /// How often the directory was asked for a DID.
    pub fn times_looked_up(&self, did: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|path| path[1..] == *did).count()
    }

    /// How often it was asked for a blob.
    pub fn times_asked(&self, cid: &Cid) -> usize {
        let cid = cid.to_string();
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|path| path.contains(&cid)).count()
    }
}

async fn answer(
    stream: TcpStream,
    told: &Told,
    log: &Mutex<Vec<String>>,
    (homes, own): (&Homes, &str),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if stream.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let url = url::Url::parse(&format!("http://host{path}")).unwrap();
        log.lock().unwrap().push(path.clone());
        if let Some(did) = path.strip_prefix("/did:") {
            let did = format!("did:{did}");
            let home = homes.lock().unwrap().get(&did).cloned();
            let document = document(&did, home.as_deref().unwrap_or(own));
            send(
                &mut stream,
                "200 OK",
                "application/json",
                document.as_bytes(),
            )
            .await?;
            continue;
        }
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let key = (asked["did"].clone(), asked["cid"].clone());
        let does = told.lock().unwrap().get(&key).cloned();
        do_it(&mut stream, does).await?;
    }
}

fn document(did: &str, own: &str) -> String {
    serde_json::json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "alsoKnownAs": [],
        "verificationMethod": [],
        "service": [{
            "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": own,
        }],
    })
    .to_string()
}

async fn send(
    stream: &mut BufReader<TcpStream>,
    status: &str,
    kind: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

async fn do_it(stream: &mut BufReader<TcpStream>, does: Option<Does>) -> std::io::Result<()> {
    let zeros = [0_u8; 64 << 10];
    match does {
        Some(Does::Sends(bytes, kind)) => send(stream, "200 OK", kind, &bytes).await,
        Some(Does::CutsOff(bytes, at)) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&bytes[..at]).await?;
            stream.get_mut().shutdown().await
        }
        Some(Does::NeverEnds) => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await?;
            loop {
                stream
                    .write_all(format!("{:x}\r\n", zeros.len()).as_bytes())
                    .await?;
                stream.write_all(&zeros).await?;
                stream.write_all(b"\r\n").await?;
            }
        }
        Some(Does::Drips(a_second)) => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head).await?;
            let mut tick = tokio::time::interval(std::time::Duration::from_secs(1));
            let drop = format!("{a_second:x}\r\n{}\r\n", "0".repeat(a_second));
            loop {
                tick.tick().await;
                stream.write_all(drop.as_bytes()).await?;
                stream.flush().await?;
            }
        }
        Some(Does::Announces(many)) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {many}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.flush().await?;
            std::future::pending().await
        }
        Some(Does::SendsZeros(many)) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {many}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let mut left = many;
            while left > 0 {
                let now = left.min(zeros.len() as u64);
                stream.write_all(&zeros[..now as usize]).await?;
                left -= now;
            }
            stream.flush().await
        }
        Some(Does::Answers(status)) => {
            let body = br#"{"error":"InternalServerError","message":"no"}"#;
            send(stream, &format!("{status} No"), "application/json", body).await
        }
        Some(Does::Rests(seconds)) => {
            let head = format!("HTTP/1.1 429 No\r\nretry-after: {seconds}\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(b"content-length: 0\r\n\r\n").await?;
            stream.flush().await
        }
        Some(Does::Redirects(to)) => {
            let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.flush().await
        }
        Some(Does::Hangs) => std::future::pending().await,
        None => {
            let body = br#"{"error":"BlobNotFound","message":"Blob not found"}"#;
            send(stream, "400 Bad Request", "application/json", body).await
        }
    }
}
