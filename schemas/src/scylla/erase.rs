//! Erasing a deleted account. As a sweep does, for every version of its repo: its say is taken back
//! first, then what follows from it, then its bytes are overwritten. The empty rows stay: a node
//! that missed the erasing brings nothing back.

use plyr_lexicons::{Did, Nsid, RecordKey, RecordUri, Rev};

use super::Inner;
use super::cells::corrupt;
use super::cql::{Write, all};
use super::derived::Rows;
use super::placing::RECORD_SHARDS;
use super::settle::Touch;
use super::statements::Statement::ReadRepo;
use super::writer::{Versions, derive_key, erased, is_erased, swept};
use crate::fault::{AFTER_DERIVED, AFTER_LOG, AFTER_READ_BACK, AFTER_TRUTH, BEFORE_TRUTH};
use crate::held::HeldVersion;
use crate::model::{AccountState, Floor, LogSubject, Outcome};
use crate::store::StoreError;

fn is_left((_, held): &(Rev, HeldVersion)) -> bool {
    !held.swept || !is_erased(held)
}

impl Inner {
    /// Takes away what is held of a deleted account's repo, all of it. (What was refused of it
    /// expires by itself.)
    pub async fn erase(&self, did: &Did) -> Result<Outcome, StoreError> {
        let collections: Vec<(String,)> =
            self.cql.read(ReadRepo, (did.as_str(),), usize::MAX).await?;
        let mut outcome = Outcome::Superseded;
        for (collection,) in collections {
            let collection = Nsid::new(collection).map_err(|p| corrupt("REPOS", p))?;
            for shard in 0..RECORD_SHARDS {
                let mut from = Some(String::new());
                while let Some(place) = from {
                    // It may have come back meanwhile.
                    if self.actor_row(did).await?.state() != AccountState::Deleted {
                        return Ok(Outcome::Superseded);
                    }
                    self.settler.room(|| self.alive()).await?;
                    let chunk = self.repo_chunk(did, &collection, shard, &place, false);
                    let (keys, next) = chunk.await?;
                    if self.erase_keys(did, &collection, keys).await? {
                        outcome = Outcome::Applied;
                    }
                    from = next;
                }
            }
            // Who erased some of it before may have died before it was counted.
            let did = did.clone();
            let published = Touch::Published { did, collection };
            self.settler.touch(vec![published], Vec::new());
        }
        Ok(outcome)
    }

    /// Answers whether anything was left of them.
    async fn erase_keys(
        &self,
        did: &Did,
        collection: &Nsid,
        mut keys: Vec<(RecordKey, Versions)>,
    ) -> Result<bool, StoreError> {
        keys.retain(|(_, versions)| versions.iter().any(is_left));
        let revs = keys.iter().flat_map(|(_, versions)| versions);
        let Some(rev) = revs.map(|(rev, _)| *rev).max() else {
            return Ok(false);
        };
        self.crash(BEFORE_TRUTH)?;
        let floor = Floor {
            did: did.clone(),
            collection: collection.clone(),
            rev,
        };
        self.raise_floor(&floor).await?;
        let (mut uris, mut marks) = (Vec::with_capacity(keys.len()), Vec::new());
        for (rkey, versions) in keys {
            let uri = RecordUri::new(did.clone(), collection.clone(), rkey);
            let open = versions.iter().filter(|(_, held)| !held.swept);
            marks.extend(open.map(|version| swept(&uri, version)));
            uris.push(uri);
        }
        self.cql.write(marks).await?;
        self.crash(AFTER_TRUTH)?;
        let held = all(uris.iter().map(|uri| self.versions(uri))).await?;
        self.crash(AFTER_READ_BACK)?;
        let (mut rows, mut writes, mut subjects) = (Rows::default(), Vec::new(), Vec::new());
        for (uri, versions) in uris.iter().zip(&held) {
            derive_key(&self.namespace, uri, versions, false, &mut rows)?;
            let open = versions
                .iter()
                .filter(|(_, held)| held.swept && !is_erased(held));
            let erasing: Vec<Write> = open.map(|version| erased(uri, version)).collect();
            if !erasing.is_empty() {
                subjects.push(LogSubject::Record(uri.clone()));
            }
            writes.extend(erasing);
        }
        let touched = self.write_rows(rows).await?;
        self.crash(AFTER_DERIVED)?;
        // Before the entries: a stream is settled up to one once nothing is left to count.
        self.settler.touch(touched, Vec::new());
        if !subjects.is_empty() {
            self.log.append(&self.cql, &subjects).await?;
        }
        self.crash(AFTER_LOG)?;
        self.cql.write(writes).await?;
        Ok(true)
    }
}
