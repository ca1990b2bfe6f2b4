//! What is known of repos as wholes: how far each is merged and verified, when it is due to be
//! asked again, and what is held of its keys, for a merge.

use plyr_lexicons::{Cid, Did, RecordKey, Rev};
use serde::{Deserialize, Serialize};

use crate::model::{Micros, Standing};

/// How complete what is held of a repo is.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RepoState {
    /// Met, never fetched.
    #[default]
    Unknown,
    /// Being fetched for the first time, or to be merged once more before it counts.
    Backfilling,
    /// What is held is what its signed head says, as of [`Repo::verified_at`].
    Verified,
    /// Something is, or may be, otherwise than its signed head says.
    Desynchronized,
    /// Verified at a state older than one merged before, which its own host stands by.
    RolledBack,
    /// More records than one repo may have; parked.
    OverQuota,
    /// Its host doesn't answer, or answers nothing usable.
    Unreachable,
    /// The account or its repo isn't there (any more, or for now).
    Gone,
}

impl RepoState {
    /// All of them.
    pub const ALL: [RepoState; 8] = [
        RepoState::Unknown,
        RepoState::Backfilling,
        RepoState::Verified,
        RepoState::Desynchronized,
        RepoState::RolledBack,
        RepoState::OverQuota,
        RepoState::Unreachable,
        RepoState::Gone,
    ];

    /// Its name, as metrics and answers write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            RepoState::Unknown => "unknown",
            RepoState::Backfilling => "backfilling",
            RepoState::Verified => "verified",
            RepoState::Desynchronized => "desynchronized",
            RepoState::RolledBack => "rolled-back",
            RepoState::OverQuota => "over-quota",
            RepoState::Unreachable => "unreachable",
            RepoState::Gone => "gone",
        }
    }
}

/// A commit of a repo: what its host signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepoHead {
    /// The commit's rev.
    pub rev: Rev,
    /// The commit's CID.
    pub commit: Cid,
}

/// A repo as a whole. A register stamped with the time of asking: a later one replaces it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repo {
    /// Whose.
    pub did: Did,
    /// How complete.
    pub state: RepoState,
    /// The signed head that was merged, or found to say the same of our collections.
    pub head: Option<RepoHead>,
    /// A fingerprint of the nodes that bound our collections in that head's tree.
    pub range: Option<Vec<u8>>,
    /// When a signed state was merged whole last; 0 for never.
    pub merged_at: Micros,
    /// When what is held was last known to be what the head says; 0 for never.
    pub verified_at: Micros,
    /// With several writers: merged once more after the longest a write may take.
    pub is_settled: bool,
    /// Whether that head is older than one that was merged before it: a restored backup.
    pub went_back: bool,
    /// The greatest rev held above the signed head, and when it was first found there.
    pub ahead: Option<(Rev, Micros)>,
    /// Records of our collections in the state merged last.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The host asked last.
    pub pds: Option<String>,
    /// When the repo was first met.
    pub first_seen_at: Micros,
    /// Since when its host hasn't answered; 0 while it does.
    pub unreachable_since: Micros,
    /// Failures since the last success.
    pub failures: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When the question was asked that this answers.
    pub asked_at: Micros,
}

impl Repo {
    /// One that was met just now and never asked about. Whatever is asked later replaces it.
    pub fn met(did: Did, now: Micros) -> Repo {
        Repo {
            did,
            state: RepoState::Unknown,
            head: None,
            range: None,
            merged_at: 0,
            verified_at: 0,
            is_settled: false,
            went_back: false,
            ahead: None,
            records: 0,
            bytes: 0,
            pds: None,
            first_seen_at: now,
            unreachable_since: 0,
            failures: 0,
            last_error: None,
            asked_at: 1,
        }
    }
}

/// How soon a repo is wanted: whatever is due of the first goes before all of the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Urgency {
    /// Somebody waits, or something is known to be wrong.
    Now = 0,
    /// New, or possibly wrong.
    Soon = 1,
    /// The steady pass.
    Steady = 2,
}

impl Urgency {
    /// All of them, the most urgent first.
    pub const ALL: [Urgency; 3] = [Urgency::Now, Urgency::Soon, Urgency::Steady];

    /// From its number; anything greater is steady.
    pub(crate) const fn from_number(number: u8) -> Urgency {
        match number {
            0 => Urgency::Now,
            1 => Urgency::Soon,
            _ => Urgency::Steady,
        }
    }
}

/// A repo that is due to be asked. Durable; one row a repo.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueRepo {
    /// Whose.
    pub did: Did,
    /// When it was wanted last. A later want joins an earlier one: the more urgent and the sooner
    /// of both stay. At the same time of wanting the one with more `tries` replaces the other.
    pub wanted_at: Micros,
    /// How soon.
    pub urgency: Urgency,
    /// Not before.
    pub due_at: Micros,
    /// Times it was taken up since it was wanted.
    pub tries: u16,
    /// A word: `new`, `gap`, `steady`, `by-hand` …
    pub cause: String,
}

