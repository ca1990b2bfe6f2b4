//! What the operator hides. Every process holds all of it in memory and asks several times a second
//! whether there is more. Derived rows stay as the network has them: who reads a record is told
//! that it is hidden, and who counts leaves it out. So nothing is to be taken back that was stamped
//! with a rev, and a hide that is lifted leaves no trace.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use plyr_lexicons::{Did, Nsid, RecordKey, RecordUri};
use tokio::sync::Mutex;

use super::Inner;
use super::cells::corrupt;
use super::cql::{all, write};
use super::placing::{HIDE_SHARDS, hide_shard};
use super::statements::Statement::{ReadHide, ReadHides, ReadHidesTold, ReadToldHides};
use crate::fault::{AFTER_DERIVED, AFTER_LOG, AFTER_TRUTH, BEFORE_TRUTH};
use crate::hide::{HiddenSubject, Hide};
use crate::model::{LogSubject, Micros, Outcome};
use crate::store::StoreError;

/// How often it is asked whether there is more.
const POLL: Duration = Duration::from_millis(250);
/// Nobody reads or counts by what is older than this: it is asked for first. Until then it goes on
/// with what is known, also while more is being read.
const FRESH: Duration = Duration::from_secs(1);
/// Hides of one process that are read together; where there are more, all hides are read anew.
const MOST_NEWER: usize = 10_000;

/// Everything that is or was hidden.
#[derive(Clone, Default)]
pub struct HideSet {
    all: BTreeMap<String, Hide>,
    actors: HashSet<Did>,
    /// Records by their repos' DIDs.
    records: HashMap<String, HashSet<RecordUri>>,
}

impl HideSet {
    /// Whether this actor is hidden.
    pub fn has_actor(&self, did: &Did) -> bool {
        self.actors.contains(did)
    }

    /// Whether this record is hidden itself.
    pub fn has_record(&self, uri: &RecordUri) -> bool {
        let records = self.records.get(uri.did.as_str());
        records.is_some_and(|records| records.contains(uri))
    }

    /// Whether the record behind a row of a set is hidden.
    pub fn has_row(&self, did: &str, collection: &Nsid, rkey: &str) -> bool {
        if !self.records.contains_key(did) {
            return false;
        }
        let (Ok(did), Ok(rkey)) = (Did::new(did.to_owned()), RecordKey::new(rkey.to_owned()))
        else {
            return false;
        };
        self.has_record(&RecordUri::new(did, collection.clone(), rkey))
    }

    /// Hidden actors.
    pub fn actors(&self) -> impl Iterator<Item = &Did> {
        self.actors.iter()
    }

    fn has(&self, subject: &HiddenSubject) -> bool {
        let hide = self.all.get(&subject.to_string());
        hide.is_some_and(|hide| hide.hidden)
    }

    /// Takes one in, unless what is known is newer.
    fn take(&mut self, hide: Hide) {
        let key = hide.subject.to_string();
        let known = self.all.get(&key);
        if known.is_some_and(|known| known.rank() >= hide.rank()) {
            return;
        }
        match &hide.subject {
            HiddenSubject::Actor(did) if hide.hidden => {
                self.actors.insert(did.clone());
            }
            HiddenSubject::Actor(did) => {
                self.actors.remove(did);
            }
            HiddenSubject::Record(uri) if hide.hidden => {
                let records = self.records.entry(uri.did.as_str().to_owned());
                let records = records.or_default();
                records.insert(uri.clone());
            }
            HiddenSubject::Record(uri) => {
                if let Some(records) = self.records.get_mut(uri.did.as_str()) {
                    records.remove(uri);
                    if records.is_empty() {
                        self.records.remove(uri.did.as_str());
                    }
                }
            }
            HiddenSubject::Blob { .. } => {}
        }
        self.all.insert(key, hide);
    }
}

/// How many hides each process has told of.
type Told = BTreeMap<String, i64>;

/// The set as this process knows it.
#[derive(Default)]
pub struct Hides {
    set: RwLock<Arc<HideSet>>,
    /// When what is known was asked for.
    asked_at: RwLock<Option<Instant>>,
    /// What was told when it was read last, none before the first time; whoever reads holds it.
    told: Mutex<Option<Told>>,
    /// Hides that this process has told of, or tried to; whoever tells holds it, so that no greater
    /// number is there before a smaller one.
    number: Mutex<i64>,
}

impl Hides {
    /// The set now.
    pub fn set(&self) -> Arc<HideSet> {
        let set = self.set.read();
        set.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, hides: Vec<Hide>) {
        let set = self.set.write();
        let mut set = set.unwrap_or_else(PoisonError::into_inner);
        let set = Arc::make_mut(&mut set);
        hides.into_iter().for_each(|hide| set.take(hide));
    }

    fn is_fresh(&self) -> bool {
        let asked_at = self.asked_at.read();
        let asked_at = *asked_at.unwrap_or_else(PoisonError::into_inner);
        asked_at.is_some_and(|asked_at| asked_at.elapsed() < FRESH)
    }

