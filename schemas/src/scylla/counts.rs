//! Counting sets again, into registers stamped with the time the reading began.

use std::collections::HashSet;

use plyr_lexicons::{Collection, Did, Nsid, RecordUri};

use super::Inner;
use super::cells::{is_live, numbers, read_numbers};
use super::cql::{all, write};
use super::derived::counted;
use super::placing::{RECORD_SHARDS, actor_shard};
use super::settle::{Kind, Touch};
use super::statements::Statement::{ReadHidden, ReadMembers, ReadShardTotals};
use crate::held::derived_of;
use crate::index::{Derived, Index};
use crate::model::{ActorTotals, Micros};
use crate::store::StoreError;

/// Totals as numbers.
pub fn totals_cell(totals: &ActorTotals) -> Vec<u8> {
    let ActorTotals {
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    } = *totals;
    numbers(&[
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    ])
}

/// Totals read back.
pub fn read_totals(cell: &[u8]) -> Result<ActorTotals, StoreError> {
    let [
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    ] = read_numbers("ACTOR_TOTALS", cell)?;
    Ok(ActorTotals {
        tracks,
        duration_seconds,
        likes,
        comments,
        albums,
        playlists,
        lists,
    })
}

/// Adds totals to others.
pub fn add(sum: &mut ActorTotals, more: &ActorTotals) {
    let each = [
        (&mut sum.tracks, more.tracks),
        (&mut sum.duration_seconds, more.duration_seconds),
        (&mut sum.likes, more.likes),
        (&mut sum.comments, more.comments),
        (&mut sum.albums, more.albums),
        (&mut sum.playlists, more.playlists),
        (&mut sum.lists, more.lists),
    ];
    for (sum, more) in each {
        *sum = sum.saturating_add(more);
    }
}

impl Inner {
    /// Counts one thing again.
    pub async fn count(&self, touch: &Touch) -> Result<(), StoreError> {
        // Before anything is read: a count that began later knows more.
        let began = super::now();
        match touch {
            Touch::Set {
                subject,
                kind,
                shard,
            } => self.count_set(subject, *kind, *shard, began).await,
            Touch::Published { did, collection } => {
                self.count_published(did, collection, began).await
            }
            Touch::Sums(shard) => self.count_sums(*shard, began).await,
        }
    }

    async fn hidden(&self, shard: i32) -> Result<HashSet<String>, StoreError> {
        let rows: Vec<(String, Vec<u8>)> = self.cql.read(ReadHidden, (shard,), usize::MAX).await?;
        let hidden = rows.into_iter().filter(|(_, cell)| is_live(cell));
        Ok(hidden.map(|(did, _)| did).collect())
    }

    async fn count_set(
        &self,
        subject: &str,
        kind: Kind,
        shard: i32,
        began: Micros,
    ) -> Result<(), StoreError> {
        let hidden = self.hidden(shard).await?;
        let key = (subject, kind as i32, shard, "", "");
        let rows: Vec<(String, String, Vec<u8>)> =
            self.cql.read(ReadMembers, key, usize::MAX).await?;
        let (mut count, mut last) = (0u64, String::new());
        for (did, _, cell) in rows {
            if !is_live(&cell) || hidden.contains(&did) {
                continue;
            }
            // Rows come in the order of actors; an actor likes once.
            if kind != Kind::Likes || did != last {
                count += 1;
            }
            last = did;
        }
        let cell = numbers(&[count]);
        self.cql
            .write(vec![
                write!(WriteCounts; subject, kind as i32, shard, cell, began),
            ])
            .await
    }

    async fn count_published(
        &self,
        did: &Did,
        collection: &Nsid,
        began: Micros,
    ) -> Result<(), StoreError> {
        let (mut totals, mut liked) = (ActorTotals::default(), HashSet::new());
        self.each_derived(did, collection, |derived| {
            let seconds = &mut totals.duration_seconds;
            *seconds = seconds.saturating_add(derived.duration_seconds);
            for row in derived.rows {
                match row.index {
                    Index::ActorTracks(_) => totals.tracks += 1,
                    Index::ActorLists(_) => totals.lists += 1,
                    Index::ActorListsOfType(_, of) if of == "album" => totals.albums += 1,
                    Index::ActorListsOfType(_, of) if of == "playlist" => totals.playlists += 1,
                    Index::SubjectCommentsByTime(_) => totals.comments += 1,
                    Index::SubjectLikers(subject) => {
                        liked.insert(subject);
                    }
                    _ => {}
                }
            }
        })
        .await?;
        totals.likes = liked.len() as u64;
        let (did_text, shard) = (did.as_str(), actor_shard(did));
        let cell = totals_cell(&totals);
        self.cql
            .write(vec![
                write!(WriteActorTotals; shard, did_text, collection.as_str(), cell, began),
            ])
            .await
    }

    async fn count_sums(&self, shard: i32, began: Micros) -> Result<(), StoreError> {
        let hidden = self.hidden(shard).await?;
        let rows: Vec<(String, Vec<u8>)> =
            self.cql.read(ReadShardTotals, (shard,), usize::MAX).await?;
        let (mut sums, mut artists) = (ActorTotals::default(), 0u64);
        for (did, cell) in rows {
            if hidden.contains(&did) {
                continue;
            }
            let totals = read_totals(&cell)?;
            // Only one collection of an actor holds tracks.
            artists += u64::from(totals.tracks > 0);
            add(&mut sums, &totals);
        }
        let mut cell = totals_cell(&sums);
        cell.extend_from_slice(&artists.to_be_bytes());
        self.cql
            .write(vec![write!(WriteTotals; 0i32, shard, cell, began)])
            .await
    }

    /// What each current record of a repo's collection derives, a chunk at a time.
    async fn each_derived(
        &self,
        did: &Did,
        collection: &Nsid,
        mut each: impl FnMut(Derived),
    ) -> Result<(), StoreError> {
        for shard in 0..RECORD_SHARDS {
            let mut after = Some(String::new());
            while let Some(from) = after {
                let chunk = self.repo_chunk(did, collection, shard, &from, false);
                let (keys, next) = chunk.await?;
                for (rkey, versions) in keys {
                    let current = crate::held::current(&versions);
                    let Some((_, held)) = current.filter(|(_, held)| !held.swept) else {
                        continue;
                    };
                    let uri = RecordUri::new(did.clone(), collection.clone(), rkey);
                    each(derived_of(&self.namespace, &uri, held)?);
                }
                after = next;
            }
        }
        Ok(())
    }

    /// Everything an actor counts in.
    pub async fn touches_of(&self, did: &Did) -> Result<Vec<Touch>, StoreError> {
        let shard = actor_shard(did);
        let counting = [Collection::Like, Collection::Comment, Collection::List];
        let touched = all(counting.into_iter().map(|collection| async move {
            let mut touched = HashSet::new();
            let nsid = self.namespace.nsid(collection);
            self.each_derived(did, nsid, |derived| {
                for row in derived.rows {
                    if let Some((kind, subject)) = counted(&row.index) {
                        let subject = subject.to_owned();
                        touched.insert(Touch::Set {
                            subject,
                            kind,
                            shard,
                        });
                    }
                }
            })
            .await?;
            Ok(touched)
        }))
        .await?;
        let mut touched: Vec<Touch> = touched.into_iter().flatten().collect();
        touched.push(Touch::Sums(shard));
        Ok(touched)
    }
}
