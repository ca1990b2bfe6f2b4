//! The body of a procedure: bounded, of the right kind, and as its document describes it. Read only
//! where the method takes one and the caller may call it.

use std::net::{IpAddr, Ipv4Addr};

use bytes::{Buf, Bytes};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use plyr_lexicons::{Ipld, Method as Described, MethodKind, data, method};
use warp::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use warp::http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::App;
use crate::admin;
use crate::error::XrpcError;
use crate::server::Asking;

/// Longest body, in bytes.
pub const LONGEST: usize = 64 << 10;

/// Who asks: the address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// One that isn't known counts as this host, and shares its allowance.
impl Default for Peer {
    fn default() -> Peer {
        Peer(Ipv4Addr::LOCALHOST.into())
    }
}

/// A body that isn't read yet.
pub struct Body(BoxStream<'static, Result<Bytes, String>>);

impl Body {
    /// Of what comes in on a connection.
    pub fn new<B, E>(stream: impl Stream<Item = Result<B, E>> + Send + 'static) -> Body
    where
        B: Buf,
        E: std::fmt::Display,
    {
        let piece = |piece: Result<B, E>| match piece {
            Ok(mut piece) => Ok(piece.copy_to_bytes(piece.remaining())),
            Err(problem) => Err(problem.to_string()),
        };
        Body(stream.map(piece).boxed())
    }

    async fn read(mut self) -> Result<Vec<u8>, XrpcError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.0.next().await {
            let piece = piece.map_err(|problem| {
                tracing::debug!(%problem, "a body broke off");
                XrpcError::invalid("the body broke off")
            })?;
            if bytes.len() + piece.len() > LONGEST {
                return Err(too_long());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

/// Admits the caller of a method and reads its input; none where it takes none. What isn't a method
/// or is called the wrong way is the dispatcher's to refuse.
pub async fn take(
    app: &App,
    path: &str,
    asking: &Asking,
    body: Body,
) -> Result<Option<Ipld>, XrpcError> {
    let Some(described) = method(path) else {
        return Ok(None);
    };
    let headers = &asking.headers;
    admin::admit(app, path, headers, asking.peer.0)?;
    if described.kind != MethodKind::Procedure || asking.verb != Method::POST {
        return Ok(None);
    }
    let Some(encoding) = described.input_encoding() else {
        return Ok(None);
    };
    check_headers(headers, encoding)?;
    parse(described, &body.read().await?).map(Some)
}

fn check_headers(headers: &HeaderMap, encoding: &str) -> Result<(), XrpcError> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(CONTENT_TYPE).map(|kind| kind.split(';').next().unwrap_or(kind).trim());
    let kind = kind.ok_or_else(|| {
        XrpcError::invalid(format!(
            "the request names no Content-Type; send {encoding}"
        ))
    })?;
    if !kind.eq_ignore_ascii_case(encoding) {
        let message = format!("wrong request encoding (Content-Type): {kind}; send {encoding}");
        return Err(XrpcError::invalid(message));
    }
    let coding = text(CONTENT_ENCODING).unwrap_or("identity");
    if !coding.trim().eq_ignore_ascii_case("identity") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let message = "send the body without a Content-Encoding";
        return Err(XrpcError::new(status, "InvalidRequest", message));
    }
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    match length {
        Some(length) if length > LONGEST => Err(too_long()),
        _ => Ok(()),
    }
}

fn too_long() -> XrpcError {
    let message = format!("the body has more than {LONGEST} bytes");
    XrpcError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message)
}

fn parse(described: &Described, bytes: &[u8]) -> Result<Ipld, XrpcError> {
    let input = data::from_json(bytes)
        .map_err(|problem| XrpcError::invalid(format!("the body can't be read: {problem}")))?;
    match described.check_input(&input).first() {
        Some(reason) => {
            let place = format!("input{}", reason.path);
            Err(XrpcError::invalid(format!("{place}: {}", reason.message)))
        }
        None => Ok(input),
    }
}