    fn was_asked(&self, at: Instant) {
        let asked_at = self.asked_at.write();
        *asked_at.unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// Of two at one stamp the hiding one has the greater cell.
fn cell(hide: &Hide) -> Vec<u8> {
    let mut cell = hide.at.to_be_bytes().to_vec();
    cell.push(u8::from(hide.hidden));
    cell
}

fn read(subject: HiddenSubject, cell: &[u8]) -> Result<Hide, StoreError> {
    let Some((at, [hidden])) = cell.split_first_chunk::<8>() else {
        return Err(corrupt("HIDES", "a cell is cut or of another layout"));
    };
    Ok(Hide {
        subject,
        hidden: *hidden == 1,
        at: Micros::from_be_bytes(*at),
    })
}

/// Whether numbers are all that come after one up to another. Where one isn't there, it was given
/// up, or its row has expired: then a hide may be missed. Greater ones may be there already.
fn are_all(numbers: impl Iterator<Item = i64>, after: i64, last: i64) -> bool {
    numbers
        .take_while(|number| *number <= last)
        .eq(after + 1..=last)
}

fn read_row(subject: &str, cell: &[u8]) -> Result<Hide, StoreError> {
    let subject: Result<HiddenSubject, _> = subject.parse();
    read(subject.map_err(|problem| corrupt("HIDES", problem))?, cell)
}

impl Inner {
    /// Asks whether there is more than is known, and reads it.
    pub async fn refresh_hides(&self) -> Result<(), StoreError> {
        let told = self.hides.told.lock().await;
        self.refresh_in_turn(told).await
    }

    /// The same where what is known isn't fresh.
    pub async fn fresh_hides(&self) -> Result<(), StoreError> {
        if self.hides.is_fresh() {
            return Ok(());
        }
        let told = self.hides.told.lock().await;
        if self.hides.is_fresh() {
            return Ok(());
        }
        self.refresh_in_turn(told).await
    }

    async fn refresh_in_turn(
        &self,
        mut told: tokio::sync::MutexGuard<'_, Option<Told>>,
    ) -> Result<(), StoreError> {
        let asked_at = Instant::now();
        // Before the hides: what is told of later is read the next time.
        let rows: Vec<(String, i64)> = self.cql.read(ReadHidesTold, (0i32,), usize::MAX).await?;
        let now: Told = rows.into_iter().collect();
        if told.as_ref() != Some(&now) {
            let newer = match told.as_ref() {
                Some(before) => self.newer_hides(before, &now).await?,
                None => None,
            };
            let hides = match newer {
                Some(newer) => newer,
                None => self.whole_hides().await?,
            };
            self.hides.take(hides);
            *told = Some(now);
        }
        self.hides.was_asked(asked_at);
        Ok(())
    }

    /// What was told since; none where that isn't there without a gap.
    async fn newer_hides(
        &self,
        before: &Told,
        now: &Told,
    ) -> Result<Option<Vec<Hide>>, StoreError> {
        let mut newer = Vec::new();
        for (writer, number) in now {
            let known = before.get(writer).copied().unwrap_or(0);
            if known >= *number {
                continue;
            }
            let after = (writer.as_str(), known);
            let rows: Vec<(i64, String, Vec<u8>)> =
                self.cql.read(ReadToldHides, after, MOST_NEWER).await?;
            let numbers = rows.iter().map(|(number, _, _)| *number);
            if !are_all(numbers, known, *number) {
                return Ok(None);
            }
            for (_, subject, cell) in &rows {
                newer.push(read_row(subject, cell)?);
            }
        }
        Ok(Some(newer))
    }

    async fn whole_hides(&self) -> Result<Vec<Hide>, StoreError> {
        let shards = (0..HIDE_SHARDS).map(|shard| async move {
            let rows: Vec<(String, Vec<u8>)> =
                self.cql.read(ReadHides, (shard,), usize::MAX).await?;
            Ok(rows)
        });
        let rows = all(shards).await?.into_iter().flatten();
        rows.map(|(subject, cell)| read_row(&subject, &cell))
            .collect()
    }

    /// Tells other processes of a hide whose row is there. A number whose writing failed is given
    /// up: who finds the gap reads everything.
    async fn tell_of(&self, hide: &Hide) -> Result<(), StoreError> {
        let mut number = self.hides.number.lock().await;
        *number += 1;
        let number = *number;
        let (writer, subject) = (self.log.stream.as_str(), hide.subject.to_string());
        let told = write!(WriteToldHide; writer, number, subject.as_str(), cell(hide), number);
        self.cql.write(vec![told]).await?;
        // Who reads a number reads all that it tells of.
        let told = write!(WriteHidesTold; 0i32, writer, number, number);
        self.cql.write(vec![told]).await
    }

    async fn held_hide(&self, subject: &HiddenSubject) -> Result<Option<Hide>, StoreError> {
        let key = subject.to_string();
        let row: Option<(Vec<u8>,)> = self.cql.first(ReadHide, (hide_shard(&key), &key)).await?;
        row.map(|(cell,)| read(subject.clone(), &cell)).transpose()
    }

    /// Applies a hide. An older one than is held brings that to its end: who wrote that may have
    /// died.
    pub async fn hide(&self, hide: &Hide) -> Result<Outcome, StoreError> {
        let held = self.held_hide(&hide.subject).await?;
        let is_held = held.as_ref().is_some_and(|held| held.rank() >= hide.rank());
        let holds = held.filter(|_| is_held).unwrap_or_else(|| hide.clone());
        if is_held && self.logged_hides.has(&holds_key(&holds)) {
            return Ok(Outcome::Superseded);
        }
        self.crash(BEFORE_TRUTH)?;
        let subject = hide.subject.to_string();
        if !is_held {
            let row =
                write!(WriteHide; hide_shard(&subject), subject.as_str(), cell(hide), hide.at);
            self.cql.write(vec![row]).await?;
        }
        self.hides.take(vec![holds.clone()]);
        // After its row is there: who reads everything finds it.
        self.tell_of(&holds).await?;
        self.crash(AFTER_TRUTH)?;
        let named = match &hide.subject {
            HiddenSubject::Actor(did) => {
                self.settler.touch(self.touches_of(did).await?, Vec::new());
                Some(LogSubject::Actor(did.clone()))
            }
            HiddenSubject::Record(uri) => {
                let (touched, _) = self.derive(std::slice::from_ref(uri), false).await?;
                self.settler.touch(touched, Vec::new());
                Some(LogSubject::Record(uri.clone()))
            }
            HiddenSubject::Blob { .. } => None,
        };
        self.crash(AFTER_DERIVED)?;
        if let Some(named) = named {
            self.log.append(&self.cql, &[named]).await?;
        }
        self.crash(AFTER_LOG)?;
        self.logged_hides.add(holds_key(&holds));
        Ok(match is_held {
            true => Outcome::Superseded,
            false => Outcome::Applied,
        })
    }

    /// Whether each of these is hidden itself.
    pub fn are_hidden(&self, subjects: &[HiddenSubject]) -> Vec<bool> {
        let set = self.hides.set();
        subjects.iter().map(|subject| set.has(subject)).collect()
    }

    /// Hides in the order of their subjects' texts.
    pub fn hides_after(&self, after: Option<&HiddenSubject>, limit: usize) -> Vec<Hide> {
        let set = self.hides.set();
        let after = after.map(HiddenSubject::to_string);
        let from = match &after {
            Some(after) => Bound::Excluded(after.as_str()),
            None => Bound::Unbounded,
        };
        let rest = set.all.range::<str, _>((from, Bound::Unbounded));
        rest.take(limit).map(|(_, hide)| hide.clone()).collect()
    }
}

/// A hide that this process brought all the way to the log.
pub type LoggedHide = (String, Micros, bool);

fn holds_key(hide: &Hide) -> LoggedHide {
    (hide.subject.to_string(), hide.at, hide.hidden)
}

/// Asks again and again until the store is closed or dropped.
pub async fn run(inner: Weak<Inner>) {
    let mut rounds = tokio::time::interval(POLL);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_well = true;
    loop {
        rounds.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.alive().is_err() {
            return;
        }
        let asked = inner.refresh_hides().await;
        if let (Err(problem), true) = (&asked, is_well) {
            tracing::warn!(%problem, "what is hidden can't be read; reads wait for it");
        }
        is_well = asked.is_ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_hide_holds_whatever_comes_first() {
        let did = Did::new("did:plc:a".to_owned()).unwrap();
        let uri: RecordUri = "at://did:plc:a/fm.plyr.track/x".parse().unwrap();
        for subject in [
            HiddenSubject::Actor(did.clone()),
            HiddenSubject::Record(uri.clone()),
        ] {
            let hide = |at, hidden| Hide {
                subject: subject.clone(),
                hidden,
                at,
            };
            let said = [hide(1, true), hide(2, false), hide(3, true), hide(3, false)];
            for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
                let mut set = HideSet::default();
                order.iter().for_each(|at| set.take(said[*at].clone()));
                assert!(set.has(&subject), "{order:?}");
                assert_eq!(
                    set.has_record(&uri) as usize + set.has_actor(&did) as usize,
                    1
                );
                set.take(hide(4, false));
                assert!(!set.has(&subject) && !set.has_record(&uri) && !set.has_actor(&did));
            }
        }
        let hide = Hide {
            subject: HiddenSubject::Record(uri.clone()),
            hidden: true,
            at: 7,
        };
        assert_eq!(read(hide.subject.clone(), &cell(&hide)).unwrap(), hide);
    }

    #[test]
    fn a_number_that_is_missing_is_noticed() {
        let are_all = |numbers: &[i64], after, last| are_all(numbers.iter().copied(), after, last);
        assert!(are_all(&[3, 4], 2, 4) && are_all(&[1], 0, 1));
        assert!(
            are_all(&[3, 4, 5, 9], 2, 4),
            "what is told later comes later"
        );
        for numbers in [&[3, 5][..], &[4], &[3], &[2, 3], &[]] {
            assert!(!are_all(numbers, 2, 4), "{numbers:?}");
        }
    }
}
