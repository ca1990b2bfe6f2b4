//! Index rows against records, both ways. A row is read before its record's versions are: so that
//! whatever decided it is among them, and what differs then is wrong.

use std::collections::HashSet;

use plyr_lexicons::{Did, RecordUri, Verdict};

use super::super::Inner;
use super::super::cells::{Decision, is_live};
use super::super::cql::{Write, all, write};
use super::super::derived::counted;
use super::super::pages::{Columns, uri};
use super::super::placing::{Feed, actor_shard, columns};
use super::super::settle::{Kind, Touch};
use super::super::statements::Statement::{ReadFeedRow, ReadMember};
use super::super::writer::Versions;
use super::Piece;
use crate::held::{current, derived_of};
use crate::index::Position;
use crate::model::LogSubject;
use crate::store::StoreError;

/// The key of a derived row.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum RowKey {
    Feed {
        feed: String,
        place: (i32, i32),
        columns: Columns,
    },
    Member {
        subject: String,
        kind: Kind,
        did: String,
        rkey: String,
    },
}

impl RowKey {
    fn in_feed(feed: &Feed, position: &Position) -> RowKey {
        let (major, minor, did, collection, rkey) = columns(position);
        RowKey::Feed {
            feed: feed.name.clone(),
            place: feed.place(major, did),
            columns: (
                major,
                minor,
                did.to_owned(),
                collection.to_owned(),
                rkey.to_owned(),
            ),
        }
    }

    /// The set it counts in.
    fn touch(&self) -> Result<Option<Touch>, StoreError> {
        let RowKey::Member {
            subject, kind, did, ..
        } = self
        else {
            return Ok(None);
        };
        let did = Did::new(did.clone()).map_err(|p| super::corrupt("MEMBERS", p))?;
        Ok(Some(Touch::Set {
            subject: subject.clone(),
            kind: *kind,
            shard: actor_shard(&did),
        }))
    }

    /// The write of its bucket, which a row that is new to the store may be the first of.
    fn bucket(&self) -> Option<Write> {
        match self {
            RowKey::Feed {
                feed,
                place: (bucket, shard),
                ..
            } if Feed::lists_buckets(feed) => {
                let now = super::super::now();
                Some(write!(WriteBucket; feed.as_str(), *bucket, *shard, now))
            }
            _ => None,
        }
    }

    fn write(&self, shard: i32, (stamp, cell): (i64, Vec<u8>)) -> Write {
        match self.clone() {
            RowKey::Feed {
                feed,
                place: (bucket, shard),
                columns: (major, minor, did, collection, rkey),
            } => write!(WriteFeed;
                feed, bucket, shard, major, minor, did, collection, rkey, cell, stamp),
            RowKey::Member {
                subject,
                kind,
                did,
                rkey,
            } => write!(WriteMember; subject, kind as i32, shard, did, rkey, cell, stamp),
        }
    }
}

impl Piece {
    /// Rows that changed, or may have.
    fn changes(&mut self, rows: &[(RowKey, RecordUri)]) -> Result<(), StoreError> {
        for (row, uri) in rows {
            self.touched.extend(row.touch()?);
            self.changed.push(LogSubject::Record(uri.clone()));
        }
        Ok(())
    }
}

impl Inner {
    /// The rows that versions of a key come to. A record that can't be read derives none.
    fn wanted_rows(&self, uri: &RecordUri, versions: &Versions) -> (HashSet<RowKey>, bool) {
        let mut wanted = HashSet::new();
        let Some((_, held)) = current(versions).filter(|(_, held)| !held.swept) else {
            return (wanted, true);
        };
        let derived = match derived_of(&self.namespace, uri, held) {
            Ok(derived) => derived,
            Err(problem) => {
                tracing::error!(%uri, %problem, "a kept record can't be read");
                return (wanted, false);
            }
        };
        for row in &derived.rows {
            let feed = Feed::of(&row.index);
            wanted.extend(feed.map(|feed| RowKey::in_feed(&feed, &row.position)));
            wanted.extend(counted(&row.index).map(|(kind, subject)| RowKey::Member {
                subject: subject.to_owned(),
                kind,
                did: uri.did.as_str().to_owned(),
                rkey: uri.rkey.as_str().to_owned(),
            }));
        }
        let content = held.content.as_ref();
        if content.is_some_and(|content| content.judgement.verdict == Verdict::Invalid) {
            let position = Position {
                major: held.seen_at.saturating_neg(),
                minor: 0,
                uri: uri.clone(),
            };
            wanted.insert(RowKey::in_feed(&Feed::invalid(), &position));
        }
        (wanted, true)
    }

