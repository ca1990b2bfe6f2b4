//! Trying again what failed, was refused or was set aside, because a person says so; and what is
//! kept, where that is named.

use plyr_lexicons::Cid;
use plyr_schemas::{Blob, BlobState};
use serde::{Deserialize, Serialize};

use super::audit::mend;
use crate::error::BlobstoreError;
use crate::serve::{Blobstore, now};

/// Rows read at once.
const PAGE: usize = 500;

/// Why a row that was kept is wanted again.
const ASKED: &str = "somebody had it looked at anew";

/// What was made due again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Retry {
    /// Rows that were looked at.
    pub looked_at: u64,
    /// Blobs that are tried again.
    pub again: u64,
}

/// Makes due again: those CIDs, kept or not, or, without any, all that aren't kept.
pub async fn retry(
    blobstore: &Blobstore,
    cids: &[Cid],
    mut told: impl FnMut(&Retry) -> bool,
) -> Result<Retry, BlobstoreError> {
    let mut retry = Retry::default();
    if !cids.is_empty() {
        for row in blobstore.rows.blobs(cids).await?.into_iter().flatten() {
            retry.looked_at += 1;
            if row.state == BlobState::Kept {
                mend(blobstore, &row, ASKED).await?;
                retry.again += 1;
                continue;
            }
            again(blobstore, &row, &mut retry).await?;
        }
        told(&retry);
        return Ok(retry);
    }
    let mut after: Option<Cid> = None;
    loop {
        let rows = blobstore.rows.all_blobs(after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.cid);
        for row in &rows {
            retry.looked_at += 1;
            again(blobstore, row, &mut retry).await?;
        }
        if !told(&retry) {
            break;
        }
    }
    Ok(retry)
}

async fn again(blobstore: &Blobstore, row: &Blob, retry: &mut Retry) -> Result<(), BlobstoreError> {
    let is_under_way = row.leased_until > now();
    if row.state == BlobState::Kept || is_under_way {
        return Ok(());
    }
    let mut wanted = row.clone();
    wanted.state = BlobState::Wanted;
    wanted.failures = 0;
    wanted.crashes = 0;
    wanted.facts = None;
    wanted.due_at = Some(now());
    if blobstore.rows.replace_blob(wanted).await? {
        retry.again += 1;
        blobstore.moved.notify_waiters();
    }
    Ok(())
}
