//! A store that counts: rounds a snapshot takes, and seconds a call takes. Calls that are waiting
//! at the same time are one round, however many they are and however much each asks for.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use plyr_lexicons::{Did, Handle, Nsid, RecordUri, Rev};

use crate::hide::{HiddenSubject, Hide};
use crate::index::{Index, IndexEntry, Position};
use crate::log::LogPosition;
use crate::model::{
    Actor, ActorTotals, Change, Counts, DueCheck, HandleClaim, LogEntry, Outcome, QuarantineEntry,
    Record, StreamCursor, Totals,
};
use crate::rebuild::{Pass, Passing};
use crate::repo::{DueRepo, HeldKey, Repo, RepoState, Told};
use crate::store::{Most, RepoPage, Snapshot, Store, StoreError};
use crate::whole::{Observed, Whole};

/// Told the rounds of every snapshot that ends.
pub type TellRounds = Arc<dyn Fn(usize) + Send + Sync>;

/// Any store, counted. Writes pass through.
pub struct CountedStore {
    inner: Arc<dyn Store>,
    tell: TellRounds,
}

impl CountedStore {
    /// Counts into the metrics `plyr_store_rounds` and `plyr_store_seconds`.
    pub fn new(inner: Arc<dyn Store>) -> CountedStore {
        let tell = |rounds: usize| metrics::histogram!("plyr_store_rounds").record(rounds as f64);
        CountedStore::telling(inner, Arc::new(tell))
    }

    /// Tells the rounds to somebody else.
    pub fn telling(inner: Arc<dyn Store>, tell: TellRounds) -> CountedStore {
        CountedStore { inner, tell }
    }
}

#[async_trait]
impl Store for CountedStore {
    fn engine(&self) -> &'static str {
        self.inner.engine()
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError> {
        self.inner.apply(changes).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(CountedSnapshot {
            inner: self.inner.snapshot().await?,
            open: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
            tell: self.tell.clone(),
        }))
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        self.inner.whole().await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.inner.settle().await
    }

    fn has_several_writers(&self) -> bool {
        self.inner.has_several_writers()
    }

    async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        self.inner.pass(pass, so_far).await
    }

    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.inner.log_after(after, limit).await
    }

    async fn log_head(&self) -> Result<LogPosition, StoreError> {
        self.inner.log_head().await
    }

    async fn log_changed(&self, after: &LogPosition) -> Result<(), StoreError> {
        self.inner.log_changed(after).await
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.inner.writable()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

struct CountedSnapshot {
    inner: Box<dyn Snapshot>,
    open: AtomicUsize,
    rounds: AtomicUsize,
    tell: TellRounds,
}

/// A call under way; ended also when its caller goes away.
struct Call<'a>(&'a AtomicUsize);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl CountedSnapshot {
    async fn count<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if self.open.fetch_add(1, Ordering::AcqRel) == 0 {
            self.rounds.fetch_add(1, Ordering::AcqRel);
        }
        let _call = Call(&self.open);
        // An engine that never waits would end this call before the one beside it begins.
        tokio::task::yield_now().await;
        let began = Instant::now();
        let answer = call.await;
        metrics::histogram!("plyr_store_seconds", "op" => operation).record(began.elapsed());
        answer
    }
}

impl Drop for CountedSnapshot {
    fn drop(&mut self) {
        (self.tell)(self.rounds.load(Ordering::Acquire));
    }
}

#[async_trait]
impl Snapshot for CountedSnapshot {
    async fn records(&self, uris: &[RecordUri]) -> Result<Vec<Option<Record>>, StoreError> {
        self.count("records", self.inner.records(uris)).await
    }

    async fn records_within(
        &self,
        uris: &[RecordUri],
        most_bytes: usize,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let call = self.inner.records_within(uris, most_bytes);
        self.count("records", call).await
    }

    async fn actors(&self, dids: &[Did]) -> Result<Vec<Actor>, StoreError> {
        self.count("actors", self.inner.actors(dids)).await
    }

    async fn observed(&self, dids: &[Did]) -> Result<Vec<Observed>, StoreError> {
        self.count("observed", self.inner.observed(dids)).await
    }

