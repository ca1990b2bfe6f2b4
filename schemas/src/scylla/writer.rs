//! The write path: truth, then what was read back, then derived rows, then the log entry. Each
//! step may be done again, by anybody, in any interleaving.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use plyr_lexicons::{Did, Namespace, Nsid, RecordUri, Rev, Verdict};

use super::Inner;
use super::cells::{self, Decision};
use super::cql::{Write, all, write};
use super::derived::Rows;
use super::placing::record_shard;
use super::rebuild::write_judged;
use super::settle::Touch;
use super::statements::Statement::{ReadFloor, ReadVersions};
use crate::fault::{
    AFTER_DERIVED, AFTER_LOG, AFTER_READ_BACK, AFTER_TRUTH, BEFORE_TRUTH, CrashPoint,
};
use crate::held::{self, HeldVersion, current, derived_if_valid, derived_of, settled};
use crate::index::Derived;
use crate::model::{LogSubject, Outcome, Standing, Version};
use crate::store::StoreError;

/// Versions of one key, newest first.
pub type Versions = Vec<(Rev, HeldVersion)>;

/// Things seen, the oldest half forgotten when there are too many.
pub struct Seen<T> {
    halves: Mutex<(HashSet<T>, HashSet<T>)>,
    most: usize,
}

impl<T: Eq + std::hash::Hash> Seen<T> {
    pub fn new(most: usize) -> Seen<T> {
        Seen {
            halves: Mutex::new((HashSet::new(), HashSet::new())),
            most,
        }
    }

    pub fn has(&self, thing: &T) -> bool {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.0.contains(thing) || halves.1.contains(thing)
    }

    pub fn add(&self, thing: T) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.0.len() >= self.most / 2 {
            halves.1 = std::mem::take(&mut halves.0);
        }
        halves.0.insert(thing);
    }
}

/// A version this process has brought all the way to the log.
pub type Logged = (RecordUri, Rev, (Standing, Option<Vec<u8>>));

impl Inner {
    /// Ends here, as if killed, where a test says so; and stays ended.
    pub fn crash(&self, point: CrashPoint) -> Result<(), StoreError> {
        if self.fault.as_ref().is_some_and(|fault| fault(point)) {
            self.end();
        }
        self.alive()
    }

    /// The versions of a key, newest first.
    pub async fn versions(&self, uri: &RecordUri) -> Result<Versions, StoreError> {
        let (collection, rkey) = (uri.collection.as_str(), uri.rkey.as_str());
        let key = (uri.did.as_str(), collection, record_shard(rkey), rkey);
        type Row = (i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Option<bool>);
        let rows: Vec<Row> = self.cql.read(ReadVersions, key, usize::MAX).await?;
        let version = |(rev, rank, said, judged, swept): Row| {
            // Without them it was removed: only a late mark of a sweep is left.
            let (Some(said), Some(judged)) = (said, judged) else {
                return None;
            };
            let held = cells::version(&rank, &said, &judged, swept.is_some());
            Some(held.map(|held| (Rev::from_u64(rev as u64), held)))
        };
        rows.into_iter().filter_map(version).collect()
    }

    pub async fn floor(&self, did: &str, collection: &str) -> Result<Rev, StoreError> {
        let row: Option<(i64,)> = self.cql.first(ReadFloor, (did, collection)).await?;
        Ok(row.map_or(Rev::MIN, |(rev,)| Rev::from_u64(rev as u64)))
    }

    async fn held(&self, uris: &[RecordUri]) -> Result<Vec<(Versions, Rev)>, StoreError> {
        all(uris.iter().map(|uri| async {
            let floor = self.floor(uri.did.as_str(), uri.collection.as_str());
            tokio::try_join!(self.versions(uri), floor)
        }))
        .await
    }

