//! Network state as changes, table after table in the order of tokens, for copies and full dumps.

use plyr_lexicons::{Did, Handle, Nsid, RecordUri, Rev};
use serde::{Deserialize, Serialize};

use super::Inner;
use super::cells::{corrupt, read_register};
use super::cql::all;
use super::observations::CursorRow;
use super::statements::Statement::{
    ScanActors, ScanCursors, ScanDue, ScanFirst, ScanFloors, ScanNext, ScanQuarantine,
};
use crate::embedded::rows::QuarantineRow;
use crate::held::{current, settled};
use crate::model::{Account, BlueskyProfile, Change, Floor, Identity, StreamCursor};
use crate::store::StoreError;

/// How far a copy has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum At {
    /// Within a partition of versions, after a record key; an empty shard name is the beginning.
    Versions(Option<(String, String, i32)>, String),
    /// After a token of a later table.
    Floors(i64),
    Actors(i64),
    Due(i64),
    Cursors(i64),
    Quarantine(i64),
}

/// Changes, and where the next ones begin.
type Step = (Vec<Change>, Option<At>);

fn did_of(did: String) -> Result<Did, StoreError> {
    Did::new(did).map_err(|problem| corrupt("a repo", problem))
}

fn nsid_of(nsid: String) -> Result<Nsid, StoreError> {
    Nsid::new(nsid).map_err(|problem| corrupt("a collection", problem))
}

impl Inner {
    /// Some changes after a place, and the next place.
    pub async fn network_changes(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Change>, Option<String>), StoreError> {
        let mut at = match after {
            None => At::Versions(None, String::new()),
            Some(text) => {
                serde_json::from_str(text).map_err(|p| corrupt("a copy's position", p))?
            }
        };
        let mut changes = Vec::new();
        loop {
            let (more, next) = self.step(at, limit).await?;
            changes.extend(more);
            let Some(next) = next else {
                return Ok((changes, None));
            };
            if changes.len() >= limit {
                let next = serde_json::to_string(&next);
                let next = next.map_err(|problem| corrupt("a copy's position", problem))?;
                return Ok((changes, Some(next)));
            }
            at = next;
        }
    }

    async fn step(&self, at: At, limit: usize) -> Result<Step, StoreError> {
        match at {
            At::Versions(partition, rkey) => self.version_changes(partition, &rkey).await,
            At::Floors(token) => {
                let rows: Vec<(i64, String, String, i64)> =
                    self.cql.read(ScanFloors, (token,), limit).await?;
                let next = rows
                    .last()
                    .map_or(At::Actors(i64::MIN), |row| At::Floors(row.0));
                let floor = |(_, did, collection, rev): (i64, String, String, i64)| {
                    Ok(Change::Floor(Floor {
                        did: did_of(did)?,
                        collection: nsid_of(collection)?,
                        rev: Rev::from_u64(rev as u64),
                    }))
                };
                let changes = rows
                    .into_iter()
                    .map(floor)
                    .collect::<Result<_, StoreError>>()?;
                Ok((changes, Some(next)))
            }
            At::Actors(token) => {
                let rows: Vec<(i64, String)> = self.cql.read(ScanActors, (token,), limit).await?;
                let next = rows
                    .last()
                    .map_or(At::Due(i64::MIN), |row| At::Actors(row.0));
                let changes = rows.into_iter().map(|(_, did)| self.actor_changes(did));
                let changes = all(changes).await?.into_iter().flatten().collect();
                Ok((changes, Some(next)))
            }
            At::Due(token) => {
                let rows: Vec<(i64, String)> = self.cql.read(ScanDue, (token,), limit).await?;
                let next = rows
                    .last()
                    .map_or(At::Cursors(i64::MIN), |row| At::Due(row.0));
                let checks = rows.into_iter().map(|(_, did)| async move {
                    let did = did_of(did)?;
                    self.open_check(&did).await
                });
                let checks = all(checks).await?.into_iter().flatten();
                Ok((checks.map(Change::Due).collect(), Some(next)))
            }
            At::Cursors(token) => {
                let rows: Vec<(i64, String, Vec<u8>)> =
                    self.cql.read(ScanCursors, (token,), limit).await?;
                let next = rows.last();
                let next = next.map_or(At::Quarantine(i64::MIN), |row| At::Cursors(row.0));
                let cursor = |(_, source, cell): (i64, String, Vec<u8>)| {
                    let (_, row): (i64, CursorRow) = read_register("CURSORS", &cell)?;
                    let CursorRow { position, recent } = row;
                    Ok(Change::Cursor(StreamCursor {
                        source,
                        position,
                        recent,
                    }))
                };
                let changes = rows
                    .into_iter()
                    .map(cursor)
                    .collect::<Result<_, StoreError>>()?;
                Ok((changes, Some(next)))
            }
            At::Quarantine(token) => {
                let rows: Vec<(i64, String, Vec<u8>)> =
                    self.cql.read(ScanQuarantine, (token,), limit).await?;
                let next = rows.last().map(|row| At::Quarantine(row.0));
                let entry = |(_, id, cell): (i64, String, Vec<u8>)| {
                    let (_, row): (i64, QuarantineRow) = read_register("QUARANTINE", &cell)?;
                    Ok(Change::Quarantine(row.entry(&id)))
                };
                let changes = rows
                    .into_iter()
                    .map(entry)
                    .collect::<Result<_, StoreError>>()?;
                Ok((changes, next))
            }
        }
    }

