//! Reading for a rebuild, through one snapshot: what records derive, how large sets are.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;

use fjall::{Readable, Snapshot as View};
use plyr_lexicons::{Did, Namespace, RecordUri, Rev};

use super::cells::{self, corrupt};
use super::hides;
use super::layers::{Engine, failed};
use super::reader::{read, successor};
use super::rows::ActorRow;
use super::versions::wanted_keys;
use crate::held::{HeldVersion, current};
use crate::model::{ActorTotals, Counts};
use crate::numbers::{Published, add};
use crate::store::StoreError;
use crate::tables::{
    ACTOR_TOTALS, ACTORS, Key, KeyReader, Kind, LISTS_WITH_ITEM, SUBJECT_COMMENTS_BY_TIME,
    SUBJECT_LIKERS, Table, VERSIONS,
};

/// Actors whose visibility is remembered.
const REMEMBERED: usize = 20_000;

/// A snapshot, and what is remembered while it is read.
pub struct Scan {
    engine: Engine,
    view: View,
    namespace: Namespace,
    visible: HashMap<String, bool>,
    /// Rows read so far.
    pub read: usize,
}

/// A record's versions, and how many bytes they took.
pub type Versions = Vec<(Rev, HeldVersion)>;

impl Scan {
    pub fn new(engine: Engine, namespace: Namespace) -> Scan {
        let view = engine.database.snapshot();
        Scan {
            engine,
            view,
            namespace,
            visible: HashMap::new(),
            read: 0,
        }
    }

    pub fn get(&self, kind: Kind, key: Vec<u8>) -> Result<Option<fjall::UserValue>, StoreError> {
        let found = self.view.get(self.engine.keyspace(kind), key);
        found.map_err(|problem| failed("read a row", &problem))
    }