    /// Applies versions; outcomes in their order.
    pub async fn apply_versions(&self, versions: Vec<Version>) -> Result<Vec<Outcome>, StoreError> {
        let mut uris: Vec<RecordUri> = Vec::new();
        let mut places: HashMap<RecordUri, usize> = HashMap::new();
        for version in &versions {
            places.entry(version.uri.clone()).or_insert_with(|| {
                uris.push(version.uri.clone());
                uris.len() - 1
            });
        }
        let told: Vec<_> = versions
            .iter()
            .map(|one| (one.uri.clone(), one.rev))
            .collect();
        let mut held = self.held(&uris).await?;
        let mut outcomes = Vec::with_capacity(versions.len());
        let (mut writes, mut repos, mut rejudged) = (Vec::new(), HashSet::new(), false);
        let mut to_finish: BTreeMap<usize, Vec<Logged>> = BTreeMap::new();
        let mut subjects = Vec::new();
        let mut newest: HashMap<Did, Rev> = HashMap::new();
        for version in versions {
            let uri = version.uri.clone();
            let Some((at, (known, floor))) = places
                .get(&uri)
                .and_then(|at| held.get_mut(*at).map(|held| (*at, held)))
            else {
                return Err(cells::corrupt("VERSIONS", "a key was lost on the way"));
            };
            let (rev, new, _) = HeldVersion::of(version, self.rules);
            let outcome = judge(known, *floor, rev, &new);
            if outcome == Judged::Applied {
                writes.push(write_version(&uri, rev, &new)?);
                repos.insert((uri.did.clone(), uri.collection.clone()));
            }
            let is_outdated = outcome == Judged::AlreadyThere && outdated(known, rev, &new);
            if is_outdated {
                // A process of an older version judged it, while this one's pass goes on or after.
                writes.push(write_judged(&uri, rev, &new)?);
                rejudged = true;
            }
            // Who wrote it before may have died before the rest was done.
            let logged = (uri.clone(), rev, new.rank());
            if outcome == Judged::Applied
                || is_outdated
                || (outcome == Judged::AlreadyThere && !self.logged.has(&logged))
            {
                if new.standing == Standing::Event {
                    let newest = newest.entry(uri.did.clone()).or_insert(rev);
                    *newest = rev.max(*newest);
                }
                to_finish.entry(at).or_default().push(logged);
                subjects.push(LogSubject::Record(uri));
            }
            if outcome == Judged::Applied {
                known.push((rev, new));
            }
            outcomes.push(match outcome {
                Judged::Applied => Outcome::Applied,
                Judged::AlreadyThere | Judged::Superseded => Outcome::Superseded,
            });
        }
        if to_finish.is_empty() {
            return Ok(outcomes);
        }
        self.crash(BEFORE_TRUTH)?;
        repos.retain(|(did, collection)| !self.written.has(&repo_key(did, collection)));
        for (did, collection) in &repos {
            // Never taken back: any stamp will do.
            writes.push(write!(WriteRepo; did.as_str(), collection.as_str(), 1i64));
        }
        writes.extend(newest.iter().map(|(did, rev)| Inner::write_told(did, *rev)));
        self.cql.write(writes).await?;
        for (did, collection) in &repos {
            self.written.add(repo_key(did, collection));
        }
        self.crash(AFTER_TRUTH)?;
        let finished: Vec<RecordUri> = to_finish.keys().map(|at| uris[*at].clone()).collect();
        let (touched, floors) = self.derive(&finished, rejudged).await?;
        for (outcome, (uri, rev)) in outcomes.iter_mut().zip(&told) {
            let at = finished.iter().position(|finished| finished == uri);
            let floor = at.and_then(|at| floors.get(at));
            if *outcome == Outcome::Applied && floor.is_some_and(|floor| rev <= floor) {
                *outcome = Outcome::Overtaken;
            }
        }
        self.crash(AFTER_DERIVED)?;
        // Before the entry: a stream is settled up to an entry once nothing is left to count.
        self.settler.touch(touched, finished);
        self.log.append(&self.cql, &subjects).await?;
        self.crash(AFTER_LOG)?;
        for logged in to_finish.into_values().flatten() {
            self.logged.add(logged);
        }
        Ok(outcomes)
    }

    /// Reads keys back and writes what follows from their versions, also from versions that were
    /// judged anew. Answers which sets it touched,
    /// and the floors of the keys.
    pub async fn derive(
        &self,
        uris: &[RecordUri],
        rejudged: bool,
    ) -> Result<(Vec<Touch>, Vec<Rev>), StoreError> {
        let held = self.held(uris).await?;
        self.crash(AFTER_READ_BACK)?;
        let mut rows = Rows::default();
        for (uri, (versions, _)) in uris.iter().zip(&held) {
            derive_key(&self.namespace, uri, versions, rejudged, &mut rows)?;
        }
        let touched = self.write_rows(rows).await?;
        Ok((touched, held.into_iter().map(|(_, floor)| floor).collect()))
    }

    /// Takes back what is older than the current version and no longer needed: its say first, then,
    /// once what follows from that is written, its bytes; and the row where it can never count
    /// again. Whoever wrote the newer version, or swept before, may have died half-way. Answers
    /// what it touched.
    pub async fn sweep(&self, uri: &RecordUri) -> Result<Vec<Touch>, StoreError> {
        let versions = self.versions(uri).await?;
        let marks: Vec<Write> = settled(&versions)
            .into_iter()
            .filter(|(_, held)| !held.swept && held.content.is_some())
            .map(|version| swept(uri, version))
            .collect();
        let is_open = |(_, held): &(Rev, HeldVersion)| held.swept && !is_erased(held);
        let removable = held::removable(&versions);
        if marks.is_empty() && removable.is_empty() && !versions.iter().any(is_open) {
            return Ok(Vec::new());
        }
        self.cql.write(marks).await?;
        let versions = self.versions(uri).await?;
        let mut rows = Rows::default();
        derive_key(&self.namespace, uri, &versions, false, &mut rows)?;
        let touched = self.write_rows(rows).await?;
        let erase = versions.iter().filter(|version| is_open(version));
        let mut writes: Vec<Write> = erase.map(|version| erased(uri, version)).collect();
        let remove = held::removable(&versions).into_iter();
        writes.extend(remove.map(|version| removed(uri, version)));
        self.cql.write(writes).await?;
        Ok(touched)
    }
}

