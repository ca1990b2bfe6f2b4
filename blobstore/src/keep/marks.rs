//! Marks: which blobs are named by a record that is held, whether it shows or not, or were until
//! lately. Taken from the records themselves and from jobs, never from rows derived from them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use plyr_lexicons::{Cid, Did, Namespace, RecordUri, data};
use plyr_schemas::{Micros, SeenAudio, Store, blobs_of};

use crate::error::BlobstoreError;
use crate::serve::{Blobstore, now};

/// Records read at once. They may have a megabyte each.
const RECORDS: usize = 200;
/// Actors, and rows of what was seen, read at once.
const ROWS: usize = 500;
/// How long bytes stay that a track's current version doesn't name any more: a corrected record
/// plays at once.
pub const DROPPED_STAY: Micros = 90 * 24 * 3_600_000_000;

/// A set of marked CIDs, eight bytes each: a blob that isn't marked may be taken for one that is
/// (once in some trillions, and anew by chance each time), never the other way round.
pub struct Marks {
    hasher: RandomState,
    marked: HashSet<u64>,
}

impl Marks {
    fn empty() -> Marks {
        Marks {
            hasher: RandomState::new(),
            marked: HashSet::new(),
        }
    }

    fn mark(&mut self, cid: &Cid) {
        self.marked.insert(self.hasher.hash_one(cid));
    }

    /// Whether a blob is named.
    pub fn has(&self, cid: &Cid) -> bool {
        self.marked.contains(&self.hasher.hash_one(cid))
    }

    /// Blobs that are.
    pub fn len(&self) -> usize {
        self.marked.len()
    }

    /// Reads everything that is held, and marks what it names. `told` hears after each page how
    /// many records were read; when it answers `false` nothing more is read and there are no marks.
    pub async fn take(
        blobstore: &Blobstore,
        store: &dyn Store,
        mut told: impl FnMut(u64) -> bool,
    ) -> Result<Option<Marks>, BlobstoreError> {
        let mut marks = Marks::empty();
        let namespace = &blobstore.options.namespace;
        let whole = store.whole().await?;
        let mut read = 0;
        let mut after: Option<RecordUri> = None;
        loop {
            let records = whole.all_records(after.as_ref(), RECORDS).await?;
            let Some(last) = records.last() else { break };
            after = Some(last.uri.clone());
            read += records.len() as u64;
            for record in &records {
                marks.mark_record(namespace, &record.uri, &record.bytes)?;
            }
            if !told(read) {
                return Ok(None);
            }
        }
        let mut after: Option<Did> = None;
        loop {
            let observed = whole.all_actors(after.as_ref(), ROWS).await?;
            let dids: Vec<Did> = observed.into_iter().map(|actor| actor.did).collect();
            let Some(last) = dids.last() else { break };
            after = Some(last.clone());
            for actor in whole.actors(&dids).await? {
                let avatar = actor.avatar.as_deref().and_then(data::cid_of_text);
                avatar.iter().for_each(|cid| marks.mark(cid));
            }
        }
        let mut after: Option<RecordUri> = None;
        loop {
            let seen = blobstore.rows.all_seen_audio(after.as_ref(), ROWS).await?;
            let Some(last) = seen.last() else { break };
            after = Some(last.uri.clone());
            let stays = |one: &&SeenAudio| {
                let since = one.dropped_at.unwrap_or(Micros::MAX);
                since.saturating_add(DROPPED_STAY) > now()
            };
            seen.iter()
                .filter(stays)
                .for_each(|one| marks.mark(&one.cid));
        }
        Ok(Some(marks))
    }

    /// What can't be read may name anything: then nothing is swept.
    fn mark_record(
        &mut self,
        namespace: &Namespace,
        uri: &RecordUri,
        bytes: &[u8],
    ) -> Result<(), BlobstoreError> {
        let Some(collection) = namespace.collection(uri.collection.as_str()) else {
            return Ok(());
        };
        let record = data::from_cbor(bytes).map_err(|problem| BlobstoreError::Unreadable {
            uri: uri.to_string(),
            detail: problem.to_string(),
        })?;
        for named in blobs_of(collection, &record) {
            self.mark(&named.cid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_known_again() {
        let mut marks = Marks::empty();
        let cid = data::cid_of(b"one");
        assert!(!marks.has(&cid));
        marks.mark(&cid);
        assert!(marks.has(&cid) && !marks.has(&data::cid_of(b"two")));
        assert_eq!(marks.len(), 1);
    }
}
