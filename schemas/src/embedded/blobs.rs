//! Rows of blobs: compared and set by the writer, in the commits of all else.

use async_trait::async_trait;
use plyr_lexicons::{Cid, RecordUri};

use super::EmbeddedStore;
use super::cells::{self, corrupt};
use super::layers::Layers;
use super::reader::{EmbeddedSnapshot, read};
use super::sums;
use super::writer::Command;
use crate::blobs::{Blob, BlobRow, BlobRows, SeenAudio};
use crate::model::Micros;
use crate::store::StoreError;
use crate::tables::{BLOBS, BLOBS_DUE, Key, KeyReader, Kind, SEEN_AUDIO};

/// A write that the writer compares and sets.
pub enum BlobWrite {
    /// The row, where the one held is at its revision.
    Replace(Box<Blob>),
    /// Takes a row away that is at a revision.
    Remove(Cid, u64),
    /// What a track's audio was seen to be.
    See(SeenAudio),
    /// Forgets that.
    Forget(RecordUri),
}

fn blob_key(cid: &Cid) -> Key {
    Key::of(&BLOBS).text(&cid.to_string())
}

fn due_key(due_at: Micros, cid: &Cid) -> Key {
    Key::of(&BLOBS_DUE).number(due_at).text(&cid.to_string())
}

fn seen_key(uri: &RecordUri) -> Key {
    Key::of(&SEEN_AUDIO).record(uri)
}

fn cut(table: &'static str) -> StoreError {
    corrupt(table, "a key is cut")
}

/// What was seen of a track's audio, at rest: the CID, and since when no version names it.
type SeenCell = (String, Option<Micros>);

fn read_seen(uri: RecordUri, cell: &[u8]) -> Result<SeenAudio, StoreError> {
    let (cid, dropped_at): SeenCell = cells::decode("SEEN_AUDIO", cell)?;
    let cid = Cid::try_from(cid.as_str()).map_err(|problem| corrupt("SEEN_AUDIO", problem))?;
    Ok(SeenAudio {
        uri,
        cid,
        dropped_at,
    })
}

impl BlobWrite {
    /// Writes it into the batch. Answers whether there was something to write.
    pub fn apply(self, layers: &mut Layers) -> Result<bool, StoreError> {
        match self {
            BlobWrite::Replace(blob) => replace(layers, *blob),
            BlobWrite::Remove(cid, revision) => remove(layers, &cid, revision),
            BlobWrite::See(seen) => {
                let cell: SeenCell = (seen.cid.to_string(), seen.dropped_at);
                let cell = cells::encode("SEEN_AUDIO", &cell)?;
                layers.put(Kind::Derived, seen_key(&seen.uri), cell);
                Ok(true)
            }
            BlobWrite::Forget(uri) => {
                layers.remove(Kind::Derived, seen_key(&uri));
                Ok(true)
            }
        }
    }
}

fn held(layers: &Layers, cid: &Cid) -> Result<Option<BlobRow>, StoreError> {
    let cell = layers.get(Kind::Derived, blob_key(cid))?;
    cell.map(|cell| cells::decode("BLOBS", &cell)).transpose()
}

fn replace(layers: &mut Layers, mut blob: Blob) -> Result<bool, StoreError> {
    let held = held(layers, &blob.cid)?;
    if held.as_ref().map_or(0, |held| held.revision) != blob.revision {
        return Ok(false);
    }
    blob.revision += 1;
    if let Some(due_at) = held.and_then(|held| held.due_at) {
        layers.remove(Kind::Derived, due_key(due_at, &blob.cid));
    }
    if let Some(due_at) = blob.due_at {
        let key = due_key(due_at, &blob.cid);
        layers.put(Kind::Derived, key, sums::LIVE.to_vec());
    }
    let cell = cells::encode("BLOBS", &BlobRow::of(&blob))?;
    layers.put(Kind::Derived, blob_key(&blob.cid), cell);
    Ok(true)
}

