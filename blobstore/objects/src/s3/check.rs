//! What can be told at the start.

use super::failure::Failure;
use super::{Bucket, S3Options};
use crate::error::ObjectsError;

impl Bucket {
    /// Lists, which needs the keys and the bucket: asked for one object, a service may answer 404
    /// whatever is wrong.
    pub(super) async fn check(&self) -> Result<(), ObjectsError> {
        let asking = self.client.list_objects_v2().bucket(&self.bucket);
        let page = asking.prefix(&self.prefix).max_keys(1).send().await;
        let doing = "reach the bucket";
        match page.map_err(Failure::of) {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_absent() => {
                let problem = "there is no bucket of this name at this address; correct --blobs or \
                               --s3-endpoint";
                Err(ObjectsError::Unusable {
                    store: self.name.clone(),
                    problem: problem.to_owned(),
                })
            }
            Err(failure) => Err(failure.told(&self.name, doing)),
        }
    }
}

/// What is wrong with options, without asking anybody.
pub(super) fn problem_of(options: &S3Options) -> Option<String> {
    let bucket = &options.bucket;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_plain) {
        return Some(format!(
            "{bucket:?} is no name of a bucket (3 to 63 letters, digits, '-', '.' and '_'); \
             correct --blobs, s3://BUCKET/PREFIX"
        ));
    }
    if options.prefix.contains("//") || !options.prefix.chars().all(|it| is_plain(it) || it == '/')
    {
        return Some(format!(
            "the prefix {:?} has more in it than letters, digits, '-', '.', '_' and single '/'; \
             correct --blobs, s3://BUCKET/PREFIX",
            options.prefix
        ));
    }
    if options.credentials.access_key.is_empty() || options.credentials.secret_key.is_empty() {
        let problem = "there are no keys for it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        return Some(problem.to_owned());
    }
    if options.region.is_empty() {
        return Some("its region is empty; set --s3-region (auto for R2)".to_owned());
    }
    None
}
