//! Merging a repo: its signed state at a rev and what is held, walked side by side in the order of
//! their keys. Only differences are written, then the floor; memory stays flat.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use plyr_lexicons::{Did, Namespace, Nsid, RecordKey, RecordUri, Rev};
use plyr_schemas::{Change, Floor, HeldKey, Micros, Outcome, Standing, Store, StoreError, Version};

use super::network::{Entry, Fault, Pages, Proof, State, Trouble};
use super::{judged, named};

/// Keys read at a time.
const KEYS: usize = 500;
/// Changes of one batch.
const BATCH: usize = 250;
/// Bytes of records in one batch.
const BATCH_BYTES: usize = 1 << 20;

/// Why a merge did not come to its end. What it wrote by then is proven, and stays.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The network.
    #[error(transparent)]
    Network(#[from] Trouble),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another visit merged a state while this one was asked for; asking once more settles it.
    #[error("other visits merged the repo again and again meanwhile; ask again")]
    Overtaken,
}

/// A way in which what is held differed from the signed state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// The repo has a record that we had not, or had as deleted.
    MissedCreate,
    /// We had a record that an earlier merge found, and that is gone.
    MissedDelete,
    /// We had another version.
    Stale,
    /// We had a record that only streams had told of, and that isn't there.
    Extra,
    /// We had something above the signed head.
    Ahead,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 5] = [
        Cause::MissedCreate,
        Cause::MissedDelete,
        Cause::Stale,
        Cause::Extra,
        Cause::Ahead,
    ];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::MissedCreate => "missed_create",
            Cause::MissedDelete => "missed_delete",
            Cause::Stale => "stale",
            Cause::Extra => "extra",
            Cause::Ahead => "ahead",
        }
    }
}

/// A difference, for who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Which record.
    pub uri: RecordUri,
    /// How it differed.
    pub cause: Cause,
}

/// What a merge came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Merged {
    /// Records in the state.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Differences by cause, in the order of [`Cause::ALL`].
    pub differences: [u64; 5],
    /// The first of them.
    pub some: Vec<Difference>,
    /// The greatest rev above the head that is still held as if it were, and of which record.
    pub ahead: Option<(Rev, RecordUri)>,
    /// Whether something was made void.
    pub voided: bool,
    /// Records of the state that were refused: they can't be read, or are too large.
    pub refused: u64,
    /// Other repos that what was written names.
    pub named: HashSet<Did>,
    /// Whether nothing was written by others meanwhile that the merge may not have seen.
    pub is_sure: bool,
    /// Whether the state was proven from the signature down, not only listed by its host.
    pub is_proven: bool,
}

impl Merged {
    /// Of one cause.
    pub fn of(&self, cause: Cause) -> u64 {
        self.differences[cause as usize]
    }
}

/// Differences that are told one by one, where nobody asks for more.
pub const MOST_TOLD: usize = 1_000;

/// How to merge.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether differences are settled, or only found.
    pub repair: bool,
    /// Records a repo may have.
    pub quota: u64,
    /// Differences that are told one by one.
    pub most_told: usize,
    /// The greatest floor that was there before the network was asked. One above it means that
    /// another visit merged a state meanwhile, which may be newer: this one must be asked again.
    pub floor: Rev,
    /// What is above the head is made void up to this rev: it was there when asked before.
    pub void_up_to: Rev,
    /// What is above the head and older than this may be made void at all.
    pub void_before: Micros,
    /// The time of it.
    pub now: Micros,
}

/// A merge under way.
pub struct Merge<'a> {
    store: &'a Arc<dyn Store>,
    namespace: &'a Namespace,
    did: &'a Did,
    manner: Manner,
    /// The rev that differences are settled at.
    at: Rev,
    standing: Standing,
    changes: Vec<Change>,
    bytes: usize,
    wrote: bool,
    overtaken: bool,
    /// Whether a record can't be settled because its bytes were left out.
    left_out: bool,
    merged: Merged,
}

