//! Reading: single-partition statements, in parallel, each page what is durable now.

use std::sync::Arc;

use async_trait::async_trait;
use plyr_lexicons::{Collection, Did, Handle, Nsid, RecordUri, Rev};

use super::Inner;
use super::cells::{corrupt, is_live, read_register};
use super::counts::read_totals;
use super::cql::all;
use super::observations::CursorRow;
use super::pages::{beginning, uri};
use super::placing::{Feed, actor_shard};
use super::repos::current_record;
use super::settle::Kind;
use super::statements::Statement::{
    self, ReadActorTotals, ReadCounts, ReadCursor, ReadMembersOf, ReadRepo, ReadSureCounts,
    ReadTotals, ScanCountsFirst, ScanCountsNext,
};
use super::whole::observed;
use crate::hide::{HiddenSubject, Hide};
use crate::index::{Index, IndexEntry, Position};
use crate::model::{
    AccountState, Actor, ActorTotals, Counts, DueCheck, HandleClaim, Micros, QuarantineEntry,
    Record, StreamCursor, Totals,
};
use crate::numbers::{add, read_numbers};
use crate::repo::{DueRepo, HeldKey, Repo, Told};
use crate::store::{Most, RepoPage, Snapshot, StoreError};
use crate::whole::Observed;

/// Reads what is durable at each call.
pub struct ScyllaSnapshot {
    pub(super) inner: Arc<Inner>,
}

impl Inner {
    pub async fn record(&self, uri: &RecordUri) -> Result<Option<Record>, StoreError> {
        let versions = self.versions(uri).await?;
        Ok(current_record(&self.hides.set(), uri.clone(), &versions))
    }

    async fn actor(&self, did: &Did) -> Result<Actor, StoreError> {
        let row = self.actor_row(did).await?;
        let state = match self.hides.set().has_actor(did) {
            true => AccountState::TakenDown,
            false => row.state(),
        };
        let (identity, bluesky) = (
            row.identity.map(|(_, row)| row).unwrap_or_default(),
            row.bluesky.map(|(_, row)| row).unwrap_or_default(),
        );
        let mut handle = identity.handle.and_then(|handle| Handle::new(handle).ok());
        if let Some(shown) = &handle
            && self
                .claim(shown)
                .await?
                .is_none_or(|claim| claim.did != *did)
        {
            handle = None;
        }
        Ok(Actor {
            did: did.clone(),
            state,
            handle,
            pds: identity.pds,
            display_name: bluesky.display_name,
            avatar: bluesky.avatar,
        })
    }

    async fn counts_of(&self, by: Statement, subject: &str) -> Result<Counts, StoreError> {
        let rows: Vec<(i32, Vec<u8>)> = self.cql.read(by, (subject,), usize::MAX).await?;
        let mut counts = Counts::default();
        for (kind, cell) in rows {
            let [count] = read_numbers("COUNTS", &cell)?;
            let sum = match kind {
                kind if kind == Kind::Likes as i32 => &mut counts.likes,
                kind if kind == Kind::Comments as i32 => &mut counts.comments,
                _ => &mut counts.lists,
            };
            *sum = sum.saturating_add(count);
        }
        Ok(counts)
    }

    async fn totals_of(&self, did: &Did) -> Result<ActorTotals, StoreError> {
        let key = (actor_shard(did), did.as_str());
        let rows: Vec<(Vec<u8>,)> = self.cql.read(ReadActorTotals, key, usize::MAX).await?;
        let mut totals = ActorTotals::default();
        for (cell,) in rows {
            add(&mut totals, &read_totals(&cell)?);
        }
        Ok(totals)
    }

    async fn first_like(
        &self,
        (subject, did): &(String, Did),
    ) -> Result<Option<RecordUri>, StoreError> {
        let shard = actor_shard(did);
        let key = (subject.as_str(), Kind::Likes as i32, shard, did.as_str());
        let rows: Vec<(String, Vec<u8>)> = self.cql.read(ReadMembersOf, key, usize::MAX).await?;
        let set = self.hides.set();
        let collection = self.namespace.nsid(Collection::Like).as_str();
        for (rkey, _) in rows.into_iter().filter(|(_, cell)| is_live(cell)) {
            let uri = uri(did.as_str().to_owned(), collection.to_owned(), rkey)?;
            if !set.has_record(&uri) {
                return Ok(Some(uri));
            }
        }
        Ok(None)
    }

