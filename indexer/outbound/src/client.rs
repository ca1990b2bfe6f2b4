//! The hardened client and what can go wrong with it.

use url::Url;

/// What the client needs to know; from the command line.
#[derive(Clone, Debug)]
pub struct OutboundConfig {
    /// The PLC directory (a base path is kept).
    pub plc_url: Url,
    /// `--handle-resolver`, only with `--dev`.
    pub handle_resolvers: Vec<Url>,
    /// Allows http and loopback for what the network names.
    pub dev: bool,
    /// Goes into the User-Agent.
    pub contact: String,
}

/// What can go wrong outside.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutboundError {
    /// The host could not be reached, was too slow, or its answer was cut.
    #[error("{url} can't be reached: {detail}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why not.
        detail: String,
    },
    /// The host answered with an error status.
    #[error("{url} answered {status}: {detail}")]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// XRPC error name, or the beginning of the body.
        detail: String,
    },
    /// The address is not one we may ask (private, not https …).
    #[error("{url} is not asked: {detail}")]
    Refused {
        /// What would have been asked.
        url: String,
        /// The rule.
        detail: String,
    },
    /// The answer is not what it should be, or too large.
    #[error("{url} answered something unusable: {detail}")]
    Malformed {
        /// What was asked.
        url: String,
        /// What was wrong.
        detail: String,
    },
}

/// The one client for everything outside. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    config: OutboundConfig,
}

impl Outbound {
    /// Builds the client; fails only if TLS roots can't be loaded.
    pub fn new(config: OutboundConfig) -> Result<Outbound, OutboundError> {
        Ok(Outbound { config })
    }

    /// How it was configured.
    pub fn config(&self) -> &OutboundConfig {
        &self.config
    }
}
