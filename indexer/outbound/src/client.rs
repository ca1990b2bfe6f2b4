//! The hardened client and what can go wrong with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverOpts;
use moka::Expiry;
use moka::future::Cache;
use plyr_lexicons::{Did, Handle};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::document::DidDocument;
use crate::guard::{GuardedResolver, check_url};
use crate::politeness::{Hosts, Kind, NoPlace, PACE, Place};
use crate::stream::{Body, LONGEST, LONGEST_OF_ALL};

const CONNECT: Duration = Duration::from_secs(3);
const TOTAL: Duration = Duration::from_secs(10);
const DNS: Duration = Duration::from_secs(3);
const FRESH: Duration = Duration::from_secs(600);
const CACHED: u64 = 50_000;
const FAILED: Duration = Duration::from_secs(30);
/// How long the first byte of a long answer may take; small ones are bounded as a whole.
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// How soon to come again where too many wait.
const CROWDED: Duration = Duration::from_secs(5);
/// Largest answer with an error status, in bytes.
const LARGEST_ERROR: usize = 64 << 10;
const ACCEPTED: &str = "application/json, text/plain;q=0.5";
/// A CAR, a block of an archive, or a blob.
const STREAMED: &str = "application/vnd.ipld.car, application/octet-stream;q=0.5, */*;q=0.1";

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
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OutboundError {
    /// The client can't be built.
    #[error("the outbound client can't start: {0}")]
    Start(String),
    /// The host could not be reached, was too slow, or its answer was cut.
    #[error("{url} can't be reached: {detail}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why not.
        detail: String,
    },
    /// The host asked to be left alone, or has too many questions waiting; it was not asked.
    #[error("{url} was not asked: {detail}")]
    Resting {
        /// What would have been asked.
        url: String,
        /// When to come again.
        wait: Duration,
        /// Why.
        detail: String,
    },
    /// As many blobs come from the host already as may at the same time; it was not asked.
    #[error("{url} was not asked: other blobs come from this host")]
    Crowded {
        /// What would have been asked.
        url: String,
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

/// Whose word an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Named {
    /// The operator's: trusted to be where it is.
    ByOperator,
    /// The network's: guarded.
    ByNetwork,
}

#[derive(Deserialize)]
pub(crate) struct XrpcError {
    pub error: String,
}

/// An answer's status and body.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A handle that names nobody may name somebody soon: it moves from account to account.
struct NobodyIsBrief;

impl NobodyIsBrief {
    fn life(did: &Option<Did>) -> Option<Duration> {
        Some(if did.is_some() { FRESH } else { FAILED })
    }
}

impl Expiry<Handle, Option<Did>> for NobodyIsBrief {
    fn expire_after_create(&self, _: &Handle, did: &Option<Did>, _: Instant) -> Option<Duration> {
        NobodyIsBrief::life(did)
    }

    fn expire_after_update(
        &self,
        _: &Handle,
        did: &Option<Did>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        NobodyIsBrief::life(did)
    }
}

/// The one client for everything outside. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    pub(crate) config: Arc<OutboundConfig>,
    pub(crate) dns: Arc<TokioResolver>,
    trusted: reqwest::Client,
    guarded: reqwest::Client,
    hosts: Hosts,
    pub(crate) documents: Cache<Did, Option<DidDocument>>,
    pub(crate) handles: Cache<Handle, Option<Did>>,
    pub(crate) failures: Cache<String, OutboundError>,
}

impl Outbound {
    /// Builds the client; fails only if TLS roots or the resolver can't be loaded.
    pub fn new(config: OutboundConfig) -> Result<Outbound, OutboundError> {
        let start = |problem: &dyn std::fmt::Display| OutboundError::Start(problem.to_string());
        let mut options = ResolverOpts::default();
        options.timeout = DNS;
        options.attempts = 1;
        // The caches are ours, so that a check can ask past them.
        options.cache_size = 0;
        let builder = TokioResolver::builder_tokio().map_err(|problem| start(&problem))?;
        let dns = Arc::new(builder.with_options(options).build());
        let agent = format!("plyr/{} (+{})", env!("CARGO_PKG_VERSION"), config.contact);
        let builder = || {
            reqwest::Client::builder()
                .user_agent(agent.clone())
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
                .timeout(TOTAL)
                .no_proxy()
                .pool_max_idle_per_host(2)
        };
        let guard = GuardedResolver {
            resolver: dns.clone(),
            dev: config.dev,
        };
        let guarded = builder().dns_resolver(Arc::new(guard)).build();
        Ok(Outbound {
            config: Arc::new(config),
            dns,
            trusted: builder().build().map_err(|problem| start(&problem))?,
            guarded: guarded.map_err(|problem| start(&problem))?,
            hosts: Hosts::new(),
            documents: Cache::builder()
                .max_capacity(CACHED)
                .time_to_live(FRESH)
                .build(),
            handles: Cache::builder()
                .max_capacity(CACHED)
                .expire_after(NobodyIsBrief)
                .build(),
            failures: Cache::builder()
                .max_capacity(CACHED)
                .time_to_live(FAILED)
                .build(),
        })
    }

    /// How it was configured.
    pub fn config(&self) -> &OutboundConfig {
        &self.config
    }

    /// GETs a URL with a bound on the body, in bytes after decompression.
    pub(crate) async fn get(
        &self,
        named: Named,
        url: &str,
        largest: usize,
    ) -> Result<Answer, OutboundError> {
        let (mut response, _place) = self.ask(named, url, Kind::Question, None).await?;
        let status = response.status().as_u16();
        let body = read_whole(url, &mut response, largest).await?;
        Ok(Answer { status, body })
    }