    async fn refused_events(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let mut entries: Vec<QuarantineEntry> = Vec::new();
        let mut from = beginning();
        if let Some((seen_at, _)) = after {
            from.0 = seen_at.saturating_neg();
        }
        loop {
            let rows = self
                .feed_rows(&Feed::quarantine(), &from, limit + 16)
                .await?;
            let is_last = rows.len() < limit + 16;
            if let Some(last) = rows.last() {
                from = last.clone();
            }
            let found = all(rows.iter().map(|(newest_first, _, _, _, id)| async {
                let Some((seen_at, row)) = self.refused(id).await? else {
                    return Ok(None);
                };
                // Another sight of the same stands elsewhere.
                Ok((seen_at == newest_first.saturating_neg()).then(|| row.entry(id)))
            }))
            .await?;
            entries.extend(found.into_iter().flatten().filter(|entry| {
                after.is_none_or(|(seen_at, id)| (entry.seen_at, id) < (seen_at, entry.id.as_str()))
            }));
            if is_last || entries.len() >= limit {
                return Ok(entries);
            }
        }
    }

    async fn invalid_records(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let mut entries = Vec::new();
        let mut from = beginning();
        if let Some((seen_at, _)) = after {
            from.0 = seen_at.saturating_neg();
        }
        loop {
            let rows = self.feed_rows(&Feed::invalid(), &from, limit + 16).await?;
            let is_last = rows.len() < limit + 16;
            if let Some(last) = rows.last() {
                from = last.clone();
            }
            let found =
                all(rows
                    .into_iter()
                    .map(|(newest_first, _, did, collection, rkey)| async move {
                        let record = self.record(&uri(did, collection, rkey)?).await?;
                        // Another sight of the same, by another writer, stands elsewhere.
                        let is_its_row =
                            |one: &Record| one.seen_at == newest_first.saturating_neg();
                        Ok(record.filter(is_its_row))
                    }))
                .await?;
            for record in found.into_iter().flatten() {
                let is_after = after.is_none_or(|(seen_at, id)| {
                    (record.seen_at, id) < (seen_at, record.uri.to_string().as_str())
                });
                if !record.is_accepted() && is_after {
                    entries.push(record.into_refused());
                }
            }
            if is_last || entries.len() >= limit {
                return Ok(entries);
            }
        }
    }

    async fn due_before(&self, until: i64, limit: usize) -> Result<Vec<DueCheck>, StoreError> {
        let open = |due_at: Micros, did: String| async move {
            let did = Did::new(did).map_err(|problem| corrupt("DUE", problem))?;
            let check = self.open_check(&did).await?;
            Ok(check.filter(|check| check.due_at == due_at))
        };
        let mut checks = self.due_rows(&Feed::due(), until, limit, open).await?;
        checks.sort_by(|one: &DueCheck, two| {
            (one.due_at, one.did.as_str()).cmp(&(two.due_at, two.did.as_str()))
        });
        checks.truncate(limit);
        Ok(checks)
    }
}

#[async_trait]
impl Snapshot for ScyllaSnapshot {
    async fn records(&self, uris: &[RecordUri]) -> Result<Vec<Option<Record>>, StoreError> {
        all(uris.iter().map(|uri| self.inner.record(uri))).await
    }

    async fn records_within(
        &self,
        uris: &[RecordUri],
        most_bytes: usize,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.inner.records_within(uris, most_bytes).await
    }

    async fn actors(&self, dids: &[Did]) -> Result<Vec<Actor>, StoreError> {
        all(dids.iter().map(|did| self.inner.actor(did))).await
    }

    async fn observed(&self, dids: &[Did]) -> Result<Vec<Observed>, StoreError> {
        all(dids.iter().map(|did| async {
            let row = self.inner.actor_row(did).await?;
            Ok(observed(did.clone(), row))
        }))
        .await
    }

    async fn hidden(&self, subjects: &[HiddenSubject]) -> Result<Vec<bool>, StoreError> {
        Ok(self.inner.are_hidden(subjects))
    }

    async fn all_hides(
        &self,
        after: Option<&HiddenSubject>,
        limit: usize,
    ) -> Result<Vec<Hide>, StoreError> {
        Ok(self.inner.hides_after(after, limit))
    }

    async fn is_known(&self, did: &Did) -> Result<bool, StoreError> {
        let held: Option<(String,)> = self.inner.cql.first(ReadRepo, (did.as_str(),)).await?;
        Ok(held.is_some() || self.inner.actor_row(did).await?.is_known())
    }

    async fn counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError> {
        let of = subjects.iter();
        all(of.map(|subject| self.inner.counts_of(ReadCounts, subject))).await
    }

    async fn sure_counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError> {
        let of = subjects.iter();
        all(of.map(|subject| self.inner.counts_of(ReadSureCounts, subject))).await
    }

    async fn actor_totals(&self, dids: &[Did]) -> Result<Vec<ActorTotals>, StoreError> {
        all(dids.iter().map(|did| self.inner.totals_of(did))).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let rows: Vec<(i32, Vec<u8>)> =
            self.inner.cql.read(ReadTotals, (0i32,), usize::MAX).await?;
        let mut totals = Totals::default();
        for (_, cell) in rows {
            let (sums, artists) = cell
                .split_at_checked(cell.len().saturating_sub(8))
                .unwrap_or_default();
            let [artists] = read_numbers("TOTALS", artists)?;
            totals.artists = totals.artists.saturating_add(artists);
            add(&mut totals.sums, &read_totals(sums)?);
        }
        Ok(totals)
    }

