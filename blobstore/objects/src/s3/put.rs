//! Putting a file: at once where it is small, else in parts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::time::timeout;

use super::failure::Failure;
use super::{Bucket, upload};
use crate::error::ObjectsError;
use crate::key::ObjectKey;
use crate::objects::{About, Put};

/// The longest file that goes up in one request, in bytes.
const AT_ONCE: u64 = upload::PART;
/// What is taken down must be gone from caches within a minute (I8).
pub(super) const CACHE_CONTROL: &str = "private, max-age=60";
/// The same of what is for the public: caches that many share may keep it.
pub(super) const PUBLIC_CACHE_CONTROL: &str = "public, max-age=60";
/// How often a put is begun again that another one of the same key collided with.
const TRIES: usize = 3;
const DOING: &str = "put an object";

/// The file that is put.
pub(super) struct Source {
    file: Arc<File>,
    patience: Duration,
    pub(super) size: u64,
}

impl Source {
    async fn open(path: &Path, patience: Duration) -> Result<Source, Failure> {
        let path = path.to_owned();
        let opened = on_a_thread(patience, move || {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            Ok((file, size))
        });
        let (file, size) = opened.await?;
        let file = Arc::new(file);
        Ok(Source {
            file,
            patience,
            size,
        })
    }

    /// Bytes of it, in memory: so a request can be sent again.
    pub(super) async fn bytes(&self, start: u64, length: u64) -> Result<Bytes, Failure> {
        let file = self.file.clone();
        let read = on_a_thread(self.patience, move || {
            let length = usize::try_from(length).map_err(io::Error::other)?;
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, start)?;
            Ok(bytes)
        });
        read.await.map(Bytes::from)
    }
}

async fn on_a_thread<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let done = timeout(patience, tokio::task::spawn_blocking(work)).await;
    done.map_err(io::Error::other)
        .and_then(|done| done.map_err(io::Error::other).flatten())
        .map_err(|problem| Failure::said(format!("the file can't be read: {problem}")))
}

pub(super) async fn put(
    bucket: &Arc<Bucket>,
    key: &ObjectKey,
    file: &Path,
    about: &About,
) -> Result<Put, ObjectsError> {
    let source = Source::open(file, bucket.patience.transfer).await;
    let source = source.map_err(bucket.failed(DOING))?;
    let mut tries = 1;
    loop {
        let put = match source.size <= AT_ONCE {
            true => put_at_once(bucket, key, &source, about).await,
            false => upload::put(bucket, key, &source, about).await,
        };
        match put {
            Ok(put) => return Ok(put),
            // Another put of this key was being finished: it is there by now, or that one failed.
            Err(failure) if failure.is_conflict() && tries < TRIES => tries += 1,
            Err(failure) => return Err(failure.told(&bucket.name, DOING)),
        }
    }
}

async fn put_at_once(
    bucket: &Bucket,
    key: &ObjectKey,
    source: &Source,
    about: &About,
) -> Result<Put, Failure> {
    let bytes = source.bytes(0, source.size).await?;
    let asking = bucket.client.put_object().bucket(&bucket.bucket);
    let asking = asking
        .key(bucket.place(key))
        .if_none_match("*")
        .content_type(&about.media_type)
        .cache_control(CACHE_CONTROL)
        .body(ByteStream::from(bytes));
    let putting = asking.customize().config_override(bucket.slowly()).send();
    match putting.await.map_err(Failure::of) {
        Ok(_) => Ok(Put::Created),
        Err(failure) if failure.is_precondition() => bucket.already_there(key).await,
        Err(failure) => Err(failure),
    }
}

impl Bucket {
    /// After a put was refused because the object is there: what is answered as kept must be.
    pub(super) async fn already_there(&self, key: &ObjectKey) -> Result<Put, Failure> {
        match self.find(key).await? {
            Some(_) => Ok(Put::AlreadyThere),
            None => Err(Failure::contradiction()),
        }
    }
}
