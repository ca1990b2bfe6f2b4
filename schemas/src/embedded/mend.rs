//! Mending what a rebuild found: the writer looks again at what was found, for other writes may
//! have come in between, and puts it right in one synced batch together with how far the pass has
//! come.

use plyr_lexicons::{Did, RecordUri};

use super::layers::{Engine, Layers, failed};
use super::rows::LogRow;
use super::sums;
use super::versions::{held, wanted_keys};
use super::writer::Writer;
use super::{cells, hides};
use crate::index::DERIVATIONS;
use crate::model::{ActorTotals, Counts, LogSubject};
use crate::numbers::{moved, shifted};
use crate::rebuild::{Pass, Passing};
use crate::store::StoreError;
use crate::tables::{self, ACTOR_TOTALS, COUNTS, Key, Kind, META, TOTALS};

/// A sum that isn't what it should be, both as one snapshot shows them. While it is kept by
/// differences, the error stays the same: so it can be taken out later.
#[derive(Debug)]
pub struct Wrong<K, T> {
    pub key: K,
    /// What stood there (nothing is 0); none where it can't be read.
    pub held: Option<T>,
    pub right: T,
}

/// What is to be mended.
#[derive(Default)]
pub struct Mend {
    /// Records that may lack rows.
    pub keys: Vec<RecordUri>,
    /// Keys of rows that may have no record.
    pub rows: Vec<Vec<u8>>,
    pub counts: Vec<Wrong<String, Counts>>,
    pub totals: Vec<Wrong<Did, ActorTotals>>,
    pub network: Option<Wrong<(), (ActorTotals, u64)>>,
    /// Subjects that are counted again afterwards.
    pub subjects: Vec<String>,
    /// Where the pass stands then.
    pub place: Option<(Pass, Passing)>,
}

impl Mend {
    /// Subjects and actors that are looked at again afterwards.
    pub fn afterwards(&mut self) -> (Vec<String>, Vec<Did>) {
        let mut subjects = std::mem::take(&mut self.subjects);
        subjects.extend(self.counts.iter().map(|wrong| wrong.key.clone()));
        let actors = self.totals.iter().map(|wrong| wrong.key.clone());
        (subjects, actors.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.totals.is_empty()
    }
}

/// Where a pass keeps how far it has come.
pub fn place_key(pass: Pass) -> Key {
    Key::of(&META).text(&format!("pass {}", pass.name()))
}

fn derivations_key() -> Key {
    Key::of(&META).text("derivations")
}

/// The version of what its records derive that a store has all rows of; none while it hasn't.
pub fn derivations(engine: &Engine) -> Result<Option<u16>, StoreError> {
    let cell = engine
        .keyspace(Kind::Network)
        .get(derivations_key().into_bytes());
    let cell = cell.map_err(|problem| failed("read a row", &problem))?;
    cell.map(|cell| cells::decode("META", &cell)).transpose()
}

impl Writer {
    /// Mends, and keeps the place. Answers how many rows and sums were put right.
    pub fn mend(&mut self, mend: Mend) -> Result<(u64, Option<Passing>), StoreError> {
        self.space.check()?;
        let mut head = *self.head.borrow();
        let mut mended = 0;
        let now = super::now();
        let mut changed = Vec::new();
        for uri in mend.keys {
            let put = self.put_missing(&uri)?;
            mended += put;
            changed.extend((put > 0).then_some(uri));
        }
        for key in mend.rows {
            if let Some(uri) = self.take_away(key)? {
                mended += 1;
                changed.extend(uri);
            }
        }
        changed.dedup();
        for uri in changed {
            head += 1;
            self.log(head, &LogRow::of(&LogSubject::Record(uri), now))?;
        }
        let layers = &mut self.layers;
        for wrong in mend.counts {
            mended += u64::from(right_counts(layers, &wrong)?);
        }
        for wrong in mend.totals {
            mended += u64::from(right_totals(layers, &wrong)?);
        }
        if let Some(wrong) = mend.network {
            mended += u64::from(right_network(layers, &wrong)?);
        }
        let place = match mend.place {
            None => None,
            Some((pass, mut passing)) => {
                passing.mended += mended;
                if passing.is_done() {
                    layers.remove(Kind::Network, place_key(pass));
                    if pass == Pass::Derivations {
                        let cell = cells::encode("META", &DERIVATIONS)?;
                        layers.put(Kind::Network, derivations_key(), cell);
                    }
                } else {
                    let cell = cells::encode("META", &passing)?;
                    layers.put(Kind::Network, place_key(pass), cell);
                }
                Some(passing)
            }
        };
        layers.keep_batch();
        self.log_likes(&mut head)?;
        self.layers.commit()?;
        self.head.send_replace(head);
        Ok((mended, place))
    }