    async fn page(
        &self,
        index: &Index,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        self.inner.index_page(index, after, limit).await
    }

    async fn first_likes(
        &self,
        pairs: &[(String, Did)],
    ) -> Result<Vec<Option<RecordUri>>, StoreError> {
        all(pairs.iter().map(|pair| self.inner.first_like(pair))).await
    }

    async fn repo_records(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let Ok(collection) = Nsid::new(collection.to_owned()) else {
            return Ok(Vec::new());
        };
        self.inner
            .repo_records(did, &collection, after, reverse, limit)
            .await
    }

    async fn repo_page(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        most: Most,
    ) -> Result<RepoPage, StoreError> {
        let Ok(collection) = Nsid::new(collection.to_owned()) else {
            return Ok(RepoPage::default());
        };
        let page = self.inner.repo_page(did, &collection, after, reverse, most);
        page.await
    }

    async fn all_records(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.inner.all_records(after, limit).await
    }

    async fn all_counts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Counts)>, StoreError> {
        let cql = &self.inner.cql;
        let mut counts = Vec::new();
        let mut last = after.map(str::to_owned);
        while counts.len() < limit {
            let wanted = limit - counts.len();
            let subjects: Vec<(String,)> = match &last {
                None => cql.read(ScanCountsFirst, (), wanted).await?,
                Some(last) => cql.read(ScanCountsNext, (last.as_str(),), wanted).await?,
            };
            let Some((end,)) = subjects.last().cloned() else {
                break;
            };
            last = Some(end);
            let each = subjects.into_iter().map(|(subject,)| async move {
                let counts = self.inner.counts_of(ReadCounts, &subject).await?;
                Ok((subject, counts))
            });
            let found = all(each).await?.into_iter();
            counts.extend(found.filter(|(_, counts)| *counts != Counts::default()));
        }
        Ok(counts)
    }

    async fn handle(&self, handle: &Handle) -> Result<Option<HandleClaim>, StoreError> {
        self.inner.claim(handle).await
    }

    async fn quarantine(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let inner = &self.inner;
        let (mut entries, invalid) = tokio::try_join!(
            inner.refused_events(after, limit),
            inner.invalid_records(after, limit)
        )?;
        entries.extend(invalid);
        entries.sort_by(|one, two| (two.seen_at, &one.id).cmp(&(one.seen_at, &two.id)));
        entries.truncate(limit);
        Ok(entries)
    }

    async fn cursor(&self, source: &str) -> Result<Option<StreamCursor>, StoreError> {
        let row: Option<(Vec<u8>,)> = self.inner.cql.first(ReadCursor, (source,)).await?;
        let Some((cell,)) = row else { return Ok(None) };
        let (_, row): (i64, CursorRow) = read_register("CURSORS", &cell)?;
        Ok(Some(StreamCursor {
            source: source.to_owned(),
            position: row.position,
            recent: row.recent,
        }))
    }

    async fn due_checks(&self, until: i64, limit: usize) -> Result<Vec<DueCheck>, StoreError> {
        self.inner.due_before(until, limit).await
    }

    async fn repos(&self, dids: &[Did]) -> Result<Vec<Option<Repo>>, StoreError> {
        all(dids.iter().map(|did| self.inner.repo_state(did))).await
    }

    async fn all_repos(&self, after: Option<&Did>, limit: usize) -> Result<Vec<Repo>, StoreError> {
        self.inner.repo_states_after(after, limit).await
    }

    async fn due_repos(&self, until: i64, limit: usize) -> Result<Vec<DueRepo>, StoreError> {
        self.inner.repos_due(until, limit).await
    }

    async fn due_of(&self, dids: &[Did]) -> Result<Vec<Option<DueRepo>>, StoreError> {
        all(dids.iter().map(|did| self.inner.due_repo(did))).await
    }

    async fn floors(&self, did: &Did, collections: &[Nsid]) -> Result<Vec<Rev>, StoreError> {
        let floor = |collection: &Nsid| {
            let collection = collection.as_str().to_owned();
            async move { self.inner.floor(did.as_str(), &collection).await }
        };
        all(collections.iter().map(floor)).await
    }

    async fn told(&self, did: &Did) -> Result<Told, StoreError> {
        self.inner.told(did).await
    }

    async fn repo_keys(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HeldKey>, StoreError> {
        self.inner.repo_keys(did, collection, after, limit).await
    }

    async fn keys(&self, uris: &[RecordUri]) -> Result<Vec<HeldKey>, StoreError> {
        all(uris.iter().map(|uri| self.inner.key(uri))).await
    }
}
