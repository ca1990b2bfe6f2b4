//! Walking over whole tables in the order of their partitions' tokens, some partitions at a time.

use plyr_lexicons::{Did, Nsid, RecordUri};
use serde::{Deserialize, Serialize};

use super::super::Inner;
use super::super::cells::corrupt;
use super::super::cql::all;
use super::super::pages;
use super::super::statements::Statement::{
    ReadFeed, ReadMembers, ScanFeedsFirst, ScanFeedsNext, ScanFirst, ScanMembersFirst,
    ScanMembersNext, ScanNext,
};
use super::super::writer::Versions;
use super::{place, read_place};
use crate::store::StoreError;

/// Partitions looked into at once.
const WAVE: usize = 16;
/// Rows of one partition read at a time.
const ROWS: usize = 200;

/// A partition, and where in it to go on; at its end where there is no such place.
#[derive(Serialize, Deserialize)]
struct Place<P, R> {
    partition: P,
    after: Option<R>,
}

/// Where the next piece begins; none at the end.
pub type Next = Option<String>;
/// A row of a feed: its partition, its columns, its cell.
pub type FeedCell = ((String, i32, i32), pages::Columns, Vec<u8>);
/// A row of a set: its partition, actor and record key, its cell.
pub type MemberCell = ((String, i32, i32), (String, String), Vec<u8>);

/// Puts what the partitions of a wave hold in order, up to and with the first that was cut: the
/// next piece goes on within it.
fn gather<P: Serialize, R: Serialize, T>(
    wave: Vec<(P, Vec<T>, Option<R>)>,
) -> Result<(Vec<T>, Next), StoreError> {
    let (mut found, mut next) = (Vec::new(), None);
    for (partition, items, after) in wave {
        found.extend(items);
        let is_cut = after.is_some();
        next = Some(Place { partition, after });
        if is_cut {
            break;
        }
    }
    let next = next.as_ref().map(place).transpose()?;
    Ok((found, next))
}

impl Inner {
    /// The next keys of records, with their versions.
    pub(super) async fn walk_keys(
        &self,
        after: Option<&str>,
    ) -> Result<(Vec<(RecordUri, Versions)>, Next), StoreError> {
        type Partition = (String, String, i32);
        let last: Option<Place<Partition, String>> = read_place(after)?;
        let partitions: Vec<(Partition, String)> = match last {
            Some(Place {
                partition,
                after: Some(after),
            }) => vec![(partition, after)],
            Some(Place { partition, .. }) => {
                let next: Vec<Partition> = self.cql.read(ScanNext, partition, WAVE).await?;
                next.into_iter().map(|next| (next, String::new())).collect()
            }
            None => {
                let first: Vec<Partition> = self.cql.read(ScanFirst, (), WAVE).await?;
                let first = first.into_iter();
                first.map(|first| (first, String::new())).collect()
            }
        };
        let wave = partitions.into_iter().map(|(partition, from)| async move {
            let (did, collection, shard) = &partition;
            let did = Did::new(did.clone()).map_err(|p| corrupt("VERSIONS", p))?;
            let collection = Nsid::new(collection.clone()).map_err(|p| corrupt("VERSIONS", p))?;
            let chunk = self.repo_chunk(&did, &collection, *shard, &from, false);
            let (keys, next) = chunk.await?;
            let keys = keys.into_iter().map(|(rkey, versions)| {
                let uri = RecordUri::new(did.clone(), collection.clone(), rkey);
                (uri, versions)
            });
            let keys: Vec<_> = keys.collect();
            Ok((partition, keys, next))
        });
        gather(all(wave).await?)
    }

    /// The next rows of feeds, dead ones too, and the partitions they begin.
    pub(super) async fn walk_feeds(
        &self,
        after: Option<&str>,
    ) -> Result<(Vec<FeedCell>, Next), StoreError> {
        type Partition = (String, i32, i32);
        type Row = (i64, i64, String, String, String, Vec<u8>);
        let last: Option<Place<Partition, pages::Columns>> = read_place(after)?;
        let partitions: Vec<(Partition, pages::Columns)> = match last {
            Some(Place {
                partition,
                after: Some(after),
            }) => vec![(partition, after)],
            Some(Place { partition, .. }) => {
                let next: Vec<Partition> = self.cql.read(ScanFeedsNext, partition, WAVE).await?;
                let next = next.into_iter();
                next.map(|next| (next, pages::beginning())).collect()
            }
            None => {
                let first: Vec<Partition> = self.cql.read(ScanFeedsFirst, (), WAVE).await?;
                let first = first.into_iter();
                first.map(|first| (first, pages::beginning())).collect()
            }
        };
        let wave = partitions.into_iter().map(|(partition, from)| async move {
            let (feed, bucket, shard) = &partition;
            let (major, minor, did, collection, rkey) = &from;
            let key = (
                feed.as_str(),
                *bucket,
                *shard,
                major,
                minor,
                did,
                collection,
                rkey,
            );
            let rows: Vec<Row> = self.cql.read(ReadFeed, key, ROWS).await?;
            let is_cut = rows.len() == ROWS;
            let rows = rows.into_iter().map(|row| {
                let (major, minor, did, collection, rkey, cell) = row;
                let columns = (major, minor, did, collection, rkey);
                (partition.clone(), columns, cell)
            });
            let rows: Vec<FeedCell> = rows.collect();
            let next = rows.last().filter(|_| is_cut);
            let next = next.map(|(_, columns, _)| columns.clone());
            Ok((partition, rows, next))
        });
        gather(all(wave).await?)
    }

    /// The next rows of sets, dead ones too.
    pub(super) async fn walk_members(
        &self,
        after: Option<&str>,
    ) -> Result<(Vec<MemberCell>, Next), StoreError> {
        type Partition = (String, i32, i32);
        let last: Option<Place<Partition, (String, String)>> = read_place(after)?;
        let beginning = || (String::new(), String::new());
        let partitions: Vec<(Partition, (String, String))> = match last {
            Some(Place {
                partition,
                after: Some(after),
            }) => vec![(partition, after)],
            Some(Place { partition, .. }) => {
                let next: Vec<Partition> = self.cql.read(ScanMembersNext, partition, WAVE).await?;
                next.into_iter().map(|next| (next, beginning())).collect()
            }
            None => {
                let first: Vec<Partition> = self.cql.read(ScanMembersFirst, (), WAVE).await?;
                first
                    .into_iter()
                    .map(|first| (first, beginning()))
                    .collect()
            }
        };
        let wave = partitions.into_iter().map(|(partition, from)| async move {
            let (subject, kind, shard) = &partition;
            let key = (
                subject.as_str(),
                *kind,
                *shard,
                from.0.as_str(),
                from.1.as_str(),
            );
            let rows: Vec<(String, String, Vec<u8>)> =
                self.cql.read(ReadMembers, key, ROWS).await?;
            let is_cut = rows.len() == ROWS;
            let rows = rows.into_iter();
            let rows = rows.map(|(did, rkey, cell)| (partition.clone(), (did, rkey), cell));
            let rows: Vec<MemberCell> = rows.collect();
            let next = rows.last().filter(|_| is_cut);
            let next = next.map(|(_, row, _)| row.clone());
            Ok((partition, rows, next))
        });
        gather(all(wave).await?)
    }
}