impl<'a> Merge<'a> {
    /// Merges a state and answers what it came to.
    pub async fn run(
        store: &'a Arc<dyn Store>,
        namespace: &'a Namespace,
        did: &'a Did,
        state: &State,
        pages: &mut dyn Pages,
        manner: Manner,
    ) -> Result<Merged, MergeError> {
        let mut collections: Vec<Nsid> = namespace.nsids().to_vec();
        // As keys of the repo's tree stand: the collection, a slash, the record's key.
        collections.sort_by_key(|collection| format!("{}/", collection.as_str()));
        let snapshot = store.snapshot().await?;
        let floors = snapshot.floors(did, &collections).await?;
        let told = snapshot.told(did).await?;
        drop(snapshot);
        let top = floors.iter().copied().max().unwrap_or(Rev::MIN);
        if top > manner.floor {
            return Err(MergeError::Overtaken);
        }
        let rev = state.head.rev;
        let mut merge = Merge::begin(store, namespace, did, manner);
        merge.at = settled_at(rev, top);
        merge.merged.is_proven = state.is_proven;
        if !state.is_proven {
            merge.standing = Standing::Event;
        }
        let mut entries = Entries::new(pages, manner.quota);
        for (collection, floor) in collections.iter().zip(&floors) {
            merge.collection(collection, *floor, &mut entries).await?;
        }
        if let Some(entry) = entries.peek().await? {
            return Err(out_of_order(entry).into());
        }
        (merge.merged.records, merge.merged.bytes) = (entries.records, entries.bytes);
        merge.flush().await?;
        let may_raise = manner.repair && state.is_proven && !merge.left_out;
        if may_raise && (rev != top || merge.wrote) {
            merge.raise(&collections).await?;
        }
        let after = store.snapshot().await?.told(did).await?;
        let is_alone = !merge.overtaken && after == told;
        merge.merged.is_sure = is_alone && !merge.left_out;
        Ok(merge.merged)
    }

    /// Settles one record by what its repo proves of it; no floor moves.
    pub async fn one(
        store: &'a Arc<dyn Store>,
        namespace: &'a Namespace,
        uri: &'a RecordUri,
        proof: Proof,
        manner: Manner,
    ) -> Result<Merged, MergeError> {
        let snapshot = store.snapshot().await?;
        let collections = std::slice::from_ref(&uri.collection);
        let floors = snapshot.floors(&uri.did, collections).await?;
        let floor = floors.first().copied().unwrap_or(Rev::MIN);
        if floor > manner.floor {
            return Err(MergeError::Overtaken);
        }
        let held = snapshot.keys(std::slice::from_ref(uri)).await?.pop();
        let mut merge = Merge::begin(store, namespace, &uri.did, manner);
        merge.at = settled_at(proof.head.rev, floor);
        let entry = proof.record.map(|(cid, bytes)| Entry {
            collection: uri.collection.clone(),
            rkey: uri.rkey.clone(),
            cid,
            bytes: Some(bytes),
        });
        merge.key(&uri.collection, uri.rkey.clone(), floor, entry, held);
        merge.flush().await?;
        merge.merged.is_sure = !merge.overtaken;
        merge.merged.is_proven = true;
        Ok(merge.merged)
    }

