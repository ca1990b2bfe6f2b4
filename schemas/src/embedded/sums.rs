//! Sums: sizes of sets, kept in the batch that changes membership. One writer reads and writes
//! them, so that the size is always that of the set.

use plyr_lexicons::Did;

use super::cells;
use super::layers::Layers;
use crate::index::{Index, IndexEntry};
use crate::model::{ActorTotals, Counts};
use crate::numbers::{moved, shifted};
use crate::store::StoreError;
use crate::tables::{self, ACTOR_TOTALS, COUNTS, Key, Kind, TOTALS};

/// The cell of a live index row: being there is all it says.
pub const LIVE: &[u8] = &[1];

/// What one actor's change does to sums.
pub struct Sums {
    did: Did,
    visible: bool,
    before: ActorTotals,
    after: ActorTotals,
}

pub fn actor_totals(layers: &Layers, did: &Did) -> Result<ActorTotals, StoreError> {
    let key = Key::of(&ACTOR_TOTALS).text(did.as_str());
    match layers.get(Kind::Derived, key)? {
        Some(cell) => Ok(cells::decode_totals(&cell)?.0),
        None => Ok(ActorTotals::default()),
    }
}

fn step(number: &mut u64, up: bool) {
    *number = if up {
        number.saturating_add(1)
    } else {
        number.saturating_sub(1)
    };
}

/// The counts of a subject.
pub fn counts_of(layers: &Layers, subject: &str) -> Result<Counts, StoreError> {
    match layers.get(Kind::Derived, Key::of(&COUNTS).text(subject))? {
        Some(cell) => cells::decode_counts(&cell),
        None => Ok(Counts::default()),
    }
}

/// Moves one count of a subject by one.
pub fn count(
    layers: &mut Layers,
    subject: &str,
    which: fn(&mut Counts) -> &mut u64,
    up: bool,
) -> Result<(), StoreError> {
    let key = Key::of(&COUNTS).text(subject);
    let mut counts = counts_of(layers, subject)?;
    let likes = counts.likes;
    step(which(&mut counts), up);
    if counts.likes != likes {
        layers.likes_move(subject, likes);
    }
    if counts == Counts::default() {
        layers.remove(Kind::Derived, key);
    } else {
        layers.put(Kind::Derived, key, cells::encode_counts(&counts));
    }
    Ok(())
}

/// Adds an actor's totals to the network's, or takes them away.
pub fn network(
    layers: &mut Layers,
    before: &ActorTotals,
    after: &ActorTotals,
) -> Result<(), StoreError> {
    if before == after {
        return Ok(());
    }
    let key = Key::of(&TOTALS);
    let (sums, artists) = match layers.get(Kind::Derived, key.clone())? {
        Some(cell) => cells::decode_totals(&cell)?,
        None => (ActorTotals::default(), 0),
    };
    let sums = moved(&sums, before, after);
    let artist = |totals: &ActorTotals| u64::from(totals.tracks > 0);
    let artists = shifted(artists, artist(before), artist(after));
    layers.put(Kind::Derived, key, cells::encode_totals(&sums, artists));
    Ok(())
}

impl Sums {
    pub fn of(layers: &Layers, did: &Did, visible: bool) -> Result<Sums, StoreError> {
        let before = actor_totals(layers, did)?;
        Ok(Sums {
            did: did.clone(),
            visible,
            before,
            after: before,
        })
    }

    /// A row is about to be written.
    pub fn joins(&mut self, layers: &mut Layers, row: &IndexEntry) -> Result<(), StoreError> {
        self.moves(layers, row, true)
    }

    /// A row was removed.
    pub fn left(&mut self, layers: &mut Layers, row: &IndexEntry) -> Result<(), StoreError> {
        self.moves(layers, row, false)
    }

    fn moves(&mut self, layers: &mut Layers, row: &IndexEntry, up: bool) -> Result<(), StoreError> {
        match &row.index {
            Index::ActorTracks(_) => step(&mut self.after.tracks, up),
            Index::ActorLists(_) => step(&mut self.after.lists, up),
            Index::ActorListsOfType(_, of) if of == "album" => step(&mut self.after.albums, up),
            Index::ActorListsOfType(_, of) if of == "playlist" => {
                step(&mut self.after.playlists, up);
            }
            Index::SubjectLikers(subject) => {
                // The actor counts once, with however many likes: only the first to come and the
                // last to go change the set.
                let others = tables::partition(&row.index).number(0).number(0);
                let others = others.text(self.did.as_str());
                if layers.under(Kind::Derived, others, 1)?.is_empty() {
                    step(&mut self.after.likes, up);
                    self.count(layers, subject, |counts| &mut counts.likes, up)?;
                }
            }
            Index::SubjectCommentsByTime(subject) => {
                step(&mut self.after.comments, up);
                self.count(layers, subject, |counts| &mut counts.comments, up)?;
            }
            Index::ListsWithItem(subject) => {
                self.count(layers, subject, |counts| &mut counts.lists, up)?;
            }
            Index::LatestTracks
            | Index::SubjectLikes(_)
            | Index::ActorLikes(_)
            | Index::SubjectCommentsByPosition(_)
            | Index::ActorListsOfType(..)
            | Index::BlobUses(_) => {}
        }
        Ok(())
    }

    fn count(
        &self,
        layers: &mut Layers,
        subject: &str,
        which: fn(&mut Counts) -> &mut u64,
        up: bool,
    ) -> Result<(), StoreError> {
        if self.visible {
            count(layers, subject, which, up)
        } else {
            Ok(())
        }
    }

    /// A track's duration changed.
    pub fn lasting(&mut self, before: u64, after: u64) {
        let sum = &mut self.after.duration_seconds;
        *sum = sum.saturating_add(after).saturating_sub(before);
    }

    pub fn write(self, layers: &mut Layers) -> Result<(), StoreError> {
        if self.before == self.after {
            return Ok(());
        }
        let key = Key::of(&ACTOR_TOTALS).text(self.did.as_str());
        layers.put(Kind::Derived, key, cells::encode_totals(&self.after, 0));
        if self.visible {
            network(layers, &self.before, &self.after)
        } else {
            Ok(())
        }
    }
}
