//! A bucket that hangs, errs, breaks off or loses things: an error in bounded time, and nothing in
//! part that is taken for whole.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use plyr_objects::conformance::{about, bytes, cid_of, file, read};
use plyr_objects::{ImageSize, ObjectKey, Objects, ObjectsError, Put, S3, S3Patience};
use plyr_peers::S3Server;

use crate::front::{Front, Weather};
use crate::server::{client, new_bucket, options, server, uploads};

/// Longer than any call may take, however busy the machine is.
const BOUND: Duration = Duration::from_secs(300);
const SHORT: usize = 300 << 10;
const LONG: usize = 9 << 20;

struct Stormy {
    server: &'static S3Server,
    front: Front,
    bucket: String,
    /// Through the front.
    s3: S3,
    /// The same, and soon out of patience.
    hasty: S3,
    /// Past the front.
    calm: S3,
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::original(&cid_of(name.as_bytes()).unwrap())
}

impl Stormy {
    async fn new() -> Option<Stormy> {
        let server = server().await?;
        let front = Front::before(&server.url).await;
        let bucket = new_bucket(server);
        let mut options = options(server, &bucket);
        let calm = S3::new(options.clone()).unwrap();
        options.endpoint = Some(front.url.parse().unwrap());
        options.patience.tries = 2;
        let s3 = S3::new(options.clone()).unwrap();
        options.patience = S3Patience {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(2),
            transfer: Duration::from_secs(4),
            tries: 2,
        };
        let hasty = S3::new(options).unwrap();
        Some(Stormy {
            server,
            front,
            bucket,
            s3,
            hasty,
            calm,
        })
    }

    /// Puts an object past the front.
    async fn prepare(&self, key: &ObjectKey, seed: u64, length: usize) {
        let source = file(&bytes(seed, length)).unwrap();
        let put = self.calm.put(key, source.path(), &about()).await;
        assert_eq!(put.unwrap(), Put::Created);
    }

    async fn put(&self, key: &ObjectKey, length: usize) -> Result<Put, ObjectsError> {
        let source = file(&bytes(1, length)).unwrap();
        let about = about();
        let put = self.s3.put(key, source.path(), &about);
        tokio::time::timeout(BOUND, put).await.unwrap()
    }

    /// Reads an object: what came, and what ended it early.
    async fn read(&self, s3: &S3, key: &ObjectKey) -> (Vec<u8>, Option<ObjectsError>) {
        let reading = tokio::time::timeout(BOUND, s3.read(key, None))
            .await
            .unwrap();
        let mut stream = match reading {
            Ok(reading) => reading.unwrap().bytes,
            Err(problem) => return (Vec::new(), Some(problem)),
        };
        let mut seen = Vec::new();
        while let Some(piece) = tokio::time::timeout(BOUND, stream.next()).await.unwrap() {
            match piece {
                Ok(piece) => seen.extend_from_slice(&piece),
                Err(problem) => return (seen, Some(problem)),
            }
        }
        (seen, None)
    }

    /// What every call says while nothing can be done.
    async fn fails(&self) {
        let about = about();
        let (short, long) = (key("short"), key("long"));
        let image = ObjectKey::image(&short.cid().unwrap(), ImageSize::Thumb);
        let source = file(&bytes(1, SHORT)).unwrap();
        let long_source = file(&bytes(1, LONG)).unwrap();
        let (check, find) = (self.hasty.check(), self.hasty.find(&short));
        let put = self.hasty.put(&short, source.path(), &about);
        let put_long = self.hasty.put(&long, long_source.path(), &about);
        let (copy, delete) = (self.hasty.copy(&short, &image), self.hasty.delete(&short));
        let (list, tidy) = (
            self.hasty.list("", None, 5),
            self.hasty.tidy(Duration::ZERO),
        );
        let read = async { self.hasty.read(&short, None).await.map(drop) };
        let calls =
            async { tokio::join!(check, find, read, put, put_long, copy, delete, list, tidy) };
        let done = tokio::time::timeout(BOUND, calls).await.unwrap();
        let (check, find, read, put, put_long, copy, delete, list, tidy) = done;
        let problems = [
            ("check", check.err()),
            ("find", find.err()),
            ("read", read.err()),
            ("put", put.err()),
            ("put in parts", put_long.err()),
            ("copy", copy.err()),
            ("delete", delete.err()),
            ("list", list.err()),
            ("tidy", tidy.err()),
        ];
        for (name, problem) in problems {
            let problem = problem.unwrap_or_else(|| panic!("{name} went well"));
            assert!(problem.is_passing(), "{name}: {problem}");
        }
    }

