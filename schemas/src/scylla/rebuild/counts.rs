//! Counts against sets, totals against records, and the directory of hidden accounts against the
//! accounts. What is counted is stamped with the time its reading began, as ever.

use std::collections::{BTreeMap, BTreeSet};

use plyr_lexicons::{Did, Nsid};

use super::super::Inner;
use super::super::cells::{corrupt, is_live};
use super::super::counts::read_totals;
use super::super::cql::all;
use super::super::placing::{ACTOR_SHARDS, actor_shard};
use super::super::settle::{Kind, Touch};
use super::super::statements::Statement::{
    ReadCount, ReadCountCells, ReadHidden, ReadHiddenOne, ReadPublished, ReadPublishedAfter,
    ReadRepo, ReadTotals, ScanActorsFirst, ScanActorsNext, ScanCountsFirst, ScanCountsNext,
    ScanMembersFirst, ScanMembersNext, ScanReposFirst, ScanReposNext,
};
use super::{Piece, place, read_place};
use crate::model::{ActorTotals, LogSubject};
use crate::numbers::read_numbers;
use crate::store::StoreError;

/// Subjects, sets or actors of one piece.
const AT_ONCE: usize = 200;

/// Actor shards of one piece at most.
const SHARDS: i32 = 32;

/// A shard of a set: subject, kind, shard.
type Set = (String, i32, i32);

/// What an actor shard sums up to.
type ShardSum = (i32, Vec<u8>);

/// Shards of which two readings differ. One without a row and one of zeros are the same: counting
/// writes a row for each.
fn differing(before: Vec<ShardSum>, after: Vec<ShardSum>) -> u64 {
    let holds = |(_, cell): &ShardSum| cell.iter().any(|byte| *byte != 0);
    let [before, after] = [before, after].map(|rows| {
        let held = rows.into_iter().filter(holds);
        held.collect::<BTreeMap<i32, Vec<u8>>>()
    });
    let shards: BTreeSet<&i32> = before.keys().chain(after.keys()).collect();
    let differs = |shard: &&&i32| before.get(shard) != after.get(shard);
    shards.iter().filter(differs).count() as u64
}

/// A piece of counting, of sets and whether their sizes were wrong. Done again it may have been cut
/// off after a size was written: all count as changed.
fn counted(seen: usize, sets: Vec<(Set, bool)>, again: bool, next: Option<String>) -> Piece {
    let changed = sets.iter().filter(|(_, was_wrong)| *was_wrong || again);
    let liked = changed.filter(|((_, kind, _), _)| *kind == Kind::Likes as i32);
    let liked: BTreeSet<&str> = liked.map(|((subject, ..), _)| subject.as_str()).collect();
    Piece {
        seen: seen as u64,
        mended: sets
            .iter()
            .map(|(_, was_wrong)| u64::from(*was_wrong))
            .sum(),
        changed: liked.into_iter().filter_map(LogSubject::liked).collect(),
        next,
        ..Piece::default()
    }
}

impl Inner {
    /// Counts a shard of a set, and writes it where that isn't what stands there. Answers whether
    /// it was wrong.
    async fn mend_size(
        &self,
        (subject, number, shard): &Set,
        cell: Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let Some(kind) = Kind::of(*number) else {
            return Ok(false);
        };
        let began = super::super::now();
        let size = self.set_size(subject, kind, *shard).await?;
        let held = cell.map(|cell| read_numbers("COUNTS", &cell));
        let is_right = match held {
            None => size == 0,
            Some(Ok([held])) => held == size,
            Some(Err(_)) => false,
        };
        if !is_right {
            let written = self.write_size(subject, kind, *shard, size, began);
            written.await?;
        }
        Ok(!is_right)
    }

    /// Every count that stands there is its set's size.
    pub(super) async fn counts_piece(
        &self,
        after: Option<&str>,
        again: bool,
    ) -> Result<Piece, StoreError> {
        let subjects: Vec<(String,)> = match after {
            None => self.cql.read(ScanCountsFirst, (), AT_ONCE).await?,
            Some(after) => self.cql.read(ScanCountsNext, (after,), AT_ONCE).await?,
        };
        let next = subjects.last().map(|(last,)| last.clone());
        let cells = all(subjects.iter().map(|(subject,)| async move {
            let cells: Vec<(i32, i32, Option<Vec<u8>>)> = self
                .cql
                .read(ReadCountCells, (subject.as_str(),), usize::MAX)
                .await?;
            let set = |(kind, shard, cell)| ((subject.clone(), kind, shard), cell);
            Ok(cells.into_iter().map(set).collect::<Vec<_>>())
        }));
        let cells = cells.await?.into_iter().flatten();
        let sets = all(cells.map(|(set, cell)| async move {
            let was_wrong = self.mend_size(&set, cell).await?;
            Ok((set, was_wrong))
        }));
        Ok(counted(subjects.len(), sets.await?, again, next))
    }