impl DueRepo {
    /// A later want, joined with an earlier one that isn't done.
    pub(crate) fn joined(mut self, earlier: &DueRepo) -> DueRepo {
        if (earlier.urgency, earlier.due_at) < (self.urgency, self.due_at) {
            self.cause.clone_from(&earlier.cause);
        }
        self.urgency = self.urgency.min(earlier.urgency);
        self.due_at = self.due_at.min(earlier.due_at);
        self
    }
}

/// What streams told of a repo, whatever became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// The greatest rev of a told version that was written; [`Rev::MIN`] for none.
    pub newest: Rev,
    /// How many were written, where the engine has one writer; else always 0.
    pub written: u64,
}

/// A key of a repo's collection with its versions, for a merge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldKey {
    /// The record's key.
    pub rkey: RecordKey,
    /// Its versions, oldest first; of several at one rev only the one that counts.
    pub versions: Vec<HeldRev>,
}

impl HeldKey {
    /// The version that is current when nothing above a rev counts.
    pub fn current_at(&self, rev: Rev) -> Option<&HeldRev> {
        let real = |held: &&HeldRev| held.rev <= rev && held.standing != Standing::Void;
        self.versions.iter().rev().find(real)
    }
}

/// One version of a key, without its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldRev {
    /// Its rev.
    pub rev: Rev,
    /// How sure it is.
    pub standing: Standing,
    /// The record's CID; none for a delete, and for what is void or swept: it shows nothing.
    pub cid: Option<Cid>,
}

/// A repo's row at rest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct RepoRow {
    state: RepoState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    merged_at: Micros,
    verified_at: Micros,
    is_settled: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    went_back: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ahead: Option<(String, Micros)>,
    records: u64,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pds: Option<String>,
    first_seen_at: Micros,
    unreachable_since: Micros,
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    pub asked_at: Micros,
}

impl RepoRow {
    pub fn of(repo: &Repo) -> RepoRow {
        let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let head = |head: &RepoHead| (head.rev.to_string(), head.commit.to_string());
        RepoRow {
            state: repo.state,
            head: repo.head.as_ref().map(head),
            range: repo.range.as_ref().map(hex),
            merged_at: repo.merged_at,
            verified_at: repo.verified_at,
            is_settled: repo.is_settled,
            went_back: repo.went_back,
            ahead: repo.ahead.map(|(rev, at)| (rev.to_string(), at)),
            records: repo.records,
            bytes: repo.bytes,
            pds: repo.pds.clone(),
            first_seen_at: repo.first_seen_at,
            unreachable_since: repo.unreachable_since,
            failures: repo.failures,
            last_error: repo.last_error.clone(),
            asked_at: repo.asked_at,
        }
    }

    /// Back; what can't be read counts as never known, so that the repo is merged anew.
    pub fn repo(self, did: Did) -> Repo {
        let head = |(rev, commit): (String, String)| {
            let (rev, commit) = (rev.parse().ok()?, commit.parse().ok()?);
            Some(RepoHead { rev, commit })
        };
        let byte = |at: usize, text: &str| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let bytes = |text: String| -> Option<Vec<u8>> {
            (0..text.len())
                .step_by(2)
                .map(|at| byte(at, &text))
                .collect()
        };
        Repo {
            did,
            state: self.state,
            head: self.head.and_then(head),
            range: self.range.and_then(bytes),
            merged_at: self.merged_at,
            verified_at: self.verified_at,
            is_settled: self.is_settled,
            went_back: self.went_back,
            ahead: self
                .ahead
                .and_then(|(rev, at)| Some((rev.parse().ok()?, at))),
            records: self.records,
            bytes: self.bytes,
            pds: self.pds,
            first_seen_at: self.first_seen_at,
            unreachable_since: self.unreachable_since,
            failures: self.failures,
            last_error: self.last_error,
            asked_at: self.asked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repo_survives_its_row() {
        let did = Did::new("did:plc:a".to_owned()).unwrap();
        let mut repo = Repo::met(did.clone(), 7);
        assert_eq!(RepoRow::of(&repo).repo(did.clone()), repo);
        let rev = Rev::from_micros(1_700_000_000_000_000, 3);
        let commit = plyr_lexicons::data::cid_of(b"x");
        repo.head = Some(RepoHead { rev, commit });
        repo.range = Some(vec![0, 7, 255]);
        repo.ahead = Some((rev.next(), 9));
        repo.went_back = true;
        repo.last_error = Some("hung".to_owned());
        let json = serde_json::to_vec(&RepoRow::of(&repo)).unwrap();
        let row: RepoRow = serde_json::from_slice(&json).unwrap();
        assert_eq!(row.repo(did), repo);
    }
}
