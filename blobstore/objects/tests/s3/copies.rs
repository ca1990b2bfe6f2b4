//! Copying between a disk and a bucket.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use plyr_objects::conformance::{bytes, cid_of, file, read};
use plyr_objects::{
    About, CopyOptions, CopyProgress, CopyReport, Describe, Disk, ImageSize, ObjectKey, Objects,
    copy_all,
};
use tempfile::TempDir;

use crate::server::InBucket;

/// Objects of all kinds, of lengths that a bucket takes at once and in parts.
const LENGTHS: [usize; 9] = [0, 1, 1000, 9 << 20, 2000, 300 << 10, 5, 6, 7];

struct Known;

#[async_trait]
impl Describe for Known {
    async fn about(&self, key: &ObjectKey) -> Result<About, String> {
        let is_image = key.as_str().starts_with("images/");
        let media_type = if is_image { "image/webp" } else { "audio/flac" };
        Ok(About {
            media_type: media_type.to_owned(),
        })
    }
}

struct Disks {
    folder: TempDir,
}

impl Disks {
    fn new() -> Disks {
        Disks {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn disk(&self, name: &str) -> Disk {
        Disk::open(&self.folder.path().join(name)).unwrap()
    }

    fn options(&self, at_once: usize) -> CopyOptions {
        CopyOptions {
            staging: self.folder.path().to_owned(),
            at_once,
        }
    }
}

async fn put(objects: &dyn Objects, key: &ObjectKey, bytes: &[u8]) {
    let file = file(bytes).unwrap();
    let about = Known.about(key).await.unwrap();
    objects.put(key, file.path(), &about).await.unwrap();
}

async fn fill(objects: &dyn Objects) -> Vec<(ObjectKey, Vec<u8>)> {
    let mut put_there = Vec::new();
    for (seed, length) in LENGTHS.into_iter().enumerate() {
        let bytes = bytes(seed as u64, length);
        let cid = cid_of(&bytes).unwrap();
        put_there.push((ObjectKey::original(&cid), bytes.clone()));
        put_there.push((
            ObjectKey::image(&cid, ImageSize::Card),
            bytes[..length / 2].to_vec(),
        ));
    }
    put_there.sort();
    for (key, bytes) in &put_there {
        put(objects, key, bytes).await;
    }
    put_there
}

async fn holds(objects: &dyn Objects, expected: &[(ObjectKey, Vec<u8>)]) {
    let listed = objects.list("", None, 1000).await.unwrap();
    let keys: Vec<&ObjectKey> = listed.iter().map(|listed| &listed.key).collect();
    let expected_keys: Vec<&ObjectKey> = expected.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, expected_keys);
    for (key, bytes) in expected {
        let (_, seen) = read(objects, key, None).await.unwrap().unwrap();
        assert!(seen == *bytes, "{key}");
    }
}

async fn copy(from: &dyn Objects, to: &dyn Objects, options: &CopyOptions) -> CopyReport {
    copy_all(from, to, &Known, options, &|_| {}).await.unwrap()
}

#[tokio::test]
async fn i09_a_copy_to_a_bucket_and_back_has_the_same_bytes() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    let disks = Disks::new();
    let (first, second) = (disks.disk("first"), disks.disk("second"));
    let expected = fill(&first).await;
    // What the public may read now is for who serves it.
    put(&first, &expected[0].0.public(), b"public").await;
    let bytes = expected.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let count = expected.len() as u64;
    let copied = CopyProgress {
        objects: count,
        bytes,
        copied: count,
        ..CopyProgress::default()
    };

    let told = Mutex::new(Vec::new());
    let tell = |progress: &CopyProgress| told.lock().unwrap().push(*progress);
    let options = disks.options(3);
    let report = copy_all(&first, &place.s3, &Known, &options, &tell)
        .await
        .unwrap();
    assert_eq!(
        report,
        CopyReport {
            progress: copied,
            failures: Vec::new()
        }
    );
    let told = told.into_inner().unwrap();
    assert_eq!(told.len(), expected.len());
    assert_eq!(told.last(), Some(&copied));
    holds(&place.s3, &expected).await;
    let head = place.client.head_object().bucket(&place.bucket);
    let image = expected
        .iter()
        .find(|(key, _)| key.as_str().starts_with("images/"));
    let image = format!("some/prefix/{}", image.unwrap().0);
    let head = head.key(image).send().await.unwrap();
    assert_eq!(head.content_type(), Some("image/webp"));

    let report = copy(&place.s3, &second, &disks.options(1)).await;
    assert_eq!(
        report,
        CopyReport {
            progress: copied,
            failures: Vec::new()
        }
    );
    holds(&second, &expected).await;

    let report = copy(&place.s3, &second, &options).await;
    let already = CopyProgress {
        objects: count,
        already: count,
        ..CopyProgress::default()
    };
    assert_eq!(report.progress, already);
    // Nothing stays on its way.
    let left = std::fs::read_dir(disks.folder.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["first", "second"]);
}

#[tokio::test]
async fn a_copy_that_was_cut_off_goes_on() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    let disks = Disks::new();
    let first = disks.disk("first");
    let expected = fill(&first).await;
    let (seen, enough) = (AtomicUsize::new(0), tokio::sync::Notify::new());
    let tell = |_: &CopyProgress| {
        if seen.fetch_add(1, Ordering::Relaxed) == 7 {
            enough.notify_one();
        }
    };
    let options = disks.options(2);
    tokio::select! {
        _ = enough.notified() => {}
        report = copy_all(&first, &place.s3, &Known, &options, &tell) => {
            panic!("it was done too soon: {report:?}")
        }
    }
    let report = copy(&first, &place.s3, &options).await;
    let CopyProgress {
        objects,
        copied,
        already,
        failed,
        ..
    } = report.progress;
    assert_eq!((objects, failed), (expected.len() as u64, 0));
    assert!(
        already >= 8 && copied > 0 && copied + already == objects,
        "{report:?}"
    );
    holds(&place.s3, &expected).await;
}

#[tokio::test]
async fn i09_what_does_not_have_its_hash_is_not_copied_and_the_rest_is() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    let disks = Disks::new();
    let first = disks.disk("first");
    let mut expected = fill(&first).await;
    // One whose bytes rotted, one that is shorter at the target, one under a CID of another kind.
    let originals = expected
        .iter()
        .position(|(key, _)| key.as_str().starts_with("originals/"));
    let (rotten, short) = (originals.unwrap(), originals.unwrap() + 1);
    let rotten = expected.remove(rotten).0;
    let short = expected.remove(short - 1).0;
    first.delete(&rotten).await.unwrap();
    put(&first, &rotten, b"rotten").await;
    put(&place.s3, &short, b"another length").await;
    let record = ObjectKey::original(&plyr_lexicons::data::cid_of(b"a record"));
    put(&first, &record, b"a record").await;

    let report = copy(&first, &place.s3, &disks.options(2)).await;
    assert_eq!(report.progress.failed, 3);
    assert_eq!(report.progress.copied, expected.len() as u64);
    let problem_of = |key: &ObjectKey| {
        let failure = report.failures.iter().find(|failure| failure.key == *key);
        failure.unwrap().problem.clone()
    };
    assert!(problem_of(&rotten).contains("not those that the CID names"));
    assert!(problem_of(&record).contains("not those that the CID names"));
    assert!(
        problem_of(&short).contains("has 14 bytes under this key"),
        "{}",
        problem_of(&short)
    );
    place.s3.delete(&short).await.unwrap();
    holds(&place.s3, &expected).await;
}
