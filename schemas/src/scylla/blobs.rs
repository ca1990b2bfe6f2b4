//! Rows of blobs: compared and set by lightweight transactions, so that of several processes one
//! works on a blob. When something is due stands in a feed, as a hint that the row decides.

use async_trait::async_trait;
use plyr_lexicons::{Cid, RecordUri};

use super::cells::{corrupt, read_register, register};
use super::cql::{Cell, all, write};
use super::derived::FeedRow;
use super::pages;
use super::placing::{ACTOR_SHARDS, Feed, actor_shard};
use super::statements::Statement::{
    ReadBlob, ReadSeenAudio, ReadSeenAudioAfter, ScanBlobsFirst, ScanBlobsNext,
};
use super::swaps::Swap;
use super::{Inner, ScyllaStore};
use crate::blobs::{Blob, BlobRow, BlobRows, SeenAudio};
use crate::model::Micros;
use crate::store::StoreError;

/// A row as held, with the stamp of its last write.
struct Held {
    stamp: Micros,
    row: BlobRow,
}

/// What was seen of a track's audio, at rest: the CID, and since when no version names it.
type SeenCell = (String, Option<Micros>);

fn read_seen(uri: RecordUri, cell: &[u8]) -> Result<SeenAudio, StoreError> {
    let (_, (cid, dropped_at)): (_, SeenCell) = read_register("SEEN_AUDIO", cell)?;
    let cid = Cid::try_from(cid.as_str()).map_err(|problem| corrupt("SEEN_AUDIO", problem))?;
    Ok(SeenAudio {
        uri,
        cid,
        dropped_at,
    })
}

/// A row of the feed. Stamped with the blob's own stamp, the row of a later write stands, whatever
/// the clocks of the processes say.
fn due(cid: &Cid, due_at: Micros, is_live: bool, stamp: Micros) -> FeedRow {
    FeedRow {
        feed: Feed::due_blobs(),
        position: (due_at, 0, cid.to_string(), String::new(), String::new()),
        cell: vec![u8::from(is_live)],
        stamp,
    }
}

impl Inner {
    async fn held_blob(&self, cid: &Cid) -> Result<Option<Held>, StoreError> {
        let row: Option<(Micros, Vec<u8>)> = self.cql.first(ReadBlob, (cid.to_string(),)).await?;
        let read = |(stamp, cell): (Micros, Vec<u8>)| {
            let row = serde_json::from_slice(&cell).map_err(|p| corrupt("BLOBS", p))?;
            Ok(Held { stamp, row })
        };
        row.map(read).transpose()
    }

    async fn blob(&self, cid: &Cid) -> Result<Option<Blob>, StoreError> {
        let held = self.held_blob(cid).await?;
        Ok(held.map(|held| held.row.blob(*cid)))
    }

    async fn replace_blob(&self, mut blob: Blob) -> Result<bool, StoreError> {
        self.alive()?;
        let held = self.held_blob(&blob.cid).await?;
        // Spares a transaction that would be refused.
        if held.as_ref().map_or(0, |held| held.row.revision) != blob.revision {
            return Ok(false);
        }
        let (cid, before) = (blob.cid, blob.revision);
        blob.revision += 1;
        let after_held = held.as_ref().map_or(0, |held| held.stamp.saturating_add(1));
        let stamp = super::now().max(after_held);
        let was_due = held.as_ref().and_then(|held| held.row.due_at);
        if let Some(due_at) = blob.due_at.filter(|_| was_due != blob.due_at) {
            self.hint(&cid, due_at, stamp).await?;
        }
        let cell = serde_json::to_vec(&BlobRow::of(&blob)).map_err(|p| corrupt("BLOBS", p))?;
        let writer = format!("{:016x}", rand::random::<u64>());
        let (now_at, text) = (revision(blob.revision)?, cid.to_string());
        let row = [
            now_at.cell(),
            stamp.cell(),
            writer.as_str().cell(),
            cell.cell(),
        ];
        let swapped = if held.is_none() {
            let values = [vec![text.clone().cell()], row.to_vec()].concat();
            self.cql.swap(Swap::Create, &values).await?
        } else {
            let place = vec![text.clone().cell(), revision(before)?.cell()];
            let values = [row.to_vec(), place].concat();
            self.cql.swap(Swap::Replace, &values).await?
        };
        let took = swapped.took()
            || (!swapped.is_first && {
                // An earlier try may have taken, without its answer.
                let held = self.cql.swap(Swap::Read, &[text.cell()]).await?;
                held.text() == Some(writer.as_str())
            });
        if let Some(due_at) = was_due.filter(|_| took && was_due != blob.due_at) {
            self.unhint(&cid, due_at, stamp).await;
        }
        Ok(took)
    }

