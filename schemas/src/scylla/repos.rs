//! A repo's records in order, over the shards they stand in.

use plyr_lexicons::{Did, Nsid, RecordKey, RecordUri, Rev};

use super::Inner;
use super::cells::{self, corrupt};
use super::cql::all;
use super::hides::HideSet;
use super::placing::{RECORD_SHARDS, record_shard};
use super::statements::Statement::{ReadRepoDown, ReadRepoUp, ScanFirst, ScanNext};
use super::writer::Versions;
use crate::held::current;
use crate::model::Record;
use crate::store::StoreError;

/// Rows read at a time: records are up to a megabyte, mostly some hundred bytes.
const CHUNK: usize = 200;
/// Sorts after every record key.
const LAST: &str = "\u{7f}";

/// Keys with their versions, and where the next chunk begins; none at the end.
type Chunk = (Vec<(RecordKey, Versions)>, Option<String>);

impl Inner {
    /// Some keys of a shard strictly after `from` (before it when reversed; empty: all).
    pub async fn repo_chunk(
        &self,
        did: &Did,
        collection: &Nsid,
        shard: i32,
        from: &str,
        reverse: bool,
    ) -> Result<Chunk, StoreError> {
        let statement = if reverse { ReadRepoDown } else { ReadRepoUp };
        let from = if reverse && from.is_empty() {
            LAST
        } else {
            from
        };
        let key = (did.as_str(), collection.as_str(), shard, from);
        type Row = (
            String,
            i64,
            Vec<u8>,
            Option<Vec<u8>>,
            Option<Vec<u8>>,
            Option<bool>,
        );
        let mut limit = CHUNK;
        let (rows, whole) = loop {
            let rows: Vec<Row> = self.cql.read(statement, key, limit).await?;
            let whole = rows.len() < limit;
            // A chunk of one key alone may be cut: more of it, then.
            let one = rows.first().map(|row| &row.0) == rows.last().map(|row| &row.0);
            if whole || !one {
                break (rows, whole);
            }
            limit *= 2;
        };
        // The last key may be cut.
        let cut = (!whole)
            .then(|| rows.last().map(|row| row.0.clone()))
            .flatten();
        let mut keys: Vec<(RecordKey, Versions)> = Vec::new();
        let mut seen = None;
        for (rkey, rev, rank, said, judged, swept) in rows {
            if Some(&rkey) == cut.as_ref() {
                break;
            }
            seen = Some(rkey.clone());
            // Without them it was removed: only a late mark of a sweep is left.
            let (Some(said), Some(judged)) = (said, judged) else {
                continue;
            };
            let held = cells::version(&rank, &said, &judged, swept.is_some())?;
            let version = (Rev::from_u64(rev as u64), held);
            match keys.last_mut() {
                Some((key, versions)) if key.as_str() == rkey => versions.push(version),
                _ => {
                    let key = RecordKey::new(rkey).map_err(|p| corrupt("VERSIONS", p))?;
                    keys.push((key, vec![version]));
                }
            }
        }
        Ok((keys, cut.and(seen)))
    }

    /// Current records of a shard, at most `limit`.
    async fn shard_records(
        &self,
        did: &Did,
        collection: &Nsid,
        shard: i32,
        after: Option<&str>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let hides = self.hides.set();
        let mut records = Vec::new();
        let mut from = Some(after.unwrap_or_default().to_owned());
        while let Some(place) = from {
            let chunk = self.repo_chunk(did, collection, shard, &place, reverse);
            let (keys, next) = chunk.await?;
            for (rkey, versions) in keys {
                let uri = RecordUri::new(did.clone(), collection.clone(), rkey);
                records.extend(current_record(&hides, uri, &versions));
                if records.len() >= limit {
                    return Ok(records);
                }
            }
            from = next;
        }
        Ok(records)
    }

    /// Current records of a repo's collection in the order of their keys: shards merged.
    pub async fn repo_records(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let shards = (0..RECORD_SHARDS)
            .map(|shard| self.shard_records(did, collection, shard, after, reverse, limit));
        let mut records: Vec<Record> = all(shards).await?.into_iter().flatten().collect();
        records.sort_by(|one, two| one.uri.rkey.as_str().cmp(two.uri.rkey.as_str()));
        if reverse {
            records.reverse();
        }
        records.truncate(limit);
        Ok(records)
    }

    /// Every current record, in the order of the partitions' tokens.
    pub async fn all_records(
        &self,
        after: Option<&RecordUri>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        let mut last: Option<(String, String, i32)> = None;
        if let Some(uri) = after {
            let (rkey, shard) = (uri.rkey.as_str(), record_shard(uri.rkey.as_str()));
            let rest =
                self.shard_records(&uri.did, &uri.collection, shard, Some(rkey), false, limit);
            records = rest.await?;
            last = Some((
                uri.did.as_str().to_owned(),
                uri.collection.as_str().to_owned(),
                shard,
            ));
        }
        while records.len() < limit {
            let wanted = (limit - records.len()).min(256);
            let partitions: Vec<(String, String, i32)> = match &last {
                None => self.cql.read(ScanFirst, (), wanted).await?,
                Some(last) => self.cql.read(ScanNext, last.clone(), wanted).await?,
            };
            let Some(end) = partitions.last().cloned() else {
                break;
            };
            let partitions = partitions
                .into_iter()
                .map(|(did, collection, shard)| async move {
                    let did = Did::new(did).map_err(|problem| corrupt("VERSIONS", problem))?;
                    let collection = Nsid::new(collection);
                    let collection = collection.map_err(|problem| corrupt("VERSIONS", problem))?;
                    let records = self.shard_records(&did, &collection, shard, None, false, limit);
                    records.await
                });
            records.extend(all(partitions).await?.into_iter().flatten());
            last = Some(end);
        }
        records.truncate(limit);
        Ok(records)
    }
}

/// The record that versions of a key come to.
pub fn current_record(hides: &HideSet, uri: RecordUri, versions: &Versions) -> Option<Record> {
    let (rev, held) = current(versions)?;
    let hidden = hides.has_record(&uri);
    held.clone().into_record(uri, *rev, hidden)
}
