//! Reading, everything through one snapshot.

use std::ops::Bound;

use async_trait::async_trait;
use fjall::{Readable, Snapshot as View};
use plyr_lexicons::{Did, Handle, Nsid, RecordUri, Rev};

use super::cells;
use super::layers::{Engine, failed};
use super::rows::{ActorRow, CursorRow, DueRow, HandleRow, QuarantineRow};
use super::whole::observed;
use crate::held::HeldVersion;
use crate::hide::{HiddenSubject, Hide};
use crate::index::{Index, IndexEntry, Position};
use crate::model::{
    AccountState, Actor, ActorTotals, Counts, DueCheck, HandleClaim, QuarantineEntry, Record,
    Standing, StreamCursor, Totals,
};
use crate::repo::{DueRepo, HeldKey, Repo, Told};
use crate::store::{Most, RepoPage, Snapshot, StoreError};
use crate::tables::{
    self, ACTOR_TOTALS, ACTORS, COUNTS, CURSORS, DUE, DUE_BY_TIME, HANDLES, INVALID, Key,
    KeyReader, Kind, QUARANTINE, TOTALS, VERSIONS,
};
use crate::whole::Observed;

pub struct EmbeddedSnapshot {
    pub(super) engine: Engine,
    view: View,
}

/// Keys that are walked for one page of a repo, deleted ones too.
const WALKED: usize = 2_000;

type Row = (fjall::UserKey, fjall::UserValue);

pub(super) fn read(row: fjall::Guard) -> Result<Row, StoreError> {
    row.into_inner()
        .map_err(|problem| failed("read a range", &problem))
}

impl EmbeddedSnapshot {
    pub fn new(engine: Engine) -> EmbeddedSnapshot {
        let view = engine.database.snapshot();
        EmbeddedSnapshot { engine, view }
    }

    pub(super) fn get(&self, kind: Kind, key: Key) -> Result<Option<fjall::UserValue>, StoreError> {
        let found = self.view.get(self.engine.keyspace(kind), key.into_bytes());
        found.map_err(|problem| failed("read a row", &problem))
    }

    /// Rows of a prefix strictly after a key (or from its beginning), in order.
    pub(super) fn rows_after(
        &self,
        kind: Kind,
        prefix: Key,
        after: Option<Vec<u8>>,
    ) -> fjall::Iter {
        let prefix = prefix.into_bytes();
        match after {
            None => self.view.prefix(self.engine.keyspace(kind), prefix),
            Some(after) => {
                let end = successor(prefix);
                let range = (Bound::Excluded(after), Bound::Excluded(end));
                self.view
                    .range::<Vec<u8>, _>(self.engine.keyspace(kind), range)
            }
        }
    }

    fn record(&self, uri: &RecordUri) -> Result<Option<Record>, StoreError> {
        let prefix = Key::of(&VERSIONS).record(uri);
        let start = prefix.clone().into_bytes().len();
        let rows = self
            .view
            .prefix(self.engine.keyspace(Kind::Network), prefix.into_bytes());
        // Forwards: a key has few versions, and a step back costs the engine much more.
        let mut newest = None;
        for row in rows {
            let (key, cell) = read(row)?;
            if HeldVersion::standing_of(&cell)? != Standing::Void {
                newest = Some((key, cell));
            }
        }
        let Some((key, cell)) = newest else {
            return Ok(None);
        };
        let rev = KeyReader::after(&key, start).number();
        let rev = rev.ok_or_else(|| cells::corrupt("VERSIONS", "a key is cut"))?;
        let cell = HeldVersion::decode(&cell)?;
        let hidden = self.is_record_hidden(uri)?;
        Ok(cell.into_record(uri.clone(), Rev::from_u64(rev as u64), hidden))
    }

    /// Current records from rows of versions in key order (either way round).
    fn current(
        &self,
        rows: impl Iterator<Item = fjall::Guard>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let mut records: Vec<Record> = Vec::new();
        let mut seen: Option<RecordUri> = None;
        for row in rows {
            let (key, _) = read(row)?;
            let uri = KeyReader::after(&key, 1).record();
            let uri = uri.ok_or_else(|| cells::corrupt("VERSIONS", "a key is cut"))?;
            if seen.as_ref() == Some(&uri) {
                continue;
            }
            if let Some(record) = self.record(&uri)? {
                records.push(record);
                if records.len() >= limit {
                    break;
                }
            }
            seen = Some(uri);
        }
        Ok(records)
    }

    fn actor_row(&self, did: &Did) -> Result<ActorRow, StoreError> {
        match self.get(Kind::Network, Key::of(&ACTORS).text(did.as_str()))? {
            Some(cell) => cells::decode("ACTORS", &cell),
            None => Ok(ActorRow::default()),
        }
    }

