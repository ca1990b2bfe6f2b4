//! The rows of the store as the rest of the project sees them, whatever the engine.

use std::cmp::Ordering;

use plyr_lexicons::{Cid, Did, Handle, Judgement, Nsid, RecordUri, Rev, Verdict};

use crate::hide::Hide;
use crate::index::Derived;
use crate::repo::{DueRepo, Repo};

/// Microseconds since 1970.
pub type Micros = i64;

/// How sure a version is. Of two at one rev the greater standing wins on every engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// Told by a stream.
    Event = 0,
    /// Above a signed head that stayed below it: it never was.
    Void = 1,
    /// Proven by the repo's signed state.
    Proven = 2,
}

/// What a version says.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// The record: canonical DAG-CBOR that hashes to `cid`, and what the rules say of it.
    Record {
        /// CID of `bytes`.
        cid: Cid,
        /// Canonical DAG-CBOR.
        bytes: Vec<u8>,
        /// Verdict, with reasons.
        judgement: Judgement,
        /// What is derived from it; empty when invalid.
        derived: Derived,
    },
    /// The record was deleted.
    Delete,
}

/// One version of a record. Truth: a row of its own, keyed (repo, collection, rkey, rev).
#[derive(Clone, PartialEq, Debug)]
pub struct Version {
    /// Which record.
    pub uri: RecordUri,
    /// The commit that made it.
    pub rev: Rev,
    /// How sure it is.
    pub standing: Standing,
    /// What it says.
    pub body: Body,
    /// When this instance received it.
    pub seen_at: Micros,
}

/// A record's current version, as read back.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Its address.
    pub uri: RecordUri,
    /// The rev of the current version.
    pub rev: Rev,
    /// CID of `bytes`.
    pub cid: Cid,
    /// Canonical DAG-CBOR.
    pub bytes: Vec<u8>,
    /// Verdict, with reasons.
    pub judgement: Judgement,
    /// When this instance first saw the current version.
    pub seen_at: Micros,
    /// Whether the operator hides it, whatever version it is.
    pub hidden: bool,
}

impl Record {
    /// Whether it may show in views at all.
    pub fn is_shown(&self) -> bool {
        !self.hidden && self.is_accepted()
    }

    /// Whether its lexicon lets it in.
    pub fn is_accepted(&self) -> bool {
        self.judgement.verdict != Verdict::Invalid
    }

    /// An invalid record as the list of what was refused shows it.
    pub(crate) fn into_refused(self) -> QuarantineEntry {
        let reasons = self.judgement.reasons.iter();
        let detail: Vec<String> = reasons
            .map(|reason| format!("{}: {}", reason.path, reason.message))
            .collect();
        QuarantineEntry {
            id: self.uri.to_string(),
            source: "lexicon".to_owned(),
            reason: "invalid".to_owned(),
            detail: detail.join("; "),
            did: Some(self.uri.did.clone()),
            rev: Some(self.rev),
            cid: Some(self.cid.to_string()),
            seen_at: self.seen_at,
            uri: Some(self.uri),
        }
    }
}

/// What the DID's own host says of an account. `Unknown` (never asked) counts as active.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum AccountState {
    /// Never asked.
    #[default]
    Unknown,
    /// Active.
    Active,
    /// Deactivated by its owner.
    Deactivated,
    /// Deleted.
    Deleted,
    /// Taken down by its host.
    TakenDown,
    /// Suspended by its host.
    Suspended,
}

impl AccountState {
    /// Whether the account's records, likes and comments show and count. `throttled` and
    /// `desynchronized` say nothing about an account and never get here.
    pub const fn is_visible(self) -> bool {
        matches!(self, AccountState::Unknown | AccountState::Active)
    }
}

/// An account observation: an answer stamped with the time of asking. An earlier-asked answer
/// never replaces a later one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Whose.
    pub did: Did,
    /// What the host named by the DID document said.
    pub state: AccountState,
    /// When the first question was asked whose answer was this state, without another one since: a
    /// deletion is erased by how long it has lasted.
    pub since: Micros,
    /// When the question was asked.
    pub asked_at: Micros,
}