    /// A row's stamp and cell.
    async fn row(&self, key: &RowKey, shard: i32) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        let row: Option<(Option<i64>, Option<Vec<u8>>)> = match key {
            RowKey::Feed {
                feed,
                place,
                columns,
            } => {
                let (major, minor, did, collection, rkey) = columns;
                let key = (
                    feed.as_str(),
                    place.0,
                    place.1,
                    major,
                    minor,
                    did,
                    collection,
                    rkey,
                );
                self.cql.first(ReadFeedRow, key).await?
            }
            RowKey::Member {
                subject,
                kind,
                did,
                rkey,
            } => {
                let key = (subject.as_str(), *kind as i32, shard, did, rkey);
                self.cql.first(ReadMember, key).await?
            }
        };
        Ok(row.and_then(|(stamp, cell)| Some((stamp?, cell?))))
    }

    /// Looks at a row and its record again, and puts the row right. Answers whether it was wrong.
    async fn mend_row(&self, key: &RowKey, uri: &RecordUri) -> Result<bool, StoreError> {
        let shard = actor_shard(&uri.did);
        let held = self.row(key, shard).await?;
        let versions = self.versions(uri).await?;
        let wants = self.wanted_rows(uri, &versions).0.contains(key);
        let is_there = held.as_ref().is_some_and(|(_, cell)| is_live(cell));
        if wants == is_there {
            return Ok(false);
        }
        let over = held.as_ref().map(|(stamp, cell)| (*stamp, cell.as_slice()));
        let (stamp, cell) = match (Decision::of(&versions), over) {
            (Some(decision), over) => decision.over(over, wants),
            (None, Some((stamp, _))) => (stamp.saturating_add(1), vec![0]),
            (None, None) => return Ok(false),
        };
        self.cql
            .write(vec![key.write(shard, (stamp, cell.clone()))])
            .await?;
        if wants && let Some(bucket) = key.bucket() {
            self.cql.write(vec![bucket]).await?;
        }
        let now = self.row(key, shard).await?;
        if now.as_ref().is_some_and(|(_, cell)| is_live(cell)) != wants {
            // Somebody deleted it by hand, at a later time than anything decided it.
            tracing::warn!(%uri, "a row of the index was taken away by hand; it is put back");
            let row = key.write(shard, (super::super::now(), cell));
            self.cql.write(vec![row]).await?;
        }
        Ok(true)
    }

    /// Every record has its rows, and its repo's collection is in the directory.
    pub(super) async fn records_piece(
        &self,
        after: Option<&str>,
        again: bool,
    ) -> Result<Piece, StoreError> {
        let (keys, next) = self.walk_keys(after).await?;
        let mut piece = Piece {
            seen: keys.len() as u64,
            next,
            ..Piece::default()
        };
        let repos = keys.iter().map(|(uri, _)| (&uri.did, &uri.collection));
        let repos: HashSet<(String, String)> = repos
            .map(|(did, collection)| (did.as_str().to_owned(), collection.as_str().to_owned()))
            .collect();
        let repos = repos.into_iter();
        let now = super::super::now();
        let repos = repos.map(|(did, collection)| write!(WriteRepo; did, collection, now));
        self.cql.write(repos.collect()).await?;
        let mut wanted = Vec::new();
        for (uri, versions) in &keys {
            let (rows, is_readable) = self.wanted_rows(uri, versions);
            piece.unreadable += u64::from(!is_readable);
            wanted.extend(rows.into_iter().map(|row| (row, uri.clone())));
        }
        if again {
            piece.changes(&wanted)?;
        }
        let found = all(wanted.into_iter().map(|(row, uri)| async move {
            let held = self.row(&row, actor_shard(&uri.did)).await?;
            let is_there = held.is_some_and(|(_, cell)| is_live(&cell));
            Ok((!is_there).then_some((row, uri)))
        }));
        let missing = found.await?.into_iter().flatten().collect();
        self.mend_rows(missing, &mut piece).await?;
        Ok(piece)
    }

    async fn mend_rows(
        &self,
        wrong: Vec<(RowKey, RecordUri)>,
        piece: &mut Piece,
    ) -> Result<(), StoreError> {
        let mended = all(wrong.into_iter().map(|(row, uri)| async move {
            let mended = self.mend_row(&row, &uri).await?;
            Ok(mended.then_some((row, uri)))
        }));
        for (row, uri) in mended.await?.into_iter().flatten() {
            piece.mended += 1;
            piece.changes(&[(row, uri)])?;
        }
        Ok(())
    }

    /// Of rows that are live, those whose records don't derive them are made dead.
    async fn check_rows(
        &self,
        live: Vec<(RowKey, RecordUri)>,
        piece: &mut Piece,
    ) -> Result<(), StoreError> {
        let uris: HashSet<RecordUri> = live.iter().map(|(_, uri)| uri.clone()).collect();
        let wanted = all(uris.into_iter().map(|uri| async move {
            let versions = self.versions(&uri).await?;
            Ok((uri.clone(), self.wanted_rows(&uri, &versions).0))
        }));
        let wanted: std::collections::HashMap<_, _> = wanted.await?.into_iter().collect();
        let is_wrong = |(row, uri): &(RowKey, RecordUri)| {
            let rows = wanted.get(uri);
            !rows.is_some_and(|rows| rows.contains(row))
        };
        let wrong = live.into_iter().filter(is_wrong).collect();
        self.mend_rows(wrong, piece).await
    }

    /// Every live row of a feed has a record that derives it, and every bucket is in the directory.
    pub(super) async fn rows_piece(
        &self,
        after: Option<&str>,
        again: bool,
    ) -> Result<Piece, StoreError> {
        let (rows, next) = self.walk_feeds(after).await?;
        let mut piece = Piece {
            seen: rows.len() as u64,
            next,
            ..Piece::default()
        };
        let (mut live, mut buckets) = (Vec::new(), HashSet::new());
        for ((feed, bucket, shard), columns, cell) in rows {
            if !Feed::is_derived(&feed) {
                continue;
            }
            if Feed::lists_buckets(&feed) {
                buckets.insert((feed.clone(), bucket, shard));
            }
            let is_live = is_live(&cell);
            if !is_live && !again {
                continue;
            }
            let (_, _, did, collection, rkey) = columns.clone();
            let place = (bucket, shard);
            let row = RowKey::Feed {
                feed,
                place,
                columns,
            };
            let row = (row, uri(did, collection, rkey)?);
            if again {
                // A dead one may have been live when the piece was begun.
                piece.changes(std::slice::from_ref(&row))?;
            }
            if is_live {
                live.push(row);
            }
        }
        let buckets = buckets.into_iter();
        let now = super::super::now();
        let buckets =
            buckets.map(|(feed, bucket, shard)| write!(WriteBucket; feed, bucket, shard, now));
        self.cql.write(buckets.collect()).await?;
        self.check_rows(live, &mut piece).await?;
        Ok(piece)
    }

    /// Every live row of a set has a record that derives it.
    pub(super) async fn members_piece(
        &self,
        after: Option<&str>,
        again: bool,
    ) -> Result<Piece, StoreError> {
        let (rows, next) = self.walk_members(after).await?;
        let mut piece = Piece {
            seen: rows.len() as u64,
            next,
            ..Piece::default()
        };
        let mut live = Vec::new();
        for ((subject, kind, _), (did, rkey), cell) in rows {
            let is_live = is_live(&cell);
            let Some(kind) = Kind::of(kind).filter(|_| is_live || again) else {
                continue;
            };
            let collection = self.namespace.nsid(kind.collection()).as_str().to_owned();
            let uri = uri(did.clone(), collection, rkey.clone())?;
            let row = RowKey::Member {
                subject,
                kind,
                did,
                rkey,
            };
            let row = (row, uri);
            if again {
                piece.changes(std::slice::from_ref(&row))?;
            }
            if is_live {
                live.push(row);
            }
        }
        self.check_rows(live, &mut piece).await?;
        Ok(piece)
    }
}