    /// Every set has its count.
    pub(super) async fn sets_piece(
        &self,
        after: Option<&str>,
        again: bool,
    ) -> Result<Piece, StoreError> {
        let sets: Vec<Set> = match read_place::<Set>(after)? {
            None => self.cql.read(ScanMembersFirst, (), AT_ONCE).await?,
            Some(last) => self.cql.read(ScanMembersNext, last, AT_ONCE).await?,
        };
        let next = sets.last().map(place).transpose()?;
        let seen = sets.len();
        let sets = all(sets.into_iter().map(|set| async move {
            let row: Option<(Option<Vec<u8>>,)> = self.cql.first(ReadCount, set.clone()).await?;
            let was_wrong = match row {
                // Those that stand there were looked at.
                Some((Some(_),)) => false,
                _ => self.mend_size(&set, None).await?,
            };
            Ok((set, was_wrong))
        }));
        Ok(counted(seen, sets.await?, again, next))
    }

    async fn mend_published(
        &self,
        did: String,
        collection: String,
        cell: Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let did = Did::new(did).map_err(|problem| corrupt("ACTOR_TOTALS", problem))?;
        let collection = Nsid::new(collection).map_err(|p| corrupt("ACTOR_TOTALS", p))?;
        let began = super::super::now();
        let totals = self.published(&did, &collection).await?;
        let held = cell.map(|cell| read_totals(&cell));
        let is_right = match held {
            None => totals == ActorTotals::default(),
            Some(held) => held.is_ok_and(|held| held == totals),
        };
        if !is_right {
            let written = self.write_published(&did, &collection, &totals, began);
            written.await?;
        }
        Ok(!is_right)
    }

    /// What each actor has published: first what is summed up, then what isn't yet.
    pub(super) async fn actors_piece(&self, after: Option<&str>) -> Result<Piece, StoreError> {
        /// Where in which of the two.
        type Place = (Option<(i32, String, String)>, Option<String>);
        let (summed, repos): Place = read_place(after)?.unwrap_or_default();
        let begins = after.is_none().then(|| (0, String::new(), String::new()));
        if let Some((mut shard, mut did, mut collection)) = summed.or(begins) {
            let (mut rows, last) = (Vec::new(), (shard + SHARDS).min(ACTOR_SHARDS));
            while shard < last && rows.len() < AT_ONCE {
                let key = (shard, did.as_str(), collection.as_str());
                let found: Vec<(String, String, Option<Vec<u8>>)> =
                    self.cql.read(ReadPublishedAfter, key, AT_ONCE).await?;
                (shard, did, collection) = match found.last() {
                    Some((did, of, _)) if found.len() == AT_ONCE => {
                        (shard, did.clone(), of.clone())
                    }
                    _ => (shard + 1, String::new(), String::new()),
                };
                rows.extend(found);
            }
            let next = (shard < ACTOR_SHARDS).then_some((shard, did, collection));
            let next: Place = (next, None);
            let seen = rows.len() as u64;
            let rows = rows.into_iter();
            let mended = all(rows.map(|(did, of, cell)| self.mend_published(did, of, cell)));
            return Ok(Piece {
                seen,
                mended: mended.await?.into_iter().map(u64::from).sum(),
                next: Some(place(&next)?),
                ..Piece::default()
            });
        }
        let dids: Vec<(String,)> = match &repos {
            None => self.cql.read(ScanReposFirst, (), AT_ONCE).await?,
            Some(last) => {
                self.cql
                    .read(ScanReposNext, (last.as_str(),), AT_ONCE)
                    .await?
            }
        };
        let next = dids.last().map(|(last,)| {
            let next: Place = (None, Some(last.clone()));
            place(&next)
        });
        let next = next.transpose()?;
        let seen = dids.len() as u64;
        let mended = all(dids.into_iter().map(|(did,)| self.mend_unsummed(did)));
        Ok(Piece {
            seen,
            mended: mended.await?.into_iter().sum(),
            next,
            ..Piece::default()
        })
    }

    async fn mend_unsummed(&self, did: String) -> Result<u64, StoreError> {
        let actor = Did::new(did.clone()).map_err(|problem| corrupt("REPOS", problem))?;
        let shard = actor_shard(&actor);
        let collections: Vec<(String,)> =
            self.cql.read(ReadRepo, (did.as_str(),), usize::MAX).await?;
        let mut mended = 0;
        for (collection,) in collections {
            let key = (shard, did.as_str(), collection.as_str());
            let row: Option<(Option<Vec<u8>>,)> = self.cql.first(ReadPublished, key).await?;
            if !matches!(row, Some((Some(_),))) {
                let summed = self.mend_published(did.clone(), collection, None);
                mended += u64::from(summed.await?);
            }
        }
        Ok(mended)
    }