/// An identity observation, from the DID document read past every cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Whose.
    pub did: Did,
    /// The PDS's base URL, as the document gives it.
    pub pds: Option<String>,
    /// The `#atproto` key as a did:key or multibase text.
    pub signing_key: Option<String>,
    /// The handle that was proven both ways; none when the proof failed.
    pub handle: Option<Handle>,
    /// When the question was asked.
    pub asked_at: Micros,
}

/// What is read of an actor's `app.bsky.actor.profile`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlueskyProfile {
    /// Whose.
    pub did: Did,
    /// The display name, if any.
    pub display_name: Option<String>,
    /// CID of the avatar blob, if any.
    pub avatar: Option<String>,
    /// When the PDS was asked.
    pub asked_at: Micros,
}

/// An actor as views need one. An unknown DID answers with defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// Who.
    pub did: Did,
    /// Account state.
    pub state: AccountState,
    /// The handle, only while the register names this DID for it.
    pub handle: Option<Handle>,
    /// The PDS's base URL.
    pub pds: Option<String>,
    /// From the Bluesky profile.
    pub display_name: Option<String>,
    /// CID of the Bluesky avatar blob.
    pub avatar: Option<String>,
}

/// One row of the register handle → (DID, proven when). The newest proof wins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleClaim {
    /// Who proved it.
    pub did: Did,
    /// When.
    pub proven_at: Micros,
}

/// Sizes of the sets around a subject, visible actors only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Distinct visible actors with a like of the subject.
    pub likes: u64,
    /// Comments by visible actors.
    pub comments: u64,
    /// Lists by visible actors that hold the subject.
    pub lists: u64,
}

/// What one actor has published (records that show).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ActorTotals {
    /// Tracks.
    pub tracks: u64,
    /// Sum of the tracks' durations in seconds, each taken as at most a day.
    pub duration_seconds: u64,
    /// Distinct subjects liked.
    pub likes: u64,
    /// Comments.
    pub comments: u64,
    /// Lists with `listType` album.
    pub albums: u64,
    /// Lists with `listType` playlist.
    pub playlists: u64,
    /// Lists of any type.
    pub lists: u64,
}

/// What the network holds: [`ActorTotals`] summed over visible actors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// The sums.
    pub sums: ActorTotals,
    /// Visible actors with at least one track.
    pub artists: u64,
}

/// A check of an account's state and identity that is due. Durable: an `#account` or `#identity`
/// event is finished once this row is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueCheck {
    /// Whose.
    pub did: Did,
    /// When the last trigger was seen; a later trigger starts the repeats again.
    pub triggered_at: Micros,
    /// Times it was asked since then, at most 254: of two rows of one trigger the one with more
    /// replaces the other.
    pub asked: u8,
    /// Of these, the last ones without an answer.
    pub failures: u8,
    /// Since when every answer was that there is no such DID; 0 otherwise.
    pub missing_since: Micros,
    /// Not before.
    pub due_at: Micros,
}

impl DueCheck {
    /// A check that something made due just now.
    pub fn triggered(did: Did, now: Micros) -> DueCheck {
        DueCheck {
            did,
            triggered_at: now,
            asked: 0,
            failures: 0,
            missing_since: 0,
            due_at: now,
        }
    }
}

/// Something received that could not become a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantineEntry {
    /// Stable over replays: the reason with a hash of what was refused; the address of a record
    /// that is held and breaks its lexicon.
    pub id: String,
    /// Which source delivered it.
    pub source: String,
    /// A word: `frame`, `early`, `cid-mismatch`, `data-model`, `rev`, `invalid` …
    pub reason: String,
    /// A sentence for people.
    pub detail: String,
    /// The repo, where known.
    pub did: Option<Did>,
    /// The record, where known.
    pub uri: Option<RecordUri>,
    /// The rev, where it is one.
    pub rev: Option<Rev>,
    /// The CID claimed, where given.
    pub cid: Option<String>,
    /// When first received.
    pub seen_at: Micros,
}