    async fn remove_blob(&self, cid: &Cid, at: u64) -> Result<bool, StoreError> {
        self.alive()?;
        let held = self.held_blob(cid).await?;
        let Some(held) = held.filter(|held| held.row.revision == at) else {
            return Ok(false);
        };
        let values = [cid.to_string().cell(), revision(at)?.cell()];
        let swapped = self.cql.swap(Swap::Remove, &values).await?;
        let took = swapped.took()
            || (!swapped.is_first && {
                let held = self.cql.swap(Swap::Read, &values[..1]).await?;
                held.text().is_none()
            });
        if let Some(due_at) = held.row.due_at.filter(|_| took) {
            self.unhint(cid, due_at, held.stamp.saturating_add(1)).await;
        }
        Ok(took)
    }

    /// Tells when something is due, before the row says so.
    async fn hint(&self, cid: &Cid, due_at: Micros, stamp: Micros) -> Result<(), StoreError> {
        let row = due(cid, due_at, true, stamp);
        let (bucket, shard) = row.feed.place(due_at, &row.position.2);
        let name = row.feed.name.clone();
        // The bucket after its row: whoever clears empty buckets looks before it clears.
        self.cql.write(vec![row.write()]).await?;
        self.cql
            .write(vec![write!(WriteBucket; name, bucket, shard, stamp)])
            .await
    }

    /// Takes that back. What is left by an error is read over, and goes with its bucket.
    async fn unhint(&self, cid: &Cid, due_at: Micros, stamp: Micros) {
        let row = due(cid, due_at, false, stamp).write();
        if let Err(problem) = self.cql.write(vec![row]).await {
            tracing::debug!(%cid, %problem, "a blob stays among those due; its row says otherwise");
        }
    }

    async fn due_blobs(&self, until: Micros, limit: usize) -> Result<Vec<Cid>, StoreError> {
        let open = |due_at: Micros, cid: String| async move {
            let cid = Cid::try_from(cid.as_str()).map_err(|p| corrupt("BLOBS_DUE", p))?;
            let held = self.held_blob(&cid).await?;
            let is_due = held.is_some_and(|held| held.row.due_at == Some(due_at));
            Ok(is_due.then_some((due_at, cid)))
        };
        let mut due = self
            .due_rows(&Feed::due_blobs(), until, limit, open)
            .await?;
        due.sort_unstable();
        due.truncate(limit);
        Ok(due.into_iter().map(|(_, cid)| cid).collect())
    }

    async fn blobs_after(
        &self,
        after: Option<&Cid>,
        limit: usize,
    ) -> Result<Vec<Blob>, StoreError> {
        let mut last = after.map(Cid::to_string);
        let limit = limit.max(1);
        loop {
            let cids: Vec<(String,)> = match &last {
                None => self.cql.read(ScanBlobsFirst, (), limit).await?,
                Some(last) => self.cql.read(ScanBlobsNext, (last,), limit).await?,
            };
            let Some((end,)) = cids.last() else {
                return Ok(Vec::new());
            };
            last = Some(end.clone());
            let blobs = all(cids.into_iter().map(|(cid,)| async move {
                let cid = Cid::try_from(cid.as_str()).map_err(|p| corrupt("BLOBS", p))?;
                self.blob(&cid).await
            }));
            let blobs: Vec<Blob> = blobs.await?.into_iter().flatten().collect();
            // Those that were taken away meanwhile are left out: no page is empty but the last.
            if !blobs.is_empty() {
                return Ok(blobs);
            }
        }
    }

