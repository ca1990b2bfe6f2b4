//! The store trait and its promise. The weaker engine keeps it too: truth, then derived rows, then
//! the log entry, each step repeatable; an engine may do more (the embedded one: one atomic batch).

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
use crate::whole::{Observed, Whole};

/// What a store can answer with besides data.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error("the {engine} store failed while it tried to {doing}: {detail}")]
    Engine {
        /// Which engine.
        engine: &'static str,
        /// What was being done.
        doing: &'static str,
        /// The engine's own words.
        detail: String,
    },
    /// Another process holds the folder.
    #[error("{path} is in use by {holder}; stop that process or choose another --data-dir")]
    Locked {
        /// The folder.
        path: String,
        /// Who holds it, as far as known (`pid 123`).
        holder: String,
    },
    /// The folder was written by a newer version of the program.
    #[error(
        "{path} has store format {found}, this binary knows up to {known}; \
         use a newer plyr or another --data-dir"
    )]
    NewerFormat {
        /// The folder.
        path: String,
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The keyspace is older than the program, or not there yet.
    #[error(
        "{path} has store format {found}, this binary needs {known}; run `plyr store migrate` first"
    )]
    OlderFormat {
        /// The store's URL.
        path: String,
        /// Its format; 0 for none.
        found: u32,
        /// The one needed.
        known: u32,
    },
    /// No node of the cluster answers.
    #[error(
        "no CQL node answers at {nodes}: {detail}; check that the cluster runs and the address"
    )]
    Unreachable {
        /// The addresses that were tried.
        nodes: String,
        /// The driver's words.
        detail: String,
    },
    /// The store is slower than it is asked; try again in a moment.
    #[error("the {engine} store is overloaded: {detail}; try again in a moment")]
    Overloaded {
        /// Which engine.
        engine: &'static str,
        /// What was waited for.
        detail: String,
    },
    /// The folder belongs to another namespace, or holds something that is no store.
    #[error("{path} can't be used: {problem}")]
    Unusable {
        /// The folder.
        path: String,
        /// Why, and what to do.
        problem: String,
    },
    /// The disk is nearly full; writes wait until there is room, reads go on.
    #[error(
        "{free_bytes} bytes are free on the disk, writes stop below {reserve_bytes}: make room"
    )]
    DiskFull {
        /// Bytes free.
        free_bytes: u64,
        /// Bytes kept in reserve.
        reserve_bytes: u64,
    },
    /// The engine could not write, and takes nothing more until it is opened anew.
    #[error(
        "the {engine} store could not write: {detail}; what it had answered is safe. See that the \
         disk has room and is sound, then start again"
    )]
    Broken {
        /// Which engine.
        engine: &'static str,
        /// The engine's own words.
        detail: String,
    },
    /// A row could not be read back.
    #[error("a row of {table} can't be read: {detail}; `plyr rebuild` makes derived rows again")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same call may succeed in a moment: answer 503, or hand it in again.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            StoreError::Unreachable { .. }
                | StoreError::Overloaded { .. }
                | StoreError::DiskFull { .. }
        )
    }
}

/// Writing, and taking snapshots to read from.
///
/// When [`Store::apply`] returns, every change of the batch is durable (synced) and visible to
/// snapshots taken afterwards. Any batch may be applied again, in whole or in part, in any
/// interleaving with others, by several processes where the engine lets them, and ends in the same
/// state: of the versions of a key the greatest (rev, standing) that isn't void is the record (a
/// tie goes to the greater CID, and to a record before a delete), and at or below the repo and
/// collection's floor nothing is applied. An older version need not be kept once a newer one is
/// there, unless it is proven and the newer ones are only told.
#[async_trait]
pub trait Store: Send + Sync {
    /// The engine's name: `embedded` or `scylla`.
    fn engine(&self) -> &'static str;

    /// Applies changes in order; one outcome for each. On error some of it may be applied: hand it
    /// in again.
    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError>;

    /// Waits until what follows behind (counts, totals) has caught up with everything that was
    /// applied through this store before the call. Engines that keep them at once have nothing to
    /// wait for.
    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether other processes may write to the same store at the same time.
    fn has_several_writers(&self) -> bool {
        false
    }

