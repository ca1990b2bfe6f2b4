//! Everything a store holds of the network, shown or not: what a full dump prints and a copy
//! carries, together with what the operator hides. Derived rows and counts are not in it; they
//! follow from it.

use async_trait::async_trait;
use plyr_lexicons::{Cid, Did, Nsid, RecordUri, Rev, Verdict};

use crate::held::{HeldVersion, settled};
use crate::model::{Account, BlueskyProfile, Floor, Identity, Micros, Standing, StreamCursor};
use crate::store::{Snapshot, StoreError};

/// A version as it is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Kept {
    /// Which record.
    pub uri: RecordUri,
    /// The commit that made it.
    pub rev: Rev,
    /// How sure it is.
    pub standing: Standing,
    /// When this instance received it.
    pub seen_at: Micros,
    /// What it says; none for a delete.
    pub record: Option<KeptRecord>,
}

/// What a kept version says.
#[derive(Clone, PartialEq, Debug)]
pub struct KeptRecord {
    /// CID of `bytes`.
    pub cid: Cid,
    /// Canonical DAG-CBOR.
    pub bytes: Vec<u8>,
    /// What the rules said when it was judged last.
    pub verdict: Verdict,
}

/// What was observed of an actor, each answer with its own time of asking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed {
    /// Whose.
    pub did: Did,
    /// The account's state.
    pub account: Option<Account>,
    /// The identity.
    pub identity: Option<Identity>,
    /// The Bluesky profile.
    pub bluesky: Option<BlueskyProfile>,
}

/// Scans. Each goes on strictly after a place, in an order of the engine's own that stays the same,
/// and answers nothing at the end. A page may hold somewhat more than asked for.
#[async_trait]
pub trait Whole: Snapshot {
    /// The versions of every key, a key's oldest first and never cut apart; without those that are
    /// no longer needed and only wait to be swept.
    async fn all_versions(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Kept>, StoreError>;

    /// Every actor that something was observed of.
    async fn all_actors(
        &self,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Observed>, StoreError>;

    /// Every floor.
    async fn all_floors(
        &self,
        after: Option<(&Did, &Nsid)>,
        limit: usize,
    ) -> Result<Vec<Floor>, StoreError>;

    /// The cursors of all sources; there are few.
    async fn all_cursors(&self) -> Result<Vec<StreamCursor>, StoreError>;
}

/// The versions of a key that are needed, oldest first.
pub(crate) fn kept(uri: &RecordUri, versions: &[(Rev, HeldVersion)]) -> Vec<Kept> {
    let gone = settled(versions);
    let needed = versions
        .iter()
        .filter(|one| !one.1.swept && !gone.iter().any(|gone| std::ptr::eq(*gone, *one)));
    let mut kept: Vec<Kept> = needed
        .map(|(rev, held)| Kept {
            uri: uri.clone(),
            rev: *rev,
            standing: held.standing,
            seen_at: held.seen_at,
            record: held.content.as_ref().map(|content| KeptRecord {
                cid: content.cid,
                bytes: content.bytes.clone(),
                verdict: content.judgement.verdict,
            }),
        })
        .collect();
    kept.sort_by_key(|one| one.rev);
    kept
}
