//! What goes wrong with bytes, as callers are told it.

use plyr_blobstore::BlobstoreError;
use warp::http::StatusCode;

use crate::error::XrpcError;
use crate::media::named::Role;

impl From<BlobstoreError> for XrpcError {
    fn from(problem: BlobstoreError) -> XrpcError {
        if problem.is_passing() {
            tracing::warn!(%problem, "a request found the blobstore overloaded or out of reach");
            return XrpcError::overloaded();
        }
        tracing::error!(%problem, "a request failed in the blobstore");
        let message = "the blobstore could not answer; try again later";
        XrpcError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            message,
        )
    }
}

/// 404: nothing is held under the address.
pub fn not_found(role: Role) -> XrpcError {
    let (name, message) = match role {
        Role::Audio => ("TrackNotFound", "no track is held under this address"),
        Role::Image => ("RecordNotFound", "no record is held under this address"),
    };
    XrpcError::new(StatusCode::NOT_FOUND, name, message)
}

/// 404: what is held doesn't show.
pub fn hidden(role: Role, why: &'static str) -> XrpcError {
    let name = match role {
        Role::Audio => "TrackHidden",
        Role::Image => "RecordHidden",
    };
    XrpcError::new(StatusCode::NOT_FOUND, name, why)
}

/// 404: no record that shows names such a blob.
pub fn blob_not_found(role: Role) -> XrpcError {
    let message = match role {
        Role::Audio => "no record that shows names this blob as its audio",
        Role::Image => "no record that shows names this blob as its image",
    };
    XrpcError::new(StatusCode::NOT_FOUND, "BlobNotFound", message)
}

/// 403: the author asks for support first.
pub fn gated() -> XrpcError {
    let message = "the author asks listeners for support first; this instance can't check it";
    XrpcError::new(StatusCode::FORBIDDEN, "SupportRequired", message)
}

/// 404: the bytes will not be served.
pub fn refused(role: Role, reason: &str) -> XrpcError {
    let name = match role {
        Role::Audio => "AudioRefused",
        Role::Image => "ImageRefused",
    };
    let message = format!("the bytes that the record names are not served: {reason}");
    XrpcError::new(StatusCode::NOT_FOUND, name, message)
}

fn not_here(role: Role) -> &'static str {
    match role {
        Role::Audio => "AudioNotHere",
        Role::Image => "ImageNotHere",
    }
}

/// 404: the bytes aren't here, and this instance fetches none.
pub fn never_here(role: Role) -> XrpcError {
    let message = "the bytes are not here, and this instance fetches none";
    XrpcError::new(StatusCode::NOT_FOUND, not_here(role), message)
}

/// 503: the bytes aren't here yet.
pub fn not_here_yet(role: Role, reason: Option<&str>) -> XrpcError {
    let message = match reason {
        Some(reason) => format!("the bytes are not here yet ({reason}); try again in a moment"),
        None => "the bytes are not here yet; try again in a moment".to_owned(),
    };
    XrpcError::new(StatusCode::SERVICE_UNAVAILABLE, not_here(role), message)
}
