//! The subject of likes, comments and lists: its uri as their records write it.

use plyr_lexicons::AtUri;
use plyr_schemas::Snapshot;

use crate::App;
use crate::actor::resolve_uri;
use crate::error::XrpcError;

/// The uri with the DID in place of a handle, as records commonly name it.
pub async fn subject(app: &App, snapshot: &dyn Snapshot, uri: AtUri) -> Result<String, XrpcError> {
    let asked = uri.to_string();
    let record = resolve_uri(app, snapshot, uri).await?;
    Ok(record.map_or(asked, |record| record.to_string()))
}
