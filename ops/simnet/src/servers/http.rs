//! Questions by GET and their answers, with what goes wrong on the way; and websockets, for those
//! that talk over one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, UPGRADE};
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use super::asked::{Asked, text_of};
use crate::accept::accept;
use crate::faults::{HostFault, HostFaults};

const HEADERS: Duration = Duration::from_secs(30);
/// A host that hangs lets go in the end.
const LONGEST_HANG: Duration = Duration::from_secs(120);

/// What was asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The path, like `/xrpc/com.atproto.sync.getRepo`.
    pub path: String,
    /// The parameters, in order.
    pub parameters: Vec<(String, String)>,
}

impl Question {
    /// A parameter's first value; empty where it is missing.
    pub fn get(&self, name: &str) -> &str {
        let mut named = self.parameters.iter().filter(|(own, _)| own == name);
        named.next().map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.parameters.iter().filter(move |(own, _)| own == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    kind: &'static str,
    body: Bytes,
    /// Whether its hash tells who reads it whether it is right.
    is_proven: bool,
}

impl Reply {
    /// JSON.
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply {
            status,
            kind: "application/json; charset=utf-8",
            body: body.to_string().into(),
            is_proven: false,
        }
    }

    /// An error, as XRPC servers tell it.
    pub fn error(status: u16, name: &str, message: &str) -> Reply {
        Reply::json(status, &json!({ "error": name, "message": message }))
    }

    /// Bytes that their readers hash.
    pub fn bytes(kind: &'static str, body: Vec<u8>) -> Reply {
        Reply {
            status: 200,
            kind,
            body: body.into(),
            is_proven: true,
        }
    }
}

/// A websocket that was asked for by HTTP.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;
/// What is said over one, until it ends.
pub type Talk = Box<dyn FnOnce(Socket) -> BoxFuture<'static, Result<(), String>> + Send>;

/// Answers questions.
pub trait Answering: Send + Sync + 'static {
    /// The answer to one.
    fn answer(&self, question: &Question) -> Reply;

    /// What is said to who asks it for a websocket; none where there is only an answer.
    fn talk(self: Arc<Self>, _question: &Question) -> Option<Talk> {
        None
    }
}

/// A talk that begins once its connection has become a websocket.
type Agreed = Mutex<Option<(OnUpgrade, Talk)>>;

/// How often what befell questions, by the server's name and the fault's.
pub type Met = Arc<Mutex<BTreeMap<String, u64>>>;

/// A server: what it answers, and what decides its faults.
struct Server<A> {
    answering: Arc<A>,
    name: String,
    seed: u64,
    asked: Asked,
    faults: tokio::sync::watch::Receiver<HostFaults>,
    met: Met,
}

/// Answers at a listener until cancelled. `name` and `seed` decide the faults, which are
/// counted in `met`.
pub async fn serve<A: Answering>(
    listener: TcpListener,
    answering: Arc<A>,
    name: String,
    seed: u64,
    faults: tokio::sync::watch::Receiver<HostFaults>,
    met: Met,
    cancel: CancellationToken,
) {
    let label = name.clone();
    let server = Arc::new(Server {
        answering,
        name,
        seed,
        asked: Asked::nothing(),
        faults,
        met,
    });
    let converse = move |socket: TcpStream| {
        let server = server.clone();
        async move { server.converse(socket).await }
    };
    accept(listener, &label, &cancel, converse).await;
}