fn remove(layers: &mut Layers, cid: &Cid, revision: u64) -> Result<bool, StoreError> {
    let held = held(layers, cid)?;
    let Some(held) = held.filter(|held| held.revision == revision) else {
        return Ok(false);
    };
    if let Some(due_at) = held.due_at {
        layers.remove(Kind::Derived, due_key(due_at, cid));
    }
    layers.remove(Kind::Derived, blob_key(cid));
    Ok(true)
}

impl EmbeddedStore {
    fn view(&self) -> EmbeddedSnapshot {
        EmbeddedSnapshot::new(self.engine.clone())
    }

    async fn write_blob(&self, write: BlobWrite) -> Result<bool, StoreError> {
        self.ask(|reply| Command::Blob(write, reply)).await
    }
}

#[async_trait]
impl BlobRows for EmbeddedStore {
    async fn blobs(&self, cids: &[Cid]) -> Result<Vec<Option<Blob>>, StoreError> {
        let view = self.view();
        let blob = |cid: &Cid| {
            let cell = view.get(Kind::Derived, blob_key(cid))?;
            let row = cell.map(|cell| cells::decode::<BlobRow>("BLOBS", &cell));
            Ok(row.transpose()?.map(|row| row.blob(*cid)))
        };
        cids.iter().map(blob).collect()
    }

    async fn replace_blob(&self, row: Blob) -> Result<bool, StoreError> {
        self.write_blob(BlobWrite::Replace(Box::new(row))).await
    }

    async fn remove_blob(&self, cid: &Cid, revision: u64) -> Result<bool, StoreError> {
        self.write_blob(BlobWrite::Remove(*cid, revision)).await
    }

    async fn due_blobs(&self, until: Micros, limit: usize) -> Result<Vec<Cid>, StoreError> {
        let mut due = Vec::new();
        let rows = self
            .view()
            .rows_after(Kind::Derived, Key::of(&BLOBS_DUE), None);
        for row in rows.take(limit) {
            let (key, _) = read(row)?;
            let mut columns = KeyReader::after(&key, 1);
            let due_at = columns.number().ok_or_else(|| cut("BLOBS_DUE"))?;
            if due_at > until {
                break;
            }
            let cid = columns.text().and_then(|cid| Cid::try_from(cid).ok());
            due.push(cid.ok_or_else(|| cut("BLOBS_DUE"))?);
        }
        Ok(due)
    }

    async fn all_blobs(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Blob>, StoreError> {
        let after = after.map(|cid| blob_key(cid).into_bytes());
        let rows = self
            .view()
            .rows_after(Kind::Derived, Key::of(&BLOBS), after);
        let blob = |row| {
            let (key, cell) = read(row)?;
            let cid = KeyReader::after(&key, 1).text();
            let cid = cid.and_then(|cid| Cid::try_from(cid).ok());
            let cid = cid.ok_or_else(|| cut("BLOBS"))?;
            Ok(cells::decode::<BlobRow>("BLOBS", &cell)?.blob(cid))
        };
        rows.take(limit).map(blob).collect()
    }

    async fn seen_audio(&self, uris: &[RecordUri]) -> Result<Vec<Option<SeenAudio>>, StoreError> {
        let view = self.view();
        let seen = |uri: &RecordUri| {
            let cell = view.get(Kind::Derived, seen_key(uri))?;
            cell.map(|cell| read_seen(uri.clone(), &cell)).transpose()
        };
        uris.iter().map(seen).collect()
    }

    async fn see_audio(&self, seen: SeenAudio) -> Result<(), StoreError> {
        self.write_blob(BlobWrite::See(seen)).await.map(drop)
    }

    async fn forget_audio(&self, uri: &RecordUri) -> Result<(), StoreError> {
        self.write_blob(BlobWrite::Forget(uri.clone()))
            .await
            .map(drop)
    }

    async fn all_seen_audio(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<SeenAudio>, StoreError> {
        let after = after.map(|uri| seen_key(uri).into_bytes());
        let rows = self
            .view()
            .rows_after(Kind::Derived, Key::of(&SEEN_AUDIO), after);
        let seen = |row| {
            let (key, cell) = read(row)?;
            let uri = KeyReader::after(&key, 1).record();
            read_seen(uri.ok_or_else(|| cut("SEEN_AUDIO"))?, &cell)
        };
        rows.take(limit).map(seen).collect()
    }
}
