//! Rows of numbers: how counts and totals are written down, read back, added up, and gathered from
//! what records derive. One way for every engine.

use std::collections::HashSet;

use crate::index::{Derived, Index};
use crate::model::ActorTotals;
use crate::store::StoreError;

/// Numbers, big-endian.
pub fn numbers(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

/// Numbers read back.
pub fn read_numbers<const N: usize>(
    table: &'static str,
    cell: &[u8],
) -> Result<[u64; N], StoreError> {
    if cell.len() != N * 8 {
        return Err(StoreError::Corrupt {
            table,
            detail: "of another layout".to_owned(),
        });
    }
    let mut out = [0; N];
    for (slot, chunk) in out.iter_mut().zip(cell.as_chunks::<8>().0) {
        *slot = u64::from_be_bytes(*chunk);
    }
    Ok(out)
}

/// Totals as numbers.
pub const fn of_totals(totals: &ActorTotals) -> [u64; 7] {
    let ActorTotals {
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    } = *totals;
    [
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    ]
}

/// Totals from numbers.
pub const fn totals_of(numbers: [u64; 7]) -> ActorTotals {
    let [
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    ] = numbers;
    ActorTotals {
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    }
}

/// Totals moved by the difference of two others, number by number; never below 0.
pub fn moved(sum: &ActorTotals, before: &ActorTotals, after: &ActorTotals) -> ActorTotals {
    let (mut sum, before, after) = (of_totals(sum), of_totals(before), of_totals(after));
    for ((sum, before), after) in sum.iter_mut().zip(before).zip(after) {
        *sum = shifted(*sum, before, after);
    }
    totals_of(sum)
}

/// A number moved by the difference of two others; never below 0.
pub const fn shifted(sum: u64, before: u64, after: u64) -> u64 {
    sum.saturating_add(after).saturating_sub(before)
}

/// Adds totals to others.
pub fn add(sum: &mut ActorTotals, more: &ActorTotals) {
    *sum = moved(sum, &ActorTotals::default(), more);
}

/// What records of one actor come to, gathered one after another.
#[derive(Default)]
pub struct Published {
    totals: ActorTotals,
    liked: HashSet<String>,
}

impl Published {
    /// Takes in what a current record derives.
    pub fn take(&mut self, derived: Derived) {
        let totals = &mut self.totals;
        let seconds = totals.duration_seconds;
        totals.duration_seconds = seconds.saturating_add(derived.duration_seconds);
        for row in derived.rows {
            match row.index {
                Index::ActorTracks(_) => totals.tracks += 1,
                Index::ActorLists(_) => totals.lists += 1,
                Index::ActorListsOfType(_, of) if of == "album" => totals.albums += 1,
                Index::ActorListsOfType(_, of) if of == "playlist" => totals.playlists += 1,
                Index::SubjectCommentsByTime(_) => totals.comments += 1,
                Index::SubjectLikers(subject) => {
                    self.liked.insert(subject);
                }
                _ => {}
            }
        }
    }

    /// The totals: an actor likes a subject once.
    pub fn totals(self) -> ActorTotals {
        let likes = self.liked.len() as u64;
        ActorTotals {
            likes,
            ..self.totals
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_other_layouts_are_refused() {
        let totals = totals_of([1, 2, 3, 4, 5, 6, u64::MAX]);
        let cell = numbers(&of_totals(&totals));
        assert_eq!(read_numbers("T", &cell).map(totals_of).unwrap(), totals);
        assert!(read_numbers::<6>("T", &cell).is_err());
        assert!(read_numbers::<7>("T", &cell[1..]).is_err());
    }

    #[test]
    fn totals_move_by_a_difference_and_not_below_nothing() {
        let [few, more, none] = [[2; 7], [5; 7], [0; 7]].map(totals_of);
        assert_eq!(moved(&few, &none, &more), totals_of([7; 7]));
        assert_eq!(moved(&more, &few, &none), totals_of([3; 7]));
        assert_eq!(moved(&none, &more, &few), none);
    }
}