pub fn is_erased(held: &HeldVersion) -> bool {
    let bytes = held.content.as_ref().map(|content| content.bytes.len());
    bytes.is_none_or(|length| length == 0)
}

pub fn swept(uri: &RecordUri, (rev, held): &(Rev, HeldVersion)) -> Write {
    let rkey = uri.rkey.as_str();
    write!(WriteSwept;
        uri.did.as_str(), uri.collection.as_str(), record_shard(rkey), rkey, rev.as_u64() as i64,
        cells::rank(held), rev.micros())
}

pub fn erased(uri: &RecordUri, (rev, held): &(Rev, HeldVersion)) -> Write {
    let rkey = uri.rkey.as_str();
    write!(WriteVersion;
        uri.did.as_str(), uri.collection.as_str(), record_shard(rkey), rkey, rev.as_u64() as i64,
        cells::rank(held), cells::ERASED.to_vec(), cells::ERASED.to_vec(), rev.micros())
}

/// A tie of stamps goes to the delete. A late copy of an old version does no harm.
fn removed(uri: &RecordUri, (rev, held): &(Rev, HeldVersion)) -> Write {
    let rkey = uri.rkey.as_str();
    write!(RemoveVersion; rev.micros(),
        uri.did.as_str(), uri.collection.as_str(), record_shard(rkey), rkey, rev.as_u64() as i64,
        cells::rank(held))
}

fn repo_key(did: &Did, collection: &Nsid) -> String {
    format!("{} {}", did.as_str(), collection.as_str())
}

fn write_version(uri: &RecordUri, rev: Rev, held: &HeldVersion) -> Result<Write, StoreError> {
    let rkey = uri.rkey.as_str();
    Ok(write!(WriteVersion;
        uri.did.as_str(), uri.collection.as_str(), record_shard(rkey), rkey, rev.as_u64() as i64,
        cells::rank(held), cells::said(held), cells::judged(held)?, rev.micros()))
}

/// What follows from the versions of a key: live rows for the current one, dead ones for what the
/// others have and it hasn't, and for what it would have if the rules let it: older ones may have.
/// After a change of rules it is taken back too that a version was invalid.
pub fn derive_key(
    namespace: &Namespace,
    uri: &RecordUri,
    versions: &Versions,
    rejudged: bool,
    rows: &mut Rows,
) -> Result<(), StoreError> {
    let Some(decision) = Decision::of(versions) else {
        return Ok(());
    };
    let newest = current(versions);
    let now = match newest {
        Some((_, held)) if !held.swept => derived_of(namespace, uri, held)?,
        _ => Derived::default(),
    };
    let live: HashSet<_> = now.rows.iter().collect();
    let (mut dead, mut invalid) = (HashSet::new(), HashMap::new());
    for version in versions {
        let (_, held) = version;
        let shows = !held.swept && newest.is_some_and(|newest| std::ptr::eq(newest, version));
        let Some(content) = &held.content else {
            continue;
        };
        let is_invalid = content.judgement.verdict == Verdict::Invalid;
        if !shows || is_invalid {
            dead.extend(derived_if_valid(namespace, uri, held)?.rows);
        }
        if is_invalid || rejudged {
            *invalid.entry(held.seen_at).or_insert(false) |= shows && is_invalid;
        }
    }
    for row in &now.rows {
        rows.index(row, &decision, true);
    }
    for row in dead.iter().filter(|row| !live.contains(row)) {
        rows.index(row, &decision, false);
    }
    for (seen_at, is_live) in invalid {
        rows.invalid(uri, seen_at, &decision, is_live);
    }
    rows.published(uri);
    Ok(())
}

/// Whether a version that is there was judged by older rules than now.
fn outdated(known: &Versions, rev: Rev, new: &HeldVersion) -> bool {
    let same = |(at, held): &&(Rev, HeldVersion)| *at == rev && held.rank() == new.rank();
    let rules = |held: &HeldVersion| held.content.as_ref().map_or(0, |content| content.rules);
    let same = known.iter().find(same);
    same.is_some_and(|(_, held)| !held.swept && rules(held) < rules(new))
}

/// What becomes of a version, as far as is known before it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    Applied,
    AlreadyThere,
    Superseded,
}

/// Judges a version by what is held and the floor.
pub fn judge(known: &Versions, floor: Rev, rev: Rev, new: &HeldVersion) -> Judged {
    if rev <= floor {
        return Judged::Superseded;
    }
    let same_rev = known.iter().filter(|(other, _)| *other == rev);
    match same_rev.map(|(_, same)| same.rank()).max() {
        Some(best) if best == new.rank() => return Judged::AlreadyThere,
        Some(best) if best > new.rank() => return Judged::Superseded,
        _ => {}
    }
    let older = current(known).is_some_and(|(newest, _)| *newest > rev);
    // What is proven stays beneath what is only told: that may be made void later.
    if older && new.standing == Standing::Event {
        return Judged::Superseded;
    }
    Judged::Applied
}
