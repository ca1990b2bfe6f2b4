//! Who is meant: DIDs as they are, handles through the register, else asked for outside.

use std::collections::HashMap;
use std::time::Duration;

use plyr_lexicons::{AtIdentifier, AtUri, Did, Handle, RecordUri};
use plyr_outbound::Freshness;
use plyr_schemas::Snapshot;
use tokio::time::Instant;

use crate::App;
use crate::error::XrpcError;

/// How long a handle that isn't in the register may be asked for outside.
const PATIENCE: Duration = Duration::from_secs(6);
/// Handles that one request may have asked for outside.
const MOST_ASKED: usize = 10;

/// The DID behind a handle, proven both ways; none when there is no such proof.
pub async fn resolve_handle(
    app: &App,
    snapshot: &dyn Snapshot,
    handle: &Handle,
) -> Result<Option<Did>, XrpcError> {
    if let Some(claim) = snapshot.handle(handle).await? {
        return Ok(Some(claim.did));
    }
    Ok(ask_for(app, handle).await)
}

/// Asks outside for a handle that isn't in the register.
async fn ask_for(app: &App, handle: &Handle) -> Option<Did> {
    let proof = async {
        let did = app
            .outbound
            .resolve_handle(handle, Freshness::Cached)
            .await
            .ok()??;
        let document = app
            .outbound
            .did_document(&did, Freshness::Cached)
            .await
            .ok()??;
        let named = document.handle?;
        named
            .as_str()
            .eq_ignore_ascii_case(handle.as_str())
            .then_some(did)
    };
    tokio::time::timeout(PATIENCE, proof).await.ok().flatten()
}

/// Many actors of one request: each handle is looked up once. Those that must be asked for outside
/// share one time, and are few; the others are taken as not found.
pub struct Few<'a> {
    app: &'a App,
    snapshot: &'a dyn Snapshot,
    known: HashMap<Handle, Option<Did>>,
    left: usize,
    until: Instant,
}

impl<'a> Few<'a> {
    pub fn new(app: &'a App, snapshot: &'a dyn Snapshot) -> Few<'a> {
        Few {
            app,
            snapshot,
            known: HashMap::new(),
            left: MOST_ASKED,
            until: Instant::now() + PATIENCE,
        }
    }

    /// The DID of the next; none when the handle leads nowhere.
    pub async fn resolve(&mut self, actor: &AtIdentifier) -> Result<Option<Did>, XrpcError> {
        let handle = match actor {
            AtIdentifier::Did(did) => return Ok(Some(did.clone())),
            AtIdentifier::Handle(handle) => handle,
        };
        if let Some(known) = self.known.get(handle) {
            return Ok(known.clone());
        }
        let did = match self.snapshot.handle(handle).await? {
            Some(claim) => Some(claim.did),
            None if self.left == 0 => None,
            None => {
                self.left -= 1;
                let asking = ask_for(self.app, handle);
                tokio::time::timeout_at(self.until, asking)
                    .await
                    .ok()
                    .flatten()
            }
        };
        self.known.insert(handle.clone(), did.clone());
        Ok(did)
    }
}

/// The DID of a DID or handle; `ActorNotFound` when the handle leads nowhere.
pub async fn resolve(
    app: &App,
    snapshot: &dyn Snapshot,
    actor: &AtIdentifier,
) -> Result<Did, XrpcError> {
    match actor {
        AtIdentifier::Did(did) => Ok(did.clone()),
        AtIdentifier::Handle(handle) => {
            let not_found = || {
                let message = format!("{} does not resolve to a DID", handle.as_str());
                XrpcError::declared("ActorNotFound", message)
            };
            resolve_handle(app, snapshot, handle)
                .await?
                .ok_or_else(not_found)
        }
    }
}

/// The record an at-uri means; none when it addresses no record.
pub async fn resolve_uri(
    app: &App,
    snapshot: &dyn Snapshot,
    uri: AtUri,
) -> Result<Option<RecordUri>, XrpcError> {
    let AtUri {
        authority,
        collection: Some(collection),
        rkey: Some(rkey),
    } = uri
    else {
        return Ok(None);
    };
    let did = resolve(app, snapshot, &authority).await?;
    Ok(Some(RecordUri {
        did,
        collection,
        rkey,
    }))
}