    /// Current records of a repo's collection, within bounds.
    fn page_of(
        &self,
        prefix: Key,
        after: Option<&str>,
        reverse: bool,
        most: Most,
    ) -> Result<RepoPage, StoreError> {
        let from = after.map(|rkey| prefix.clone().text(rkey).into_bytes());
        let (start, end) = (prefix.clone().into_bytes(), successor(prefix.into_bytes()));
        let range = match (from, reverse) {
            (Some(from), false) => successor(from)..end,
            (Some(from), true) => start..from,
            (None, _) => start..end,
        };
        let mut rows = self.view.range(self.engine.keyspace(Kind::Network), range);
        let (mut page, mut bytes, mut walked) = (RepoPage::default(), 0, 0);
        let mut seen: Option<RecordUri> = None;
        while let Some(row) = if reverse {
            rows.next_back()
        } else {
            rows.next()
        } {
            let (key, _) = read(row)?;
            let uri = KeyReader::after(&key, 1).record();
            let uri = uri.ok_or_else(|| cells::corrupt("VERSIONS", "a key is cut"))?;
            if seen.as_ref() == Some(&uri) {
                continue;
            }
            if walked >= WALKED {
                page.next = seen.map(|last| last.rkey.as_str().to_owned());
                return Ok(page);
            }
            walked += 1;
            if let Some(record) = self.record(&uri)?
                && !page.take(record, most, &mut bytes)
            {
                return Ok(page);
            }
            seen = Some(uri);
        }
        Ok(page)
    }

    fn actor(&self, did: &Did) -> Result<Actor, StoreError> {
        let row = self.actor_row(did)?;
        let mut handle = row
            .handle
            .clone()
            .and_then(|handle| Handle::new(handle).ok());
        if let Some(shown) = &handle
            && self
                .claim(shown)?
                .is_none_or(|claim| claim.did != did.as_str() || claim.given_up)
        {
            handle = None;
        }
        let state = match self.is_hidden(did.as_str())? {
            true => AccountState::TakenDown,
            false => row.account_state(),
        };
        let ActorRow {
            pds,
            display_name,
            avatar,
            ..
        } = row;
        Ok(Actor {
            did: did.clone(),
            state,
            handle,
            pds,
            display_name,
            avatar,
        })
    }

    fn claim(&self, handle: &Handle) -> Result<Option<HandleRow>, StoreError> {
        let key = Key::of(&HANDLES).text(&handle.as_str().to_lowercase());
        let cell = self.get(Kind::Network, key)?;
        cell.map(|cell| cells::decode("HANDLES", &cell)).transpose()
    }

    fn refused_events(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let prefix = Key::of(&QUARANTINE);
        let after = after.map(|(seen_at, id)| {
            prefix
                .clone()
                .number(seen_at.saturating_neg())
                .text(id)
                .into_bytes()
        });
        let mut entries = Vec::new();
        for row in self.rows_after(Kind::Network, prefix, after).take(limit) {
            let (key, cell) = read(row)?;
            let mut columns = KeyReader::after(&key, 1);
            let id = columns.number().and_then(|_| columns.text());
            let id = id.ok_or_else(|| cells::corrupt("QUARANTINE", "a key is cut"))?;
            let row: QuarantineRow = cells::decode("QUARANTINE", &cell)?;
            entries.push(row.entry(id));
        }
        Ok(entries)
    }

    fn invalid_records(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let prefix = Key::of(&INVALID);
        // Places compare as (time, id); an id that is no at-uri sorts before or after all of them.
        let from = after.map(|(seen_at, id)| {
            let time = prefix.clone().number(seen_at.saturating_neg());
            match id.parse::<RecordUri>() {
                Ok(uri) => time.number(0).record(&uri).into_bytes(),
                Err(_) if id < "at://" => time.into_bytes(),
                Err(_) => successor(time.into_bytes()),
            }
        });
        let mut entries = Vec::new();
        for row in self.rows_after(Kind::Derived, prefix, from) {
            let (key, _) = read(row)?;
            let position = KeyReader::after(&key, 1).position();
            let position = position.ok_or_else(|| cells::corrupt("INVALID", "a key is cut"))?;
            let Some(record) = self.record(&position.uri)? else {
                continue;
            };
            if record.is_accepted() {
                continue;
            }
            entries.push(record.into_refused());
            if entries.len() >= limit {
                break;
            }
        }
        Ok(entries)
    }
}

/// The first key after everything that begins with a prefix.
pub(super) fn successor(mut prefix: Vec<u8>) -> Vec<u8> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            break;
        }
    }
    prefix
}

