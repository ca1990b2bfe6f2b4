//! Who is meant: DIDs as they are, handles through the register, else asked for outside.

use std::time::Duration;

use plyr_lexicons::{AtIdentifier, AtUri, Did, Handle, RecordUri};
use plyr_outbound::Freshness;
use plyr_schemas::Snapshot;

use crate::App;
use crate::error::XrpcError;

/// How long a handle that isn't in the register may be asked for outside.
const PATIENCE: Duration = Duration::from_secs(6);

/// The DID behind a handle, proven both ways; none when there is no such proof.
pub async fn resolve_handle(
    app: &App,
    snapshot: &dyn Snapshot,
    handle: &Handle,
) -> Result<Option<Did>, XrpcError> {
    if let Some(claim) = snapshot.handle(handle).await? {
        return Ok(Some(claim.did));
    }
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
    Ok(tokio::time::timeout(PATIENCE, proof).await.ok().flatten())
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
