//! Repos named by records: what is liked, commented on or listed lives in repos that are ours to
//! follow too.

use std::collections::HashSet;

use plyr_lexicons::{Did, RecordUri};
use plyr_schemas::{Body, Index, Snapshot, StoreError, Version};

/// Repos that one batch, or one merge, may name; the rest is named again by later ones.
pub const MOST: usize = 10_000;

/// The repos that a version's record names, other than its own.
pub fn by(version: &Version) -> HashSet<Did> {
    let Body::Record { derived, .. } = &version.body else {
        return HashSet::new();
    };
    let subject = |index: &Index| match index {
        Index::SubjectLikes(subject)
        | Index::SubjectCommentsByTime(subject)
        | Index::ListsWithItem(subject) => subject.parse::<RecordUri>().ok(),
        _ => None,
    };
    let named = derived.rows.iter().filter_map(|row| subject(&row.index));
    named
        .map(|subject| subject.did)
        .filter(|did| *did != version.uri.did)
        .collect()
}

/// Those of them that were never met.
pub async fn unmet(snapshot: &dyn Snapshot, dids: Vec<Did>) -> Result<Vec<Did>, StoreError> {
    if dids.is_empty() {
        return Ok(Vec::new());
    }
    let met = snapshot.repos(&dids).await?;
    let unmet = dids.into_iter().zip(met).filter(|(_, met)| met.is_none());
    Ok(unmet.map(|(did, _)| did).collect())
}