#[async_trait]
impl Snapshot for EmbeddedSnapshot {
    async fn records(&self, uris: &[RecordUri]) -> Result<Vec<Option<Record>>, StoreError> {
        uris.iter().map(|uri| self.record(uri)).collect()
    }

    async fn records_within(
        &self,
        uris: &[RecordUri],
        most_bytes: usize,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for uri in uris {
            let record = self.record(uri)?;
            bytes += record.as_ref().map_or(0, |record| record.bytes.len());
            records.push(record);
            if bytes >= most_bytes {
                break;
            }
        }
        Ok(records)
    }

    async fn actors(&self, dids: &[Did]) -> Result<Vec<Actor>, StoreError> {
        dids.iter().map(|did| self.actor(did)).collect()
    }

    async fn observed(&self, dids: &[Did]) -> Result<Vec<Observed>, StoreError> {
        dids.iter()
            .map(|did| Ok(observed(did.clone(), self.actor_row(did)?)))
            .collect()
    }

    async fn hidden(&self, subjects: &[HiddenSubject]) -> Result<Vec<bool>, StoreError> {
        let subjects = subjects.iter();
        subjects
            .map(|subject| self.is_hidden(&subject.to_string()))
            .collect()
    }

    async fn all_hides(
        &self,
        after: Option<&HiddenSubject>,
        limit: usize,
    ) -> Result<Vec<Hide>, StoreError> {
        self.hides_after(after, limit)
    }

    async fn is_known(&self, did: &Did) -> Result<bool, StoreError> {
        if self
            .get(Kind::Network, Key::of(&ACTORS).text(did.as_str()))?
            .is_some()
        {
            return Ok(true);
        }
        let prefix = Key::of(&VERSIONS).text(did.as_str());
        Ok(self
            .rows_after(Kind::Network, prefix, None)
            .next()
            .is_some())
    }

    async fn counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError> {
        let counts =
            |subject: &String| match self.get(Kind::Derived, Key::of(&COUNTS).text(subject))? {
                Some(cell) => cells::decode_counts(&cell),
                None => Ok(Counts::default()),
            };
        subjects.iter().map(counts).collect()
    }

    async fn sure_counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError> {
        self.counts(subjects).await
    }

    async fn actor_totals(&self, dids: &[Did]) -> Result<Vec<ActorTotals>, StoreError> {
        let totals =
            |did: &Did| match self.get(Kind::Derived, Key::of(&ACTOR_TOTALS).text(did.as_str()))? {
                Some(cell) => Ok(cells::decode_totals(&cell)?.0),
                None => Ok(ActorTotals::default()),
            };
        dids.iter().map(totals).collect()
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let Some(cell) = self.get(Kind::Derived, Key::of(&TOTALS))? else {
            return Ok(Totals::default());
        };
        let (sums, artists) = cells::decode_totals(&cell)?;
        Ok(Totals { sums, artists })
    }

    async fn page(
        &self,
        index: &Index,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        let partition = tables::partition(index);
        let start = partition.clone().into_bytes().len();
        let after = after.map(|position| tables::place(partition.clone(), position).into_bytes());
        let mut entries = Vec::new();
        for row in self.rows_after(Kind::Derived, partition, after).take(limit) {
            let (key, _) = read(row)?;
            let position = KeyReader::after(&key, start).position();
            let position = position.ok_or_else(|| cells::corrupt("an index", "a key is cut"))?;
            entries.push(IndexEntry {
                index: index.clone(),
                position,
            });
        }
        Ok(entries)
    }

    async fn first_likes(
        &self,
        pairs: &[(String, Did)],
    ) -> Result<Vec<Option<RecordUri>>, StoreError> {
        let first = |(subject, did): &(String, Did)| {
            let partition = tables::partition(&Index::SubjectLikers(subject.clone()));
            let start = partition.clone().into_bytes().len();
            let prefix = partition.number(0).number(0).text(did.as_str());
            let Some(row) = self.rows_after(Kind::Derived, prefix, None).next() else {
                return Ok(None);
            };
            let (key, _) = read(row)?;
            Ok(KeyReader::after(&key, start)
                .position()
                .map(|position| position.uri))
        };
        pairs.iter().map(first).collect()
    }

    async fn repo_records(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let prefix = Key::of(&VERSIONS).text(did.as_str()).text(collection);
        let from = after.map(|rkey| prefix.clone().text(rkey).into_bytes());
        if !reverse {
            // After every version of the key.
            return self.current(
                self.rows_after(Kind::Network, prefix, from.map(successor)),
                limit,
            );
        }
        let (start, end) = (prefix.clone().into_bytes(), successor(prefix.into_bytes()));
        let range = start..from.unwrap_or(end);
        let rows = self.view.range(self.engine.keyspace(Kind::Network), range);
        self.current(rows.rev(), limit)
    }

