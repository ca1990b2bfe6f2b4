//! A Jetstream, v1 or v2, that misbehaves, which a real one can't be made to. Its normal frames
//! have the shape of captured ones (checked by a test).

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use plyr_lexicons::data;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// One thing sent.
#[derive(Clone, Debug)]
pub enum Wire {
    Text(String),
    Binary(Vec<u8>),
    /// Bytes beside the websocket protocol's rules.
    Raw(Vec<u8>),
    /// Nothing, until the test goes on; each connection waits for a permit of its own.
    Hold(Arc<Semaphore>),
}

/// What follows the frames.
#[derive(Clone, Debug)]
pub enum End {
    /// Stays, and answers pings.
    Stay,
    /// Stays, and neither reads nor answers.
    Silent,
    /// Closes with a reason.
    Close(&'static str),
    /// Is gone.
    Cut,
}

/// How a connection goes.
#[derive(Clone, Debug)]
pub enum Plan {
    Refuse(u16, &'static str),
    Stream(Vec<Wire>, End),
}

/// What it speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    V1,
    V2,
}

/// What a client asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Connections before this one.
    pub number: usize,
    pub cursor: u64,
    pub limit: Option<usize>,
    pub dictionary: Option<String>,
}

/// The server, and everything it was asked.
pub struct Fake {
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// One that speaks v1 alone.
    pub async fn start(plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static) -> Fake {
        Fake::speaking(Speaks::V1, plan).await
    }

    pub async fn speaking(
        speaks: Speaks,
        plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, plan) = (asked.clone(), Arc::new(plan));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, speaks, seen.clone(), plan.clone()));
            }
        });
        Fake { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    speaks: Speaks,
    seen: Arc<Mutex<Vec<Asked>>>,
    decide: Arc<dyn Fn(&Asked) -> Plan + Send + Sync>,
) {
    let mut plan = None;
    #[allow(clippy::result_large_err)]
    let handshake = |request: &Request, mut response: Response| {
        let (path, protocol) = match speaks {
            Speaks::V1 => ("/subscribe", None),
            Speaks::V2 => (
                "/xrpc/network.bsky.jetstream.subscribeEvents",
                Some("xrpc.v1.json"),
            ),
        };
        if request.uri().path() != path {
            let mut refusal = ErrorResponse::new(Some("{\"message\":\"Not Found\"}".to_owned()));
            *refusal.status_mut() = StatusCode::NOT_FOUND;
            return Err(refusal);
        }
        if let Some(protocol) = protocol {
            assert_eq!(request.headers()["sec-websocket-protocol"], protocol);
            let protocol = protocol.parse().unwrap();
            response
                .headers_mut()
                .insert("sec-websocket-protocol", protocol);
        }
        let query = request.uri().query().unwrap_or_default();
        let field = |name: &str| {
            let fields = url::form_urlencoded::parse(query.as_bytes());
            let mut values = fields.filter(|(key, _)| key == name);
            values.next().map(|(_, value)| value.into_owned())
        };
        let mut seen = seen.lock().unwrap();
        let asked = Asked {
            number: seen.len(),
            cursor: field("cursor").unwrap().parse().unwrap(),
            limit: field("maxMessageSizeBytes").map(|text| text.parse().unwrap()),
            dictionary: field("zstdDictionary"),
        };
        let decided = decide(&asked);
        seen.push(asked);
        if let Plan::Refuse(status, body) = decided {
            let mut refusal = ErrorResponse::new(Some(body.to_owned()));
            *refusal.status_mut() = StatusCode::from_u16(status).unwrap();
            return Err(refusal);
        }
        plan = Some(decided);
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, handshake).await else {
        return;
    };
    let Some(Plan::Stream(frames, end)) = plan else {
        return;
    };
    if send(&mut socket, frames).await.is_err() {
        return;
    }
    match end {
        End::Stay => while let Some(Ok(_)) = socket.next().await {},
        End::Silent => std::future::pending().await,
        End::Close(reason) => {
            let reason = CloseFrame {
                code: 1000.into(),
                reason: reason.into(),
            };
            drop(socket.close(Some(reason)).await);
            while let Some(Ok(_)) = socket.next().await {}
        }
        End::Cut => {}
    }
}

