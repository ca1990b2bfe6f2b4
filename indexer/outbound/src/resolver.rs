//! DID documents and handles, and the little that is asked of a PDS.

use plyr_lexicons::{Did, Handle, Ipld, data};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::client::{Answer, Named, Outbound, OutboundError, XrpcError, status_error};
use crate::document::{DidDocument, read_document};
use crate::handle::{read_texts, read_well_known};

/// Largest DID document or handle answer, in bytes.
const LARGEST_DOCUMENT: usize = 64 << 10;
/// Largest record answer, in bytes.
const LARGEST_RECORD: usize = 2 << 20;
/// Endings that no public handle has.
const NOT_PUBLIC: &[&str] = &[
    "alt",
    "arpa",
    "example",
    "internal",
    "invalid",
    "local",
    "localhost",
    "onion",
];

/// Whether an answer may come from a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// A cached answer will do.
    Cached,
    /// Past every cache; the answer replaces what was cached.
    Fresh,
}

/// What came of looking a DID up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// Its document.
    Found(DidDocument),
    /// The directory says that it was given up for good.
    Tombstoned,
    /// The directory, or the did:web's host, knows no such DID.
    Unregistered,
}

impl Lookup {
    /// The document, if there is one.
    pub fn document(self) -> Option<DidDocument> {
        match self {
            Lookup::Found(document) => Some(document),
            Lookup::Tombstoned | Lookup::Unregistered => None,
        }
    }
}

/// What a PDS says of a repo (`com.atproto.sync.getRepoStatus`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepoStatus {
    /// Whether it is active.
    pub active: bool,
    /// `deactivated`, `deleted`, `takendown`, `suspended`, or something newer.
    pub status: Option<String>,
}

/// How the PLC directory explains a status.
#[derive(Deserialize)]
struct DirectoryError {
    message: String,
}

#[derive(Deserialize)]
struct StatusAnswer {
    active: bool,
    status: Option<String>,
}

#[derive(Deserialize)]
struct RecordAnswer<'a> {
    #[serde(borrow)]
    value: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct HandleAnswer {
    did: Did,
}

impl Outbound {
    /// The DID document, from the PLC directory or the did:web's host. None if the DID doesn't
    /// exist (404, or a tombstone).
    pub async fn did_document(
        &self,
        did: &Did,
        freshness: Freshness,
    ) -> Result<Option<DidDocument>, OutboundError> {
        if freshness == Freshness::Fresh {
            return self.look_up(did).await.map(Lookup::document);
        }
        if let Some(problem) = self.failures.get(did.as_str()).await {
            return Err(problem);
        }
        // Of many who ask at once, one does.
        let fetching = async { self.fetch_document(did).await.map(Lookup::document) };
        let document = self.documents.try_get_with_by_ref(did, fetching);
        match document.await {
            Ok(document) => Ok(document),
            Err(problem) => Err(self.failed(did.as_str(), (*problem).clone()).await),
        }
    }

    /// Looks a DID up past every cache; a document replaces what was cached.
    pub async fn look_up(&self, did: &Did) -> Result<Lookup, OutboundError> {
        match self.fetch_document(did).await {
            Ok(found) => {
                let document = found.clone().document();
                self.documents.insert(did.clone(), document).await;
                self.failures.invalidate(did.as_str()).await;
                Ok(found)
            }
            Err(problem) => Err(self.failed(did.as_str(), problem).await),
        }
    }

    /// Remembers a failure for a while.
    async fn failed(&self, what: &str, problem: OutboundError) -> OutboundError {
        self.failures.insert(what.to_owned(), problem.clone()).await;
        problem
    }

    async fn fetch_document(&self, did: &Did) -> Result<Lookup, OutboundError> {
        let (named, url) = match did.as_str().strip_prefix("did:web:") {
            Some(host) => (Named::ByNetwork, self.web_url(did, host)?),
            None if did.as_str().starts_with("did:plc:") => {
                let base = self.config.plc_url.as_str().trim_end_matches('/');
                (Named::ByOperator, format!("{base}/{}", did.as_str()))
            }
            None => {
                return Err(OutboundError::Refused {
                    url: did.as_str().to_owned(),
                    detail: "only did:plc and did:web are resolved".to_owned(),
                });
            }
        };
        let answer = self.get(named, &url, LARGEST_DOCUMENT).await?;
        match answer.status {
            200 => {
                let document = read_document(did, &answer.body);
                let malformed = |detail| OutboundError::Malformed {
                    url: url.clone(),
                    detail,
                };
                document.map(Lookup::Found).map_err(malformed)
            }
            404 | 410 if named == Named::ByNetwork => Ok(Lookup::Unregistered),
            410 => Ok(Lookup::Tombstoned),
            404 => not_found(did, &answer.body).ok_or_else(|| status_error(&url, &answer)),
            _ => Err(status_error(&url, &answer)),
        }
    }

