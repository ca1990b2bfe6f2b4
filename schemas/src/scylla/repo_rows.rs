//! Repos as wholes: registers by the time of asking, what is due of each, and what streams told.

use plyr_lexicons::{Cid, Did, Nsid, RecordKey, RecordUri, Rev};

use super::Inner;
use super::cells::{self, corrupt, read_register, register};
use super::cql::{Write, all, write};
use super::derived::FeedRow;
use super::placing::{ACTOR_SHARDS, Feed, RECORD_SHARDS, actor_shard, record_shard};
use super::statements::Statement::{
    ReadKey, ReadKeys, ReadRepoDue, ReadRepoState, ReadRepoStates, ReadTold,
};
use crate::model::{Micros, Outcome, Standing};
use crate::repo::{DueRepo, HeldKey, HeldRev, Repo, RepoRow, Told, Urgency};
use crate::store::StoreError;

/// Rows of keys read at a time.
const CHUNK: usize = 2_000;

/// What is due of a repo, at rest: tries, due_at, wanted_at, urgency, whether it is done, cause.
/// More tries win at one time of wanting; what is done counts as the most.
fn due_cell(due: &DueRepo) -> Vec<u8> {
    let mut cell = due.tries.min(DONE - 1).to_be_bytes().to_vec();
    cell.extend_from_slice(&due.due_at.to_be_bytes());
    cell.extend_from_slice(&due.wanted_at.to_be_bytes());
    cell.push(due.urgency as u8);
    cell.extend_from_slice(due.cause.as_bytes());
    cell
}

/// Tries of what is done.
const DONE: u16 = u16::MAX;

fn read_due(did: &Did, cell: &[u8]) -> Option<DueRepo> {
    let (tries, rest) = cell.split_first_chunk::<2>()?;
    let (due_at, rest) = rest.split_first_chunk::<8>()?;
    let (wanted_at, rest) = rest.split_first_chunk::<8>()?;
    let (&urgency, cause) = rest.split_first()?;
    Some(DueRepo {
        did: did.clone(),
        wanted_at: i64::from_be_bytes(*wanted_at),
        urgency: Urgency::from_number(urgency),
        due_at: i64::from_be_bytes(*due_at),
        tries: u16::from_be_bytes(*tries),
        cause: String::from_utf8_lossy(cause).into_owned(),
    })
}

fn listed(due: &DueRepo, is_live: bool, now: Micros) -> FeedRow {
    let did = due.did.as_str().to_owned();
    FeedRow {
        feed: Feed::due_repos(due.urgency),
        position: (due.due_at, 0, did, String::new(), String::new()),
        cell: vec![u8::from(is_live)],
        stamp: now,
    }
}

impl Inner {
    pub async fn repo_state(&self, did: &Did) -> Result<Option<Repo>, StoreError> {
        let key = (actor_shard(did), did.as_str());
        let row: Option<(Vec<u8>,)> = self.cql.first(ReadRepoState, key).await?;
        let read = |(cell,): (Vec<u8>,)| {
            let (_, row): (i64, RepoRow) = read_register("REPO_STATES", &cell)?;
            Ok(row.repo(did.clone()))
        };
        row.map(read).transpose()
    }

    pub async fn write_repo(&self, repo: &Repo) -> Result<Outcome, StoreError> {
        let held = self.repo_state(&repo.did).await?;
        if held.is_some_and(|held| held.asked_at >= repo.asked_at) {
            return Ok(Outcome::Superseded);
        }
        let cell = register("REPO_STATES", repo.asked_at, &RepoRow::of(repo))?;
        let (shard, stamp) = (actor_shard(&repo.did), repo.asked_at);
        self.cql
            .write(vec![
                write!(WriteRepoState; shard, repo.did.as_str(), cell, stamp),
            ])
            .await?;
        Ok(Outcome::Applied)
    }

