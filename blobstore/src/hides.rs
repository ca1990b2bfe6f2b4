//! What the operator hides. No log tells of hidden blobs (nothing in views depends on them), and what
//! it tells of records and accounts may stand behind much else; so all hides are read again and
//! again. Blobs are heard of by themselves: one that hides an account may take a while.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use ipld_core::cid::multihash::Multihash;
use plyr_lexicons::Cid;
use plyr_schemas::{HiddenSubject, Hide};
use tokio::time::Instant;

use crate::error::BlobstoreError;
use crate::follow::{Again, Follower};

/// Hides read at once.
const PAGE: usize = 500;
const SHA2_256: u64 = 0x12;

/// The hides that were heard of, eight bytes each.
#[derive(Default)]
pub(crate) struct Heard {
    hasher: RandomState,
    hides: HashSet<u64>,
}

impl Heard {
    fn hash(&self, hide: &Hide) -> u64 {
        let told = (&hide.subject, hide.at, hide.hidden);
        self.hasher.hash_one(told)
    }
}

impl Follower {
    /// Takes out what hidden records and accounts let out. What fails is not counted as heard, and
    /// done again. Answers how long reading them took, without what was to be done.
    pub(crate) async fn hear_hidden_records(
        &self,
        heard: &mut Heard,
    ) -> Result<Duration, BlobstoreError> {
        let began = Instant::now();
        let snapshot = self.store.snapshot().await?;
        let mut now: HashSet<u64> = HashSet::new();
        let mut again = Again::default();
        let mut after: Option<HiddenSubject> = None;
        loop {
            let page = snapshot.all_hides(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.subject.clone());
            for hide in page {
                let hash = heard.hash(&hide);
                let is_news = hide.hidden && !heard.hides.contains(&hash);
                match hide.subject {
                    HiddenSubject::Blob { .. } => continue,
                    HiddenSubject::Record(uri) if is_news => _ = again.records.insert(uri),
                    HiddenSubject::Actor(did) if is_news => _ = again.actors.insert(did),
                    HiddenSubject::Record(_) | HiddenSubject::Actor(_) => {}
                }
                now.insert(hash);
            }
        }
        let read_for = began.elapsed();
        self.look_again(again).await?;
        heard.hides = now;
        Ok(read_for)
    }

    /// Takes out the blobs that were hidden since. What fails is not counted as heard, and done
    /// again.
    pub(crate) async fn hear_hidden_blobs(&self, heard: &mut Heard) -> Result<(), BlobstoreError> {
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
                let hash = heard.hash(hide);
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
