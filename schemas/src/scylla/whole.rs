//! Scans of everything, in the order of the partitions' tokens: for copies and full dumps, never
//! for an answer.

use async_trait::async_trait;
use plyr_lexicons::{Did, Handle, Nsid, RecordUri};

use super::Inner;
use super::cells::corrupt;
use super::cql::all;
use super::observations::ActorRow;
use super::placing::record_shard;
use super::reader::ScyllaSnapshot;
use super::statements::Statement::{
    ScanActorsFirst, ScanActorsNext, ScanCursors, ScanFirst, ScanFloorsFirst, ScanFloorsNext,
    ScanNext,
};
use crate::model::{Account, BlueskyProfile, Floor, Identity, StreamCursor};
use crate::store::{Snapshot, StoreError};
use crate::whole::{Kept, Observed, Whole, kept};

/// Partitions looked into at a time.
const PARTITIONS: usize = 64;

fn did(text: String) -> Result<Did, StoreError> {
    Did::new(text).map_err(|problem| corrupt("ACTORS", problem))
}

/// What a row says, each observation as it was made.
pub(super) fn observed(did: Did, row: ActorRow) -> Observed {
    let state = row.state();
    Observed {
        account: row.account.map(|(asked_at, row)| Account {
            did: did.clone(),
            state,
            since: if row.since == 0 { asked_at } else { row.since },
            asked_at,
        }),
        identity: row.identity.map(|(asked_at, row)| Identity {
            did: did.clone(),
            pds: row.pds,
            signing_key: row.signing_key,
            handle: row.handle.and_then(|handle| Handle::new(handle).ok()),
            asked_at,
        }),
        bluesky: row.bluesky.map(|(asked_at, row)| BlueskyProfile {
            did: did.clone(),
            display_name: row.display_name,
            avatar: row.avatar,
            asked_at,
        }),
        did,
    }
}

impl Inner {
    /// Keys of a shard strictly after one of them, at least `limit` versions where there are that
    /// many.
    async fn shard_versions(
        &self,
        did: &Did,
        collection: &Nsid,
        shard: i32,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Kept>, StoreError> {
        let mut found = Vec::new();
        let mut from = Some(after.unwrap_or_default().to_owned());
        while let Some(place) = from {
            let chunk = self.repo_chunk(did, collection, shard, &place, false);
            let (keys, next) = chunk.await?;
            for (rkey, versions) in keys {
                let uri = RecordUri::new(did.clone(), collection.clone(), rkey);
                found.extend(kept(&uri, &versions));
            }
            if found.len() >= limit {
                return Ok(found);
            }
            from = next;
        }
        Ok(found)
    }
}

#[async_trait]
impl Whole for ScyllaSnapshot {
    async fn all_versions(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Kept>, StoreError> {
        let inner = &self.inner;
        let mut last: Option<(String, String, i32)> = None;
        if let Some(uri) = after {
            let (rkey, shard) = (uri.rkey.as_str(), record_shard(uri.rkey.as_str()));
            let rest = inner.shard_versions(&uri.did, &uri.collection, shard, Some(rkey), limit);
            let found = rest.await?;
            // What follows in other partitions comes with the next page.
            if !found.is_empty() {
                return Ok(found);
            }
            let collection = uri.collection.as_str().to_owned();
            last = Some((uri.did.as_str().to_owned(), collection, shard));
        }
        loop {
            let partitions: Vec<(String, String, i32)> = match &last {
                None => inner.cql.read(ScanFirst, (), PARTITIONS).await?,
                Some(last) => inner.cql.read(ScanNext, last.clone(), PARTITIONS).await?,
            };
            let Some(end) = partitions.last().cloned() else {
                return Ok(Vec::new());
            };
            last = Some(end);
            let mut found = Vec::new();
            let each = partitions
                .into_iter()
                .map(|(repo, collection, shard)| async move {
                    let repo = did(repo)?;
                    let collection = Nsid::new(collection).map_err(|p| corrupt("VERSIONS", p))?;
                    let versions = inner
                        .shard_versions(&repo, &collection, shard, None, limit)
                        .await?;
                    Ok(versions)
                });
            for versions in all(each).await? {
                // A partition that was cut ends the page: the next begins within it.
                let is_full = versions.len() >= limit;
                found.extend(versions);
                if is_full || found.len() >= limit {
                    return Ok(found);
                }
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }

    async fn all_actors(
        &self,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Observed>, StoreError> {
        let cql = &self.inner.cql;
        let dids: Vec<(String,)> = match after {
            None => cql.read(ScanActorsFirst, (), limit).await?,
            Some(after) => cql.read(ScanActorsNext, (after.as_str(),), limit).await?,
        };
        all(dids.into_iter().map(|(actor,)| async move {
            let actor = did(actor)?;
            let row = self.inner.actor_row(&actor).await?;
            Ok(observed(actor, row))
        }))
        .await
    }

    async fn all_floors(
        &self,
        after: Option<(&Did, &Nsid)>,
        limit: usize,
    ) -> Result<Vec<Floor>, StoreError> {
        let cql = &self.inner.cql;
        let places: Vec<(String, String)> = match after {
            None => cql.read(ScanFloorsFirst, (), limit).await?,
            Some((repo, collection)) => {
                let key = (repo.as_str(), collection.as_str());
                cql.read(ScanFloorsNext, key, limit).await?
            }
        };
        all(places.into_iter().map(|(repo, collection)| async move {
            let rev = self.inner.floor(&repo, &collection).await?;
            Ok(Floor {
                did: did(repo)?,
                collection: Nsid::new(collection).map_err(|p| corrupt("FLOORS", p))?,
                rev,
            })
        }))
        .await
    }

    async fn all_cursors(&self) -> Result<Vec<StreamCursor>, StoreError> {
        let sources: Vec<(String,)> = self.inner.cql.read(ScanCursors, (), usize::MAX).await?;
        let cursors = sources.iter().map(|(source,)| self.cursor(source));
        Ok(all(cursors).await?.into_iter().flatten().collect())
    }
}
