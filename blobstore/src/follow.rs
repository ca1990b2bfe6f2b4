//! Following the change log: what tracks' audio was last seen to be, what a mirror is to fetch, and
//! what the public may no longer read. A follower follows from the log's head at once, and looks at
//! everything beside that; what it does may be done again by any number of others.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use plyr_lexicons::{Cid, Did, RecordUri};
use plyr_schemas::{Index, LogPosition, LogSubject, Position, Snapshot, Store};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::error::BlobstoreError;
use crate::hides::Heard;
use crate::look::Look;
use crate::options::MediaPolicy;
use crate::reconcile;
use crate::serve::Blobstore;

/// Log entries, and records, read at once.
const ENTRIES: usize = 500;
const RECORDS: usize = 100;
/// Records that are looked at in one turn while everything is: the log waits no longer than for
/// those.
const IN_A_TURN: usize = 20;
/// Rows written at once.
const WRITES: usize = 16;
/// After something failed.
const LEAST_REST: Duration = Duration::from_millis(200);
const MOST_REST: Duration = Duration::from_secs(10);
/// Between two readings of what is hidden, and how many times longer than a reading takes it is at
/// least.
const HIDES_REST: Duration = Duration::from_millis(400);
const RESTS: u32 = 10;

/// What follows.
pub struct Follower {
    pub(crate) blobstore: Blobstore,
    pub(crate) store: Arc<dyn Store>,
    /// Held from reading records until what they say is written: of two that look at one record the
    /// later one has read the later version.
    turn: Mutex<()>,
}

/// What a follower looks at again.
#[derive(Default)]
pub(crate) struct Again {
    pub(crate) records: BTreeSet<RecordUri>,
    pub(crate) actors: HashSet<Did>,
}

/// How long to wait after failures.
struct Rest(Duration);

impl Rest {
    /// Tells what failed, and waits.
    async fn after(&mut self, problem: &BlobstoreError, what: &'static str) {
        tracing::warn!(%problem, "{what}; it is tried again");
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(MOST_REST);
    }

    fn is_over(&mut self) {
        self.0 = LEAST_REST;
    }
}

impl Follower {
    /// Of that store's log.
    pub fn new(blobstore: Blobstore, store: Arc<dyn Store>) -> Follower {
        Follower {
            blobstore,
            store,
            turn: Mutex::new(()),
        }
    }

    /// Follows until cancelled. Whatever goes wrong is told and done again.
    pub async fn run(&self, cancel: CancellationToken) {
        let all = async {
            // Before anything is looked at: what comes later is in the log.
            let head = self.head().await;
            tokio::join!(
                self.follow(head),
                self.look_at_all(),
                self.listen_for_hidden_blobs(),
                self.listen_for_hidden_records(),
                self.reconcile_hourly(),
            )
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            _ = all => {}
        }
    }

    async fn head(&self) -> LogPosition {
        let mut rest = Rest(LEAST_REST);
        loop {
            match self.store.log_head().await {
                Ok(head) => return head,
                Err(problem) => {
                    let what = "media can't read the head of the change log";
                    rest.after(&problem.into(), what).await;
                }
            }
        }
    }

    async fn follow(&self, mut position: LogPosition) {
        let mut rest = Rest(LEAST_REST);
        loop {
            match self.step(&mut position).await {
                Ok(()) => rest.is_over(),
                Err(problem) => {
                    let what = "media can't follow the change log";
                    rest.after(&problem, what).await;
                }
            }
        }
    }

    async fn look_at_all(&self) {
        let mut rest = Rest(LEAST_REST);
        while let Err(problem) = self.look_at_everything().await {
            let what = "media can't look at what is held";
            rest.after(&problem, what).await;
        }
    }

    async fn listen_for_hidden_blobs(&self) {
        let mut heard = Heard::default();
        let mut rest = Rest(LEAST_REST);
        loop {
            let began = Instant::now();
            match self.hear_hidden_blobs(&mut heard).await {
                Ok(()) => {
                    rest.is_over();
                    // However many they are, reading them takes a small part of the time.
                    sleep(HIDES_REST.max(began.elapsed() * RESTS)).await;
                }
                Err(problem) => {
                    let what = "media can't read which blobs are hidden";
                    rest.after(&problem, what).await;
                }
            }
        }
    }

    async fn listen_for_hidden_records(&self) {
        let mut heard = Heard::default();
        let mut rest = Rest(LEAST_REST);
        loop {
            match self.hear_hidden_records(&mut heard).await {
                Ok(read_for) => {
                    rest.is_over();
                    sleep(HIDES_REST.max(read_for * RESTS)).await;
                }
                Err(problem) => {
                    let what = "media can't read which records and accounts are hidden";
                    rest.after(&problem, what).await;
                }
            }
        }
    }

    async fn reconcile_hourly(&self) {
        let mut rest = Rest(LEAST_REST);
        loop {
            match self.reconcile().await {
                Ok(()) => {
                    rest.is_over();
                    sleep(reconcile::EVERY).await;
                }
                Err(problem) => {
                    let what = "public copies can't be compared with what may be public";
                    rest.after(&problem, what).await;
                }
            }
        }
    }

