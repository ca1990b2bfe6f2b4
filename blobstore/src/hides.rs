//! What blobs the operator hides. No log tells of them (nothing in views depends on them), so they
//! are read again and again; the hides of records and accounts lie elsewhere and aren't read.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use ipld_core::cid::multihash::Multihash;
use plyr_lexicons::Cid;
use plyr_schemas::HiddenSubject;

use crate::error::BlobstoreError;
use crate::follow::Follower;

/// Hides read at once.
const PAGE: usize = 500;
const SHA2_256: u64 = 0x12;

/// The hides that were heard of, eight bytes each.
#[derive(Default)]
pub(crate) struct Heard {
    hasher: RandomState,
    hides: HashSet<u64>,
}

impl Follower {
    /// Takes out what was hidden since. What fails is not counted as heard, and done again.
    pub(crate) async fn hear_hides(&self, heard: &mut Heard) -> Result<(), BlobstoreError> {
        let snapshot = self.store.snapshot().await?;
        let mut now: HashSet<u64> = HashSet::new();
        let mut after = first();
        loop {
            let page = snapshot.all_hides(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.subject.clone());
            let mut doubted: BTreeSet<Cid> = BTreeSet::new();
            let mut is_past = false;
            for hide in &page {
                let HiddenSubject::Blob { cid, .. } = &hide.subject else {
                    is_past = true;
                    break;
                };
                let told = (&hide.subject, hide.at, hide.hidden);
                let hash = heard.hasher.hash_one(told);
                now.insert(hash);
                if hide.hidden && !heard.hides.contains(&hash) {
                    doubted.insert(*cid);
                }
            }
            self.blobstore.unpublish(snapshot.as_ref(), doubted).await?;
            if is_past {
                break;
            }
        }
        heard.hides = now;
        Ok(())
    }
}

/// What comes before all hidden blobs, and behind all records, in the order of their texts: the CID
/// of the old form with the least digest.
fn first() -> Option<HiddenSubject> {
    let digest = Multihash::<64>::wrap(SHA2_256, &[0; 32]).ok()?;
    let cid = Cid::new_v0(digest).ok()?;
    Some(HiddenSubject::Blob { did: None, cid })
}

#[cfg(test)]
mod tests {
    use plyr_lexicons::Did;

    use super::*;

    #[test]
    fn reading_begins_between_records_and_blobs() {
        let first = first().unwrap();
        let record = "at://did:plc:zzz/fm.plyr.track/z".parse().unwrap();
        assert!(HiddenSubject::Record(record) < first);
        let cid = plyr_lexicons::data::cid_of(b"x");
        for did in [None, Some(Did::new("did:plc:a".to_owned()).unwrap())] {
            assert!(first < HiddenSubject::Blob { did, cid });
        }
    }
}
