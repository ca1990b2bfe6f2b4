//! The trait and its promise.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use url::Url;

use crate::error::ObjectsError;
use crate::key::ObjectKey;

/// The longest piece of a [`Bytestream`]. Two or three of them are in memory for each listener: of
/// four times the size, a hundred listeners take half as much memory again.
pub(crate) const PIECE: usize = 64 << 10;

/// What a store says with an object that it hands out itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// The media type, as the bytes were found to be.
    pub media_type: String,
}

/// What became of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It wasn't there.
    Created,
    /// It was there, and stays as it was.
    AlreadyThere,
}

/// An object that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Bytes.
    pub size: u64,
    /// When it was put, or later: a disk tells when the file was last named.
    pub put_at: SystemTime,
}

/// An object in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its key.
    pub key: ObjectKey,
    /// What is known of it.
    pub found: Found,
}

/// Bytes as they are read: pieces of at most 64 KiB; an error ends it.
pub type Bytestream = BoxStream<'static, Result<Bytes, ObjectsError>>;

/// An object, or a piece of it, being read.
pub struct Reading {
    /// The whole object's bytes.
    pub size: u64,
    /// What was asked for. Ends early only with an error.
    pub bytes: Bytestream,
}

/// A store of objects. What a call answers as done is durable. An object that is put appears whole
/// or not at all, whatever happens meanwhile; of two that put the same key at once one creates it.
/// Every call ends within bounded time, and holds a bounded part of an object in memory.
#[async_trait]
pub trait Objects: Send + Sync {
    /// For messages: `disk:/var/lib/plyr/blobs`, `s3://bucket/prefix`. No secrets.
    fn name(&self) -> &str;

    /// Puts a file's bytes. The file stays, and may be deleted afterwards but not changed: a disk
    /// links it. Leaves nothing half-written behind that counts. Dropped before it answers, it has
    /// put the whole object or nothing, maybe a moment later. Where the answer of a bucket was lost
    /// and it was asked again, an object may be told as already there that this very call created.
    async fn put(&self, key: &ObjectKey, file: &Path, about: &About) -> Result<Put, ObjectsError>;

    /// Whether an object is there.
    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>, ObjectsError>;

    /// Reads an object, or the bytes `range` of it (cut to what is there; an empty or unsatisfiable
    /// range reads nothing); none if it isn't there.
    async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<Reading>, ObjectsError>;

    /// Copies an object to another key without reading it through this process where the store can.
    /// Answers whether it was there. What lies under the other key is that object's bytes already,
    /// and may be written again. A copy for the public says that caches may share it, a minute at
    /// most, where the store says such things.
    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<bool, ObjectsError>;

    /// Deletes an object; one that isn't there is no error.
    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError>;

    /// Objects whose keys begin with `prefix` (whole folders: it ends with `/`, or is empty), in
    /// order of their keys, strictly after `after`. What lies there and is no object of ours is
    /// left out.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, ObjectsError>;

    /// Where the object can be fetched from the store itself for that long (a minute at most), with
    /// the headers the answer is to have; none where the store is not reachable from outside. It
    /// isn't asked whether the object is there.
    async fn direct(
        &self,
        key: &ObjectKey,
        lives: Duration,
        about: &About,
        disposition: Option<&str>,
    ) -> Result<Option<Url>, ObjectsError>;

    /// Takes away what puts that were cut off left behind (parts of uploads, files that were never
    /// named) and that is older than that. Answers how many.
    async fn tidy(&self, older_than: Duration) -> Result<usize, ObjectsError>;

    /// Bytes free where it writes; none where that is not known or has no bound.
    async fn room(&self) -> Result<Option<u64>, ObjectsError>;
}

/// What of an object of that size a range asks for.
pub(crate) fn cut(range: Option<Range<u64>>, size: u64) -> Range<u64> {
    let Some(range) = range else {
        return 0..size;
    };
    let end = range.end.min(size);
    range.start.min(end)..end
}
