//! Repos as wholes: registers by the time of asking, what is due of each, and what streams told.

use plyr_lexicons::{Did, Nsid, RecordKey, RecordUri, Rev};

use super::cells::{self, corrupt};
use super::layers::Layers;
use super::reader::{EmbeddedSnapshot, read, successor};
use super::sums;
use crate::held::HeldVersion;
use crate::model::{Micros, Outcome, Standing};
use crate::repo::{DueRepo, HeldKey, HeldRev, Repo, RepoRow, Told, Urgency};
use crate::store::StoreError;
use crate::tables::{
    DUE_REPOS, DUE_REPOS_BY_TIME, FLOORS, Key, KeyReader, Kind, REPOS, TOLD, VERSIONS,
};

fn repo_key(did: &Did) -> Key {
    Key::of(&REPOS).text(did.as_str())
}

fn due_key(did: &Did) -> Key {
    Key::of(&DUE_REPOS).text(did.as_str())
}

fn told_key(did: &Did) -> Key {
    Key::of(&TOLD).text(did.as_str())
}

fn by_time(due: &DueRepo) -> Key {
    let urgency = Key::of(&DUE_REPOS_BY_TIME).number(due.urgency as i64);
    urgency.number(due.due_at).text(due.did.as_str())
}

fn cut(table: &'static str) -> StoreError {
    corrupt(table, "a key is cut")
}

/// A row of what is due: wanted_at, urgency, due_at, tries, cause.
type DueCell = (Micros, Urgency, Micros, u16, String);

fn read_due(did: Did, cell: &[u8]) -> Result<DueRepo, StoreError> {
    let (wanted_at, urgency, due_at, tries, cause): DueCell = cells::decode("DUE_REPOS", cell)?;
    Ok(DueRepo {
        did,
        wanted_at,
        urgency,
        due_at,
        tries,
        cause,
    })
}

fn read_told(cell: Option<&[u8]>) -> Result<Told, StoreError> {
    let (newest, written) = match cell {
        Some(cell) => cells::decode("TOLD", cell)?,
        None => (0, 0),
    };
    let newest = Rev::from_u64(newest);
    Ok(Told { newest, written })
}

/// Applies what is known of a repo, unless something asked later is held.
pub fn repo(layers: &mut Layers, repo: &Repo) -> Result<Outcome, StoreError> {
    if let Some(cell) = layers.get(Kind::Network, repo_key(&repo.did))? {
        let held: RepoRow = cells::decode("REPOS", &cell)?;
        if held.asked_at >= repo.asked_at {
            return Ok(Outcome::Superseded);
        }
    }
    let cell = cells::encode("REPOS", &RepoRow::of(repo))?;
    layers.put(Kind::Network, repo_key(&repo.did), cell);
    Ok(Outcome::Applied)
}

fn held_due(layers: &Layers, did: &Did) -> Result<Option<DueRepo>, StoreError> {
    let cell = layers.get(Kind::Network, due_key(did))?;
    cell.map(|cell| read_due(did.clone(), &cell)).transpose()
}

/// Makes a repo due.
pub fn due(layers: &mut Layers, due: &DueRepo) -> Result<Outcome, StoreError> {
    let mut due = due.clone();
    if let Some(held) = held_due(layers, &due.did)? {
        if (held.wanted_at, held.tries) > (due.wanted_at, due.tries) {
            return Ok(Outcome::Superseded);
        }
        if held.wanted_at < due.wanted_at {
            due = due.joined(&held);
        }
        layers.remove(Kind::Network, by_time(&held));
    }
    let DueRepo {
        wanted_at,
        urgency,
        due_at,
        tries,
        cause,
        did,
    } = &due;
    let cell = cells::encode("DUE_REPOS", &(wanted_at, urgency, due_at, tries, cause))?;
    layers.put(Kind::Network, due_key(did), cell);
    layers.put(Kind::Network, by_time(&due), sums::LIVE.to_vec());
    Ok(Outcome::Applied)
}

/// Ends what is due of a repo, unless it was wanted again.
pub fn done(layers: &mut Layers, did: &Did, wanted_at: Micros) -> Result<Outcome, StoreError> {
    match held_due(layers, did)? {
        Some(held) if held.wanted_at <= wanted_at => {
            layers.remove(Kind::Network, by_time(&held));
            layers.remove(Kind::Network, due_key(did));
            Ok(Outcome::Applied)
        }
        _ => Ok(Outcome::Superseded),
    }
}

/// Remembers that a stream told a version that was written.
pub fn told(layers: &mut Layers, did: &Did, rev: Rev) -> Result<(), StoreError> {
    let held = layers.get(Kind::Network, told_key(did))?;
    let held = read_told(held.as_deref())?;
    let (newest, written) = (held.newest.max(rev).as_u64(), held.written + 1);
    let cell = cells::encode("TOLD", &(newest, written))?;
    layers.put(Kind::Network, told_key(did), cell);
    Ok(())
}

