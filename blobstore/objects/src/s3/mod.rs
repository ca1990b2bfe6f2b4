//! Objects in an S3 bucket; R2 is one.

mod check;
mod failure;
mod list;
mod options;
mod put;
mod read;
mod upload;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::MetadataDirective;
use url::Url;

use crate::error::ObjectsError;
use crate::key::ObjectKey;
use crate::objects::{About, Found, Listed, Objects, Put, Reading};
use failure::Failure;
pub use options::{DEFAULT_REGION, S3Credentials, S3Links, S3Options, S3Patience};

/// A link that was handed out can't be taken back: it lives this long at most (I8).
const LONGEST_LINK: Duration = Duration::from_secs(60);

/// Objects in a bucket, under a prefix.
pub struct S3 {
    bucket: Arc<Bucket>,
}

/// The bucket, for what outlives a call.
struct Bucket {
    name: String,
    client: Client,
    /// What signs links; none where none are handed out.
    signer: Option<Client>,
    bucket: String,
    /// Empty, or ends with `/`.
    prefix: String,
    patience: S3Patience,
}

impl S3 {
    /// A bucket as configured; nothing is asked of it yet ([`S3::check`] does).
    ///
    /// # Errors
    /// [`ObjectsError::Unusable`] for a name that no bucket can have, and missing keys.
    pub fn new(options: S3Options) -> Result<S3, ObjectsError> {
        let prefix = options.prefix.trim_matches('/');
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let name = format!("s3://{}/{prefix}", options.bucket);
        if let Some(problem) = check::problem_of(&options) {
            return Err(ObjectsError::Unusable {
                store: name,
                problem,
            });
        }
        let bucket = Bucket {
            client: options.client(),
            signer: options.signer(),
            bucket: options.bucket,
            patience: options.patience,
            prefix,
            name,
        };
        Ok(S3 {
            bucket: Arc::new(bucket),
        })
    }

    /// Asks the bucket for a page of its keys, to tell at the start what can't work.
    ///
    /// # Errors
    /// [`ObjectsError::Unusable`] where the keys are refused, the bucket is missing or the region
    /// is another; [`ObjectsError::Failed`] where it isn't reached.
    pub async fn check(&self) -> Result<(), ObjectsError> {
        self.bucket.check().await
    }
}

impl Bucket {
    /// Where an object lies in the bucket.
    fn place(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The key of what lies at a place in the bucket; none for what is no object of ours.
    fn key(&self, place: &str) -> Option<ObjectKey> {
        ObjectKey::read(place.strip_prefix(&self.prefix)?)
    }

    /// For calls that take as long as bytes do.
    fn slowly(&self) -> aws_sdk_s3::config::Builder {
        let timeouts = self.patience.timeouts(self.patience.transfer);
        Config::builder().timeout_config(timeouts)
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(Failure) -> ObjectsError {
        move |failure| failure.told(&self.name, doing)
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>, Failure> {
        let asking = self.client.head_object().bucket(&self.bucket);
        let head = match asking
            .key(self.place(key))
            .send()
            .await
            .map_err(Failure::of)
        {
            Ok(head) => head,
            Err(failure) if failure.is_absent() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let size = head
            .content_length()
            .and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| Failure::said("it did not say how long the object is"))?;
        let put_at = time(head.last_modified());
        Ok(Some(Found { size, put_at }))
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<bool, Failure> {
        // It would be percent-encoded, had keys, prefixes and buckets anything to encode.
        let source = format!("{}/{}", self.bucket, self.place(from));
        let asking = self.client.copy_object().bucket(&self.bucket);
        let mut asking = asking.key(self.place(to)).copy_source(source);
        if to.is_public() {
            // What an object says is kept or said anew, all of it.
            let head = self.client.head_object().bucket(&self.bucket);
            let head = head.key(self.place(from)).send();
            let head = match head.await.map_err(Failure::of) {
                Ok(head) => head,
                Err(failure) if failure.is_absent() => return Ok(false),
                Err(failure) => return Err(failure),
            };
            asking = asking
                .metadata_directive(MetadataDirective::Replace)
                .cache_control(put::PUBLIC_CACHE_CONTROL)
                .set_content_type(head.content_type().map(str::to_owned));
        }
        let copying = asking.customize().config_override(self.slowly()).send();
        match copying.await.map_err(Failure::of) {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_absent() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        let asking = self.client.delete_object().bucket(&self.bucket);
        match asking
            .key(self.place(key))
            .send()
            .await
            .map_err(Failure::of)
        {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_absent() => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn direct(
        &self,
        key: &ObjectKey,
        lives: Duration,
        about: &About,
        disposition: Option<&str>,
    ) -> Result<Option<Url>, Failure> {
        let Some(signer) = &self.signer else {
            return Ok(None);
        };
        let lives = lives.clamp(Duration::from_secs(1), LONGEST_LINK);
        let said = |problem: &dyn std::fmt::Display| Failure::said(problem.to_string());
        let signing = PresigningConfig::expires_in(lives).map_err(|problem| said(&problem))?;
        let asking = signer.get_object().bucket(&self.bucket);
        let signed = asking
            .key(self.place(key))
            .response_content_type(&about.media_type)
            .response_cache_control(put::CACHE_CONTROL)
            .set_response_content_disposition(disposition.map(str::to_owned))
            .presigned(signing)
            .await
            .map_err(Failure::of)?;
        let url = Url::parse(signed.uri()).map_err(|problem| said(&problem))?;
        Ok(Some(url))
    }
}

fn time(time: Option<&DateTime>) -> SystemTime {
    let time = time.and_then(|time| u64::try_from(time.secs()).ok());
    // What a service doesn't say is taken for now: young things are left alone.
    time.map_or_else(SystemTime::now, |seconds| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    })
}

#[async_trait]
impl Objects for S3 {
    fn name(&self) -> &str {
        &self.bucket.name
    }

    async fn put(&self, key: &ObjectKey, file: &Path, about: &About) -> Result<Put, ObjectsError> {
        put::put(&self.bucket, key, file, about).await
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>, ObjectsError> {
        let found = self.bucket.find(key).await;
        found.map_err(self.bucket.failed("find an object"))
    }

    async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<Reading>, ObjectsError> {
        let reading = read::read(&self.bucket, key, range).await;
        reading.map_err(self.bucket.failed(read::DOING))
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<bool, ObjectsError> {
        let copied = self.bucket.copy(from, to).await;
        copied.map_err(self.bucket.failed("copy an object"))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        let deleted = self.bucket.delete(key).await;
        deleted.map_err(self.bucket.failed("delete an object"))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, ObjectsError> {
        let listed = self.bucket.list(prefix, after, limit).await;
        listed.map_err(self.bucket.failed("list objects"))
    }

    async fn direct(
        &self,
        key: &ObjectKey,
        lives: Duration,
        about: &About,
        disposition: Option<&str>,
    ) -> Result<Option<Url>, ObjectsError> {
        let signed = self.bucket.direct(key, lives, about, disposition).await;
        signed.map_err(self.bucket.failed("sign a link"))
    }

    async fn tidy(&self, older_than: Duration) -> Result<usize, ObjectsError> {
        let tidied = self.bucket.tidy(older_than).await;
        tidied.map_err(self.bucket.failed("take unfinished uploads away"))
    }

    async fn room(&self) -> Result<Option<u64>, ObjectsError> {
        Ok(None)
    }
}