    async fn shard_sums(&self) -> Result<Vec<ShardSum>, StoreError> {
        self.cql.read(ReadTotals, (0i32,), usize::MAX).await
    }

    /// What the network holds.
    pub(super) async fn totals_piece(&self) -> Result<Piece, StoreError> {
        let before = self.shard_sums().await?;
        let sums = (0..ACTOR_SHARDS).map(Touch::Sums);
        let counted = all(sums.map(|touch| async move { self.count(&touch).await }));
        counted.await?;
        let after = self.shard_sums().await?;
        Ok(Piece {
            seen: ACTOR_SHARDS as u64,
            mended: differing(before, after),
            ..Piece::default()
        })
    }

    /// The directory of hidden accounts says what the accounts do: first its rows, then accounts
    /// that aren't in it.
    pub(super) async fn hidden_piece(
        &self,
        after: Option<&str>,
        again: bool,
    ) -> Result<Piece, StoreError> {
        /// Shards of the directory first, then actors.
        type Place = (i32, Option<String>);
        let (shard, last): Place = read_place(after)?.unwrap_or_default();
        let (dids, next): (Vec<String>, Option<Place>) = if shard < ACTOR_SHARDS {
            let last = (shard + SHARDS).min(ACTOR_SHARDS);
            let rows = all((shard..last).map(|shard| async move {
                let rows: Vec<(String, Vec<u8>)> =
                    self.cql.read(ReadHidden, (shard,), usize::MAX).await?;
                Ok(rows)
            }));
            let rows = rows.await?.into_iter().flatten();
            (rows.map(|(did, _)| did).collect(), Some((last, None)))
        } else {
            let dids: Vec<(String,)> = match &last {
                None => self.cql.read(ScanActorsFirst, (), AT_ONCE).await?,
                Some(last) => {
                    self.cql
                        .read(ScanActorsNext, (last.as_str(),), AT_ONCE)
                        .await?
                }
            };
            let dids: Vec<String> = dids.into_iter().map(|(did,)| did).collect();
            let next = dids.last().map(|last| (shard, Some(last.clone())));
            (dids, next)
        };
        let mut piece = Piece {
            seen: dids.len() as u64,
            next: next.as_ref().map(place).transpose()?,
            ..Piece::default()
        };
        let looked_at = all(dids.into_iter().map(|did| async move {
            let did = Did::new(did).map_err(|problem| corrupt("ACTORS", problem))?;
            let was_wrong = self.mend_hidden(&did).await?;
            Ok((did, was_wrong))
        }));
        for (did, was_wrong) in looked_at.await? {
            piece.mended += u64::from(was_wrong);
            if was_wrong || again {
                piece.touched.extend(self.touches_of(&did).await?);
                piece.changed.push(LogSubject::Actor(did));
            }
        }
        Ok(piece)
    }

    /// Answers whether the directory was wrong about an account.
    async fn mend_hidden(&self, did: &Did) -> Result<bool, StoreError> {
        let key = (actor_shard(did), did.as_str());
        // The row first: what decided it is in what is read after it.
        let row: Option<(Vec<u8>,)> = self.cql.first(ReadHiddenOne, key).await?;
        let account = self.actor_row(did).await?;
        let hides = !account.state().is_visible();
        let cell = row.map(|(cell,)| cell).unwrap_or_default();
        if is_live(&cell) == hides {
            return Ok(false);
        }
        let asked_at = account
            .account
            .as_ref()
            .map_or(1, |(asked_at, _)| *asked_at);
        let held_at = cell
            .first_chunk::<8>()
            .map_or(0, |at| i64::from_be_bytes(*at));
        // Of two at one stamp the hidden one stays.
        let stamp = match hides {
            true => asked_at.max(held_at),
            false => asked_at.max(held_at.saturating_add(1)),
        };
        self.write_hidden(did, stamp, hides).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_zeros_is_no_difference() {
        let sum = |shard, byte| (shard, vec![0, byte]);
        let before = || vec![sum(1, 7), sum(2, 8)];
        let counted = |after| differing(before(), after);
        assert_eq!(counted(vec![sum(0, 0), sum(1, 7), sum(2, 8), sum(3, 0)]), 0);
        assert_eq!(counted(vec![sum(1, 8), sum(2, 7), sum(3, 0)]), 2);
        assert_eq!(counted(vec![sum(1, 0), sum(2, 8)]), 1);
        assert_eq!(counted(vec![sum(1, 7), sum(2, 8), sum(3, 9)]), 1);
    }
}
