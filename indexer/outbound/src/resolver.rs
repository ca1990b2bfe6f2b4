//! DID documents and handles, and the little that is asked of a PDS.

use plyr_lexicons::{Did, Handle, Ipld};

use crate::client::{Outbound, OutboundError};

/// Whether an answer may come from a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// A cached answer will do.
    Cached,
    /// Past every cache; the answer replaces what was cached.
    Fresh,
}

/// What we read of a DID document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DidDocument {
    /// Equal to the DID asked for (checked).
    pub did: Did,
    /// The `#atproto_pds` service's endpoint.
    pub pds: Option<String>,
    /// The `#atproto` key, as a multibase multikey (legacy documents are converted).
    pub signing_key: Option<String>,
    /// The first `at://` of `alsoKnownAs` that is a handle; not proven by itself.
    pub handle: Option<Handle>,
}

/// What a PDS says of a repo (`com.atproto.sync.getRepoStatus`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepoStatus {
    /// Whether it is active.
    pub active: bool,
    /// `deactivated`, `deleted`, `takendown`, `suspended`, or something newer.
    pub status: Option<String>,
}

impl Outbound {
    /// The DID document, from the PLC directory or the did:web's host. None if the DID doesn't
    /// exist (404, or a tombstone).
    pub async fn did_document(
        &self,
        did: &Did,
        freshness: Freshness,
    ) -> Result<Option<DidDocument>, OutboundError> {
        let _ = (did, freshness);
        Ok(None)
    }

    /// The DID a handle names, by DNS and well-known (and `--handle-resolver`); none if nothing
    /// answers for it. Not proven by itself: the document must name the handle too.
    pub async fn resolve_handle(
        &self,
        handle: &Handle,
        freshness: Freshness,
    ) -> Result<Option<Did>, OutboundError> {
        let _ = (handle, freshness);
        Ok(None)
    }

    /// Asks the PDS for a repo's status. A PDS that answers `RepoNotFound` says `deleted`; the
    /// errors `RepoDeactivated`, `RepoTakendown`, `RepoSuspended` say so too.
    pub async fn repo_status(&self, pds: &str, did: &Did) -> Result<RepoStatus, OutboundError> {
        let _ = (pds, did);
        Ok(RepoStatus {
            active: true,
            status: None,
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
        let _ = (pds, did, collection, rkey);
        Ok(None)
    }
}
