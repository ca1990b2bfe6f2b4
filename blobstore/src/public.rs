//! What the public may read from the bucket itself, where there is such a place (`--cdn-url`):
//! copies of audio, made when it is first asked for, and deleted when no record lets it out any
//! more.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use plyr_lexicons::{Cid, RecordUri};
use plyr_objects::ObjectKey;
use plyr_schemas::{Snapshot, Store};
use tokio::time::{sleep, timeout};

use crate::error::BlobstoreError;
use crate::serve::Blobstore;
use crate::shows::let_out_by;

/// Where public copies lie.
pub(crate) const PUBLIC: &str = "public/";
/// Blobs asked about, and deleted, at once.
const AT_ONCE: usize = 32;

/// How long a listener waits for a copy: a bucket makes most at once. A longer one goes on by
/// itself.
const A_MOMENT: Duration = Duration::from_secs(2);
/// Tries to delete a copy that may not be there, and the wait before the second one, which doubles:
/// some seven minutes in all. Then the next comparison of all copies does it, within the hour.
const TRIES: u32 = 12;
const LEAST_REST: Duration = Duration::from_millis(200);

/// By when every process knows of a hide: snapshots may be a second behind.
const HEARD_BY: Duration = Duration::from_secs(2);

/// Which blobs this process is copying.
#[derive(Clone, Default)]
pub(crate) struct Copying(Arc<Mutex<HashSet<Cid>>>);

/// Held by the one that copies a blob.
struct Turn {
    copying: Copying,
    cid: Cid,
}

impl Copying {
    /// None where somebody copies it already.
    fn take(&self, cid: &Cid) -> Option<Turn> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(*cid).then(|| Turn {
            copying: self.clone(),
            cid: *cid,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let all = self.copying.0.lock();
        all.unwrap_or_else(PoisonError::into_inner)
            .remove(&self.cid);
    }
}

impl Blobstore {
    /// Lets the public read a kept blob, if it may. Answers its path below what the CDN serves;
    /// none where there is no such place or no such object, where the public may not read it, while
    /// it is copied (but for a moment), and until what follows the log has seen the record that
    /// lets it out (and so hears of its end): the bytes are then handed out in another way.
    pub async fn publish(
        &self,
        store: &Arc<dyn Store>,
        cid: &Cid,
    ) -> Result<Option<String>, BlobstoreError> {
        if !self.options.is_public {
            return Ok(None);
        }
        let Some(uri) = self.let_out_by(store, cid).await? else {
            return Ok(None);
        };
        let original = ObjectKey::original(cid);
        let path = original.as_str().to_owned();
        if self.objects.find(&original.public()).await?.is_some() {
            return Ok(Some(path));
        }
        if !self.is_seen(uri, cid).await? {
            return Ok(None);
        }
        let Some(turn) = self.copying.take(cid) else {
            return Ok(None);
        };
        // Brought to its end whether or not the listener waits: a copy is always asked about again.
        let (blobstore, store) = (self.clone(), store.clone());
        let copying = tokio::spawn(async move { blobstore.copy_out(&store, turn).await });
        match timeout(A_MOMENT, copying).await {
            Ok(Ok(is_public)) => Ok(is_public.then_some(path)),
            Ok(Err(problem)) => {
                tracing::error!(%cid, %problem, "a public copy was not brought to its end");
                Ok(None)
            }
            Err(_) => Ok(None),
        }
    }

    /// Copies, and asks again: what was hidden meanwhile was looked for before the copy was there.
    /// Answers whether the public may read it now.
    async fn copy_out(&self, store: &Arc<dyn Store>, turn: Turn) -> bool {
        let cid = turn.cid;
        let original = ObjectKey::original(&cid);
        let public = original.public();
        let may = match self.objects.copy(&original, &public).await {
            Ok(true) => self.may_stay(store, &cid).await,
            Ok(false) => Ok(false),
            // Nobody knows what is there.
            Err(problem) => Err(problem.into()),
        };
        match may {
            Ok(true) => {
                self.ask_again_later(store, cid);
                return true;
            }
            Ok(false) => {}
            Err(problem) => tracing::warn!(%cid, %problem, "a public copy is taken back"),
        }
        self.take_back(&public).await;
        false
    }

    /// Over a cluster another process may have heard of a hide before the copy was there, and this
    /// one not yet when it asked: so it asks once more.
    fn ask_again_later(&self, store: &Arc<dyn Store>, cid: Cid) {
        let (blobstore, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            sleep(HEARD_BY).await;
            match blobstore.may_stay(&store, &cid).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(problem) => tracing::warn!(%cid, %problem, "a public copy is taken back"),
            }
            let public = ObjectKey::original(&cid).public();
            blobstore.take_back(&public).await;
        });
    }

    /// Deletes what may not be public, and again where that fails: nothing else looks at it before
    /// all copies are compared.
    async fn take_back(&self, public: &ObjectKey) {
        let mut rest = LEAST_REST;
        for tried in 1..=TRIES {
            match self.objects.delete(public).await {
                Ok(()) => return,
                Err(problem) if tried < TRIES => {
                    tracing::warn!(
                        key = public.as_str(), %problem, tried,
                        "a copy that may not be public is not deleted yet; trying again"
                    );
                    sleep(rest).await;
                    rest *= 2;
                }
                Err(problem) => tracing::error!(
                    key = public.as_str(), %problem, tried,
                    "a copy that may not be public stays until all copies are compared, within \
                     the hour"
                ),
            }
        }
    }

    /// Whether what follows the log has seen a record name a blob, and so hears when it no longer
    /// does.
    async fn is_seen(&self, uri: RecordUri, cid: &Cid) -> Result<bool, BlobstoreError> {
        let seen = self.rows.seen_audio(&[uri]).await?;
        Ok(seen.iter().flatten().any(|seen| seen.cid == *cid))
    }

    async fn let_out_by(
        &self,
        store: &Arc<dyn Store>,
        cid: &Cid,
    ) -> Result<Option<RecordUri>, BlobstoreError> {
        let snapshot = store.snapshot().await?;
        let_out_by(snapshot.as_ref(), &self.options.namespace, cid).await
    }

    async fn may_stay(&self, store: &Arc<dyn Store>, cid: &Cid) -> Result<bool, BlobstoreError> {
        match self.let_out_by(store, cid).await? {
            Some(uri) => self.is_seen(uri, cid).await,
            None => Ok(false),
        }
    }

    /// Deletes the public copies of those blobs that the public may not read, whether or not this
    /// process makes any, and of those that a record alone lets out of which nobody would hear when
    /// it ends: they are made again when they are asked for. Answers how many.
    pub(crate) async fn unpublish(
        &self,
        snapshot: &dyn Snapshot,
        doubted: BTreeSet<Cid>,
    ) -> Result<usize, BlobstoreError> {
        let each = stream::iter(doubted).map(|cid| async move {
            let namespace = &self.options.namespace;
            if let Some(uri) = let_out_by(snapshot, namespace, &cid).await?
                && self.is_seen(uri, &cid).await?
            {
                return Ok(0);
            }
            let key = ObjectKey::original(&cid).public();
            self.objects.delete(&key).await?;
            Ok::<usize, BlobstoreError>(1)
        });
        let deleted = each.buffer_unordered(AT_ONCE);
        deleted
            .try_fold(0, |all, one| async move { Ok(all + one) })
            .await
    }
}

#[cfg(test)]
mod tests;
