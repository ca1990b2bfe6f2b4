//! Public copies against what may be public: at the start and every hour each one is asked about,
//! so that none outlives what happened while nobody followed.

use std::collections::BTreeSet;
use std::time::Duration;

use plyr_lexicons::Cid;
use plyr_objects::ObjectKey;
use plyr_schemas::BlobState;

use crate::error::BlobstoreError;
use crate::follow::Follower;
use crate::public::PUBLIC;

/// Between two times.
pub(crate) const EVERY: Duration = Duration::from_secs(3600);
/// Copies listed at once.
const PAGE: usize = 500;

impl Follower {
    /// Asks about every public copy, and deletes those that the public may not read, and those of
    /// blobs that aren't kept.
    pub(crate) async fn reconcile(&self) -> Result<(), BlobstoreError> {
        let objects = &self.blobstore.objects;
        let (mut listed, mut deleted) = (0, 0);
        let mut after: Option<ObjectKey> = None;
        loop {
            let page = objects.list(PUBLIC, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            listed += page.len();
            let mut cids: BTreeSet<Cid> = BTreeSet::new();
            for key in page.into_iter().map(|one| one.key) {
                match key.cid() {
                    Some(cid) if ObjectKey::original(&cid).public() == key => {
                        cids.insert(cid);
                    }
                    // Nothing but originals is published.
                    _ => {
                        objects.delete(&key).await?;
                        deleted += 1;
                    }
                }
            }
            let cids: Vec<Cid> = cids.into_iter().collect();
            let rows = self.blobstore.rows.blobs(&cids).await?;
            let mut kept: BTreeSet<Cid> = BTreeSet::new();
            for (cid, row) in cids.into_iter().zip(rows) {
                if row.is_some_and(|row| row.state == BlobState::Kept) {
                    kept.insert(cid);
                    continue;
                }
                objects.delete(&ObjectKey::original(&cid).public()).await?;
                deleted += 1;
            }
            let snapshot = self.store.snapshot().await?;
            deleted += self.blobstore.unpublish(snapshot.as_ref(), kept).await?;
        }
        if deleted > 0 {
            tracing::info!(
                listed,
                deleted,
                "public copies that may not be read are gone"
            );
        }
        Ok(())
    }
}