async fn send(
    socket: &mut WebSocketStream<TcpStream>,
    frames: Vec<Wire>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    for frame in frames {
        match frame {
            Wire::Text(text) => socket.send(Message::text(text)).await?,
            Wire::Binary(bytes) => socket.send(Message::binary(bytes)).await?,
            Wire::Hold(held) => loop {
                tokio::select! {
                    permit = held.acquire() => break permit?.forget(),
                    // Pings are answered by reading.
                    heard = socket.next() => drop(heard.ok_or("the client is gone")??),
                }
            },
            Wire::Raw(bytes) => {
                socket.flush().await?;
                socket.get_mut().write_all(&bytes).await?;
                socket.get_mut().flush().await?;
            }
        }
    }
    Ok(())
}

/// The head of a binary frame of `bytes` bytes, and a little of it.
pub fn giant(bytes: u64) -> Wire {
    let mut raw = vec![0x82, 127];
    raw.extend_from_slice(&bytes.to_be_bytes());
    raw.extend_from_slice(&[b'x'; 1000]);
    Wire::Raw(raw)
}

/// A text frame that isn't UTF-8.
pub fn not_text() -> Wire {
    Wire::Raw(vec![0x81, 3, b'{', 0xff, b'}'])
}

/// A frame as Jetstream compresses it.
pub fn zipped(text: &str) -> Wire {
    let dictionary = include_bytes!("../../src/source/subscribe.zdict");
    let mut compressor = zstd::bulk::Compressor::with_dictionary(3, dictionary).unwrap();
    Wire::Binary(compressor.compress(text.as_bytes()).unwrap())
}

/// The same event as v2 frames it, and as it compresses it.
pub fn event(seq: u64, frame: &Value) -> String {
    let time = i64::try_from(frame["time_us"].as_u64().unwrap()).unwrap();
    let time = chrono::DateTime::from_timestamp_micros(time).unwrap();
    let kind = frame["kind"].as_str().unwrap();
    let mut payload = match &frame["commit"] {
        Value::Null => json!({ kind: frame[kind] }),
        commit => commit.clone(),
    };
    payload["$type"] = json!(format!("network.bsky.jetstream.subscribeEvents#{kind}"));
    payload["did"] = frame["did"].clone();
    payload["seq"] = json!(seq);
    payload["time"] = json!(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
    json!({ "$type": "message", "payload": payload }).to_string()
}

pub fn zipped_event(text: &str) -> Wire {
    let dictionary = include_bytes!("../../src/source/events.zdict");
    let mut compressor = zstd::bulk::Compressor::with_dictionary(3, dictionary).unwrap();
    Wire::Binary(compressor.compress(text.as_bytes()).unwrap())
}

pub const REPO: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

/// Now, in microseconds since 1970.
pub fn now() -> u64 {
    chrono::Utc::now().timestamp_micros().unsigned_abs()
}

/// A rev of a time.
pub fn rev(micros: u64) -> String {
    let number = micros << 10;
    let letters = b"234567abcdefghijklmnopqrstuvwxyz";
    let digit = |place: u32| char::from(letters[(number >> (5 * place)) as usize & 31]);
    (0..13).rev().map(digit).collect()
}

pub fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
        "createdAt": "2026-06-01T12:00:00.000Z" })
}

pub fn cid(record: &Value) -> String {
    let record = data::from_json(record.to_string().as_bytes()).unwrap();
    data::cid_of(&data::to_cbor(&record).unwrap()).to_string()
}

/// An identity event, which says nothing but how far the stream is.
pub fn identity(at: u64) -> Value {
    let time = format!("at {at}");
    let identity = json!({ "did": "did:plc:stranger", "seq": 1, "time": time });
    json!({ "did": "did:plc:stranger", "time_us": at, "kind": "identity", "identity": identity })
}

/// A create of a track at a time, as a value to be bent.
pub fn create(at: u64, rkey: &str) -> Value {
    create_in(REPO, at, rkey)
}

/// The same in another repo.
pub fn create_in(did: &str, at: u64, rkey: &str) -> Value {
    let record = track(rkey);
    json!({ "did": did, "time_us": at, "kind": "commit", "commit": { "rev": rev(at),
        "operation": "create", "collection": "fm.plyr.track", "rkey": rkey,
        "cid": cid(&record), "record": record } })
}
