//! What is known of blobs beside their rows: which tracks dropped theirs, which were taken down.

use plyr_lexicons::{Cid, Did, RecordUri};
use plyr_schemas::{HiddenSubject, Snapshot};

use crate::App;
use crate::error::XrpcError;

/// Those of some tracks without audio that had some in an earlier version.
pub async fn dropped(app: &App, uris: &[RecordUri]) -> Result<Vec<RecordUri>, XrpcError> {
    let Some(blobs) = &app.blobs else {
        return Ok(Vec::new());
    };
    if uris.is_empty() {
        return Ok(Vec::new());
    }
    let seen = blobs.seen(uris).await?;
    Ok(seen.into_iter().flatten().map(|seen| seen.uri).collect())
}

/// Those of some blobs that were taken down here, under the name of who names them or for all.
pub async fn hidden(
    snapshot: &dyn Snapshot,
    blobs: &[(Did, Cid)],
) -> Result<Vec<(Did, Cid)>, XrpcError> {
    if blobs.is_empty() {
        return Ok(Vec::new());
    }
    let subject = |did: Option<&Did>, cid: &Cid| HiddenSubject::Blob {
        did: did.cloned(),
        cid: *cid,
    };
    let theirs = blobs.iter().map(|(did, cid)| subject(Some(did), cid));
    let everybodys = blobs.iter().map(|(_, cid)| subject(None, cid));
    let subjects: Vec<HiddenSubject> = theirs.chain(everybodys).collect();
    let hidden = snapshot.hidden(&subjects).await?;
    let (theirs, everybodys) = hidden.split_at(blobs.len().min(hidden.len()));
    let either = theirs.iter().zip(everybodys).map(|(one, all)| *one || *all);
    let hidden = blobs.iter().zip(either).filter(|(_, hidden)| *hidden);
    Ok(hidden.map(|(blob, _)| blob.clone()).collect())
}
