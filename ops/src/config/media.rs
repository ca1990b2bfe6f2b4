//! What steers bytes: when they are fetched, where they are kept, what clients are sent to.

use std::path::PathBuf;

use plyr_blobstore::MediaPolicy;
use plyr_objects::S3Links;
use url::Url;

use super::values::{self, Reader};

/// Where bytes are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlobsChoice {
    /// A folder; without one, `blobs/` in the data folder.
    Disk(Option<PathBuf>),
    /// A bucket, and what its keys begin with.
    S3 {
        /// The bucket.
        bucket: String,
        /// Without slashes at its ends; may be empty.
        prefix: String,
    },
}

/// What steers bytes.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// `--media`
    pub policy: MediaPolicy,
    /// `--media-quota`, in bytes
    pub quota: u64,
    /// `--blobs`
    pub blobs: BlobsChoice,
    /// `--s3-endpoint`
    pub s3_endpoint: Option<Url>,
    /// `--s3-public-endpoint`
    pub s3_links: S3Links,
    /// `--s3-region`
    pub s3_region: Option<String>,
    /// `--cdn-url`
    pub cdn_url: Option<Url>,
    /// `--media-origin`
    pub origins: Vec<Url>,
}

/// Reads it; none where something was wrong, which is noted then.
pub fn read(reader: &mut Reader<'_>) -> Option<MediaConfig> {
    let policy = reader.one("media", values::media_mode);
    let quota = reader.one("media-quota", values::size);
    let blobs = reader.one("blobs", values::blobs);
    let s3_endpoint = reader.optional("s3-endpoint", values::http_url);
    let s3_links = reader.optional("s3-public-endpoint", values::s3_links);
    let s3_region = reader.optional("s3-region", values::region);
    let cdn_url = reader.optional("cdn-url", values::http_url);
    let origins = reader.many("media-origin", values::http_url);
    let is_s3 = matches!(blobs, Some(BlobsChoice::S3 { .. }));
    if cdn_url.is_some() && blobs.is_some() && !is_s3 {
        reader.problem(
            "cdn-url",
            "is set, but blobs is no bucket",
            "leave it out, or write blobs = \"s3://bucket/prefix\"",
        );
    }
    if s3_links.is_some() && blobs.is_some() && !is_s3 {
        reader.problem(
            "s3-public-endpoint",
            "is set, but blobs is no bucket",
            "leave it out, or write blobs = \"s3://bucket/prefix\"",
        );
    }
    let names_a_bucket = is_s3 || reader.names_a_bucket();
    if s3_endpoint.is_some() && blobs.is_some() && !names_a_bucket {
        reader.problem(
            "s3-endpoint",
            "is set, but blobs is no bucket",
            "leave it out, or write blobs = \"s3://bucket/prefix\"",
        );
    }
    Some(MediaConfig {
        policy: policy?,
        quota: quota?,
        blobs: blobs?,
        s3_endpoint,
        s3_links: s3_links.unwrap_or_default(),
        s3_region,
        cdn_url,
        origins,
    })
}
