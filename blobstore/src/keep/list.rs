//! What isn't kept, and why: for people.

use plyr_lexicons::Cid;
use plyr_schemas::{BlobState, Micros};
use serde::Serialize;

use crate::error::BlobstoreError;
use crate::serve::{Blobstore, due_for_people};

/// Rows read at once.
const PAGE: usize = 500;
/// Blobs that are named; all are counted.
const MOST_NAMED: usize = 1_000;

/// A blob that isn't kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotKept {
    /// Which.
    pub cid: String,
    /// `wanted`, `refused` or `setAside`.
    pub state: BlobState,
    /// Why.
    pub reason: Option<String>,
    /// Fetches that failed.
    pub failures: u32,
    /// When it is tried next, in microseconds since 1970; that is past where it waits for its turn.
    pub due_at: Option<Micros>,
}

/// How many blobs are in which state, and those that aren't kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// Kept.
    pub kept: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// On their way.
    pub wanted: u64,
    /// Never to be served.
    pub refused: u64,
    /// Ended the process that looked at them.
    pub set_aside: u64,
    /// The first thousand of those that aren't kept.
    pub not_kept: Vec<NotKept>,
}

/// Lists what isn't kept.
pub async fn list(blobstore: &Blobstore) -> Result<List, BlobstoreError> {
    let mut list = List::default();
    let mut after: Option<Cid> = None;
    loop {
        let rows = blobstore.rows.all_blobs(after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else {
            return Ok(list);
        };
        after = Some(last.cid);
        for row in rows {
            match row.state {
                BlobState::Kept => {
                    list.kept += 1;
                    list.kept_bytes += row.size.unwrap_or_default();
                    continue;
                }
                BlobState::Wanted => list.wanted += 1,
                BlobState::Refused => list.refused += 1,
                BlobState::SetAside => list.set_aside += 1,
            }
            if list.not_kept.len() < MOST_NAMED {
                let due_at = due_for_people(&row);
                list.not_kept.push(NotKept {
                    cid: row.cid.to_string(),
                    state: row.state,
                    reason: row.reason,
                    failures: row.failures,
                    due_at,
                });
            }
        }
    }
}