impl EmbeddedSnapshot {
    pub(super) fn repo(&self, did: &Did) -> Result<Option<Repo>, StoreError> {
        let cell = self.get(Kind::Network, repo_key(did))?;
        let row = cell.map(|cell| cells::decode::<RepoRow>("REPOS", &cell));
        Ok(row.transpose()?.map(|row| row.repo(did.clone())))
    }

    pub(super) fn repos_after(
        &self,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Repo>, StoreError> {
        let rows = self.rows_after(
            Kind::Network,
            Key::of(&REPOS),
            after.map(|did| repo_key(did).into_bytes()),
        );
        let repo = |row| {
            let (key, cell) = read(row)?;
            let did = KeyReader::after(&key, 1).text().map(str::to_owned);
            let did = did.and_then(|did| Did::new(did).ok());
            let did = did.ok_or_else(|| cut("REPOS"))?;
            Ok(cells::decode::<RepoRow>("REPOS", &cell)?.repo(did))
        };
        rows.take(limit).map(repo).collect()
    }

    pub(super) fn due_repo(&self, did: &Did) -> Result<Option<DueRepo>, StoreError> {
        let cell = self.get(Kind::Network, due_key(did))?;
        cell.map(|cell| read_due(did.clone(), &cell)).transpose()
    }

    pub(super) fn repos_due(&self, until: i64, limit: usize) -> Result<Vec<DueRepo>, StoreError> {
        let mut due = Vec::new();
        for urgency in Urgency::ALL {
            let prefix = Key::of(&DUE_REPOS_BY_TIME).number(urgency as i64);
            let start = prefix.clone().into_bytes().len();
            let wanted = limit.saturating_sub(due.len());
            for row in self.rows_after(Kind::Network, prefix, None).take(wanted) {
                let (key, _) = read(row)?;
                let mut columns = KeyReader::after(&key, start);
                let due_at = columns.number().ok_or_else(|| cut("DUE_REPOS_BY_TIME"))?;
                if due_at > until {
                    break;
                }
                let did = columns.text().and_then(|did| Did::new(did.to_owned()).ok());
                let did = did.ok_or_else(|| cut("DUE_REPOS_BY_TIME"))?;
                due.extend(self.due_repo(&did)?);
            }
        }
        Ok(due)
    }

    pub(super) fn floor(&self, did: &Did, collection: &Nsid) -> Result<Rev, StoreError> {
        let key = Key::of(&FLOORS)
            .text(did.as_str())
            .text(collection.as_str());
        let Some(cell) = self.get(Kind::Network, key)? else {
            return Ok(Rev::MIN);
        };
        let rev: String = cells::decode("FLOORS", &cell)?;
        rev.parse().map_err(|problem| corrupt("FLOORS", problem))
    }

    pub(super) fn told_of(&self, did: &Did) -> Result<Told, StoreError> {
        let cell = self.get(Kind::Network, told_key(did))?;
        read_told(cell.as_deref())
    }

    pub(super) fn keys_after(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HeldKey>, StoreError> {
        let prefix = Key::of(&VERSIONS)
            .text(did.as_str())
            .text(collection.as_str());
        let start = prefix.clone().into_bytes().len();
        let after = after.map(|rkey| successor(prefix.clone().text(rkey).into_bytes()));
        let mut keys: Vec<HeldKey> = Vec::new();
        for row in self.rows_after(Kind::Network, prefix, after) {
            let (key, cell) = read(row)?;
            let mut columns = KeyReader::after(&key, start);
            let (rkey, rev) = (columns.text(), columns.number());
            let (Some(rkey), Some(rev)) = (rkey, rev) else {
                return Err(cut("VERSIONS"));
            };
            let held = held_rev(Rev::from_u64(rev as u64), &cell)?;
            if let Some(last) = keys.last_mut()
                && last.rkey.as_str() == rkey
            {
                last.versions.push(held);
                continue;
            }
            if keys.len() >= limit {
                break;
            }
            keys.push(HeldKey {
                rkey: RecordKey::new(rkey.to_owned()).map_err(|p| corrupt("VERSIONS", p))?,
                versions: vec![held],
            });
        }
        Ok(keys)
    }

    pub(super) fn key(&self, uri: &RecordUri) -> Result<HeldKey, StoreError> {
        let prefix = Key::of(&VERSIONS).record(uri);
        let start = prefix.clone().into_bytes().len();
        let mut versions = Vec::new();
        for row in self.rows_after(Kind::Network, prefix, None) {
            let (key, cell) = read(row)?;
            let rev = KeyReader::after(&key, start).number();
            let rev = rev.ok_or_else(|| cut("VERSIONS"))?;
            versions.push(held_rev(Rev::from_u64(rev as u64), &cell)?);
        }
        let rkey = uri.rkey.clone();
        Ok(HeldKey { rkey, versions })
    }
}

fn held_rev(rev: Rev, cell: &[u8]) -> Result<HeldRev, StoreError> {
    let standing = HeldVersion::standing_of(cell)?;
    let cid = match standing {
        Standing::Void => None,
        _ => HeldVersion::cid_of(cell)?,
    };
    Ok(HeldRev { rev, standing, cid })
}