    /// Does the next piece of a pass over everything and answers how far it has come, which is
    /// durable then. Without `so_far` it begins, or goes on with one that was cut off; hand in what
    /// was answered until [`Passing::is_done`]. Others read and write meanwhile; several processes
    /// may be at the same pass. Counts may follow behind ([`Store::settle`]).
    async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError>;

    /// A view to answer a page from. The embedded engine's is one consistent snapshot; a
    /// distributed one's reads what is durable at each call.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// The same view, to read everything from that is held: for full dumps and copies.
    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError>;

    /// Log entries that a follower at `after` hasn't seen, each stream's oldest first and without
    /// gaps, at most `limit`. Whatever changes is named once it is durable: a record when a version
    /// of it or the number of its likes changes, an actor when the account, the handle or the
    /// profile does, and both actors when a handle moves from one to the other. What hasn't changed
    /// may be named too.
    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError>;

    /// The position past the newest durable entries of all streams.
    async fn log_head(&self) -> Result<LogPosition, StoreError>;

    /// Waits until there is an entry that a follower at `after` hasn't seen.
    async fn log_changed(&self, after: &LogPosition) -> Result<(), StoreError>;

    /// Whether writes are accepted now ([`StoreError::DiskFull`] otherwise).
    fn writable(&self) -> Result<(), StoreError>;

    /// Syncs and closes; later calls answer [`StoreError::Closed`].
    async fn close(&self) -> Result<(), StoreError>;
}

/// How much a page may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Most {
    /// Records.
    pub records: usize,
    /// Bytes of records; the last one may go beyond.
    pub bytes: usize,
}

/// A page of a repo's records.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RepoPage {
    /// The records.
    pub records: Vec<Record>,
    /// The record key after which the next page begins; none at the end.
    pub next: Option<String>,
}

impl RepoPage {
    /// Takes a record in, or ends the page before it.
    pub(crate) fn take(&mut self, record: Record, most: Most, bytes: &mut usize) -> bool {
        if self.records.len() >= most.records || (*bytes >= most.bytes && !self.records.is_empty())
        {
            let last = self.records.last();
            self.next = last.map(|last| last.uri.rkey.as_str().to_owned());
            return false;
        }
        *bytes += record.bytes.len();
        self.records.push(record);
        true
    }
}

