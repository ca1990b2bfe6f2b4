//! Responses: the headers every answer carries, whatever its status; gzip and ETag where they help.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use plyr_lexicons::{Ipld, data};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use warp::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::Response;

use crate::error::XrpcError;

/// Bodies from this size on are compressed, in bytes.
const WORTH_COMPRESSING: usize = 1024;
/// How long an anonymous answer may be kept by others, in seconds.
const CACHE: &str = "public, max-age=5";

/// What the request lets us do with the answer.
#[derive(Clone, Debug)]
pub struct Caller {
    is_head: bool,
    takes_gzip: bool,
    anonymous: bool,
    known: Option<String>,
}

impl Caller {
    /// Whether only headers are wanted.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether anybody may get the same answer.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// Reads the headers that matter.
    pub fn of(verb: &Method, headers: &HeaderMap) -> Caller {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        Caller {
            is_head: *verb == Method::HEAD,
            takes_gzip: text(ACCEPT_ENCODING).is_some_and(takes_gzip),
            anonymous: !headers.contains_key(AUTHORIZATION),
            known: text(IF_NONE_MATCH).map(str::to_owned),
        }
    }
}

/// Whether `Accept-Encoding` lets gzip through: what it says of gzip, else of everything
/// (RFC 9110, section 12.5.3).
fn takes_gzip(accepted: &str) -> bool {
    let said_of = |coding: &str| {
        accepted.split(',').find_map(|part| {
            let mut words = part.split(';').map(str::trim);
            words
                .next()
                .filter(|name| name.eq_ignore_ascii_case(coding))?;
            let weight = words.find_map(|word| word.strip_prefix("q=").or(word.strip_prefix("Q=")));
            Some(weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0)))
        })
    };
    said_of("gzip").or_else(|| said_of("*")).unwrap_or(false)
}

/// What every answer says, also errors: anybody may read it from anywhere, without credentials.
pub fn everywhere(headers: &mut HeaderMap) {
    let exposed = "atproto-repo-rev, atproto-content-labelers, etag, ratelimit-limit, \
                   ratelimit-remaining, ratelimit-reset, retry-after, link, accept-ranges, \
                   content-range, content-length, content-disposition";
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(exposed),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        VARY,
        HeaderValue::from_static("Accept-Encoding, Authorization"),
    );
}

/// The answer to OPTIONS.
pub fn preflight() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    everywhere(headers);
    let methods = "GET, HEAD, POST, OPTIONS";
    let allowed = "authorization, content-type, atproto-accept-labelers, atproto-proxy, range, \
                   if-range, if-match, if-none-match";
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(methods),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(allowed),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// A JSON answer.
pub fn json(value: &Value, status: StatusCode, caller: &Caller) -> Response {
    send(
        value.to_string().into_bytes(),
        "application/json",
        status,
        caller,
    )
}

/// A method's answer.
pub fn answer(value: &Ipld, caller: &Caller) -> Result<Response, XrpcError> {
    let text = data::to_json_text(value).map_err(|problem| {
        tracing::error!(%problem, "an answer can't be written");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        XrpcError::new(status, "InternalServerError", "something went wrong here")
    })?;
    Ok(send(text, "application/json", StatusCode::OK, caller))
}

/// A page.
pub fn body(bytes: Vec<u8>, kind: &'static str, caller: &Caller) -> Response {
    send(bytes, kind, StatusCode::OK, caller)
}

/// A page with a status and a content security policy of its own.
pub fn page(text: String, status: StatusCode, policy: &str, caller: &Caller) -> Response {
    let kind = "text/html; charset=utf-8";
    let mut response = send(text.into_bytes(), kind, status, caller);
    if let Ok(policy) = HeaderValue::from_str(policy) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// An error, in the shape of the protocol.
pub fn error(problem: &XrpcError, caller: &Caller) -> Response {
    let value = json!({ "error": problem.name, "message": problem.message });
    let mut response = json(&value, problem.status, caller);
    if problem.status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Basic realm=\"admin\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    if matches!(
        problem.status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    ) {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

fn send(bytes: Vec<u8>, kind: &'static str, status: StatusCode, caller: &Caller) -> Response {
    let mut response = Response::default();
    let headers = response.headers_mut();
    everywhere(headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let cacheable = status == StatusCode::OK && caller.anonymous;
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static(if cacheable { CACHE } else { "no-store" }),
    );
    if cacheable {
        let tag = etag(&bytes);
        let unchanged = caller
            .known
            .as_deref()
            .is_some_and(|known| matches(known, &tag));
        if let Ok(value) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, value);
        }
        if unchanged {
            headers.remove(CONTENT_TYPE);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
    }
    *response.status_mut() = status;
    let bytes = match caller.takes_gzip && bytes.len() >= WORTH_COMPRESSING {
        true => match gzip(&bytes) {
            Ok(zipped) => {
                let headers = response.headers_mut();
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                zipped
            }
            Err(_) => bytes,
        },
        false => bytes,
    };
    if caller.is_head {
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        return response;
    }
    *response.body_mut() = Bytes::from(bytes).into();
    response
}

/// Weak: the same answer with and without gzip.
fn etag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("W/\"{hex}\"")
}

fn matches(known: &str, tag: &str) -> bool {
    let bare = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    known
        .split(',')
        .any(|one| one.trim() == "*" || bare(one) == bare(tag))
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
