//! Reads that hold no more than an answer may: a record may have a megabyte, and a repo many
//! deleted ones between two that are there.

use futures_util::{StreamExt, stream};
use plyr_lexicons::{Did, Nsid, RecordUri};

use super::Inner;
use super::cql::{AT_ONCE, all};
use super::placing::RECORD_SHARDS;
use super::repos::current_record;
use crate::model::Record;
use crate::store::{Most, RepoPage, StoreError};

/// Looks at a repo's shards for one page.
const WAVES: usize = 5;

impl Inner {
    /// Records in the order asked, until they have that many bytes; some more are under way then.
    pub async fn records_within(
        &self,
        uris: &[RecordUri],
        most_bytes: usize,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let reads: Vec<_> = uris.iter().map(|uri| self.record(uri)).collect();
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(record) = reads.next().await {
            let record = record?;
            bytes += record.as_ref().map_or(0, |record| record.bytes.len());
            records.push(record);
            if bytes >= most_bytes {
                break;
            }
        }
        Ok(records)
    }

    /// A page of a repo's records: a piece of each shard, and of what they hold as much as all of
    /// them have shown.
    pub async fn repo_page(
        &self,
        did: &Did,
        collection: &Nsid,
        after: Option<&str>,
        reverse: bool,
        most: Most,
    ) -> Result<RepoPage, StoreError> {
        let hides = self.hides.set();
        let (mut page, mut bytes) = (RepoPage::default(), 0);
        let mut from = after.unwrap_or_default().to_owned();
        for _ in 0..WAVES {
            let place = from.as_str();
            let shards = (0..RECORD_SHARDS)
                .map(|shard| self.repo_chunk(did, collection, shard, place, reverse));
            let chunks = all(shards).await?;
            let ends = chunks.iter().filter_map(|(_, next)| next.clone());
            let end = if reverse { ends.max() } else { ends.min() };
            let is_within = |rkey: &str| match &end {
                None => true,
                Some(end) if reverse => rkey >= end.as_str(),
                Some(end) => rkey <= end.as_str(),
            };
            let keys = chunks.into_iter().flat_map(|(keys, _)| keys);
            let mut records: Vec<Record> = keys
                .filter(|(rkey, _)| is_within(rkey.as_str()))
                .filter_map(|(rkey, versions)| {
                    let uri = RecordUri::new(did.clone(), collection.clone(), rkey);
                    current_record(&hides, uri, &versions)
                })
                .collect();
            records.sort_by(|one, two| one.uri.rkey.as_str().cmp(two.uri.rkey.as_str()));
            if reverse {
                records.reverse();
            }
            for record in records {
                if !page.take(record, most, &mut bytes) {
                    return Ok(page);
                }
            }
            let Some(end) = end else {
                return Ok(page);
            };
            from = end;
        }
        page.next = Some(from);
        Ok(page)
    }
}