impl<A: Answering> Server<A> {
    async fn converse(self: Arc<Self>, socket: TcpStream) -> Result<(), String> {
        if let Err(problem) = socket.set_nodelay(true) {
            tracing::debug!(%problem, "nagle stays on");
        }
        let agreed = Arc::new(Agreed::default());
        let (server, to_agree) = (self, agreed.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (server, agreed) = (server.clone(), to_agree.clone());
            async move { Ok::<_, Infallible>(server.meet(request, &agreed).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        connection.await.map_err(|problem| problem.to_string())?;
        let talk = agreed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((upgrade, talk)) = talk else {
            return Ok(());
        };
        let upgraded = upgrade.await.map_err(|problem| problem.to_string())?;
        let socket = TokioIo::new(upgraded);
        talk(WebSocketStream::from_raw_socket(socket, Role::Server, None).await).await
    }

    async fn meet(&self, mut request: Request<Incoming>, agreed: &Agreed) -> Response<Body> {
        let question = question(&request);
        let text = text_of(&question);
        let before = self.asked.before(&text);
        let fault = self
            .faults
            .borrow()
            .roll(self.seed, &self.name, &text, before);
        if let Some(fault) = fault {
            let name = format!("{} {}", self.name, fault.name());
            let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
            *met.entry(name).or_default() += 1;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let refusal = Reply::error(405, "InvalidRequest", "only questions are answered here");
            return respond(refusal, fault).await;
        }
        // What may befall a body befalls no handshake.
        let may_talk = matches!(fault, None | Some(HostFault::Cuts(_) | HostFault::Lies(_)));
        if may_talk
            && request.headers().contains_key(UPGRADE)
            && let Some(talk) = self.answering.clone().talk(&question)
        {
            return match create_response_with_body(&request, || whole(Bytes::new())) {
                Ok(response) => {
                    let upgrade = hyper::upgrade::on(&mut request);
                    let mut agreed = agreed.lock().unwrap_or_else(PoisonError::into_inner);
                    *agreed = Some((upgrade, talk));
                    response
                }
                Err(problem) => {
                    let refusal = Reply::error(400, "InvalidRequest", &problem.to_string());
                    respond(refusal, None).await
                }
            };
        }
        respond(self.answering.answer(&question), fault).await
    }
}

fn question(request: &Request<Incoming>) -> Question {
    let query = request.uri().query().unwrap_or_default();
    let parameters = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()));
    Question {
        path: request.uri().path().to_owned(),
        parameters: parameters.collect(),
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

async fn respond(mut reply: Reply, fault: Option<HostFault>) -> Response<Body> {
    let mut location = None;
    match fault {
        Some(HostFault::Hangs) => {
            tokio::time::sleep(LONGEST_HANG).await;
            reply = Reply::error(504, "UpstreamTimeout", "it hung");
        }
        Some(HostFault::Fails(status)) => {
            reply = Reply::error(status, "InternalServerError", "Internal Server Error");
        }
        Some(HostFault::Busy) => {
            reply = Reply::error(429, "RateLimitExceeded", "Rate Limit Exceeded");
        }
        Some(HostFault::Redirects) => {
            reply = Reply::error(302, "Moved", "it is elsewhere");
            location = Some("http://169.254.169.254/latest/meta-data/");
        }
        Some(HostFault::Lies(part)) if reply.is_proven => reply.body = bent(&reply.body, part),
        Some(HostFault::Lies(_) | HostFault::Cuts(_)) | None => {}
    }
    let length = reply.body.len();
    let mut response = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.kind)
        .header(CONTENT_LENGTH, length);
    if reply.status == 429 {
        response = response.header(RETRY_AFTER, "1");
    }
    if let Some(location) = location {
        response = response.header(LOCATION, location);
    }
    let body = match fault {
        Some(HostFault::Cuts(part)) => cut(&reply.body, part),
        _ => whole(reply.body),
    };
    // Every part of it is well-formed.
    response.body(body).unwrap_or_default()
}

fn place(length: usize, part: u8) -> usize {
    length * usize::from(part) / 256
}

fn bent(body: &Bytes, part: u8) -> Bytes {
    let mut bytes = body.to_vec();
    let place = place(bytes.len(), part);
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 0x20;
    }
    bytes.into()
}

fn cut(body: &Bytes, part: u8) -> Body {
    let sent = body.slice(..place(body.len(), part));
    let broken = std::io::Error::other("cut");
    let frames = [Ok(Frame::data(sent)), Err(broken)];
    BodyExt::boxed(StreamBody::new(stream::iter(frames)))
}
