//! Memory is flat in the length of an object: alone in a process, since it is the process's.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::io::{Seek, SeekFrom, Write};

use futures_util::StreamExt;
use plyr_objects::conformance::{about, bytes, cid_of};
use plyr_objects::{Disk, ObjectKey, Objects, S3, S3Credentials, S3Links, S3Options, S3Patience};
use plyr_peers::S3Server;

/// Long enough for all that is held at a time to be held.
const SHORT: u64 = 48 << 20;
const LONG: u64 = 256 << 20;
/// What an allocator may keep.
const ALLOWED: u64 = 32 << 20;

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// Puts and reads an object; answers the most memory after that.
async fn carry(objects: &dyn Objects, length: u64) -> u64 {
    let key = ObjectKey::original(&cid_of(&length.to_le_bytes()).unwrap());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let stretch = bytes(1, 1 << 20);
    for _ in 0..length >> 20 {
        file.write_all(&stretch).unwrap();
    }
    file.seek(SeekFrom::Start(0)).unwrap();
    // A link is copied by a disk.
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(file.path(), &link).unwrap();
    let about = about();
    objects.put(&key, &link, &about).await.unwrap();
    let mut reading = objects.read(&key, None).await.unwrap().unwrap();
    let mut seen = 0;
    while let Some(piece) = reading.bytes.next().await {
        seen += piece.unwrap().len() as u64;
    }
    assert_eq!(seen, length);
    peak()
}

async fn is_flat(objects: &dyn Objects) {
    let short = carry(objects, SHORT).await;
    let long = carry(objects, LONG).await;
    let grown = long.saturating_sub(short);
    assert!(
        grown < ALLOWED,
        "{} MiB more for {}",
        grown >> 20,
        objects.name()
    );
}

#[tokio::test]
async fn i14_memory_is_flat_in_the_length_of_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(&folder.path().join("objects")).unwrap();
    is_flat(&disk).await;
    let Some(server) = S3Server::start(&["large"]).await.unwrap() else {
        return;
    };
    let options = S3Options {
        bucket: "large".to_owned(),
        prefix: String::new(),
        endpoint: Some(server.url.parse().unwrap()),
        links: S3Links::Endpoint,
        region: "us-east-1".to_owned(),
        credentials: S3Credentials {
            access_key: server.access_key.clone(),
            secret_key: server.secret_key.clone(),
            session_token: None,
        },
        patience: S3Patience::default(),
    };
    is_flat(&S3::new(options).unwrap()).await;
}
