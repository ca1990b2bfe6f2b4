//! Counting sets again, into registers stamped with the time the reading began.

use std::collections::HashSet;

use plyr_lexicons::{Collection, Did, Nsid, RecordUri};

use super::Inner;
use super::cells::is_live;
use super::cql::{all, write};
use super::derived::counted;
use super::placing::{RECORD_SHARDS, actor_shard};
use super::settle::{Kind, Touch};
use super::statements::Statement::{ReadHidden, ReadMembers, ReadShardTotals};
use crate::held::derived_of;
use crate::index::Derived;
use crate::model::{ActorTotals, Micros};
use crate::numbers::{Published, add, numbers, of_totals, read_numbers, totals_of};
use crate::store::StoreError;

/// Totals read back.
pub fn read_totals(cell: &[u8]) -> Result<ActorTotals, StoreError> {
    read_numbers("ACTOR_TOTALS", cell).map(totals_of)
}

impl Inner {
    /// Counts one thing again.
    pub async fn count(&self, touch: &Touch) -> Result<(), StoreError> {
        self.fresh_hides().await?;
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

    /// Accounts of an actor shard that are hidden, by their hosts or by the operator.
    pub async fn hidden(&self, shard: i32) -> Result<HashSet<String>, StoreError> {
        let rows: Vec<(String, Vec<u8>)> = self.cql.read(ReadHidden, (shard,), usize::MAX).await?;
        let hidden = rows.into_iter().filter(|(_, cell)| is_live(cell));
        let set = self.hides.set();
        let here = set.actors().filter(|did| actor_shard(did) == shard);
        let here = here.map(|did| did.as_str().to_owned());
        Ok(hidden.map(|(did, _)| did).chain(here).collect())
    }

    async fn count_set(
        &self,
        subject: &str,
        kind: Kind,
        shard: i32,
        began: Micros,
    ) -> Result<(), StoreError> {
        let size = self.set_size(subject, kind, shard).await?;
        self.write_size(subject, kind, shard, size, began).await
    }

    /// Writes the size of a shard of a set, as of when its reading began.
    pub async fn write_size(
        &self,
        subject: &str,
        kind: Kind,
        shard: i32,
        size: u64,
        began: Micros,
    ) -> Result<(), StoreError> {
        let cell = numbers(&[size]);
        self.cql
            .write(vec![
                write!(WriteCounts; subject, kind as i32, shard, cell, began),
            ])
            .await
    }

    /// The size of a shard of a set: visible actors, or rows of such.
    pub async fn set_size(&self, subject: &str, kind: Kind, shard: i32) -> Result<u64, StoreError> {
        let hidden = self.hidden(shard).await?;
        let key = (subject, kind as i32, shard, "", "");
        let rows: Vec<(String, String, Vec<u8>)> =
            self.cql.read(ReadMembers, key, usize::MAX).await?;
        let hides = self.hides.set();
        let collection = self.namespace.nsid(kind.collection());
        let (mut count, mut last) = (0u64, String::new());
        for (did, rkey, cell) in rows {
            if !is_live(&cell) || hidden.contains(&did) {
                continue;
            }
            if hides.has_row(&did, collection, &rkey) {
                continue;
            }
            // Rows come in the order of actors; an actor likes once.
            if kind != Kind::Likes || did != last {
                count += 1;
            }
            last = did;
        }
        Ok(count)
    }

    async fn count_published(
        &self,
        did: &Did,
        collection: &Nsid,
        began: Micros,
    ) -> Result<(), StoreError> {
        let totals = self.published(did, collection).await?;
        self.write_published(did, collection, &totals, began).await
    }

    /// Writes what an actor has published in a collection, as of when its reading began.
    pub async fn write_published(
        &self,
        did: &Did,
        collection: &Nsid,
        totals: &ActorTotals,
        began: Micros,
    ) -> Result<(), StoreError> {
        let (did_text, shard) = (did.as_str(), actor_shard(did));
        let cell = numbers(&of_totals(totals));
        self.cql
            .write(vec![
                write!(WriteActorTotals; shard, did_text, collection.as_str(), cell, began),
            ])
            .await
    }

    /// What an actor has published in a collection, by the records.
    pub async fn published(&self, did: &Did, collection: &Nsid) -> Result<ActorTotals, StoreError> {
        let mut published = Published::default();
        let each = self.each_derived(did, collection, |derived| published.take(derived));
        each.await?;
        Ok(published.totals())
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
        let mut cell = numbers(&of_totals(&sums));
        cell.extend_from_slice(&artists.to_be_bytes());
        self.cql
            .write(vec![write!(WriteTotals; 0i32, shard, cell, began)])
            .await
    }

    /// What each current record of a repo's collection derives, a chunk at a time; nothing of
    /// hidden ones.
    async fn each_derived(
        &self,
        did: &Did,
        collection: &Nsid,
        mut each: impl FnMut(Derived),
    ) -> Result<(), StoreError> {
        let hides = self.hides.set();
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
                    if hides.has_record(&uri) {
                        continue;
                    }
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
