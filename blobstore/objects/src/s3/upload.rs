//! A long file goes up in parts, two on their way at most, and is an object once they are joined.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;

use super::Bucket;
use super::failure::Failure;
use super::put::{CACHE_CONTROL, Source};
use crate::key::ObjectKey;
use crate::objects::{About, Put};

/// Bytes of a part. (R2 wants all but the last of one size, and of 5 MiB at least.)
pub(super) const PART: u64 = 8 << 20;
/// Parts that an upload may have.
const MOST_PARTS: u64 = 10_000;
/// Parts on their way at the same time; each is held in memory.
const PARTS_AT_ONCE: usize = 2;
const MIB: u64 = 1 << 20;
/// How long is waited each time before an upload that was ended is ended again.
const GIVING_UP: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(1),
];

/// An upload that is under way. Whatever ends it, its parts are given up, unless they were joined.
struct Upload {
    bucket: Arc<Bucket>,
    place: String,
    id: String,
    is_open: bool,
}

pub(super) async fn put(
    bucket: &Arc<Bucket>,
    key: &ObjectKey,
    source: &Source,
    about: &About,
) -> Result<Put, Failure> {
    // Whether it is there is decided at the end; this spares carrying the bytes.
    if bucket.find(key).await?.is_some() {
        return Ok(Put::AlreadyThere);
    }
    let upload = Upload::begin(bucket, key, about).await?;
    let parts = match upload.carry(source).await {
        Ok(parts) => parts,
        Err(failure) => {
            upload.end().await;
            return Err(failure);
        }
    };
    match upload.join(parts).await {
        Ok(()) => {
            upload.forget();
            Ok(Put::Created)
        }
        Err(failure) if failure.is_precondition() => {
            // The service keeps the parts all the same.
            upload.end().await;
            bucket.already_there(key).await
        }
        Err(failure) => {
            // It may have been joined, and the answer lost.
            let found = bucket.find(key).await;
            upload.end().await;
            match found? {
                Some(found) if found.size == source.size => Ok(Put::Created),
                _ => Err(failure),
            }
        }
    }
}

/// Bytes of each part of a file of that size: more where there would be too many.
fn part_size(size: u64) -> u64 {
    let least = size.div_ceil(MOST_PARTS).div_ceil(MIB) * MIB;
    least.max(PART)
}

impl Upload {
    async fn begin(
        bucket: &Arc<Bucket>,
        key: &ObjectKey,
        about: &About,
    ) -> Result<Upload, Failure> {
        let place = bucket.place(key);
        let asking = bucket.client.create_multipart_upload();
        let begun = asking
            .bucket(&bucket.bucket)
            .key(&place)
            .content_type(&about.media_type)
            .cache_control(CACHE_CONTROL)
            .send()
            .await
            .map_err(Failure::of)?;
        let id = begun.upload_id().map(str::to_owned);
        let id = id.ok_or_else(|| Failure::said("it did not name the upload that was begun"))?;
        Ok(Upload {
            bucket: bucket.clone(),
            place,
            id,
            is_open: true,
        })
    }

    async fn carry(&self, source: &Source) -> Result<Vec<CompletedPart>, Failure> {
        let size = part_size(source.size);
        let numbers = (1..).zip(0..source.size.div_ceil(size));
        let parts = numbers.map(|(number, part)| {
            let start = part * size;
            let length = size.min(source.size - start);
            self.carry_part(source, number, start, length)
        });
        stream::iter(parts)
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn carry_part(
        &self,
        source: &Source,
        number: i32,
        start: u64,
        length: u64,
    ) -> Result<CompletedPart, Failure> {
        let bytes = source.bytes(start, length).await?;
        let asking = self.bucket.client.upload_part().bucket(&self.bucket.bucket);
        let asking = asking
            .key(&self.place)
            .upload_id(&self.id)
            .part_number(number)
            .body(ByteStream::from(bytes));
        let carrying = asking
            .customize()
            .config_override(self.bucket.slowly())
            .send();
        let carried = carrying.await.map_err(Failure::of)?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(carried.e_tag().map(str::to_owned))
            .build())
    }

    async fn join(&self, parts: Vec<CompletedPart>) -> Result<(), Failure> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
        let asking = self.bucket.client.complete_multipart_upload();
        let asking = asking
            .bucket(&self.bucket.bucket)
            .key(&self.place)
            .upload_id(&self.id)
            .if_none_match("*")
            .multipart_upload(parts.build());
        let joining = asking
            .customize()
            .config_override(self.bucket.slowly())
            .send();
        joining.await.map(|_| ()).map_err(Failure::of)
    }

    /// Its parts are an object now.
    fn forget(mut self) {
        self.is_open = false;
    }

    async fn end(mut self) {
        give_up(&self.bucket, &self.place, &self.id).await;
        self.is_open = false;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Without a runtime the process is ending; tidying finds the parts.
        let runtime = match Handle::try_current() {
            Ok(runtime) if self.is_open => runtime,
            _ => return,
        };
        let bucket = self.bucket.clone();
        let (place, id) = (self.place.clone(), self.id.clone());
        runtime.spawn(async move { give_up(&bucket, &place, &id).await });
    }
}

/// Ends an upload, and again until the bucket knows it no more: a part that was on its way may
/// arrive after the first time.
async fn give_up(bucket: &Bucket, place: &str, id: &str) {
    let mut last = None;
    for pause in GIVING_UP {
        match bucket.abort(place, id).await {
            Ok(false) => return,
            Ok(true) => last = None,
            Err(failure) => last = Some(failure),
        }
        tokio::time::sleep(pause).await;
    }
    if let Some(failure) = last {
        let problem = failure.told(&bucket.name, "end an upload");
        tracing::warn!(%problem, place, "parts of an upload stay in the bucket until it is tidied");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_upload_has_too_many_parts() {
        assert_eq!(part_size(PART + 1), PART);
        for size in [PART * MOST_PARTS, PART * MOST_PARTS + 1, 5 << 40] {
            let part = part_size(size);
            assert!(size.div_ceil(part) <= MOST_PARTS, "{size} in {part}");
            assert_eq!(part % MIB, 0);
        }
    }
}