    /// Rows after a key (or from the beginning of the tables between two tags).
    pub fn rows(&self, kind: Kind, after: Option<Vec<u8>>, tags: (u8, u8)) -> fjall::Iter {
        let from = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(vec![tags.0]),
        };
        let range = (from, Bound::Excluded(vec![tags.1 + 1]));
        self.view
            .range::<Vec<u8>, _>(self.engine.keyspace(kind), range)
    }

    fn under(&self, kind: Kind, prefix: Key) -> fjall::Iter {
        self.view
            .prefix(self.engine.keyspace(kind), prefix.into_bytes())
    }

    /// The first text of the next row of a table after a prefix: its next partition.
    pub fn next_text(
        &self,
        table: &'static Table,
        after: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let after = after.map(|text| successor(Key::of(table).text(text).into_bytes()));
        let next = self
            .rows(table.kind, after, (table.tag, table.tag))
            .next()
            .map(read)
            .transpose()?;
        let Some((key, _)) = next else {
            return Ok(None);
        };
        let text = KeyReader::after(&key, 1).text();
        let text = text.ok_or_else(|| corrupt(table.name, "a key is cut"))?;
        Ok(Some(text.to_owned()))
    }

    fn versions(&self, uri: &RecordUri) -> Result<Versions, StoreError> {
        let prefix = Key::of(&VERSIONS).record(uri);
        let start = prefix.clone().into_bytes().len();
        let mut versions = Vec::new();
        for row in self.under(Kind::Network, prefix) {
            let (key, cell) = read(row)?;
            let rev = KeyReader::after(&key, start).number();
            let rev = rev.ok_or_else(|| corrupt("VERSIONS", "a key is cut"))?;
            versions.push((Rev::from_u64(rev as u64), HeldVersion::decode(&cell)?));
        }
        Ok(versions)
    }

    /// Keys of the derived rows that versions come to.
    pub fn wanted(
        &self,
        uri: &RecordUri,
        versions: &[(Rev, HeldVersion)],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let hidden = self.is_hidden(&uri.to_string())?;
        wanted_keys(&self.namespace, uri, versions, hidden)
    }

    /// Whether the operator hides a subject.
    fn is_hidden(&self, subject: &str) -> Result<bool, StoreError> {
        if !self.engine.has_hides() {
            return Ok(false);
        }
        let cell = self.get(Kind::Network, hides::key(subject).into_bytes())?;
        hides::says_hidden(cell.as_deref())
    }

    /// Keys of the derived rows of a record; and how many bytes it has.
    pub fn wanted_of(&self, uri: &RecordUri) -> Result<(HashSet<Vec<u8>>, usize), StoreError> {
        let versions = self.versions(uri)?;
        let bytes = versions.iter().map(|version| bytes_of(&version.1)).sum();
        let wanted = self.wanted(uri, &versions)?;
        Ok((wanted.into_iter().collect(), bytes))
    }

    /// Whether what an actor made counts.
    fn is_visible(&mut self, did: &str) -> Result<bool, StoreError> {
        if let Some(known) = self.visible.get(did) {
            return Ok(*known);
        }
        let cell = self.get(Kind::Network, Key::of(&ACTORS).text(did).into_bytes())?;
        let row = cell.map(|cell| cells::decode::<ActorRow>("ACTORS", &cell));
        let row = row.transpose()?.unwrap_or_default();
        let visible = row.account_state().is_visible() && !self.is_hidden(did)?;
        if self.visible.len() >= REMEMBERED {
            self.visible.clear();
        }
        self.visible.insert(did.to_owned(), visible);
        Ok(visible)
    }

    /// How many rows of visible actors a partition has; or how many such actors.
    fn size(&mut self, partition: Key, once_an_actor: bool) -> Result<u64, StoreError> {
        let start = partition.clone().into_bytes().len();
        let (mut size, mut last) = (0, String::new());
        for row in self.under(Kind::Derived, partition) {
            let (key, _) = read(row)?;
            self.read += 1;
            let mut columns = KeyReader::after(&key, start);
            let did = columns.number().and(columns.number());
            let Some(did) = did.and_then(|_| columns.text()) else {
                continue;
            };
            // Likers stand in the order of actors.
            if (!once_an_actor || last != did) && self.is_visible(did)? {
                size += 1;
            }
            did.clone_into(&mut last);
        }
        Ok(size)
    }

    /// The sizes of a subject's sets.
    pub fn sizes(&mut self, subject: &str) -> Result<Counts, StoreError> {
        let of = |table| Key::of(table).text(subject);
        Ok(Counts {
            likes: self.size(of(&SUBJECT_LIKERS), true)?,
            comments: self.size(of(&SUBJECT_COMMENTS_BY_TIME), false)?,
            lists: self.size(of(&LISTS_WITH_ITEM), false)?,
        })
    }

    /// What an actor has published, by the records.
    pub fn published(&mut self, did: &Did) -> Result<ActorTotals, StoreError> {
        let prefix = Key::of(&VERSIONS).text(did.as_str());
        let mut published = Published::default();
        let mut open: Option<(RecordUri, Versions)> = None;
        for row in self.under(Kind::Network, prefix) {
            let (key, cell) = read(row)?;
            self.read += 1;
            let Some((uri, rev)) = version_key(&key) else {
                continue;
            };
            let Ok(held) = HeldVersion::decode(&cell) else {
                continue;
            };
            match &mut open {
                Some((same, versions)) if *same == uri => versions.push((rev, held)),
                _ => {
                    let before = open.replace((uri, vec![(rev, held)]));
                    self.publish(before, &mut published)?;
                }
            }
        }
        self.publish(open, &mut published)?;
        Ok(published.totals())
    }

    fn publish(
        &self,
        key: Option<(RecordUri, Versions)>,
        published: &mut Published,
    ) -> Result<(), StoreError> {
        let Some((uri, versions)) = key else {
            return Ok(());
        };
        let hidden = self.is_hidden(&uri.to_string())?;
        // What can't be read derives nothing; the pass over the records tells of it.
        if let Some((_, held)) = current(&versions)
            && let Ok(derived) = hides::derived_of(&self.namespace, &uri, held, hidden)
        {
            published.take(derived);
        }
        Ok(())
    }

    /// What visible actors have published together, and how many of them have tracks.
    pub fn network(&mut self) -> Result<(ActorTotals, u64), StoreError> {
        let (mut sums, mut artists) = (ActorTotals::default(), 0);
        for row in self.under(Kind::Derived, Key::of(&ACTOR_TOTALS)) {
            let (key, cell) = read(row)?;
            let Some(did) = KeyReader::after(&key, 1).text() else {
                continue;
            };
            if self.is_visible(did)? {
                let (totals, _) = cells::decode_totals(&cell)?;
                add(&mut sums, &totals);
                artists += u64::from(totals.tracks > 0);
            }
        }
        Ok((sums, artists))
    }
}

/// The columns of a version's key.
pub fn version_key(key: &[u8]) -> Option<(RecordUri, Rev)> {
    let mut columns = KeyReader::after(key, 1);
    let uri = columns.record()?;
    Some((uri, Rev::from_u64(columns.number()? as u64)))
}

/// Bytes of a version's record.
pub fn bytes_of(held: &HeldVersion) -> usize {
    held.content
        .as_ref()
        .map_or(0, |content| content.bytes.len())
}