    /// A did:web is a host, with a port behind `%3A`; in the protocol it has no path.
    fn web_url(&self, did: &Did, host: &str) -> Result<String, OutboundError> {
        let refuse = |detail: &str| OutboundError::Refused {
            url: did.as_str().to_owned(),
            detail: detail.to_owned(),
        };
        let host = host.replace("%3A", ":").replace("%3a", ":");
        if host.matches(':').count() > 1 || host.contains(['/', '%', '@', '?', '#']) {
            return Err(refuse(
                "a did:web here is a host and maybe a port, without a path",
            ));
        }
        let local = host.split(':').next() == Some("localhost");
        let scheme = if local && self.config.dev {
            "http"
        } else {
            "https"
        };
        Ok(format!("{scheme}://{host}/.well-known/did.json"))
    }

    /// The DID a handle names, by DNS and well-known (and `--handle-resolver`); none if nothing
    /// answers for it. Not proven by itself: the document must name the handle too.
    pub async fn resolve_handle(
        &self,
        handle: &Handle,
        freshness: Freshness,
    ) -> Result<Option<Did>, OutboundError> {
        let handle = Handle::new(handle.as_str().to_lowercase()).unwrap_or_else(|_| handle.clone());
        if freshness == Freshness::Fresh {
            return match self.fetch_handle(&handle).await {
                Ok(did) => {
                    self.handles.insert(handle.clone(), did.clone()).await;
                    self.failures.invalidate(handle.as_str()).await;
                    Ok(did)
                }
                Err(problem) => Err(self.failed(handle.as_str(), problem).await),
            };
        }
        if let Some(problem) = self.failures.get(handle.as_str()).await {
            return Err(problem);
        }
        let named = self
            .handles
            .try_get_with_by_ref(&handle, self.fetch_handle(&handle));
        match named.await {
            Ok(did) => Ok(did),
            Err(problem) => Err(self.failed(handle.as_str(), (*problem).clone()).await),
        }
    }

    async fn fetch_handle(&self, handle: &Handle) -> Result<Option<Did>, OutboundError> {
        let ending = handle.as_str().rsplit('.').next().unwrap_or_default();
        if ending == "test" {
            return self.ask_resolvers(handle).await;
        }
        if NOT_PUBLIC.contains(&ending) {
            return Ok(None);
        }
        // Either may answer while the other can't be asked.
        let told = self.by_dns(handle).await;
        if let Ok(Some(did)) = told {
            return Ok(Some(did));
        }
        let found = self.by_well_known(handle).await;
        match found {
            Ok(Some(did)) => Ok(Some(did)),
            Ok(None) if self.config.handle_resolvers.is_empty() => told,
            other if self.config.handle_resolvers.is_empty() => other,
            _ => self.ask_resolvers(handle).await,
        }
    }

    /// `_atproto.<handle>`; several different DIDs name nobody.
    async fn by_dns(&self, handle: &Handle) -> Result<Option<Did>, OutboundError> {
        let name = format!("_atproto.{}.", handle.as_str());
        let found = match self.dns.txt_lookup(name.as_str()).await {
            Ok(found) => found,
            Err(problem) if problem.is_no_records_found() || problem.is_nx_domain() => {
                return Ok(None);
            }
            Err(problem) => {
                return Err(OutboundError::Unreachable {
                    url: name,
                    detail: problem.to_string(),
                });
            }
        };
        let texts = found.iter().map(|record| {
            let parts: Vec<u8> = record
                .iter()
                .flat_map(|part| part.iter().copied())
                .collect();
            String::from_utf8_lossy(&parts).into_owned()
        });
        Ok(read_texts(texts))
    }

    async fn by_well_known(&self, handle: &Handle) -> Result<Option<Did>, OutboundError> {
        let url = format!("https://{}/.well-known/atproto-did", handle.as_str());
        let answer = self.get(Named::ByNetwork, &url, LARGEST_DOCUMENT).await?;
        if !answered(&url, &answer)? {
            return Ok(None);
        }
        Ok(read_well_known(&answer.body))
    }