/// A view to read from. A call asks for all it needs at once, however much that is.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// Current records, in the order asked; none for what isn't held or is deleted. Invalid and
    /// hidden ones are answered too ([`Record::is_shown`]).
    async fn records(&self, uris: &[RecordUri]) -> Result<Vec<Option<Record>>, StoreError>;

    /// The same for the first of them that have `most_bytes` together, at least one: what isn't
    /// answered is asked for again. A record may have a megabyte, and a page a hundred of them.
    async fn records_within(
        &self,
        uris: &[RecordUri],
        most_bytes: usize,
    ) -> Result<Vec<Option<Record>>, StoreError>;

    /// Actors, in the order asked; defaults for unknown ones. One that the operator hides is
    /// answered as taken down, whatever its host says ([`Snapshot::observed`]).
    async fn actors(&self, dids: &[Did]) -> Result<Vec<Actor>, StoreError>;

    /// What was observed of actors, each answer with its time of asking, in the order asked.
    async fn observed(&self, dids: &[Did]) -> Result<Vec<Observed>, StoreError>;

    /// Whether the operator hides each of these itself, in the order asked. That an actor is hidden
    /// says nothing here of the actor's records and blobs, nor does a blob hidden for every DID of
    /// the same one under a DID.
    async fn hidden(&self, subjects: &[HiddenSubject]) -> Result<Vec<bool>, StoreError>;

    /// What is or was hidden, lifted ones too, strictly after `after`, in the order of their
    /// subjects' texts.
    async fn all_hides(
        &self,
        after: Option<&HiddenSubject>,
        limit: usize,
    ) -> Result<Vec<Hide>, StoreError>;

    /// Whether anything is held of a repo: a record, a delete, or an answer about the account.
    async fn is_known(&self, did: &Did) -> Result<bool, StoreError>;

    /// Counts by subject uri, in the order asked.
    async fn counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError>;

    /// The same, sure to be no older than what the log has named of them: for who keeps what is
    /// answered. Over a cluster [`Snapshot::counts`] asks one node, which may be behind for a
    /// while; a page that is asked for again shows it then.
    async fn sure_counts(&self, subjects: &[String]) -> Result<Vec<Counts>, StoreError>;

    /// What actors have published, in the order asked.
    async fn actor_totals(&self, dids: &[Did]) -> Result<Vec<ActorTotals>, StoreError>;

    /// What the network holds.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// Entries of an index strictly after a position (or from the beginning), in order.
    async fn page(
        &self,
        index: &Index,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError>;

    /// For each (subject, actor): the first like record of the actor in the subject's set.
    async fn first_likes(
        &self,
        pairs: &[(String, Did)],
    ) -> Result<Vec<Option<RecordUri>>, StoreError>;

    /// Records of one repo and collection by rkey, strictly after `after`; `reverse` turns the
    /// order round (then strictly before). Deleted ones are left out, invalid ones are in.
    async fn repo_records(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// The same within bounds, for an answer: a page may be short, or empty, where records are
    /// large or many deleted ones lie between; the next one begins after [`RepoPage::next`].
    async fn repo_page(
        &self,
        did: &Did,
        collection: &str,
        after: Option<&str>,
        reverse: bool,
        most: Most,
    ) -> Result<RepoPage, StoreError>;

    /// Every current record of the store, strictly after `after`, in an order of the engine's own
    /// that stays the same: for dumps, copies and scans.
    async fn all_records(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// Every subject with counts that aren't all 0, strictly after `after`, in an order of the
    /// engine's own that stays the same.
    async fn all_counts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Counts)>, StoreError>;

    /// Who holds a handle.
    async fn handle(&self, handle: &Handle) -> Result<Option<HandleClaim>, StoreError>;

    /// Refused events and invalid current records, newest first by (seen_at, id), strictly after
    /// the given place.
    async fn quarantine(
        &self,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<QuarantineEntry>, StoreError>;

    /// A source's cursor.
    async fn cursor(&self, source: &str) -> Result<Option<StreamCursor>, StoreError>;

    /// Checks due at or before a time, soonest first.
    async fn due_checks(&self, until: i64, limit: usize) -> Result<Vec<DueCheck>, StoreError>;

    /// Repos as wholes, in the order asked; none for those never met.
    async fn repos(&self, dids: &[Did]) -> Result<Vec<Option<Repo>>, StoreError>;

    /// Every repo that was met, strictly after `after`, in an order of the engine's own that stays
    /// the same.
    async fn all_repos(&self, after: Option<&Did>, limit: usize) -> Result<Vec<Repo>, StoreError>;

    /// How many repos are in each state. Walks all of them: for who asks once a minute.
    async fn repo_states(&self) -> Result<Vec<(RepoState, u64)>, StoreError> {
        let mut counts = RepoState::ALL.map(|state| (state, 0));
        let mut after: Option<Did> = None;
        loop {
            let repos = self.all_repos(after.as_ref(), 2_000).await?;
            let counted = |counts: &mut (RepoState, u64)| {
                let here = repos.iter().filter(|repo| repo.state == counts.0);
                counts.1 += here.count() as u64;
            };
            counts.iter_mut().for_each(counted);
            match repos.into_iter().next_back() {
                Some(last) => after = Some(last.did),
                None => return Ok(counts.to_vec()),
            }
        }
    }

    /// Repos due at or before a time: all of the most urgent first, each urgency's soonest first.
    async fn due_repos(&self, until: i64, limit: usize) -> Result<Vec<DueRepo>, StoreError>;

    /// What is due of repos, in the order asked; none where nothing is.
    async fn due_of(&self, dids: &[Did]) -> Result<Vec<Option<DueRepo>>, StoreError>;

    /// The floors of a repo's collections, in the order asked; [`Rev::MIN`] where there is none.
    async fn floors(&self, did: &Did, collections: &[Nsid]) -> Result<Vec<Rev>, StoreError>;

    /// What streams told of a repo.
    async fn told(&self, did: &Did) -> Result<Told, StoreError>;

    /// The keys of a repo's collection that anything is held of, deletes and void versions too, by
    /// rkey, strictly after `after`.
    async fn repo_keys(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HeldKey>, StoreError>;

    /// The same of single keys, in the order asked; without versions where nothing is held.
    async fn keys(&self, uris: &[RecordUri]) -> Result<Vec<HeldKey>, StoreError>;
}
