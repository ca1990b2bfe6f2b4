//! Derived rows on their way to the cluster.

use std::collections::HashSet;

use plyr_lexicons::RecordUri;

use super::Inner;
use super::cells::Decision;
use super::cql::{Write, write};
use super::placing::{Feed, actor_shard, columns};
use super::settle::{Kind, Touch};
use crate::index::{Index, IndexEntry, Position};
use crate::model::Micros;
use crate::store::StoreError;

/// Rows gathered over the keys of one call.
#[derive(Default)]
pub struct Rows {
    feeds: Vec<FeedRow>,
    members: Vec<Write>,
    touched: HashSet<Touch>,
}

/// A row of a feed.
pub struct FeedRow {
    pub feed: Feed,
    pub position: (i64, i64, String, String, String),
    pub cell: Vec<u8>,
    pub stamp: i64,
}

/// The set a row counts in, if any.
pub fn counted(index: &Index) -> Option<(Kind, &str)> {
    match index {
        Index::SubjectLikers(subject) => Some((Kind::Likes, subject)),
        Index::SubjectCommentsByTime(subject) => Some((Kind::Comments, subject)),
        Index::ListsWithItem(subject) => Some((Kind::Lists, subject)),
        _ => None,
    }
}

fn owned(position: &Position) -> (i64, i64, String, String, String) {
    let (major, minor, did, collection, rkey) = columns(position);
    (
        major,
        minor,
        did.to_owned(),
        collection.to_owned(),
        rkey.to_owned(),
    )
}

impl Rows {
    /// The rows of feeds.
    #[cfg(test)]
    pub fn into_feeds(self) -> Vec<FeedRow> {
        self.feeds
    }

    /// A row of an index, live or dead, and of the set it counts in.
    pub fn index(&mut self, row: &IndexEntry, decision: &Decision, live: bool) {
        let uri = &row.position.uri;
        if let Some(feed) = Feed::of(&row.index) {
            self.feeds.push(FeedRow {
                feed,
                position: owned(&row.position),
                cell: decision.cell(live),
                stamp: decision.stamp,
            });
        }
        if let Some((kind, subject)) = counted(&row.index) {
            let shard = actor_shard(&uri.did);
            self.members.push(write!(WriteMember;
                subject, kind as i32, shard, uri.did.as_str(), uri.rkey.as_str(),
                decision.cell(live), decision.stamp));
            self.touched.insert(Touch::Set {
                subject: subject.to_owned(),
                kind,
                shard,
            });
        }
    }

    /// A row of the list of invalid records.
    pub fn invalid(&mut self, uri: &RecordUri, seen_at: Micros, by: &Decision, live: bool) {
        let position = Position {
            major: seen_at.saturating_neg(),
            minor: 0,
            uri: uri.clone(),
        };
        self.feeds.push(FeedRow {
            feed: Feed::invalid(),
            position: owned(&position),
            cell: by.cell(live),
            stamp: by.stamp,
        });
    }

    /// What an actor has published in a collection may have changed.
    pub fn published(&mut self, uri: &RecordUri) {
        self.touched.insert(Touch::Published {
            did: uri.did.clone(),
            collection: uri.collection.clone(),
        });
    }
}

impl Inner {
    /// Writes gathered rows. Answers which sets they touch.
    pub async fn write_rows(&self, rows: Rows) -> Result<Vec<Touch>, StoreError> {
        let (mut writes, mut buckets) = (rows.members, HashSet::new());
        for row in rows.feeds {
            let (bucket, shard) = row.feed.place(row.position.0, &row.position.2);
            if row.feed.is_bucketed() {
                buckets.insert((row.feed.name.clone(), bucket, shard));
            }
            writes.push(row.write());
        }
        let key = |(feed, bucket, shard): &(String, i32, i32)| format!("{bucket} {shard} {feed}");
        buckets.retain(|bucket| !self.written.has(&key(bucket)));
        for (feed, bucket, shard) in &buckets {
            // Never taken back: any stamp will do.
            writes.push(write!(WriteBucket; feed.as_str(), *bucket, *shard, 1i64));
        }
        self.cql.write(writes).await?;
        for bucket in &buckets {
            self.written.add(key(bucket));
        }
        Ok(rows.touched.into_iter().collect())
    }
}

impl FeedRow {
    /// The write of the row; its bucket's is another.
    pub fn write(self) -> Write {
        let FeedRow {
            feed,
            position: (major, minor, did, collection, rkey),
            cell,
            stamp,
        } = self;
        let (bucket, shard) = feed.place(major, &did);
        write!(WriteFeed;
            feed.name, bucket, shard, major, minor, did, collection, rkey, cell, stamp)
    }
}