    async fn ask_resolvers(&self, handle: &Handle) -> Result<Option<Did>, OutboundError> {
        let mut nobody = Ok(None);
        for resolver in &self.config.handle_resolvers {
            let url = xrpc(
                resolver.as_str(),
                "com.atproto.identity.resolveHandle",
                &[("handle", handle.as_str())],
            );
            let answer = self.get(Named::ByOperator, &url, LARGEST_DOCUMENT).await;
            let found = answer.and_then(|answer| {
                if !answered(&url, &answer)? {
                    return Ok(None);
                }
                let found = serde_json::from_slice::<HandleAnswer>(&answer.body);
                let malformed = |problem: serde_json::Error| OutboundError::Malformed {
                    url: url.clone(),
                    detail: problem.to_string(),
                };
                found.map(|found| Some(found.did)).map_err(malformed)
            });
            match found {
                Ok(Some(did)) => return Ok(Some(did)),
                Ok(None) => {}
                // That others know nothing says nothing about what this one knows.
                Err(problem) => nobody = Err(problem),
            }
        }
        nobody
    }

    /// Asks the PDS for a repo's status. A PDS that answers `RepoNotFound` says `deleted`; the
    /// errors `RepoDeactivated`, `RepoTakendown`, `RepoSuspended` say so too.
    pub async fn repo_status(&self, pds: &str, did: &Did) -> Result<RepoStatus, OutboundError> {
        let url = xrpc(
            pds,
            "com.atproto.sync.getRepoStatus",
            &[("did", did.as_str())],
        );
        let answer = self.get(Named::ByNetwork, &url, LARGEST_DOCUMENT).await?;
        if answer.status == 200 {
            let said: StatusAnswer = serde_json::from_slice(&answer.body).map_err(|problem| {
                OutboundError::Malformed {
                    url,
                    detail: problem.to_string(),
                }
            })?;
            return Ok(RepoStatus {
                active: said.active,
                status: said.status,
            });
        }
        let named = serde_json::from_slice::<XrpcError>(&answer.body).ok();
        let status = match named.as_ref().map(|answer| answer.error.as_str()) {
            Some("RepoNotFound") => "deleted",
            Some("RepoDeactivated") => "deactivated",
            Some("RepoTakendown") => "takendown",
            Some("RepoSuspended") => "suspended",
            _ => return Err(status_error(&url, &answer)),
        };
        Ok(RepoStatus {
            active: false,
            status: Some(status.to_owned()),
        })
    }

    /// One record from a PDS (`com.atproto.repo.getRecord`); none if it isn't there.
    pub async fn record(
        &self,
        pds: &str,
        did: &Did,
        collection: &str,
        rkey: &str,
    ) -> Result<Option<Ipld>, OutboundError> {
        let parameters = [
            ("repo", did.as_str()),
            ("collection", collection),
            ("rkey", rkey),
        ];
        let url = xrpc(pds, "com.atproto.repo.getRecord", &parameters);
        let answer = self.get(Named::ByNetwork, &url, LARGEST_RECORD).await?;
        if answer.status != 200 {
            let named = serde_json::from_slice::<XrpcError>(&answer.body).ok();
            return match named.as_ref().map(|answer| answer.error.as_str()) {
                Some("RecordNotFound") => Ok(None),
                _ => Err(status_error(&url, &answer)),
            };
        }
        let malformed = |detail: String| OutboundError::Malformed {
            url: url.clone(),
            detail,
        };
        let said: RecordAnswer<'_> = serde_json::from_slice(&answer.body)
            .map_err(|problem| malformed(problem.to_string()))?;
        let record = data::from_json(said.value.get().as_bytes());
        record
            .map(Some)
            .map_err(|problem| malformed(problem.to_string()))
    }
}

pub(crate) fn xrpc(base: &str, method: &str, parameters: &[(&str, &str)]) -> String {
    let base = base.trim_end_matches('/');
    let mut url = format!("{base}/xrpc/{method}");
    for (place, (name, value)) in parameters.iter().enumerate() {
        let value: String = byte_serialize(value.as_bytes()).collect();
        url.push(if place == 0 { '?' } else { '&' });
        url.push_str(&format!("{name}={value}"));
    }
    debug_assert!(Url::parse(&url).is_ok());
    url
}

/// What a directory's 404 says of a DID; none where it is no directory's: then the address is
/// wrong, which says nothing of anybody. (`@did-plc/server` 0.0.1 answers 404 for tombstones too.)
fn not_found(did: &Did, body: &[u8]) -> Option<Lookup> {
    let told: DirectoryError = serde_json::from_slice(body).ok()?;
    let message = told.message.to_lowercase();
    if !message.contains(&did.as_str().to_lowercase()) {
        return None;
    }
    Some(match message.contains("not available") {
        true => Lookup::Tombstoned,
        false => Lookup::Unregistered,
    })
}

/// Whether a host answered a question about a handle; "no" is an answer, being too busy is none.
fn answered(url: &str, answer: &Answer) -> Result<bool, OutboundError> {
    match answer.status {
        200 => Ok(true),
        429 | 500.. => Err(status_error(url, answer)),
        _ => Ok(false),
    }
}