impl QuarantineEntry {
    /// The order of the quarantine: newest first, then by id; of two records by their addresses, as
    /// the rows of invalid records stand.
    pub fn newest_first(&self, other: &QuarantineEntry) -> Ordering {
        let by_id = || match (self.id.parse(), other.id.parse()) {
            (Ok::<RecordUri, _>(one), Ok::<RecordUri, _>(two)) => one.cmp(&two),
            _ => self.id.cmp(&other.id),
        };
        other.seen_at.cmp(&self.seen_at).then_with(by_id)
    }
}

/// A source's durable cursor: everything up to it is finished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamCursor {
    /// The source's name (its host).
    pub source: String,
    /// `time_us` of the last finished frame. Inclusive.
    pub position: u64,
    /// Keys of the last events seen (hash of did, collection, rkey, rev), newest last, at most 32:
    /// a resumed stream must show one of them again.
    pub recent: Vec<u64>,
}

/// A repo's signed state at a rev was merged whole for a collection: what comes at or below it is
/// superseded, whatever it says. A floor never goes down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Floor {
    /// Whose repo.
    pub did: Did,
    /// Which collection of it.
    pub collection: Nsid,
    /// The rev of the signed state.
    pub rev: Rev,
}

/// One thing to write. A batch is applied in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// A version of a record.
    Version(Version),
    /// A floor; after the versions of the merge it stands for.
    Floor(Floor),
    /// An account observation.
    Account(Account),
    /// An identity observation.
    Identity(Identity),
    /// A Bluesky profile, as read.
    Bluesky(BlueskyProfile),
    /// A check is due (replaces the DID's row unless that has a later trigger).
    Due(DueCheck),
    /// The checks of a DID are done, unless a trigger came after this time.
    Checked {
        /// Whose.
        did: Did,
        /// The trigger that was answered.
        triggered_at: Micros,
    },
    /// What is known of a repo as a whole.
    Repo(Repo),
    /// A repo is due to be asked.
    RepoDue(DueRepo),
    /// A repo was asked, unless it was wanted again after this time.
    RepoDone {
        /// Whose.
        did: Did,
        /// The time of wanting that was answered.
        wanted_at: Micros,
    },
    /// Takes away what is held of a repo whose account is deleted: records and their bytes, what
    /// follows from them, what was refused of it. The floors stay above what was held, so that no
    /// late event brings it back; what is newer works. Answered with `Applied` while there may be
    /// more (hand it in again), with `Superseded` when nothing is left or the account isn't
    /// deleted.
    Erase {
        /// Whose.
        did: Did,
    },
    /// Something refused.
    Quarantine(QuarantineEntry),
    /// What was refused under this id is settled: its repo was asked, and said what holds. The same
    /// refused again later is kept again.
    Released {
        /// The entry's id.
        id: String,
    },
    /// What the operator hides, or shows again: the store's copy of own state.
    Hide(Hide),
    /// A cursor; a batch of its own after what it covers is durable.
    Cursor(StreamCursor),
}

/// What became of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It changed the state.
    Applied,
    /// What is held is newer, equal, or above it by the floor.
    Superseded,
    /// It was written, but another writer's floor moved past it meanwhile: whether the merge behind
    /// the floor has seen it is not known, so its repo must be merged once more. Only engines with
    /// several writers answer it.
    Overtaken,
}

/// What a log entry points at.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum LogSubject {
    /// A record, or how many like it.
    Record(RecordUri),
    /// An actor: account state, handle or profile.
    Actor(Did),
}

impl LogSubject {
    /// Names what is liked by more or fewer than before; none where it is no record.
    pub(crate) fn liked(subject: &str) -> Option<LogSubject> {
        subject.parse().ok().map(LogSubject::Record)
    }
}

/// A log entry: look again at this. Carries no content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// The stream it is in, named `[a-z0-9]{1,32}` at random: one for each writer process, or one
    /// for the store.
    pub stream: String,
    /// Its number within the stream, from 1, in the order of commits.
    pub number: u64,
    /// What to look at.
    pub subject: LogSubject,
    /// When it was written.
    pub written_at: Micros,
}