    async fn hidden(&self, subjects: &[HiddenSubject]) -> Result<Vec<bool>, StoreError> {
        self.count("hidden", self.inner.hidden(subjects)).await
    }

    async fn all_hides(
        &self,
        after: Option<&HiddenSubject>,
        limit: usize,
    ) -> Result<Vec<Hide>, StoreError> {
        self.count("all_hides", self.inner.all_hides(after, limit))
            .await
    }

    async fn is_known(&self, did: &Did) -> Result<bool, StoreError> {
        self.count("is_known", self.inner.is_known(did)).await
    }

    async fn counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError> {
        self.count("counts", self.inner.counts(subjects)).await
    }

    async fn sure_counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError> {
        self.count("sure_counts", self.inner.sure_counts(subjects))
            .await
    }

    async fn actor_totals(&self, dids: &[Did]) -> Result<Vec<ActorTotals>, StoreError> {
        self.count("actor_totals", self.inner.actor_totals(dids))
            .await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.count("totals", self.inner.totals()).await
    }

    async fn page(
        &self,
        index: &Index,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        self.count("page", self.inner.page(index, after, limit))
            .await
    }

    async fn first_likes(
        &self,
        pairs: &[(String, Did)],
    ) -> Result<Vec<Option<RecordUri>>, StoreError> {
        self.count("first_likes", self.inner.first_likes(pairs))
            .await
    }

    async fn repo_records(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let call = self
            .inner
            .repo_records(did, collection, after, reverse, limit);
        self.count("repo_records", call).await
    }

    async fn repo_page(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        most: Most,
    ) -> Result<RepoPage, StoreError> {
        let call = self.inner.repo_page(did, collection, after, reverse, most);
        self.count("repo_records", call).await
    }

    async fn all_records(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.count("all_records", self.inner.all_records(after, limit))
            .await
    }

    async fn all_counts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Counts)>, StoreError> {
        self.count("all_counts", self.inner.all_counts(after, limit))
            .await
    }

    async fn handle(&self, handle: &Handle) -> Result<Option<HandleClaim>, StoreError> {
        self.count("handle", self.inner.handle(handle)).await
    }

    async fn quarantine(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        self.count("quarantine", self.inner.quarantine(after, limit))
            .await
    }

    async fn cursor(&self, source: &str) -> Result<Option<StreamCursor>, StoreError> {
        self.count("cursor", self.inner.cursor(source)).await
    }

    async fn due_checks(&self, until: i64, limit: usize) -> Result<Vec<DueCheck>, StoreError> {
        self.count("due_checks", self.inner.due_checks(until, limit))
            .await
    }

    async fn repos(&self, dids: &[Did]) -> Result<Vec<Option<Repo>>, StoreError> {
        self.count("repos", self.inner.repos(dids)).await
    }

    async fn all_repos(&self, after: Option<&Did>, limit: usize) -> Result<Vec<Repo>, StoreError> {
        self.count("all_repos", self.inner.all_repos(after, limit))
            .await
    }

    async fn repo_states(&self) -> Result<Vec<(RepoState, u64)>, StoreError> {
        self.count("repo_states", self.inner.repo_states()).await
    }

    async fn due_repos(&self, until: i64, limit: usize) -> Result<Vec<DueRepo>, StoreError> {
        self.count("due_repos", self.inner.due_repos(until, limit))
            .await
    }

    async fn due_of(&self, dids: &[Did]) -> Result<Vec<Option<DueRepo>>, StoreError> {
        self.count("due_of", self.inner.due_of(dids)).await
    }

    async fn floors(&self, did: &Did, collections: &[Nsid]) -> Result<Vec<Rev>, StoreError> {
        self.count("floors", self.inner.floors(did, collections))
            .await
    }

    async fn told(&self, did: &Did) -> Result<Told, StoreError> {
        self.count("told", self.inner.told(did)).await
    }

    async fn repo_keys(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HeldKey>, StoreError> {
        let call = self.inner.repo_keys(did, collection, after, limit);
        self.count("repo_keys", call).await
    }

    async fn keys(&self, uris: &[RecordUri]) -> Result<Vec<HeldKey>, StoreError> {
        self.count("keys", self.inner.keys(uris)).await
    }
}
