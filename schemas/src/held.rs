//! The versions of one key as an engine holds them, and what follows from a set of them: which is
//! current, what it derives, what is no longer needed. Pure; the same for every engine.

use plyr_lexicons::{Cid, Judgement, Namespace, RecordUri, Rev, Verdict, data};

use crate::index::Derived;
use crate::model::{Body, Micros, Record, Standing, Version};
use crate::store::StoreError;

/// One version as held.
#[derive(Clone, PartialEq, Debug)]
pub struct HeldVersion {
    pub standing: Standing,
    pub seen_at: Micros,
    /// None for a delete.
    pub content: Option<Content>,
    /// An engine that can't take a version away at once takes back what it says first: it counts
    /// at its rev, shows nothing, and its bytes are gone or will be.
    pub swept: bool,
}

/// What a version that isn't a delete holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Content {
    pub cid: Cid,
    pub bytes: Vec<u8>,
    pub judgement: Judgement,
    /// The rules' version it was judged by.
    pub rules: u16,
}

impl HeldVersion {
    /// A version, judged by those rules, taken apart: its rev, what is held, and what is derived.
    pub fn of(version: Version, rules: u16) -> (Rev, HeldVersion, Derived) {
        let (content, derived) = match version.body {
            Body::Record {
                cid,
                bytes,
                judgement,
                derived,
            } => (
                Some(Content {
                    cid,
                    bytes,
                    judgement,
                    rules,
                }),
                derived,
            ),
            Body::Delete => (None, Derived::default()),
        };
        let held = HeldVersion {
            standing: version.standing,
            seen_at: version.seen_at,
            content,
            swept: false,
        };
        (version.rev, held, derived)
    }

    /// As a record; none for a delete.
    pub fn into_record(self, uri: RecordUri, rev: Rev, hidden: bool) -> Option<Record> {
        let Content {
            cid,
            bytes,
            judgement,
            ..
        } = self.content.filter(|_| !self.swept)?;
        Some(Record {
            uri,
            rev,
            cid,
            bytes,
            judgement,
            seen_at: self.seen_at,
            hidden,
        })
    }

    /// What settles a tie at one rev: standing, then content; nothing of this instance's own.
    pub fn rank(&self) -> (Standing, Option<Vec<u8>>) {
        let cid = self.content.as_ref().map(|content| content.cid.to_bytes());
        (self.standing, cid)
    }
}

/// Whether a version is the one that counts at its rev: of several the greatest rank does.
pub fn wins_its_rev(versions: &[(Rev, HeldVersion)], (rev, held): &(Rev, HeldVersion)) -> bool {
    let same = versions.iter().filter(|(other, _)| other == rev);
    let mut same = same.map(|(_, other)| other.rank());
    let rank = held.rank();
    same.all(|other| other <= rank)
}

/// The greatest version that isn't void.
pub fn current(versions: &[(Rev, HeldVersion)]) -> Option<&(Rev, HeldVersion)> {
    let real = versions
        .iter()
        .filter(|version| version.1.standing != Standing::Void && wins_its_rev(versions, version));
    real.max_by_key(|(rev, _)| *rev)
}

/// What is no longer needed: what doesn't count at its rev, and what is older than the current
/// version; but the newest proven one stays until the current one is proven too.
pub fn settled(versions: &[(Rev, HeldVersion)]) -> Vec<&(Rev, HeldVersion)> {
    let current = current(versions).map(|(rev, _)| *rev);
    let proven = versions
        .iter()
        .filter(|(_, held)| held.standing == Standing::Proven);
    let base = proven.map(|(rev, _)| *rev).max();
    let is_older = |rev: Rev| current.is_some_and(|current| rev < current) && Some(rev) != base;
    let settled = versions
        .iter()
        .filter(|version| is_older(version.0) || !wins_its_rev(versions, version));
    settled.collect()
}

/// What can never count again, whatever else comes: what doesn't count at its rev, and what is
/// older than a proven version. Older told ones might: what is above them may turn out void.
pub fn removable(versions: &[(Rev, HeldVersion)]) -> Vec<&(Rev, HeldVersion)> {
    let proven = versions
        .iter()
        .filter(|(_, held)| held.standing == Standing::Proven);
    let base = proven.map(|(rev, _)| *rev).max();
    let removable = versions.iter().filter(|version| {
        base.is_some_and(|base| version.0 < base) || !wins_its_rev(versions, version)
    });
    removable.collect()
}

/// What a held version derives; nothing for deletes, invalid and erased records.
pub fn derived_of(
    namespace: &Namespace,
    uri: &RecordUri,
    held: &HeldVersion,
) -> Result<Derived, StoreError> {
    let content = held.content.as_ref();
    if content.is_some_and(|content| content.judgement.verdict == Verdict::Invalid) {
        return Ok(Derived::default());
    }
    derived_if_valid(namespace, uri, held)
}

/// What it derives when the rules let it: other rules may have.
pub fn derived_if_valid(
    namespace: &Namespace,
    uri: &RecordUri,
    held: &HeldVersion,
) -> Result<Derived, StoreError> {
    let Some(content) = &held.content else {
        return Ok(Derived::default());
    };
    let Some(collection) = namespace.collection(uri.collection.as_str()) else {
        return Ok(Derived::default());
    };
    if content.bytes.is_empty() {
        return Ok(Derived::default());
    }
    let record = data::from_cbor(&content.bytes).map_err(|problem| StoreError::Corrupt {
        table: "VERSIONS",
        detail: problem.to_string(),
    })?;
    Ok(Derived::of(uri, collection, &record))
}
