//! What can go wrong with a simulated network.

use std::net::SocketAddr;

/// Why the network can't be built or go on.
#[derive(Debug, thiserror::Error)]
pub enum SimnetError {
    /// It is for this machine alone: nothing in it is guarded against strangers.
    #[error(
        "{0} is not on loopback; the simulated network listens on this machine alone: choose \
         127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// A listener.
    #[error("{address} can't be listened on: {detail}; choose another address or port 0")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        detail: std::io::Error,
    },
    /// The plot asks for what can't be.
    #[error("{0}")]
    Plot(String),
    /// An act that can't follow those before it.
    #[error(
        "the act at {at} of {did} can't be applied: {detail}; apply acts of one story in order"
    )]
    Act {
        /// Its time, in microseconds since 1970.
        at: i64,
        /// Whose.
        did: String,
        /// Why not.
        detail: String,
    },
    /// A repo could not be built or signed.
    #[error("the repo of {did} can't be built: {detail}")]
    Repo {
        /// Whose.
        did: String,
        /// Why not.
        detail: String,
    },
}
