//! Pages of feeds: only buckets that were ever written are walked, their shards in parallel.

use plyr_lexicons::{Collection, Did, Nsid, RecordKey, RecordUri};

use super::Inner;
use super::cells::{corrupt, is_live};
use super::cql::all;
use super::placing::{ACTOR_SHARDS, Feed, Place};
use super::settle::Kind;
use super::statements::Statement::{ReadBuckets, ReadFeed, ReadMembers};
use crate::index::{Index, IndexEntry, Position};
use crate::store::StoreError;

/// Rows of a directory read at a time; more than a bucket has shards.
const DIRECTORY: usize = 512;
/// Places read at once for one page.
const WAVE: usize = 32;

/// A row's columns after which a read goes on: (major, minor, did, collection, rkey).
pub type Columns = (i64, i64, String, String, String);

/// Before every row.
pub fn beginning() -> Columns {
    (
        i64::MIN,
        i64::MIN,
        String::new(),
        String::new(),
        String::new(),
    )
}

impl Inner {
    /// Live rows of one place strictly after a row, in order.
    pub async fn place_rows(
        &self,
        feed: &Feed,
        (bucket, shard): Place,
        after: &Columns,
        limit: usize,
    ) -> Result<Vec<Columns>, StoreError> {
        type Row = (i64, i64, String, String, String, Vec<u8>);
        let mut rows = Vec::new();
        let mut after = after.clone();
        loop {
            let (major, minor, did, collection, rkey) = &after;
            let name = feed.name.as_str();
            let key = (name, bucket, shard, major, minor, did, collection, rkey);
            // Dead rows are read over.
            let wanted = limit + 16;
            let page: Vec<Row> = self.cql.read(ReadFeed, key, wanted).await?;
            let is_last = page.len() < wanted;
            for (major, minor, did, collection, rkey, cell) in page {
                after = (major, minor, did, collection, rkey);
                if is_live(&cell) && rows.len() < limit {
                    rows.push(after.clone());
                }
            }
            if is_last || rows.len() >= limit {
                return Ok(rows);
            }
        }
    }

    /// Places of a feed from a bucket on, whole buckets, in order; and the bucket where the next
    /// ones begin.
    pub async fn places(
        &self,
        feed: &Feed,
        from: i32,
    ) -> Result<(Vec<Place>, Option<i32>), StoreError> {
        let key = (feed.name.as_str(), from);
        let mut places: Vec<Place> = self.cql.read(ReadBuckets, key, DIRECTORY).await?;
        let mut next = None;
        if places.len() == DIRECTORY {
            next = places.last().map(|(bucket, _)| *bucket);
            places.retain(|(bucket, _)| Some(*bucket) != next);
        }
        Ok((places, next))
    }

    /// Live rows of a feed strictly after a row, in order, at most `limit`.
    pub async fn feed_rows(
        &self,
        feed: &Feed,
        after: &Columns,
        limit: usize,
    ) -> Result<Vec<Columns>, StoreError> {
        if !feed.is_bucketed() {
            return self.place_rows(feed, (0, 0), after, limit).await;
        }
        let mut rows = Vec::new();
        let mut from = Some(feed.bucket(after.0));
        while let Some(bucket) = from {
            let (places, next) = self.places(feed, bucket).await?;
            let mut rest = places.as_slice();
            while !rest.is_empty() && rows.len() < limit {
                // Whole buckets, at least one.
                let mut end = WAVE.min(rest.len());
                while end < rest.len() && rest[end].0 == rest[end - 1].0 {
                    end += 1;
                }
                let (wave, later) = rest.split_at(end);
                rest = later;
                let wave = wave
                    .iter()
                    .map(|place| self.place_rows(feed, *place, after, limit - rows.len()));
                let mut found: Vec<Columns> = all(wave).await?.into_iter().flatten().collect();
                found.sort();
                rows.extend(found);
            }
            from = next.filter(|_| rows.len() < limit);
        }
        rows.truncate(limit);
        Ok(rows)
    }

    /// A page of an index.
    pub async fn index_page(
        &self,
        index: &Index,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        let Some(feed) = Feed::of(index) else {
            let Index::SubjectLikers(subject) = index else {
                return Ok(Vec::new());
            };
            return self.likers_page(index, subject, after, limit).await;
        };
        let after = after.map_or_else(beginning, |position| {
            let (major, minor, did, collection, rkey) = super::placing::columns(position);
            (
                major,
                minor,
                did.to_owned(),
                collection.to_owned(),
                rkey.to_owned(),
            )
        });
        let rows = self.feed_rows(&feed, &after, limit).await?;
        let entry = |(major, minor, did, collection, rkey)| {
            let uri = uri(did, collection, rkey)?;
            let position = Position { major, minor, uri };
            let index = index.clone();
            Ok(IndexEntry { index, position })
        };
        rows.into_iter().map(entry).collect()
    }

    /// Likes of a subject by actor: no view's page, so all shards are asked.
    async fn likers_page(
        &self,
        index: &Index,
        subject: &str,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        let (did, rkey) = after.map_or(("", ""), |position| {
            (position.uri.did.as_str(), position.uri.rkey.as_str())
        });
        let shards = (0..ACTOR_SHARDS).map(|shard| async move {
            let key = (subject, Kind::Likes as i32, shard, did, rkey);
            let rows: Vec<(String, String, Vec<u8>)> =
                self.cql.read(ReadMembers, key, usize::MAX).await?;
            let live = rows.into_iter().filter(|(.., cell)| is_live(cell));
            let live = live.map(|(did, rkey, _)| (did, rkey)).take(limit);
            Ok(live.collect::<Vec<_>>())
        });
        let mut rows: Vec<_> = all(shards).await?.into_iter().flatten().collect();
        rows.sort();
        let collection = self.namespace.nsid(Collection::Like);
        let entry = |(did, rkey): (String, String)| {
            let uri = uri(did, collection.as_str().to_owned(), rkey)?;
            let position = Position {
                major: 0,
                minor: 0,
                uri,
            };
            let index = index.clone();
            Ok(IndexEntry { index, position })
        };
        rows.into_iter().take(limit).map(entry).collect()
    }
}

/// An address read back.
pub fn uri(did: String, collection: String, rkey: String) -> Result<RecordUri, StoreError> {
    let did = Did::new(did).map_err(|problem| corrupt("FEEDS", problem))?;
    let collection = Nsid::new(collection).map_err(|problem| corrupt("FEEDS", problem))?;
    let rkey = RecordKey::new(rkey).map_err(|problem| corrupt("FEEDS", problem))?;
    Ok(RecordUri::new(did, collection, rkey))
}