    fn begin(
        store: &'a Arc<dyn Store>,
        namespace: &'a Namespace,
        did: &'a Did,
        manner: Manner,
    ) -> Merge<'a> {
        Merge {
            store,
            namespace,
            did,
            manner,
            at: Rev::MIN,
            standing: Standing::Proven,
            changes: Vec::new(),
            bytes: 0,
            wrote: false,
            overtaken: false,
            left_out: false,
            merged: Merged::default(),
        }
    }

    /// Walks the keys of one collection on both sides.
    async fn collection(
        &mut self,
        collection: &Nsid,
        floor: Rev,
        entries: &mut Entries<'_>,
    ) -> Result<(), MergeError> {
        let mut held: VecDeque<HeldKey> = VecDeque::new();
        let (mut after, mut more): (Option<String>, bool) = (None, true);
        loop {
            if held.is_empty() && more {
                // A snapshot a page: one for the whole would hold in memory all that is written
                // meanwhile.
                let snapshot = self.store.snapshot().await?;
                let keys = snapshot.repo_keys(self.did, collection, after.as_deref(), KEYS);
                held = keys.await?.into();
                more = held.len() >= KEYS;
                after = held.back().map(|key| key.rkey.as_str().to_owned());
            }
            let theirs = entries.peek().await?;
            let theirs = theirs.filter(|entry| entry.collection == *collection);
            let theirs = theirs.map(|entry| entry.rkey.as_str());
            let ours = held.front().map(|key| key.rkey.as_str());
            let (take_theirs, take_ours) = match (theirs, ours) {
                (None, None) => return Ok(()),
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(theirs), Some(ours)) => (theirs <= ours, ours <= theirs),
            };
            let ours = if take_ours { held.pop_front() } else { None };
            let theirs = if take_theirs { entries.take() } else { None };
            let rkey = match (&theirs, &ours) {
                (Some(entry), _) => entry.rkey.clone(),
                (None, Some(key)) => key.rkey.clone(),
                (None, None) => return Ok(()),
            };
            self.key(collection, rkey, floor, theirs, ours);
            if self.changes.len() >= BATCH || self.bytes >= BATCH_BYTES {
                self.flush().await?;
            }
        }
    }

    fn uri(&self, collection: &Nsid, rkey: &RecordKey) -> RecordUri {
        RecordUri::new(self.did.clone(), collection.clone(), rkey.clone())
    }

    /// Settles one key.
    fn key(
        &mut self,
        collection: &Nsid,
        rkey: RecordKey,
        floor: Rev,
        theirs: Option<Entry>,
        ours: Option<HeldKey>,
    ) {
        let uri = self.uri(collection, &rkey);
        let current = ours
            .as_ref()
            .and_then(|key| key.current_at(self.at))
            .cloned();
        let cid = current.as_ref().and_then(|current| current.cid);
        let is_new = current.as_ref().is_some_and(|current| current.rev > floor);
        let now = self.manner.now;
        let mut record = None;
        let is_theirs = theirs.is_some();
        let same = theirs.as_ref().map(|entry| entry.cid) == cid;
        if let Some(entry) = theirs {
            // Of what is the same, only what came above the old floor is looked at again: with
            // several writers, who wrote it may have died half-way.
            let again = current.as_ref().filter(|_| same);
            let at = again.map_or((self.at, self.standing), |held| (held.rev, held.standing));
            let is_wanted = !same || (is_new && self.store.has_several_writers());
            match entry.bytes.filter(|_| is_wanted) {
                Some(bytes) => {
                    let content = (entry.cid, bytes);
                    match judged::version(self.namespace, uri.clone(), at, content, now) {
                        Ok(version) => record = Some(version),
                        Err(entry) => {
                            self.merged.refused += 1;
                            self.changes.push(Change::Quarantine(*entry));
                        }
                    }
                }
                // It was held when it was asked for, and is no more.
                None if !same => {
                    self.left_out = true;
                    return self.above(&uri, ours);
                }
                None => {}
            }
        }
        let unreadable = is_theirs && !same && record.is_none();
        match record {
            Some(version) if same => self.again(version),
            Some(version) => {
                let cause = match cid {
                    None => Cause::MissedCreate,
                    Some(_) => Cause::Stale,
                };
                self.differs(&uri, cause);
                self.settle(version);
            }
            None if cid.is_some() && (!is_theirs || unreadable) => {
                let cause = match (unreadable, is_new) {
                    (true, _) => Cause::Stale,
                    (false, true) => Cause::Extra,
                    (false, false) => Cause::MissedDelete,
                };
                self.differs(&uri, cause);
                self.settle(judged::delete(uri.clone(), self.at, self.standing, now));
            }
            // Deleted on both sides.
            None => {
                if let Some(held) = current.filter(|held| held.cid.is_none())
                    && is_new
                    && !is_theirs
                    && self.store.has_several_writers()
                {
                    self.again(judged::delete(uri.clone(), held.rev, held.standing, now));
                }
            }
        }
        self.above(&uri, ours);
    }

    /// What is held above the head: it may only be that the head was asked too early.
    fn above(&mut self, uri: &RecordUri, ours: Option<HeldKey>) {
        let above = ours.into_iter().flat_map(|key| key.versions);
        let above = above.filter(|held| held.rev > self.at && held.standing == Standing::Event);
        for held in above.collect::<Vec<_>>() {
            let Manner {
                void_up_to,
                void_before,
                now,
                ..
            } = self.manner;
            if held.rev <= void_up_to && held.rev.micros() < void_before {
                self.differs(uri, Cause::Ahead);
                self.merged.voided |= self.manner.repair;
                self.settle(judged::delete(uri.clone(), held.rev, Standing::Void, now));
            } else {
                let known = self.merged.ahead.as_ref().map(|(rev, _)| *rev);
                if known < Some(held.rev) {
                    self.merged.ahead = Some((held.rev, uri.clone()));
                }
            }
        }
    }

    fn differs(&mut self, uri: &RecordUri, cause: Cause) {
        self.merged.differences[cause as usize] += 1;
        if self.merged.some.len() < self.manner.most_told {
            let uri = uri.clone();
            self.merged.some.push(Difference { uri, cause });
        }
    }

    fn settle(&mut self, version: Version) {
        self.wrote = true;
        if self.merged.named.len() < named::MOST {
            self.merged.named.extend(named::by(&version));
        }
        self.again(version);
    }

    fn again(&mut self, version: Version) {
        if let plyr_schemas::Body::Record { bytes, .. } = &version.body {
            self.bytes += bytes.len();
        }
        self.changes.push(Change::Version(version));
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.changes);
        self.bytes = 0;
        if changes.is_empty() || !self.manner.repair {
            return Ok(());
        }
        let outcomes = self.store.apply(changes).await?;
        // Somebody else's merge went past ours: it may not have seen what we wrote.
        self.overtaken |= outcomes.contains(&Outcome::Overtaken);
        Ok(())
    }

    /// From now on nothing at or below the rev is applied any more.
    async fn raise(&mut self, collections: &[Nsid]) -> Result<(), StoreError> {
        let floor = |collection: &Nsid| {
            Change::Floor(Floor {
                did: self.did.clone(),
                collection: collection.clone(),
                rev: self.at,
            })
        };
        let floors = collections.iter().map(floor).collect();
        self.store.apply(floors).await.map(drop)
    }
}