    async fn seen(&self, uri: &RecordUri) -> Result<Option<SeenAudio>, StoreError> {
        let (did, collection) = (uri.did.as_str(), uri.collection.as_str());
        let key = (actor_shard(&uri.did), did, collection, uri.rkey.as_str());
        let row: Option<(Vec<u8>,)> = self.cql.first(ReadSeenAudio, key).await?;
        row.map(|(cell,)| read_seen(uri.clone(), &cell)).transpose()
    }

    async fn see(&self, seen: &SeenAudio) -> Result<(), StoreError> {
        let (uri, now) = (&seen.uri, super::now());
        let cell: SeenCell = (seen.cid.to_string(), seen.dropped_at);
        let cell = register("SEEN_AUDIO", now, &cell)?;
        let (did, collection) = (uri.did.as_str(), uri.collection.as_str());
        let row = write!(WriteSeenAudio;
            actor_shard(&uri.did), did, collection, uri.rkey.as_str(), cell, now);
        self.cql.write(vec![row]).await
    }

    async fn forget(&self, uri: &RecordUri) -> Result<(), StoreError> {
        let (did, collection) = (uri.did.as_str(), uri.collection.as_str());
        let row = write!(RemoveSeenAudio;
            super::now(), actor_shard(&uri.did), did, collection, uri.rkey.as_str());
        self.cql.write(vec![row]).await
    }

    /// By actor shard and address.
    async fn seen_after(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<SeenAudio>, StoreError> {
        let (mut shard, mut from) = match after {
            Some(uri) => {
                let place = (uri.did.as_str(), uri.collection.as_str(), uri.rkey.as_str());
                (actor_shard(&uri.did), place)
            }
            None => (0, ("", "", "")),
        };
        let mut seen = Vec::new();
        while shard < ACTOR_SHARDS && seen.len() < limit {
            type Row = (String, String, String, Vec<u8>);
            let key = (shard, from.0, from.1, from.2);
            let wanted = limit - seen.len();
            let rows: Vec<Row> = self.cql.read(ReadSeenAudioAfter, key, wanted).await?;
            for (did, collection, rkey, cell) in rows {
                seen.push(read_seen(pages::uri(did, collection, rkey)?, &cell)?);
            }
            (shard, from) = (shard + 1, ("", "", ""));
        }
        Ok(seen)
    }
}

/// A revision as a column.
fn revision(revision: u64) -> Result<i64, StoreError> {
    i64::try_from(revision).map_err(|problem| corrupt("BLOBS", problem))
}

#[async_trait]
impl BlobRows for ScyllaStore {
    async fn blobs(&self, cids: &[Cid]) -> Result<Vec<Option<Blob>>, StoreError> {
        self.inner.alive()?;
        all(cids.iter().map(|cid| self.inner.blob(cid))).await
    }

    async fn replace_blob(&self, row: Blob) -> Result<bool, StoreError> {
        self.inner.replace_blob(row).await
    }

    async fn remove_blob(&self, cid: &Cid, revision: u64) -> Result<bool, StoreError> {
        self.inner.remove_blob(cid, revision).await
    }

    async fn due_blobs(&self, until: Micros, limit: usize) -> Result<Vec<Cid>, StoreError> {
        self.inner.alive()?;
        self.inner.due_blobs(until, limit).await
    }

    async fn all_blobs(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Blob>, StoreError> {
        self.inner.alive()?;
        self.inner.blobs_after(after, limit).await
    }

    async fn seen_audio(&self, uris: &[RecordUri]) -> Result<Vec<Option<SeenAudio>>, StoreError> {
        self.inner.alive()?;
        all(uris.iter().map(|uri| self.inner.seen(uri))).await
    }

    async fn see_audio(&self, seen: SeenAudio) -> Result<(), StoreError> {
        self.inner.alive()?;
        self.inner.see(&seen).await
    }

    async fn forget_audio(&self, uri: &RecordUri) -> Result<(), StoreError> {
        self.inner.alive()?;
        self.inner.forget(uri).await
    }

    async fn all_seen_audio(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<SeenAudio>, StoreError> {
        self.inner.alive()?;
        self.inner.seen_after(after, limit).await
    }
}
