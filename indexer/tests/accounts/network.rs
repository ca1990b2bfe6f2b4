//! A PLC directory and PDSs that do what real ones don't at a test's word: fail, hang, forget.
//! Their answers have the shapes of `@did-plc/server` 0.0.1 and `@atproto/pds` 0.5, which the
//! end-to-end tests ask in earnest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plyr_lexicons::Did;
use plyr_outbound::{Outbound, OutboundConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server answers: status and body; none hangs.
pub type Answer = Option<(u16, Value)>;

/// A server on loopback, whose answers a test may change at any time.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By what the path and query contain; the rest is not found.
    answers: HashMap<String, Answer>,
    /// Instead of all of them.
    outage: Option<Answer>,
    requests: Vec<String>,
}

impl Server {
    pub async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server {
            url: format!("http://localhost:{port}"),
            state: Arc::default(),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is answered to what is asked of a DID.
    pub fn answers(&self, did: &Did, answer: Answer) {
        self.state().answers.insert(did.as_str().to_owned(), answer);
    }

    /// Everything is answered so from now on; none ends it.
    pub fn outage(&self, outage: Option<Answer>) {
        self.state().outage = outage;
    }

    /// How often a DID was asked about; all of them for none.
    pub fn asked(&self, did: Option<&Did>) -> usize {
        let state = self.state();
        let of = |path: &&String| did.is_none_or(|did| path.contains(did.as_str()));
        state.requests.iter().filter(of).count()
    }

    async fn serve(self, mut stream: TcpStream) {
        let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => request.extend_from_slice(&buffer[..read]),
            }
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let path = text.split(' ').nth(1).unwrap_or_default();
        let path = path.replace("%3A", ":");
        let answer = {
            let mut state = self.state();
            state.requests.push(path.clone());
            match &state.outage {
                Some(outage) => outage.clone(),
                None if path.contains("getRecord") => {
                    Some((400, json!({ "error": "RecordNotFound", "message": "no" })))
                }
                None => {
                    let mut known = state.answers.iter();
                    let found = known.find(|(did, _)| path.contains(did.as_str()));
                    let missing = Some((404, json!({ "message": "Not Found" })));
                    found.map_or(missing, |(_, answer)| answer.clone())
                }
            }
        };
        let Some((status, body)) = answer else {
            // Until whoever asked gives up.
            while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
            return;
        };
        let body = body.to_string();
        let reply = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let _gone = stream.write_all(reply.as_bytes()).await;
    }
}

/// A document that names a PDS and a key.
pub fn document(did: &Did, pds: &Server, key: &str) -> Answer {
    let document = json!({
        "id": did.as_str(),
        "alsoKnownAs": [],
        "verificationMethod": [{ "id": "#atproto", "type": "Multikey",
            "controller": did.as_str(), "publicKeyMultibase": key }],
        "service": [{ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": pds.url }],
    });
    Some((200, document))
}

/// What a PDS says of a repo.
pub fn status(state: &str) -> Answer {
    Some((
        200,
        match state {
            "active" => json!({ "active": true }),
            state => json!({ "active": false, "status": state }),
        },
    ))
}

/// What a directory says of a DID whose last operation is a tombstone.
pub fn tombstone(did: &Did) -> Answer {
    let message = format!("DID not available: {}", did.as_str());
    Some((404, json!({ "message": message })))
}

/// What a directory says of a DID it never heard of.
pub fn unregistered(did: &Did) -> Answer {
    let message = format!("DID not registered: {}", did.as_str());
    Some((404, json!({ "message": message })))
}

pub fn outbound(plc: &Server) -> Outbound {
    Outbound::new(OutboundConfig {
        plc_url: plc.url.parse().unwrap(),
        handle_resolvers: Vec::new(),
        dev: true,
        contact: "test".to_owned(),
    })
    .unwrap()
}