    async fn works_again(&self) {
        self.front.turn(Weather::Fair);
        for (name, length) in [("short", SHORT), ("long", LONG)] {
            let key = key(name);
            assert_eq!(self.s3.find(&key).await.unwrap(), None);
            assert_eq!(self.put(&key, length).await.unwrap(), Put::Created);
            assert_eq!(self.read(&self.s3, &key).await.0, bytes(1, length));
        }
    }
}

#[tokio::test]
async fn i11_a_bucket_that_hangs_fails_in_bounded_time() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    stormy.front.turn(Weather::Silent);
    stormy.fails().await;
    stormy.works_again().await;
}

#[tokio::test]
async fn i11_a_bucket_that_is_busy_is_asked_so_often_and_no_more() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    stormy.front.turn(Weather::Busy);
    let problem = stormy.s3.find(&key("short")).await.unwrap_err();
    assert!(problem.is_passing(), "{problem}");
    assert!(problem.to_string().contains("503"), "{problem}");
    assert_eq!(stormy.front.turn(Weather::Busy), 2);
    stormy.fails().await;
    stormy.works_again().await;
}

#[tokio::test]
async fn i09_bytes_that_break_off_end_with_an_error() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    let key = key("cut");
    stormy.prepare(&key, 1, LONG).await;
    let whole = bytes(1, LONG);
    // Within the head, within the first window, at its end.
    for after in [100, 10_000, 50 << 10] {
        for weather in [Weather::CutAfter(after), Weather::StuckAfter(after)] {
            stormy.front.turn(weather);
            let (seen, problem) = stormy.read(&stormy.hasty, &key).await;
            let problem = problem.unwrap_or_else(|| panic!("{weather:?} went well"));
            assert!(problem.is_passing(), "{weather:?}: {problem}");
            assert_eq!(seen, Vec::<u8>::new(), "{weather:?}");
        }
    }
    // Beyond the first window: what was handed on is the object's beginning.
    for weather in [Weather::CutAfter(700 << 10), Weather::StuckAfter(700 << 10)] {
        stormy.front.turn(Weather::Fair);
        // In fair weather only a machine that stands still is in the way.
        let mut stream = loop {
            match stormy.hasty.read(&key, None).await {
                Ok(reading) => break reading.unwrap().bytes,
                Err(problem) => assert!(problem.is_passing(), "{problem}"),
            }
        };
        stormy.front.turn(weather);
        let mut pieces: Vec<Result<Bytes, ObjectsError>> = Vec::new();
        while let Some(piece) = tokio::time::timeout(BOUND, stream.next()).await.unwrap() {
            pieces.push(piece);
        }
        let problem = pieces.pop().unwrap().unwrap_err();
        assert!(problem.is_passing(), "{problem}");
        let seen: Vec<u8> = pieces.into_iter().flat_map(Result::unwrap).collect();
        assert!(seen == whole[..64 << 10]);
    }
    stormy.front.turn(Weather::Fair);
    assert_eq!(stormy.read(&stormy.s3, &key).await.0, whole);
}

#[tokio::test]
async fn i09_a_window_that_was_cut_off_is_fetched_again() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    let key = key("again");
    stormy.prepare(&key, 1, LONG).await;
    // Within the first window, and within the second.
    for after in [40 << 10, 600 << 10] {
        stormy.front.turn(Weather::CutOnce(after));
        let (seen, problem) = stormy.read(&stormy.s3, &key).await;
        assert!(problem.is_none(), "{problem:?}");
        assert!(seen == bytes(1, LONG));
        assert!(stormy.front.turn(Weather::Fair) >= 2, "nothing was cut");
    }
}