    async fn repo_page(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        most: Most,
    ) -> Result<RepoPage, StoreError> {
        let prefix = Key::of(&VERSIONS).text(did.as_str()).text(collection);
        self.page_of(prefix, after, reverse, most)
    }

    async fn all_records(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let prefix = Key::of(&VERSIONS);
        let after = after.map(|uri| successor(prefix.clone().record(uri).into_bytes()));
        self.current(self.rows_after(Kind::Network, prefix, after), limit)
    }

    async fn all_counts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Counts)>, StoreError> {
        let prefix = Key::of(&COUNTS);
        let after = after.map(|subject| prefix.clone().text(subject).into_bytes());
        let mut counts = Vec::new();
        for row in self.rows_after(Kind::Derived, prefix, after).take(limit) {
            let (key, cell) = read(row)?;
            let subject = KeyReader::after(&key, 1).text();
            let subject = subject.ok_or_else(|| cells::corrupt("COUNTS", "a key is cut"))?;
            counts.push((subject.to_owned(), cells::decode_counts(&cell)?));
        }
        Ok(counts)
    }

    async fn handle(&self, handle: &Handle) -> Result<Option<HandleClaim>, StoreError> {
        let Some(row) = self.claim(handle)?.filter(|claim| !claim.given_up) else {
            return Ok(None);
        };
        let did = Did::new(row.did).map_err(|problem| cells::corrupt("HANDLES", problem))?;
        Ok(Some(HandleClaim {
            did,
            proven_at: row.proven_at,
        }))
    }

    async fn quarantine(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let mut entries = self.refused_events(after, limit)?;
        entries.extend(self.invalid_records(after, limit)?);
        entries.sort_by(QuarantineEntry::newest_first);
        entries.truncate(limit);
        Ok(entries)
    }

    async fn cursor(&self, source: &str) -> Result<Option<StreamCursor>, StoreError> {
        let cell = self.get(Kind::Network, Key::of(&CURSORS).text(source))?;
        let Some(cell) = cell else { return Ok(None) };
        let row: CursorRow = cells::decode("CURSORS", &cell)?;
        Ok(Some(row.cursor(source)))
    }

    async fn due_checks(&self, until: i64, limit: usize) -> Result<Vec<DueCheck>, StoreError> {
        let mut checks = Vec::new();
        for row in self
            .rows_after(Kind::Network, Key::of(&DUE_BY_TIME), None)
            .take(limit)
        {
            let (key, _) = read(row)?;
            let mut columns = KeyReader::after(&key, 1);
            let due_at = columns.number();
            let did = columns.text().and_then(|did| Did::new(did.to_owned()).ok());
            let (Some(due_at), Some(did)) = (due_at, did) else {
                return Err(cells::corrupt("DUE_BY_TIME", "a key is cut"));
            };
            if due_at > until {
                break;
            }
            if let Some(cell) = self.get(Kind::Network, Key::of(&DUE).text(did.as_str()))? {
                checks.push(cells::decode::<DueRow>("DUE", &cell)?.check(did));
            }
        }
        Ok(checks)
    }

    async fn repos(&self, dids: &[Did]) -> Result<Vec<Option<Repo>>, StoreError> {
        dids.iter().map(|did| self.repo(did)).collect()
    }

    async fn all_repos(&self, after: Option<&Did>, limit: usize) -> Result<Vec<Repo>, StoreError> {
        self.repos_after(after, limit)
    }

    async fn due_repos(&self, until: i64, limit: usize) -> Result<Vec<DueRepo>, StoreError> {
        self.repos_due(until, limit)
    }

    async fn due_of(&self, dids: &[Did]) -> Result<Vec<Option<DueRepo>>, StoreError> {
        dids.iter().map(|did| self.due_repo(did)).collect()
    }

    async fn floors(&self, did: &Did, collections: &[Nsid]) -> Result<Vec<Rev>, StoreError> {
        let floors = collections.iter();
        floors
            .map(|collection| self.floor(did, collection))
            .collect()
    }

    async fn told(&self, did: &Did) -> Result<Told, StoreError> {
        self.told_of(did)
    }

    async fn repo_keys(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HeldKey>, StoreError> {
        self.keys_after(did, collection, after, limit)
    }

    async fn keys(&self, uris: &[RecordUri]) -> Result<Vec<HeldKey>, StoreError> {
        uris.iter().map(|uri| self.key(uri)).collect()
    }
}
