//! What is at rest: every table declared once, the store trait and its promise, and the engines
//! that keep it. The network's records are truth; index rows are hints; the log says look again.

pub mod blob_uses;
pub mod blobs;
pub mod conformance;
pub mod copy;
pub mod counted;
pub mod dump;
pub mod embedded;
pub mod fault;
pub mod full_dump;
mod held;
pub mod hide;
pub mod index;
pub mod log;
pub mod model;
mod numbers;
pub mod own;
pub mod rebuild;
pub mod repo;
pub mod scylla;
pub mod store;
pub mod tables;
mod unhidden;
pub mod whole;

pub use blob_uses::{BlobRole, NamedBlob, blobs_of, is_blob_cid, is_gated};
pub use blobs::{Blob, BlobRows, BlobState, MOST_HOLDERS, SeenAudio};
pub use counted::CountedStore;
pub use fault::{CRASH_POINTS, CrashPoint, FaultHook};
pub use hide::{HiddenSubject, HiddenSubjectError, Hide};
pub use index::{DERIVATIONS, Derived, Index, IndexEntry, Position};
pub use log::{LogPosition, LogPositionError};
pub use model::{
    Account, AccountState, Actor, ActorTotals, BlueskyProfile, Body, Change, Counts, DueCheck,
    Floor, HandleClaim, Identity, LogEntry, LogSubject, Micros, Outcome, QuarantineEntry, Record,
    Standing, StreamCursor, Totals, Version,
};
pub use own::{FileJournal, Own, OwnJournal};
pub use rebuild::{Pass, Passing};
pub use repo::{DueRepo, HeldKey, HeldRev, Repo, RepoHead, RepoState, Told, Urgency};
pub use store::{Most, RepoPage, Snapshot, Store, StoreError};
pub use whole::{Observed, Whole};