    /// A chunk of a partition of versions; the next partition where it is at its end.
    async fn version_changes(
        &self,
        partition: Option<(String, String, i32)>,
        rkey: &str,
    ) -> Result<Step, StoreError> {
        let mut changes = Vec::new();
        if let Some((did, collection, shard)) = partition.clone() {
            let (did, collection) = (did_of(did)?, nsid_of(collection)?);
            let chunk = self.repo_chunk(&did, &collection, shard, rkey, false);
            let (keys, next) = chunk.await?;
            for (rkey, versions) in keys {
                let uri = RecordUri::new(did.clone(), collection.clone(), rkey);
                let old = settled(&versions);
                let newest = current(&versions);
                for version in &versions {
                    let is_old = old.iter().any(|old| std::ptr::eq(*old, version));
                    let shows = newest.is_some_and(|newest| std::ptr::eq(newest, version));
                    // A swept version that has become current shows nothing, as if it weren't.
                    if is_old || (shows && version.1.swept) {
                        continue;
                    }
                    let (rev, held) = version.clone();
                    changes.push(held.into_change(&self.namespace, uri.clone(), rev)?);
                }
            }
            if let Some(next) = next {
                return Ok((changes, Some(At::Versions(partition, next))));
            }
        }
        let next: Option<(String, String, i32)> = match partition {
            None => self.cql.first(ScanFirst, ()).await?,
            Some(partition) => self.cql.first(ScanNext, partition).await?,
        };
        let next = match next {
            Some(partition) => At::Versions(Some(partition), String::new()),
            None => At::Floors(i64::MIN),
        };
        Ok((changes, Some(next)))
    }

    async fn actor_changes(&self, did: String) -> Result<Vec<Change>, StoreError> {
        let did = did_of(did)?;
        let row = self.actor_row(&did).await?;
        let state = row.state();
        let mut changes = Vec::new();
        if let Some((asked_at, _)) = row.account {
            changes.push(Change::Account(Account {
                did: did.clone(),
                state,
                asked_at,
            }));
        }
        if let Some((asked_at, row)) = row.identity {
            changes.push(Change::Identity(Identity {
                did: did.clone(),
                pds: row.pds,
                signing_key: row.signing_key,
                handle: row.handle.and_then(|handle| Handle::new(handle).ok()),
                asked_at,
            }));
        }
        if let Some((asked_at, row)) = row.bluesky {
            changes.push(Change::Bluesky(BlueskyProfile {
                did,
                display_name: row.display_name,
                avatar: row.avatar,
                asked_at,
            }));
        }
        Ok(changes)
    }
}
