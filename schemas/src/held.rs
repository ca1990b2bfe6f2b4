//! The versions of one key as an engine holds them, and what follows from a set of them: which is
//! current, what it derives, what is no longer needed. Pure; the same for every engine.

use plyr_lexicons::{Cid, Collection, Judgement, Namespace, RecordUri, Rev, Verdict, data};

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
    /// A version, judged by those rules, taken apart: its rev, what is held of it, what is derived from it.
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
        };
        (version.rev, held, derived)
    }

    /// As a record; none for a delete.
    pub fn into_record(self, uri: RecordUri, rev: Rev) -> Option<Record> {
        let Content {
            cid,
            bytes,
            judgement,
            ..
        } = self.content?;
        Some(Record {
            uri,
            rev,
            cid,
            bytes,
            judgement,
            seen_at: self.seen_at,
        })
    }

    /// What settles a tie at one rev: standing, then content; nothing of this instance's own.
    pub fn rank(&self) -> (Standing, Option<Vec<u8>>) {
        let cid = self.content.as_ref().map(|content| content.cid.to_bytes());
        (self.standing, cid)
    }
}

/// The greatest version that isn't void.
pub fn current(versions: &[(Rev, HeldVersion)]) -> Option<&(Rev, HeldVersion)> {
    let real = versions
        .iter()
        .filter(|(_, held)| held.standing != Standing::Void);
    real.max_by_key(|(rev, _)| *rev)
}

/// What is older than the current version and no longer needed; the newest proven one stays until
/// the current one is proven too.
pub fn settled(versions: &[(Rev, HeldVersion)]) -> Vec<Rev> {
    let Some((current, _)) = current(versions) else {
        return Vec::new();
    };
    let proven = versions
        .iter()
        .filter(|(_, held)| held.standing == Standing::Proven);
    let base = proven.map(|(rev, _)| *rev).max();
    let revs = versions.iter().map(|(rev, _)| *rev);
    revs.filter(|rev| rev < current && Some(*rev) != base)
        .collect()
}

/// What a held version derives; nothing for deletes and invalid records.
pub fn derived_of(
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
    if content.judgement.verdict == Verdict::Invalid || collection == Collection::Profile {
        return Ok(Derived::default());
    }
    let record = data::from_cbor(&content.bytes).map_err(|problem| StoreError::Corrupt {
        table: "VERSIONS",
        detail: problem.to_string(),
    })?;
    Ok(Derived::of(uri, collection, &record))
}