/// The rev that differences from a state are settled at. Nothing is applied at or below a floor:
/// what differs from a state that was merged before, or from an older one that the host stands by,
/// is settled just above.
fn settled_at(rev: Rev, floor: Rev) -> Rev {
    if rev > floor { rev } else { floor.next() }
}

fn out_of_order(entry: &Entry) -> Trouble {
    Trouble {
        fault: Fault::Content,
        reason: "order",
        detail: format!(
            "{}/{} came out of order, or is none of our collections",
            entry.collection.as_str(),
            entry.rkey.as_str()
        ),
    }
}

/// The records of a state, one by one.
struct Entries<'a> {
    pages: &'a mut dyn Pages,
    page: VecDeque<Entry>,
    last: Option<(Nsid, RecordKey)>,
    at_end: bool,
    quota: u64,
    records: u64,
    bytes: u64,
}

impl Entries<'_> {
    fn new(pages: &mut dyn Pages, quota: u64) -> Entries<'_> {
        Entries {
            pages,
            page: VecDeque::new(),
            last: None,
            at_end: false,
            quota,
            records: 0,
            bytes: 0,
        }
    }

    /// The next one.
    async fn peek(&mut self) -> Result<Option<&Entry>, Trouble> {
        while self.page.is_empty() && !self.at_end {
            self.page = self.pages.next().await?.into();
            self.at_end = self.page.is_empty();
        }
        if self.records >= self.quota && !self.page.is_empty() {
            return Err(Trouble {
                fault: Fault::Quota,
                reason: "over-quota",
                detail: format!("more than {} records in our collections", self.quota),
            });
        }
        let Some(entry) = self.page.front() else {
            return Ok(None);
        };
        let key = (&entry.collection, &entry.rkey);
        let is_later = |(collection, rkey): &(Nsid, RecordKey)| {
            collection != key.0 || rkey.as_str() < key.1.as_str()
        };
        if !self.last.as_ref().is_none_or(is_later) {
            return Err(out_of_order(entry));
        }
        Ok(Some(entry))
    }

    fn take(&mut self) -> Option<Entry> {
        let entry = self.page.pop_front()?;
        self.records += 1;
        self.bytes += entry.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.last = Some((entry.collection.clone(), entry.rkey.clone()));
        Some(entry)
    }
}
