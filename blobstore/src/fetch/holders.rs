//! Who names a blob: whose PDS may have it, and what it is meant to be.

use std::collections::HashMap;
use std::sync::Arc;

use plyr_lexicons::{Collection, Did, Namespace, RecordUri, data};
use plyr_schemas::{
    Blob, BlobRole, HiddenSubject, Index, Position, Record, Snapshot, Store, blobs_of,
};

use crate::error::BlobstoreError;

/// Index rows read at once, and in all.
const PAGE: usize = 200;
const MOST_ROWS: usize = 2_000;
/// Records of one author that are of use.
const OF_EACH: usize = 3;
/// Tracks of one author that are looked through.
const OWN_TRACKS: usize = 200;
/// Records that are read.
const ENOUGH: usize = 16;
/// Of those who were asked for, and of the others, in one turn.
const OF_GROUP: usize = 2;

/// What a blob is meant to be: audio where anybody means it so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// A cover or an avatar.
    Image,
    /// A track's sound.
    Audio,
}

/// One who names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Use {
    /// In whose repo.
    pub did: Did,
    /// As what.
    pub role: Role,
}

/// Who names blobs, as the store knows it.
#[derive(Clone)]
pub struct Holders {
    store: Arc<dyn Store>,
    namespace: Namespace,
}

impl Holders {
    /// As that store knows it.
    pub fn new(store: Arc<dyn Store>, namespace: Namespace) -> Holders {
        Holders { store, namespace }
    }

    /// Those whose records show and name the blob, each once: by turns those for whose record it
    /// was asked and the others, newest first, each try beginning further down in both, so that
    /// nobody who names it too can keep its author's PDS from being asked. Nobody's PDS is asked on
    /// anybody else's word, nor for what the operator hides, under that name or for all. Answers
    /// also whether these are all: where too many records name it, only some are read.
    pub async fn of(&self, row: &Blob) -> Result<(Vec<Use>, bool), BlobstoreError> {
        let snapshot = self.store.snapshot().await?;
        let (named_by, are_all) = self.named_by(snapshot.as_ref(), row).await?;
        let is_asked = |uri: &RecordUri| row.holders.contains(&uri.did);
        let (mut asked, mut others): (Vec<_>, Vec<_>) = named_by.into_iter().partition(is_asked);
        for group in [&mut asked, &mut others] {
            let further = row.failures as usize * OF_GROUP;
            let further = further.checked_rem(group.len()).unwrap_or(0);
            group.rotate_left(further);
        }
        let mut uris: Vec<RecordUri> = asked.drain(..asked.len().min(OF_GROUP)).collect();
        uris.extend(others.drain(..others.len().min(OF_GROUP)));
        uris.extend(asked);
        uris.extend(others);
        let are_all = are_all && uris.len() <= ENOUGH;
        uris.truncate(ENOUGH);
        let dids: Vec<Did> = uris.iter().map(|uri| uri.did.clone()).collect();
        let records = snapshot.records(&uris).await?;
        let actors = snapshot.actors(&dids).await?;
        let mut uses: Vec<Use> = Vec::new();
        for (record, actor) in records.into_iter().zip(actors) {
            let Some(record) = record.filter(|record| record.is_shown()) else {
                continue;
            };
            if let Some(role) = self.role_in(&record, row)
                && actor.state.is_visible()
            {
                add(
                    &mut uses,
                    Use {
                        did: record.uri.did,
                        role,
                    },
                );
            }
        }
        for actor in snapshot.actors(&row.holders).await? {
            let avatar = actor.avatar.as_deref().and_then(data::cid_of_text);
            if avatar == Some(row.cid) && actor.state.is_visible() {
                let (did, role) = (actor.did, Role::Image);
                add(&mut uses, Use { did, role });
            }
        }
        let hidden = |did: Option<&Did>| HiddenSubject::Blob {
            did: did.cloned(),
            cid: row.cid,
        };
        let each = uses.iter().map(|one| hidden(Some(&one.did)));
        let subjects: Vec<HiddenSubject> = [hidden(None)].into_iter().chain(each).collect();
        let mut hides = snapshot.hidden(&subjects).await?.into_iter();
        if hides.next() == Some(true) {
            return Ok((Vec::new(), are_all));
        }
        uses.retain(|_| hides.next() != Some(true));
        Ok((uses, are_all))
    }

    /// Records that name it, as rows say, a few of each author: of those for whose record it was
    /// asked also where others' rows are too many to read. Answers also whether all rows were read.
    async fn named_by(
        &self,
        snapshot: &dyn Snapshot,
        row: &Blob,
    ) -> Result<(Vec<RecordUri>, bool), BlobstoreError> {
        let index = Index::BlobUses(row.cid.to_string());
        let mut are_all = false;
        let mut uris: Vec<RecordUri> = Vec::new();
        let mut each: HashMap<Did, usize> = HashMap::new();
        let mut after: Option<Position> = None;
        for _ in 0..MOST_ROWS / PAGE {
            let entries = snapshot.page(&index, after.as_ref(), PAGE).await?;
            let Some(last) = entries.last() else {
                are_all = true;
                break;
            };
            after = Some(last.position.clone());
            for uri in entries.into_iter().map(|entry| entry.position.uri) {
                let of_author = each.entry(uri.did.clone()).or_default();
                *of_author += 1;
                if *of_author <= OF_EACH {
                    uris.push(uri);
                }
            }
        }
        for did in row.holders.iter().filter(|did| !each.contains_key(*did)) {
            let own = Index::ActorTracks(did.clone());
            let entries = snapshot.page(&own, None, OWN_TRACKS).await?;
            let own: Vec<RecordUri> = entries.into_iter().map(|one| one.position.uri).collect();
            let records = snapshot.records(&own).await?;
            let naming = records.iter().flatten();
            let naming = naming.filter(|record| self.role_in(record, row).is_some());
            uris.extend(naming.take(1).map(|record| record.uri.clone()));
        }
        Ok((uris, are_all))
    }

    /// As what a record names a blob; none if it doesn't: an index row is a hint.
    fn role_in(&self, record: &Record, row: &Blob) -> Option<Role> {
        let collection: Collection = self.namespace.collection(record.uri.collection.as_str())?;
        let value = data::from_cbor(&record.bytes).ok()?;
        let named = blobs_of(collection, &value);
        let roles = named.iter().filter(|named| named.cid == row.cid);
        let roles = roles.map(|named| match named.role {
            BlobRole::Audio => Role::Audio,
            BlobRole::Cover | BlobRole::Avatar => Role::Image,
        });
        roles.max()
    }
}

fn add(uses: &mut Vec<Use>, one: Use) {
    match uses.iter_mut().find(|held| held.did == one.did) {
        Some(held) => held.role = held.role.max(one.role),
        None => uses.push(one),
    }
}