    async fn step(&self, position: &mut LogPosition) -> Result<(), BlobstoreError> {
        let entries = self.store.log_after(position, ENTRIES).await?;
        if entries.is_empty() {
            self.store.log_changed(position).await?;
            return Ok(());
        }
        let mut again = Again::default();
        let mut next = position.clone();
        for entry in entries {
            next.pass(&entry);
            match entry.subject {
                LogSubject::Record(uri) => again.records.insert(uri),
                LogSubject::Actor(did) => again.actors.insert(did),
            };
        }
        self.look_again(again).await?;
        *position = next;
        Ok(())
    }

    async fn look_at_everything(&self) -> Result<(), BlobstoreError> {
        let whole = self.store.whole().await?;
        let mut after: Option<RecordUri> = None;
        loop {
            let records = whole.all_records(after.as_ref(), RECORDS).await?;
            let Some(last) = records.last() else { break };
            after = Some(last.uri.clone());
            // Read again: what is followed meanwhile knows them better than this snapshot.
            let uris: Vec<RecordUri> = records.into_iter().map(|one| one.uri).collect();
            for uris in uris.chunks(IN_A_TURN) {
                self.look_at(uris).await?;
            }
        }
        // Tracks that were deleted while nobody followed.
        let mut after: Option<RecordUri> = None;
        loop {
            let rows = &self.blobstore.rows;
            let seen = rows.all_seen_audio(after.as_ref(), ENTRIES).await?;
            let Some(last) = seen.last() else { break };
            after = Some(last.uri.clone());
            let uris: Vec<RecordUri> = seen.into_iter().map(|one| one.uri).collect();
            for uris in uris.chunks(RECORDS) {
                let records = whole.records(uris).await?;
                let each = uris.iter().zip(records);
                let gone = each.filter(|(_, record)| record.is_none());
                let gone: Vec<RecordUri> = gone.map(|(uri, _)| uri.clone()).collect();
                for uris in gone.chunks(IN_A_TURN) {
                    self.look_at(uris).await?;
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn look_again(&self, again: Again) -> Result<(), BlobstoreError> {
        // Accounts first: one entry stands for all that one made.
        let snapshot = self.store.snapshot().await?;
        for did in &again.actors {
            self.look_at_actor(snapshot.as_ref(), did).await?;
        }
        let uris: Vec<RecordUri> = again.records.into_iter().collect();
        for uris in uris.chunks(RECORDS) {
            self.look_at(uris).await?;
        }
        Ok(())
    }

    /// Looks at records as they are now: takes out what the public may not read, then writes down
    /// what was seen, so that what failed is met again.
    async fn look_at(&self, uris: &[RecordUri]) -> Result<(), BlobstoreError> {
        if uris.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let snapshot = self.store.snapshot().await?;
        let seen = self.blobstore.rows.seen_audio(uris).await?;
        let namespace = &self.blobstore.options.namespace;
        let looks = Look::at(snapshot.as_ref(), namespace, uris, seen).await?;
        let doubted: BTreeSet<Cid> = looks.iter().flat_map(Look::doubted).collect();
        self.blobstore.unpublish(snapshot.as_ref(), doubted).await?;
        let writes: Vec<_> = looks.into_iter().map(|look| self.write(look)).collect();
        let mut writes = stream::iter(writes).buffer_unordered(WRITES);
        while writes.try_next().await?.is_some() {}
        Ok(())
    }

    /// Writes down what a record's audio is, and wants what a mirror fetches.
    async fn write(&self, look: Look) -> Result<(), BlobstoreError> {
        let rows = &self.blobstore.rows;
        let Some(record) = &look.record else {
            if look.seen.is_some() {
                rows.forget_audio(&look.uri).await?;
            }
            return Ok(());
        };
        if record.is_track
            && let Some(news) = look.news()
        {
            if news.dropped_at.is_none() {
                self.blobstore.is_newly_audio(&news.cid).await?;
            }
            rows.see_audio(news).await?;
        }
        if !record.shows {
            return Ok(());
        }
        let did = &look.uri.did;
        for one in &record.named {
            match self.blobstore.policy() {
                MediaPolicy::Mirror => {
                    self.blobstore.want_unasked(&one.cid, did).await?;
                }
                MediaPolicy::Off => self.blobstore.want_if_here(&one.cid, did).await?,
                MediaPolicy::OnDemand => {
                    self.blobstore.is_named(&one.cid, Some(did)).await?;
                }
            }
        }
        Ok(())
    }

    /// Looks at what an actor names: whether the actor shows may have changed. One who does is
    /// looked at by a mirror alone: nothing of theirs is to be taken out for it.
    async fn look_at_actor(
        &self,
        snapshot: &dyn Snapshot,
        did: &Did,
    ) -> Result<(), BlobstoreError> {
        let actors = snapshot.actors(std::slice::from_ref(did)).await?;
        let shows = actors.iter().all(|actor| actor.state.is_visible());
        if shows && self.blobstore.policy() != MediaPolicy::Mirror {
            return Ok(());
        }
        let indexes = [
            Index::ActorTracks(did.clone()),
            Index::ActorLists(did.clone()),
        ];
        for index in indexes {
            let mut after: Option<Position> = None;
            loop {
                let entries = snapshot.page(&index, after.as_ref(), RECORDS).await?;
                let Some(last) = entries.last() else { break };
                after = Some(last.position.clone());
                let uris: Vec<_> = entries.into_iter().map(|one| one.position.uri).collect();
                self.look_at(&uris).await?;
            }
        }
        Ok(())
    }
}
