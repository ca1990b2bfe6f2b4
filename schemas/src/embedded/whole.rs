//! Scans of everything, through the snapshot.

use async_trait::async_trait;
use plyr_lexicons::{Did, Handle, Nsid, RecordUri, Rev};

use super::cells::{self, corrupt};
use super::reader::{EmbeddedSnapshot, read, successor};
use super::rows::{ActorRow, CursorRow};
use crate::held::HeldVersion;
use crate::model::{Account, BlueskyProfile, Floor, Identity, StreamCursor};
use crate::store::StoreError;
use crate::tables::{ACTORS, CURSORS, FLOORS, Key, KeyReader, Kind, VERSIONS};
use crate::whole::{Kept, Observed, Whole, kept};

fn cut(table: &'static str) -> StoreError {
    corrupt(table, "a key is cut")
}

/// What a row says, each observation as it was made.
pub(super) fn observed(did: Did, row: ActorRow) -> Observed {
    let state = row.account_state();
    Observed {
        account: (row.state_asked_at > 0).then(|| Account {
            did: did.clone(),
            state,
            since: match row.state_since {
                0 => row.state_asked_at,
                since => since,
            },
            asked_at: row.state_asked_at,
        }),
        identity: (row.identity_asked_at > 0).then(|| Identity {
            did: did.clone(),
            pds: row.pds,
            signing_key: row.signing_key,
            handle: row.handle.and_then(|handle| Handle::new(handle).ok()),
            asked_at: row.identity_asked_at,
        }),
        bluesky: (row.bluesky_asked_at > 0).then(|| BlueskyProfile {
            did: did.clone(),
            display_name: row.display_name,
            avatar: row.avatar,
            asked_at: row.bluesky_asked_at,
        }),
        did,
    }
}

#[async_trait]
impl Whole for EmbeddedSnapshot {
    async fn all_versions(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Kept>, StoreError> {
        let prefix = Key::of(&VERSIONS);
        let start = prefix.clone().into_bytes().len();
        let after = after.map(|uri| successor(prefix.clone().record(uri).into_bytes()));
        let mut all = Vec::new();
        let mut open: Option<(RecordUri, Vec<(Rev, HeldVersion)>)> = None;
        for row in self.rows_after(Kind::Network, prefix, after) {
            let (key, cell) = read(row)?;
            let mut columns = KeyReader::after(&key, start);
            let (uri, rev) = (columns.record(), columns.number());
            let (Some(uri), Some(rev)) = (uri, rev) else {
                return Err(cut("VERSIONS"));
            };
            let version = (Rev::from_u64(rev as u64), HeldVersion::decode(&cell)?);
            match &mut open {
                Some((same, versions)) if *same == uri => versions.push(version),
                _ => {
                    if let Some((uri, versions)) = open.replace((uri, vec![version])) {
                        all.extend(kept(&uri, &versions));
                    }
                    if all.len() >= limit {
                        return Ok(all);
                    }
                }
            }
        }
        if let Some((uri, versions)) = open {
            all.extend(kept(&uri, &versions));
        }
        Ok(all)
    }

    async fn all_actors(
        &self,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Observed>, StoreError> {
        let prefix = Key::of(&ACTORS);
        let after = after.map(|did| prefix.clone().text(did.as_str()).into_bytes());
        let mut actors = Vec::new();
        for row in self.rows_after(Kind::Network, prefix, after).take(limit) {
            let (key, cell) = read(row)?;
            let did = KeyReader::after(&key, 1).text();
            let did = did.and_then(|did| Did::new(did.to_owned()).ok());
            let did = did.ok_or_else(|| cut("ACTORS"))?;
            actors.push(observed(did, cells::decode("ACTORS", &cell)?));
        }
        Ok(actors)
    }

    async fn all_floors(
        &self,
        after: Option<(&Did, &Nsid)>,
        limit: usize,
    ) -> Result<Vec<Floor>, StoreError> {
        let prefix = Key::of(&FLOORS);
        let after = after.map(|(did, collection)| {
            let key = prefix.clone().text(did.as_str()).text(collection.as_str());
            key.into_bytes()
        });
        let mut floors = Vec::new();
        for row in self.rows_after(Kind::Network, prefix, after).take(limit) {
            let (key, cell) = read(row)?;
            let mut columns = KeyReader::after(&key, 1);
            let did = columns.text().and_then(|did| Did::new(did.to_owned()).ok());
            let collection = columns.text().and_then(|c| Nsid::new(c.to_owned()).ok());
            let (Some(did), Some(collection)) = (did, collection) else {
                return Err(cut("FLOORS"));
            };
            let rev: String = cells::decode("FLOORS", &cell)?;
            floors.push(Floor {
                did,
                collection,
                rev: rev.parse().map_err(|problem| corrupt("FLOORS", problem))?,
            });
        }
        Ok(floors)
    }

    async fn all_cursors(&self) -> Result<Vec<StreamCursor>, StoreError> {
        let mut cursors = Vec::new();
        for row in self.rows_after(Kind::Network, Key::of(&CURSORS), None) {
            let (key, cell) = read(row)?;
            let source = KeyReader::after(&key, 1).text();
            let source = source.ok_or_else(|| cut("CURSORS"))?;
            let row: CursorRow = cells::decode("CURSORS", &cell)?;
            cursors.push(row.cursor(source));
        }
        Ok(cursors)
    }
}