    /// POSTs JSON; answers what a 200 says, bounded in bytes after decompression.
    pub(crate) async fn post(
        &self,
        named: Named,
        url: &str,
        question: &impl Serialize,
        largest: usize,
    ) -> Result<Vec<u8>, OutboundError> {
        let json = serde_json::to_vec(question).map_err(|problem| OutboundError::Malformed {
            url: url.to_owned(),
            detail: format!("what was to be asked is no JSON: {problem}"),
        })?;
        let asked = self.ask(named, url, Kind::Question, Some(json));
        let (mut response, _place) = asked.await?;
        let status = response.status().as_u16();
        if status == 200 {
            return read_whole(url, &mut response, largest).await;
        }
        let body = read_whole(url, &mut response, LARGEST_ERROR).await?;
        Err(status_error(url, &Answer { status, body }))
    }

    /// GETs a URL whose answer is read as it comes; an error status is an error, with the beginning
    /// of what it says.
    pub(crate) async fn open(
        &self,
        named: Named,
        kind: Kind,
        url: &str,
        largest: u64,
    ) -> Result<Body, OutboundError> {
        let (mut response, place) = self.ask(named, url, kind, None).await?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Body::new(url.to_owned(), response, largest, place));
        }
        let body = read_whole(url, &mut response, LARGEST_ERROR).await?;
        Err(status_error(url, &Answer { status, body }))
    }

    /// Sends a GET, or a POST of JSON, once there is a place at the host, and heeds what its
    /// headers say.
    async fn ask(
        &self,
        named: Named,
        url: &str,
        kind: Kind,
        json: Option<Vec<u8>>,
    ) -> Result<(reqwest::Response, Place), OutboundError> {
        let unreachable = |detail: String| OutboundError::Unreachable {
            url: url.to_owned(),
            detail,
        };
        let (client, url_to_ask) = match named {
            Named::ByOperator => {
                let parsed = Url::parse(url).map_err(|problem| unreachable(problem.to_string()))?;
                (&self.trusted, parsed)
            }
            Named::ByNetwork => (&self.guarded, check_url(url, self.config.dev)?),
        };
        let origin = url_to_ask.origin().ascii_serialization();
        // Peers of a test are hosts of one's own.
        let is_own = named == Named::ByOperator || self.config.dev;
        let pace = if is_own { Duration::ZERO } else { PACE };
        let place = self.hosts.place(origin, kind, pace).await;
        let place = place.map_err(|why| no_place(url, kind, why))?;
        let request = match json {
            None => client.get(url_to_ask),
            Some(json) => client
                .post(url_to_ask)
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(json),
        };
        let request = match kind {
            Kind::Question => request.header(ACCEPT, HeaderValue::from_static(ACCEPTED)),
            Kind::Stream => request
                .header(ACCEPT, HeaderValue::from_static(STREAMED))
                .timeout(LONGEST),
            // How long it may take is known with its length.
            Kind::Blob => request
                .header(ACCEPT, HeaderValue::from_static(STREAMED))
                .timeout(LONGEST_OF_ALL),
        };
        let response = tokio::time::timeout(FIRST_BYTE, request.send()).await;
        let response = response.map_err(|_| {
            let seconds = FIRST_BYTE.as_secs();
            unreachable(format!("no answer began within {seconds} s"))
        })?;
        let response = response.map_err(|problem| unreachable(root_cause(&problem)))?;
        place.heed(response.status().as_u16(), response.headers());
        Ok((response, place))
    }
}

/// Reads a body to its end, up to a bound.
async fn read_whole(
    url: &str,
    response: &mut reqwest::Response,
    largest: usize,
) -> Result<Vec<u8>, OutboundError> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|problem| OutboundError::Unreachable {
            url: url.to_owned(),
            detail: root_cause(&problem),
        })?;
        let Some(chunk) = chunk else {
            return Ok(body);
        };
        if body.len() + chunk.len() > largest {
            let detail = format!("more than {largest} bytes");
            return Err(OutboundError::Malformed {
                url: url.to_owned(),
                detail,
            });
        }
        body.extend_from_slice(&chunk);
    }
}

fn no_place(url: &str, kind: Kind, why: NoPlace) -> OutboundError {
    let (wait, detail) = match why {
        NoPlace::Crowded if kind == Kind::Blob => {
            let url = url.to_owned();
            return OutboundError::Crowded { url };
        }
        NoPlace::Resting(left) => {
            let seconds = left.as_secs() + 1;
            (
                left,
                format!("it asked to be left alone for another {seconds} s"),
            )
        }
        NoPlace::Crowded => (CROWDED, "too many questions wait for this host".to_owned()),
    };
    OutboundError::Resting {
        url: url.to_owned(),
        wait,
        detail,
    }
}

/// An error answer, with the XRPC error's name or the beginning of the body.
pub(crate) fn status_error(url: &str, answer: &Answer) -> OutboundError {
    let detail = match serde_json::from_slice::<XrpcError>(&answer.body) {
        Ok(named) => named.error.chars().take(128).collect(),
        Err(_) => String::from_utf8_lossy(&answer.body)
            .chars()
            .take(128)
            .collect(),
    };
    OutboundError::Status {
        url: url.to_owned(),
        status: answer.status,
        detail,
    }
}

/// The innermost reason: reqwest's own words only say that something failed.
pub(crate) fn root_cause(problem: &dyn std::error::Error) -> String {
    let mut innermost = problem;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_of_nobody_is_forgotten_sooner_than_one_of_somebody() {
        let did = Did::new("did:plc:a".to_owned()).ok();
        assert!(NobodyIsBrief::life(&None) < NobodyIsBrief::life(&did));
    }
}
