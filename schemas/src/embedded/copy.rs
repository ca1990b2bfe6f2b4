//! Network state as changes, for copies and full dumps.

use std::ops::Bound;

use fjall::Readable;
use plyr_lexicons::{Did, Handle, Nsid, Rev};

use super::cells::{self, corrupt};
use super::reader::{EmbeddedSnapshot, read};
use super::rows::{ActorRow, CursorRow, DueRow, QuarantineRow};
use crate::held::HeldVersion;
use crate::model::{Account, BlueskyProfile, Change, Floor, Identity};
use crate::store::StoreError;
use crate::tables::{ACTORS, CURSORS, DUE, FLOORS, KeyReader, Kind, QUARANTINE, VERSIONS};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map(byte).collect()
}

fn cut(table: &'static str) -> impl Fn() -> StoreError {
    move || corrupt(table, "a key is cut")
}

impl EmbeddedSnapshot {
    /// Rows of the network's keyspace, as changes.
    pub fn network_changes(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Change>, Option<String>), StoreError> {
        let from = match after {
            None => Bound::Unbounded,
            Some(text) => Bound::Excluded(
                unhex(text).ok_or_else(|| corrupt("a copy's position", "it is no position"))?,
            ),
        };
        let range = (from, Bound::Unbounded);
        let keyspace = self.engine.keyspace(Kind::Network);
        let (mut changes, mut last) = (Vec::new(), None);
        let rows = self.view.range::<Vec<u8>, _>(keyspace, range);
        for (seen, row) in rows.enumerate() {
            if seen >= limit {
                return Ok((changes, last));
            }
            let (key, cell) = read(row)?;
            self.changes_of(&key, &cell, &mut changes)?;
            last = Some(hex(&key));
        }
        Ok((changes, None))
    }

    fn changes_of(
        &self,
        key: &[u8],
        cell: &[u8],
        changes: &mut Vec<Change>,
    ) -> Result<(), StoreError> {
        let Some(tag) = key.first().copied() else {
            return Ok(());
        };
        let mut columns = KeyReader::after(key, 1);
        if tag == VERSIONS.tag {
            let uri = columns.record().ok_or_else(cut("VERSIONS"))?;
            let rev = columns.number().ok_or_else(cut("VERSIONS"))?;
            let rev = Rev::from_u64(rev as u64);
            let held = HeldVersion::decode(cell)?;
            changes.push(held.into_change(&self.namespace, uri, rev)?);
        } else if tag == FLOORS.tag {
            let did = columns.text().and_then(|did| Did::new(did.to_owned()).ok());
            let collection = columns
                .text()
                .and_then(|nsid| Nsid::new(nsid.to_owned()).ok());
            let rev: String = cells::decode("FLOORS", cell)?;
            let rev = Rev::parse(&rev);
            let (Some(did), Some(collection), Some(rev)) = (did, collection, rev) else {
                return Err(corrupt("FLOORS", "a row is cut"));
            };
            changes.push(Change::Floor(Floor {
                did,
                collection,
                rev,
            }));
        } else if tag == ACTORS.tag {
            let did = columns.text().and_then(|did| Did::new(did.to_owned()).ok());
            let did = did.ok_or_else(cut("ACTORS"))?;
            actor_changes(did, cells::decode("ACTORS", cell)?, changes);
        } else if tag == DUE.tag {
            let did = columns.text().and_then(|did| Did::new(did.to_owned()).ok());
            let did = did.ok_or_else(cut("DUE"))?;
            let row: DueRow = cells::decode("DUE", cell)?;
            changes.push(Change::Due(row.check(did)));
        } else if tag == CURSORS.tag {
            let source = columns.text().ok_or_else(cut("CURSORS"))?;
            let row: CursorRow = cells::decode("CURSORS", cell)?;
            changes.push(Change::Cursor(row.cursor(source)));
        } else if tag == QUARANTINE.tag {
            let id = columns.number().and_then(|_| columns.text());
            let id = id.ok_or_else(cut("QUARANTINE"))?;
            let row: QuarantineRow = cells::decode("QUARANTINE", cell)?;
            changes.push(Change::Quarantine(row.entry(id)));
        }
        Ok(())
    }
}

fn actor_changes(did: Did, row: ActorRow, changes: &mut Vec<Change>) {
    if row.state_asked_at != 0 {
        changes.push(Change::Account(Account {
            did: did.clone(),
            state: row.account_state(),
            asked_at: row.state_asked_at,
        }));
    }
    if row.identity_asked_at != 0 {
        changes.push(Change::Identity(Identity {
            did: did.clone(),
            pds: row.pds,
            signing_key: row.signing_key,
            handle: row.handle.and_then(|handle| Handle::new(handle).ok()),
            asked_at: row.identity_asked_at,
        }));
    }
    if row.bluesky_asked_at != 0 {
        changes.push(Change::Bluesky(BlueskyProfile {
            did,
            display_name: row.display_name,
            avatar: row.avatar,
            asked_at: row.bluesky_asked_at,
        }));
    }
}
