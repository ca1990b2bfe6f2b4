//! The operator's door: the methods that act, for who knows the password. Without a password nobody
//! does, and they are closed.

mod failures;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plyr_schemas::Own;
use sha2::{Digest, Sha256};
use warp::http::header::AUTHORIZATION;
use warp::http::{HeaderMap, StatusCode};

use crate::App;
use crate::error::XrpcError;
use failures::Failures;

/// The methods behind it.
const METHODS: &[&str] = &[
    "com.atproto.admin.getSubjectStatus",
    "com.atproto.admin.updateSubjectStatus",
];
/// The only user there is, as on a PDS.
const USER: &str = "admin";
/// Longest header that is looked at, in bytes.
const LONGEST_HEADER: usize = 4 << 10;

/// What admin methods work with.
pub struct Admin {
    /// Of the password: what is compared has one length.
    digest: [u8; 32],
    own: Arc<Own>,
    failures: Failures,
}

impl Admin {
    /// Opens it to who knows the password; how good that one is, whoever reads it has checked.
    pub fn new(password: &str, own: Arc<Own>) -> Admin {
        Admin {
            digest: Sha256::digest(password.as_bytes()).into(),
            own,
            failures: Failures::default(),
        }
    }

    /// The operator's own state.
    pub(crate) fn own(&self) -> &Own {
        &self.own
    }

    fn admit(&self, headers: &HeaderMap, client: IpAddr, now: Instant) -> Result<(), XrpcError> {
        let Some(password) = password_of(headers) else {
            return Err(closed());
        };
        let digest: [u8; 32] = Sha256::digest(password.as_bytes()).into();
        if is_equal(&digest, &self.digest) {
            return Ok(());
        }
        // Only after that: whoever guesses locks nobody out.
        if self.failures.are_too_many(client, now) {
            let message = "too many wrong passwords from there; try again in a minute";
            return Err(XrpcError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "RateLimitExceeded",
                message,
            ));
        }
        self.failures.count(client, now);
        tracing::warn!(%client, "a wrong password for the admin methods");
        Err(closed())
    }
}

/// Lets a call of a method through, unless it is the operator's and the caller isn't.
pub fn admit(
    app: &App,
    method: &str,
    headers: &HeaderMap,
    client: IpAddr,
) -> Result<(), XrpcError> {
    if !METHODS.contains(&method) {
        return Ok(());
    }
    let admin = app.admin.as_ref().ok_or_else(closed)?;
    admin.admit(headers, client, Instant::now())
}

/// The same answer whether the door has no key or the key is wrong.
fn closed() -> XrpcError {
    let message = "the operator's password is needed: Authorization: Basic, user admin; without \
                   --admin-password-file nobody has one";
    XrpcError::new(StatusCode::UNAUTHORIZED, "AuthenticationRequired", message)
}

/// The password that a request brings for the user admin (RFC 7617).
fn password_of(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(AUTHORIZATION)?;
    if header.len() > LONGEST_HEADER {
        return None;
    }
    let (scheme, credentials) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    (user == USER).then(|| password.to_owned())
}

/// Compares to the end, wherever the first difference is.
fn is_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let differing = |sum, (one, other): (&u8, &u8)| sum | (one ^ other);
    one.iter().zip(other).fold(0, differing) == 0
}
