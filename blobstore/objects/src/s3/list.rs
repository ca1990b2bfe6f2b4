//! Pages of keys, and uploads that were cut off.

use std::time::{Duration, SystemTime};

use super::failure::Failure;
use super::{Bucket, time};
use crate::key::ObjectKey;
use crate::objects::{Found, Listed};

/// What a service answers at once.
const PAGE: i32 = 1000;

impl Bucket {
    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, Failure> {
        let mut listed = Vec::new();
        let mut after = after.map(|key| self.place(key));
        while listed.len() < limit {
            // One more than the page, for what is no object of ours.
            let wanted = i32::try_from(limit - listed.len() + 1).unwrap_or(PAGE);
            let asking = self.client.list_objects_v2().bucket(&self.bucket);
            let asking = asking
                .prefix(format!("{}{prefix}", self.prefix))
                .set_start_after(after.clone())
                .max_keys(wanted.min(PAGE));
            let page = asking.send().await.map_err(Failure::of)?;
            let last = page.contents().last().and_then(|object| object.key());
            let last = last.map(str::to_owned);
            for object in page.contents() {
                let key = object.key().and_then(|place| self.key(place));
                let size = object.size().and_then(|size| u64::try_from(size).ok());
                let (Some(key), Some(size)) = (key, size) else {
                    continue;
                };
                let put_at = time(object.last_modified());
                let found = Found { size, put_at };
                if listed.len() < limit {
                    listed.push(Listed { key, found });
                }
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            if last.is_none() || last <= after {
                let detail = "a page of its list doesn't go on where the one before ended";
                return Err(Failure::said(detail));
            }
            after = last;
        }
        Ok(listed)
    }

    /// Ends uploads of objects of ours that were begun before then. Those of others in the same
    /// bucket are left alone.
    pub(super) async fn tidy(&self, older_than: Duration) -> Result<usize, Failure> {
        let now = SystemTime::now();
        let mut ended = 0;
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let asking = self.client.list_multipart_uploads().bucket(&self.bucket);
            let asking = asking
                .prefix(&self.prefix)
                .set_key_marker(key_marker.clone())
                .set_upload_id_marker(id_marker.clone())
                .max_uploads(PAGE);
            let page = asking.send().await.map_err(Failure::of)?;
            for upload in page.uploads() {
                let place = upload.key().filter(|place| self.key(place).is_some());
                let (Some(place), Some(id)) = (place, upload.upload_id()) else {
                    continue;
                };
                let begun = time(upload.initiated());
                let age = now.duration_since(begun).unwrap_or_default();
                if age >= older_than {
                    ended += usize::from(self.abort(place, id).await?);
                }
            }
            if page.is_truncated() != Some(true) {
                return Ok(ended);
            }
            let next = page.next_key_marker().map(str::to_owned);
            let next_id = page.next_upload_id_marker().map(str::to_owned);
            if next.is_none() || (&next, &next_id) == (&key_marker, &id_marker) {
                let detail = "a page of its uploads doesn't go on where the one before ended";
                return Err(Failure::said(detail));
            }
            (key_marker, id_marker) = (next, next_id);
        }
    }

    /// Ends an upload; false where it is no more.
    pub(super) async fn abort(&self, place: &str, id: &str) -> Result<bool, Failure> {
        let asking = self.client.abort_multipart_upload().bucket(&self.bucket);
        let ended = asking.key(place).upload_id(id).send().await;
        match ended.map_err(Failure::of) {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_no_upload() || failure.is_absent() => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