    /// Writes what rows a record lacks. Answers how many.
    fn put_missing(&mut self, uri: &RecordUri) -> Result<u64, StoreError> {
        let versions = held(&self.layers, uri)?;
        let mut put = 0;
        let hidden = hides::is_record_hidden(&self.layers, uri)?;
        for key in wanted_keys(&self.namespace, uri, &versions, hidden)? {
            if self.layers.get_bytes(Kind::Derived, &key)?.is_none() {
                self.layers
                    .put_bytes(Kind::Derived, key, sums::LIVE.to_vec());
                put += 1;
            }
        }
        Ok(put)
    }

    /// Takes a row away that no record derives. Answers none where one does, else the record that
    /// it names, if it names one.
    fn take_away(&mut self, key: Vec<u8>) -> Result<Option<Option<RecordUri>>, StoreError> {
        let uri = tables::index_row(&key);
        let wanted = match &uri {
            None => Ok(Vec::new()),
            Some(uri) => {
                let hidden = hides::is_record_hidden(&self.layers, uri)?;
                held(&self.layers, uri)
                    .and_then(|versions| wanted_keys(&self.namespace, uri, &versions, hidden))
            }
        };
        let is_borne_out = match wanted {
            Ok(wanted) => wanted.contains(&key),
            // What can't be read derives nothing.
            Err(StoreError::Corrupt { .. }) => false,
            Err(problem) => return Err(problem),
        };
        if is_borne_out || self.layers.get_bytes(Kind::Derived, &key)?.is_none() {
            return Ok(None);
        }
        self.layers.remove_bytes(Kind::Derived, key);
        Ok(Some(uri))
    }
}

/// What a sum comes to: as it should be where nothing has come in between or nothing can be read,
/// else without the error.
fn without_error<T: PartialEq + Copy>(
    now: Option<T>,
    held: Option<T>,
    right: T,
    moved: impl Fn(T, T) -> T,
) -> T {
    match (now, held) {
        (Some(now), Some(held)) if now != held => moved(now, held),
        _ => right,
    }
}

/// A cell that isn't there is nothing; one that can't be read is none.
pub fn readable<T: Default>(
    cell: Option<&[u8]>,
    read: impl Fn(&[u8]) -> Result<T, StoreError>,
) -> Option<T> {
    cell.map_or_else(|| Some(T::default()), |cell| read(cell).ok())
}

/// The totals of an actor's cell.
pub fn actor_cell(cell: &[u8]) -> Result<ActorTotals, StoreError> {
    cells::decode_totals(cell).map(|(totals, _)| totals)
}

fn right_counts(layers: &mut Layers, wrong: &Wrong<String, Counts>) -> Result<bool, StoreError> {
    let key = Key::of(&COUNTS).text(&wrong.key);
    let cell = layers.get(Kind::Derived, key.clone())?;
    let now = readable(cell.as_deref(), cells::decode_counts);
    let right = without_error(now, wrong.held, wrong.right, |now, held| Counts {
        likes: shifted(now.likes, held.likes, wrong.right.likes),
        comments: shifted(now.comments, held.comments, wrong.right.comments),
        lists: shifted(now.lists, held.lists, wrong.right.lists),
    });
    if now.is_none_or(|now| now.likes != right.likes) {
        // Of what can't be read nobody knows how many liked it: it is named in any case.
        layers.likes_move(&wrong.key, now.map_or(u64::MAX, |now| now.likes));
    }
    if right == Counts::default() {
        layers.remove(Kind::Derived, key);
        return Ok(cell.is_some());
    }
    layers.put(Kind::Derived, key, cells::encode_counts(&right));
    Ok(now != Some(right))
}

fn right_totals(layers: &mut Layers, wrong: &Wrong<Did, ActorTotals>) -> Result<bool, StoreError> {
    let key = Key::of(&ACTOR_TOTALS).text(wrong.key.as_str());
    let cell = layers.get(Kind::Derived, key.clone())?;
    let now = readable(cell.as_deref(), actor_cell);
    let right = without_error(now, wrong.held, wrong.right, |now, held| {
        moved(&now, &held, &wrong.right)
    });
    if right == ActorTotals::default() {
        layers.remove(Kind::Derived, key);
    } else {
        layers.put(Kind::Derived, key, cells::encode_totals(&right, 0));
    }
    Ok(now != Some(right))
}

fn right_network(
    layers: &mut Layers,
    wrong: &Wrong<(), (ActorTotals, u64)>,
) -> Result<bool, StoreError> {
    let key = Key::of(&TOTALS);
    let cell = layers.get(Kind::Derived, key.clone())?;
    let now = readable(cell.as_deref(), cells::decode_totals);
    let right = without_error(now, wrong.held, wrong.right, |now, held| {
        let sums = moved(&now.0, &held.0, &wrong.right.0);
        (sums, shifted(now.1, held.1, wrong.right.1))
    });
    layers.put(Kind::Derived, key, cells::encode_totals(&right.0, right.1));
    Ok(now != Some(right))
}
