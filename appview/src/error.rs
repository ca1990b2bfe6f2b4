//! Errors: what a client is told, by name, and what stops the server.

use plyr_lexicons::validate::ParameterError;
use plyr_schemas::StoreError;
use warp::http::StatusCode;

/// What stops the AppView.
#[derive(Debug, thiserror::Error)]
pub enum AppViewError {
    /// The address can't be listened on.
    #[error("listen = {address}: {problem}; stop what listens there or choose another")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        problem: std::io::Error,
    },
    /// The public URL can't be made.
    #[error("public-url: {0}")]
    PublicUrl(url::ParseError),
}

/// An XRPC error: status, name and message. Messages carry no internals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct XrpcError {
    /// The HTTP status.
    pub status: StatusCode,
    /// Its name, one that the method declares or a general one.
    pub name: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl XrpcError {
    /// One with a status of its own.
    pub fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> XrpcError {
        XrpcError {
            status,
            name,
            message: message.into(),
        }
    }

    /// 400 with a name that the method declares.
    pub fn declared(name: &'static str, message: impl Into<String>) -> XrpcError {
        XrpcError::new(StatusCode::BAD_REQUEST, name, message)
    }

    /// 400: the request can't be used as it is.
    pub fn invalid(message: impl Into<String>) -> XrpcError {
        XrpcError::declared("InvalidRequest", message)
    }

    /// 503: too much at once.
    pub fn overloaded() -> XrpcError {
        let message = "too much at once; try again in a moment";
        XrpcError::new(StatusCode::SERVICE_UNAVAILABLE, "Overloaded", message)
    }
}

impl From<ParameterError> for XrpcError {
    fn from(problem: ParameterError) -> XrpcError {
        XrpcError::invalid(problem.to_string())
    }
}

impl From<StoreError> for XrpcError {
    fn from(problem: StoreError) -> XrpcError {
        if problem.is_passing() {
            tracing::warn!(%problem, "a request found the store overloaded or out of reach");
            return XrpcError::overloaded();
        }
        tracing::error!(%problem, "a request failed in the store");
        let message = "the store could not answer; try again later";
        XrpcError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            message,
        )
    }
}