    /// Every repo after one of them, by shard and DID.
    pub async fn repo_states_after(
        &self,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Repo>, StoreError> {
        let (mut shard, mut from) = match after {
            Some(did) => (actor_shard(did), did.as_str()),
            None => (0, ""),
        };
        let mut repos = Vec::new();
        while shard < ACTOR_SHARDS && repos.len() < limit {
            let key = (shard, from);
            let wanted = limit - repos.len();
            let rows: Vec<(String, Vec<u8>)> = self.cql.read(ReadRepoStates, key, wanted).await?;
            for (did, cell) in rows {
                let did = Did::new(did).map_err(|problem| corrupt("REPO_STATES", problem))?;
                let (_, row): (i64, RepoRow) = read_register("REPO_STATES", &cell)?;
                repos.push(row.repo(did));
            }
            (shard, from) = (shard + 1, "");
        }
        Ok(repos)
    }

    /// What is held of a repo's dues, done or not.
    async fn held_due_repo(&self, did: &Did) -> Result<Option<DueRepo>, StoreError> {
        let row: Option<(Vec<u8>,)> = self.cql.first(ReadRepoDue, (did.as_str(),)).await?;
        let read = |(cell,): (Vec<u8>,)| {
            let due = read_due(did, &cell);
            due.ok_or_else(|| corrupt("REPO_DUE", "a cell is cut"))
        };
        row.map(read).transpose()
    }

    /// What is due of a repo.
    pub async fn due_repo(&self, did: &Did) -> Result<Option<DueRepo>, StoreError> {
        let held = self.held_due_repo(did).await?;
        Ok(held.filter(|held| held.tries != DONE))
    }

    pub async fn repo_due(&self, due: &DueRepo) -> Result<Outcome, StoreError> {
        let (mut due, now) = (due.clone(), super::now());
        let held = self.held_due_repo(&due.did).await?;
        let is_later = |held: &DueRepo| {
            (held.wanted_at, held.tries) > (due.wanted_at, due.tries.min(DONE - 1))
        };
        if held.as_ref().is_some_and(is_later) {
            return Ok(Outcome::Superseded);
        }
        let open = held.filter(|held| held.tries != DONE);
        if let Some(open) = open.as_ref().filter(|held| held.wanted_at < due.wanted_at) {
            due = due.joined(open);
        }
        let did = due.did.as_str();
        let row = listed(&due, true, now);
        let (bucket, shard) = row.feed.place(due.due_at, did);
        let name = row.feed.name.clone();
        let mut rows = vec![row.write()];
        let place = |due: &DueRepo| (due.urgency, due.due_at);
        let moved = open.filter(|open| place(open) != place(&due));
        rows.extend(moved.map(|open| listed(&open, false, now).write()));
        // The bucket after its row: whoever clears empty buckets looks before it clears.
        self.cql.write(rows).await?;
        self.cql
            .write(vec![
                write!(WriteBucket; name, bucket, shard, now),
                write!(WriteRepoDue; did, due_cell(&due), due.wanted_at),
            ])
            .await?;
        Ok(Outcome::Applied)
    }

    pub async fn repo_done(&self, did: &Did, wanted_at: Micros) -> Result<Outcome, StoreError> {
        let held = self.held_due_repo(did).await?;
        let open = held.filter(|held| held.wanted_at <= wanted_at && held.tries != DONE);
        let Some(open) = open else {
            return Ok(Outcome::Superseded);
        };
        let mut cell = DONE.to_be_bytes().to_vec();
        cell.extend_from_slice(&0i64.to_be_bytes());
        cell.extend_from_slice(&wanted_at.to_be_bytes());
        cell.push(Urgency::Steady as u8);
        self.cql
            .write(vec![write!(WriteRepoDue; did.as_str(), cell, wanted_at)])
            .await?;
        let row = listed(&open, false, super::now());
        self.cql.write(vec![row.write()]).await?;
        Ok(Outcome::Applied)
    }

    /// Repos that are due, the most urgent first.
    pub async fn repos_due(&self, until: i64, limit: usize) -> Result<Vec<DueRepo>, StoreError> {
        let mut due = Vec::new();
        for urgency in Urgency::ALL {
            let wanted = limit.saturating_sub(due.len());
            if wanted == 0 {
                break;
            }
            let feed = Feed::due_repos(urgency);
            let open = |due_at: Micros, did: String| async move {
                let did = Did::new(did).map_err(|problem| corrupt("REPO_DUE", problem))?;
                let due = self.due_repo(&did).await?;
                Ok(due.filter(|due| due.due_at == due_at && due.urgency == urgency))
            };
            let mut found = self.due_rows(&feed, until, wanted, open).await?;
            found.sort_by(|one: &DueRepo, two| {
                (one.due_at, one.did.as_str()).cmp(&(two.due_at, two.did.as_str()))
            });
            found.truncate(wanted);
            due.extend(found);
        }
        Ok(due)
    }

    /// Remembers the greatest rev that a stream told of a repo.
    pub fn write_told(did: &Did, rev: Rev) -> Write {
        write!(WriteTold; did.as_str(), rev.as_u64() as i64, rev.micros())
    }

    pub async fn told(&self, did: &Did) -> Result<Told, StoreError> {
        let row: Option<(i64,)> = self.cql.first(ReadTold, (did.as_str(),)).await?;
        let newest = row.map_or(Rev::MIN, |(rev,)| Rev::from_u64(rev as u64));
        Ok(Told { newest, written: 0 })
    }

    /// Keys of one shard with their versions, whole ones, in order.
    async fn shard_keys(
        &self,
        did: &Did,
        collection: &Nsid,
        shard: i32,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HeldKey>, StoreError> {
        let mut keys: Vec<HeldKey> = Vec::new();
        let mut from = after.unwrap_or_default().to_owned();
        let mut chunk = CHUNK.min(limit + 16);
        loop {
            let key = (did.as_str(), collection.as_str(), shard, from.as_str());
            type Row = (String, i64, Vec<u8>, Option<i64>, Option<bool>);
            let rows: Vec<Row> = self.cql.read(ReadKeys, key, chunk).await?;
            let is_last = rows.len() < chunk;
            // The last key may be cut: it is read again, whole, with the next chunk.
            let cut = (!is_last).then(|| rows.last().map(|row| row.0.clone()));
            let cut = cut.flatten();
            let before = from.clone();
            for (rkey, rev, rank, written, swept) in rows {
                if Some(&rkey) == cut.as_ref() {
                    break;
                }
                from.clone_from(&rkey);
                let row = (rev, rank, written.is_some(), swept.is_some());
                add(&mut keys, rkey, row)?;
            }
            if is_last || keys.len() >= limit {
                keys.truncate(limit);
                keys.iter_mut().for_each(in_order);
                return Ok(keys);
            }
            if from == before {
                // One key fills the chunk.
                chunk *= 2;
            }
        }
    }

    pub async fn repo_keys(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HeldKey>, StoreError> {
        let shards =
            (0..RECORD_SHARDS).map(|shard| self.shard_keys(did, collection, shard, after, limit));
        let mut keys: Vec<HeldKey> = all(shards).await?.into_iter().flatten().collect();
        keys.sort_by(|one, two| one.rkey.as_str().cmp(two.rkey.as_str()));
        keys.truncate(limit);
        Ok(keys)
    }

    pub async fn key(&self, uri: &RecordUri) -> Result<HeldKey, StoreError> {
        let rkey = uri.rkey.as_str();
        let (did, collection) = (uri.did.as_str(), uri.collection.as_str());
        let key = (did, collection, record_shard(rkey), rkey);
        type Row = (i64, Vec<u8>, Option<i64>, Option<bool>);
        let rows: Vec<Row> = self.cql.read(ReadKey, key, usize::MAX).await?;
        let mut keys = Vec::new();
        for (rev, rank, written, swept) in rows {
            let row = (rev, rank, written.is_some(), swept.is_some());
            add(&mut keys, rkey.to_owned(), row)?;
        }
        let mut key = keys.pop().unwrap_or_else(|| HeldKey {
            rkey: uri.rkey.clone(),
            versions: Vec::new(),
        });
        in_order(&mut key);
        Ok(key)
    }
}

/// Adds a row to the keys: newest rev first, of one rev the greatest rank first, as they stand.
fn add(
    keys: &mut Vec<HeldKey>,
    rkey: String,
    (rev, rank, is_there, is_swept): (i64, Vec<u8>, bool, bool),
) -> Result<(), StoreError> {
    // Without a word it was removed: only a late mark of a sweep is left.
    if !is_there {
        return Ok(());
    }
    let cut = || corrupt("VERSIONS", "a rank is cut");
    let (standing, cid) = cells::read_rank(&rank).ok_or_else(cut)?;
    let cid = match (standing, cid) {
        (Standing::Void, _) | (_, []) => None,
        // It says nothing any more; a merge writes it again where it should.
        _ if is_swept => None,
        (_, cid) => Some(Cid::try_from(cid).map_err(|p| corrupt("VERSIONS", p))?),
    };
    let rev = Rev::from_u64(rev as u64);
    let held = HeldRev { rev, standing, cid };
    match keys.last_mut() {
        Some(last) if last.rkey.as_str() == rkey => {
            if last.versions.last().is_none_or(|last| last.rev != rev) {
                last.versions.push(held);
            }
        }
        _ => {
            let rkey = RecordKey::new(rkey).map_err(|problem| corrupt("VERSIONS", problem))?;
            let versions = vec![held];
            keys.push(HeldKey { rkey, versions });
        }
    }
    Ok(())
}

fn in_order(key: &mut HeldKey) {
    key.versions.reverse();
}
