//! What is known of blobs: a row for each CID that a record names, with the job that fetches it,
//! and what each track's audio was last seen to be. Rows change by compare-and-set, so that several
//! processes can work over one store. No copy and no dump of a store carries them: they are made
//! again from the records and from the bytes that are kept.

use async_trait::async_trait;
use plyr_lexicons::{Cid, Did, RecordUri};
use serde::{Deserialize, Serialize};

use crate::model::Micros;
use crate::store::StoreError;

/// How far a blob has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BlobState {
    /// Named and not here: to be fetched when it is due.
    Wanted,
    /// Here: its bytes hash to the CID, and were looked at.
    Kept,
    /// Here or not, it will never be served: [`Blob::reason`] says why.
    Refused,
    /// It ended the process that looked at it too often; for a person to look at.
    SetAside,
}

/// A blob's row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Blob {
    /// Which bytes.
    pub cid: Cid,
    /// One more with each write; 0 for a row that isn't written yet.
    pub revision: u64,
    /// How far it has come.
    pub state: BlobState,
    /// Why it isn't kept, for people: the last failure while it is wanted.
    pub reason: Option<String>,
    /// Bytes, once known.
    pub size: Option<u64>,
    /// What it is, as JSON (the blobstore's own words), once it was looked at.
    pub facts: Option<String>,
    /// Whose PDS may have it, besides the authors of the records that name it: the first
    /// [`MOST_HOLDERS`] are kept.
    pub holders: Vec<Did>,
    /// Fetches that failed since it was wanted.
    pub failures: u32,
    /// Times that it ended the process that looked at it.
    pub crashes: u32,
    /// When a job is due; none when nothing is.
    pub due_at: Option<Micros>,
    /// Until when a process works on it, which is then the only one that does.
    pub leased_until: Micros,
    /// Which process, at random at each start.
    pub leased_by: String,
    /// When it was wanted first.
    pub wanted_at: Micros,
    /// When it was kept.
    pub kept_at: Option<Micros>,
    /// When it was last asked for, to the hour.
    pub played_at: Option<Micros>,
    /// Since when no record names it, as a sweep saw; it goes when that is long enough.
    pub unnamed_since: Option<Micros>,
}

/// Holders that a row remembers.
pub const MOST_HOLDERS: usize = 8;

impl Blob {
    /// A row for a blob that is wanted now.
    pub fn wanted(cid: Cid, now: Micros) -> Blob {
        Blob {
            cid,
            revision: 0,
            state: BlobState::Wanted,
            reason: None,
            size: None,
            facts: None,
            holders: Vec::new(),
            failures: 0,
            crashes: 0,
            due_at: Some(now),
            leased_until: 0,
            leased_by: String::new(),
            wanted_at: now,
            kept_at: None,
            played_at: None,
            unnamed_since: None,
        }
    }
}

/// A blob's row at rest; its key says which.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlobRow {
    pub revision: u64,
    state: BlobState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holders: Vec<String>,
    failures: u32,
    crashes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Micros>,
    leased_until: Micros,
    leased_by: String,
    wanted_at: Micros,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_at: Option<Micros>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    played_at: Option<Micros>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unnamed_since: Option<Micros>,
}

impl BlobRow {
    pub fn of(blob: &Blob) -> BlobRow {
        let holders = blob.holders.iter().take(MOST_HOLDERS);
        BlobRow {
            revision: blob.revision,
            state: blob.state,
            reason: blob.reason.clone(),
            size: blob.size,
            facts: blob.facts.clone(),
            holders: holders.map(|did| did.as_str().to_owned()).collect(),
            failures: blob.failures,
            crashes: blob.crashes,
            due_at: blob.due_at,
            leased_until: blob.leased_until,
            leased_by: blob.leased_by.clone(),
            wanted_at: blob.wanted_at,
            kept_at: blob.kept_at,
            played_at: blob.played_at,
            unnamed_since: blob.unnamed_since,
        }
    }

    pub fn blob(self, cid: Cid) -> Blob {
        let holders = self.holders.into_iter();
        Blob {
            cid,
            revision: self.revision,
            state: self.state,
            reason: self.reason,
            size: self.size,
            facts: self.facts,
            holders: holders.filter_map(|did| Did::new(did).ok()).collect(),
            failures: self.failures,
            crashes: self.crashes,
            due_at: self.due_at,
            leased_until: self.leased_until,
            leased_by: self.leased_by,
            wanted_at: self.wanted_at,
            kept_at: self.kept_at,
            played_at: self.played_at,
            unnamed_since: self.unnamed_since,
        }
    }
}

/// What a track's audio was last seen to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenAudio {
    /// The track.
    pub uri: RecordUri,
    /// The last blob that a version of it named.
    pub cid: Cid,
    /// Since when its current version names none; none while it does.
    pub dropped_at: Option<Micros>,
}

/// The rows. What is answered as written is durable.
#[async_trait]
pub trait BlobRows: Send + Sync {
    /// Rows, in the order asked; none for those that were never wanted.
    async fn blobs(&self, cids: &[Cid]) -> Result<Vec<Option<Blob>>, StoreError>;

    /// Writes a row if the one held is still at `row.revision` (0: none is held), with the next
    /// revision. Answers whether it did: of several that hand in one revision, one. Over a cluster
    /// an answer may be lost: `false` may then be said of a row that was written and changed again
    /// since. On error it may be written or not: read it again. Jobs due follow the row's `due_at`.
    async fn replace_blob(&self, row: Blob) -> Result<bool, StoreError>;

    /// Takes a row away if it is still at that revision. Answers whether it did: over a cluster
    /// also where an answer was lost and the row is gone, by whomever. On error it may have.
    async fn remove_blob(&self, cid: &Cid, revision: u64) -> Result<bool, StoreError>;

    /// Blobs due at or before a time, about the soonest first. A hint: the row decides, which may
    /// have changed since.
    async fn due_blobs(&self, until: Micros, limit: usize) -> Result<Vec<Cid>, StoreError>;

    /// Every row, strictly after `after`, in an order of the engine's own that stays the same. Only
    /// the last page is empty; others may be short.
    async fn all_blobs(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Blob>, StoreError>;

    /// What tracks' audio was last seen to be, in the order asked.
    async fn seen_audio(&self, uris: &[RecordUri]) -> Result<Vec<Option<SeenAudio>>, StoreError>;

    /// Writes what a track's audio was seen to be; the last one written stands.
    async fn see_audio(&self, seen: SeenAudio) -> Result<(), StoreError>;

    /// Forgets a track's.
    async fn forget_audio(&self, uri: &RecordUri) -> Result<(), StoreError>;

    /// All of them, strictly after `after`, in an order of the engine's own that stays the same.
    /// Only the last page is empty.
    async fn all_seen_audio(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<SeenAudio>, StoreError>;
}