#[tokio::test]
async fn i09_bytes_that_change_on_their_way_up_are_refused() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    for (name, length) in [("short", SHORT), ("long", LONG)] {
        let key = key(name);
        stormy.front.turn(Weather::Flipped(200 << 10));
        let problem = stormy.put(&key, length).await.unwrap_err();
        let problem = problem.to_string();
        assert!(problem.contains("XAmzContentSHA256Mismatch"), "{problem}");
        stormy.front.turn(Weather::Fair);
        assert_eq!(stormy.s3.find(&key).await.unwrap(), None, "{name}");
    }
    let past = client(stormy.server);
    assert_eq!(uploads(&past, &stormy.bucket).await, Vec::new());
    stormy.works_again().await;
}

#[tokio::test]
async fn i09_a_put_whose_answer_is_lost_is_there_whole() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    let key = key("deaf");
    stormy.front.turn(Weather::Deaf);
    let problem = stormy.put(&key, SHORT).await.unwrap_err();
    assert!(problem.is_passing(), "{problem}");
    stormy.front.turn(Weather::Fair);
    assert_eq!(stormy.read(&stormy.s3, &key).await.0, bytes(1, SHORT));
    assert_eq!(stormy.put(&key, SHORT).await.unwrap(), Put::AlreadyThere);
}

#[tokio::test]
async fn i09_an_object_lost_underneath_is_told_and_never_cut_short() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    let key = key("lost");
    stormy.prepare(&key, 1, LONG).await;
    let mut stream = stormy.s3.read(&key, None).await.unwrap().unwrap().bytes;
    let first = stream.next().await.unwrap().unwrap();
    assert!(first == bytes(1, 64 << 10));
    let path = format!("{}/some/prefix/{key}", stormy.bucket);
    std::fs::remove_file(stormy.server.folder.join(path)).unwrap();
    let problem = stream.next().await.unwrap().unwrap_err();
    assert!(problem.is_passing(), "{problem}");
    assert!(
        problem.to_string().contains("deleted or replaced"),
        "{problem}"
    );
    assert!(stream.next().await.is_none());
    assert_eq!(stormy.s3.find(&key).await.unwrap(), None);
    assert!(stormy.s3.read(&key, None).await.unwrap().is_none());
    // The server still has what it wrote beside the object, and takes that for the object where
    // it is put: what is told as kept must be there.
    for length in [SHORT, LONG] {
        let problem = stormy.put(&key, length).await.unwrap_err();
        assert!(problem.is_passing(), "{problem}");
        assert!(
            problem.to_string().contains("isn't when asked"),
            "{problem}"
        );
    }
    let beside = stormy.server.folder.join("../sidecar").join(&stormy.bucket);
    std::fs::remove_dir_all(beside).unwrap();
    assert_eq!(stormy.put(&key, LONG).await.unwrap(), Put::Created);
}

#[tokio::test]
async fn i09_two_states_of_an_object_are_never_joined() {
    let Some(stormy) = Stormy::new().await else {
        return;
    };
    let key = key("replaced");
    stormy.prepare(&key, 1, LONG).await;
    let mut stream = stormy.s3.read(&key, None).await.unwrap().unwrap().bytes;
    stream.next().await.unwrap().unwrap();
    stormy.calm.delete(&key).await.unwrap();
    stormy.prepare(&key, 2, LONG).await;
    let problem = stream.next().await.unwrap().unwrap_err();
    assert!(
        problem.to_string().contains("deleted or replaced"),
        "{problem}"
    );
    let (_, seen) = read(&stormy.s3, &key, None).await.unwrap().unwrap();
    assert!(seen == bytes(2, LONG));
}

#[tokio::test]
async fn a_server_that_is_stopped_is_found_again() {
    let Some(server) = S3Server::start(&["restarted"]).await.unwrap() else {
        return;
    };
    let mut options = options(&server, "restarted");
    options.patience.tries = 2;
    let s3 = S3::new(options).unwrap();
    let source = file(&bytes(1, SHORT)).unwrap();
    let about = about();
    s3.put(&key("kept"), source.path(), &about).await.unwrap();
    server.steer("stop").await.unwrap();
    let problem = s3.find(&key("kept")).await.unwrap_err();
    assert!(problem.is_passing(), "{problem}");
    assert!(s3.check().await.unwrap_err().is_passing());
    server.steer("start").await.unwrap();
    let (_, seen) = read(&s3, &key("kept"), None).await.unwrap().unwrap();
    assert_eq!(seen, bytes(1, SHORT));
}
