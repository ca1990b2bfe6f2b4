//! Feeds of what is due, by time: read from the front, emptied places cleared.

use super::Inner;
use super::cql::{all, write};
use super::pages::{Columns, beginning};
use super::placing::{Feed, Place};
use crate::model::Micros;
use crate::store::StoreError;

/// An hour's bucket is cleared this long after it ended.
const CLEARED_AFTER: Micros = 7_200_000_000;
/// Clocks are no further apart.
const CLOCKS: Micros = 10_000_000;
/// Writes from a row of a feed on to what it stands for, and one more.
const STEPS: u32 = 4;
/// Rows looked at together.
const LOOKED_AT: usize = 256;

impl Inner {
    /// What is still open of a feed's rows up to a time, roughly the soonest first and at least
    /// `limit` where there is that much. `open` answers what a row stands for, by its time and the
    /// name in its actor column.
    pub async fn due_rows<T, F>(
        &self,
        feed: &Feed,
        until: Micros,
        limit: usize,
        open: impl Fn(Micros, String) -> F,
    ) -> Result<Vec<T>, StoreError>
    where
        F: Future<Output = Result<Option<T>, StoreError>>,
    {
        let began = super::now();
        // What a row stands for may be written that much later than the row.
        let steps = self.cql.write_patience().saturating_mul(STEPS).as_micros();
        let before = began - CLOCKS - i64::try_from(steps).unwrap_or(began);
        let mut due: Vec<T> = Vec::new();
        let mut from = Some(0);
        while let Some(bucket) = from {
            let (places, next) = self.places(feed, bucket).await?;
            let (mut at, mut full) = (bucket, false);
            for place in places {
                // Shards of one bucket belong together.
                if place.0 > feed.bucket(until) || (place.0 > at && due.len() >= limit) {
                    full = true;
                    break;
                }
                at = place.0;
                let (found, is_empty) = self.due_in(feed, place, until, limit, &open).await?;
                if is_empty && place.0 < feed.bucket(began - CLEARED_AFTER) {
                    self.clear(feed, place, before).await?;
                }
                due.extend(found);
            }
            from = next.filter(|_| !full);
        }
        Ok(due)
    }

    /// What is open of one place; and whether nothing is left in it at all.
    async fn due_in<T, F>(
        &self,
        feed: &Feed,
        place: Place,
        until: Micros,
        limit: usize,
        open: &impl Fn(Micros, String) -> F,
    ) -> Result<(Vec<T>, bool), StoreError>
    where
        F: Future<Output = Result<Option<T>, StoreError>>,
    {
        let mut after: Columns = beginning();
        let (mut found, mut any) = (Vec::new(), false);
        loop {
            let rows = self.place_rows(feed, place, &after, LOOKED_AT).await?;
            let is_last = rows.len() < LOOKED_AT;
            let mut looked_at = Vec::with_capacity(rows.len());
            for row in rows {
                if row.0 > until {
                    return Ok((extended(found, looked_at).await?, false));
                }
                looked_at.push(open(row.0, row.2.clone()));
                after = row;
            }
            let more = all(looked_at).await?;
            found.extend(more.into_iter().flatten());
            any |= !found.is_empty();
            if is_last || found.len() >= limit {
                return Ok((found, !any && is_last));
            }
        }
    }

    /// Takes back a place where nothing is left; what was written since stays.
    async fn clear(
        &self,
        feed: &Feed,
        (bucket, shard): Place,
        stamp: Micros,
    ) -> Result<(), StoreError> {
        let name = feed.name.as_str();
        self.cql
            .write(vec![
                write!(ClearBucket; stamp, name, bucket, shard),
                write!(ClearFeed; stamp, name, bucket, shard),
            ])
            .await
    }
}

async fn extended<T, F>(mut found: Vec<T>, more: Vec<F>) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Option<T>, StoreError>>,
{
    found.extend(all(more).await?.into_iter().flatten());
    Ok(found)
}
