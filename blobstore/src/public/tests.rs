//! Public copies over a bucket that is slow, or fails.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use plyr_objects::{About, Found, Listed, Objects, ObjectsError, Put, Reading};
use plyr_peers::wait_until;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{BlobRows, Change, HiddenSubject, Hide, SeenAudio, conformance};
use serde_json::json;
use tokio::sync::Semaphore;
use url::Url;

use super::*;
use crate::follow::Follower;
use crate::hides::Heard;
use crate::options::{MediaOptions, MediaPolicy};

const CID: &str = "bafkreidwslb22nkaxoadyaqlhlxgntmiq4jdenhkbrxhcq6avxlt75br5u";

/// A bucket in memory: it has every original, and says what is public.
struct Bucket {
    public: Mutex<HashSet<ObjectKey>>,
    /// Copies that were begun, and those that may come to their end.
    begun: AtomicU32,
    go: Semaphore,
    /// Deletes that fail before one doesn't.
    failing: AtomicU32,
}

struct World {
    bucket: Arc<Bucket>,
    blobstore: Blobstore,
    store: Arc<dyn Store>,
    rows: Arc<dyn BlobRows>,
    cid: Cid,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let namespace: plyr_lexicons::Namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.path().to_owned(), namespace.clone());
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        let bucket = Arc::new(Bucket {
            public: Mutex::default(),
            begun: AtomicU32::new(0),
            go: Semaphore::new(0),
            failing: AtomicU32::new(0),
        });
        let options = MediaOptions {
            policy: MediaPolicy::OnDemand,
            quota: 1 << 30,
            namespace,
            largest_audio: 1 << 20,
            largest_image: 1 << 20,
            at_once: 1,
            reserve: 0,
            is_public: true,
        };
        World {
            blobstore: Blobstore::new(options, store.clone(), bucket.clone()),
            bucket,
            rows: store.clone(),
            store,
            cid: CID.parse().unwrap(),
            _folder: folder,
        }
    }

    /// A track that names the blob, which a follower has seen or not.
    async fn track(&self, uri: &str, is_seen: bool) {
        let uri: RecordUri = uri.parse().unwrap();
        let record = json!({ "title": "t", "artist": "A", "fileType": "mp3", "audioBlob":
            { "$type": "blob", "ref": { "$link": CID }, "mimeType": "audio/mpeg", "size": 1 } });
        let put = conformance::put(&uri, 1, &record).unwrap();
        self.store.apply(vec![put]).await.unwrap();
        if is_seen {
            let (cid, dropped_at) = (self.cid, None);
            let seen = SeenAudio {
                uri,
                cid,
                dropped_at,
            };
            self.rows.see_audio(seen).await.unwrap();
        }
    }

    async fn hide(&self) {
        let (did, cid) = (None, self.cid);
        self.hide_one(HiddenSubject::Blob { did, cid }).await;
    }

    async fn hide_one(&self, subject: HiddenSubject) {
        let hide = Hide {
            subject,
            hidden: true,
            at: 1,
        };
        self.store.apply(vec![Change::Hide(hide)]).await.unwrap();
    }

    async fn publish(&self) -> Option<String> {
        self.blobstore
            .publish(&self.store, &self.cid)
            .await
            .unwrap()
    }

    async fn unpublish(&self) -> usize {
        let snapshot = self.store.snapshot().await.unwrap();
        let doubted = BTreeSet::from([self.cid]);
        self.blobstore
            .unpublish(snapshot.as_ref(), doubted)
            .await
            .unwrap()
    }

    fn is_public(&self) -> bool {
        let key = ObjectKey::original(&self.cid).public();
        self.bucket.public.lock().unwrap().contains(&key)
    }

    async fn becomes(&self, what: &str, question: impl Fn() -> bool) {
        let asked = || async { question().then_some(()).ok_or("not yet".to_owned()) };
        wait_until(what, asked).await.unwrap();
    }
}

#[tokio::test]
async fn i08_a_copy_stays_only_where_somebody_will_hear_of_its_end() {
    let world = World::new();
    world.bucket.go.add_permits(9);
    world.track("at://did:plc:a/fm.plyr.track/one", true).await;
    let path = ObjectKey::original(&world.cid).as_str().to_owned();
    assert_eq!(world.publish().await, Some(path.clone()));
    assert_eq!(world.unpublish().await, 0);
    assert!(world.is_public());
    // Nobody has seen this one, and it may be gone again before anybody does.
    let unseen = World::new();
    unseen
        .track("at://did:plc:b/fm.plyr.track/two", false)
        .await;
    let public = ObjectKey::original(&unseen.cid).public();
    unseen.bucket.public.lock().unwrap().insert(public);
    assert_eq!(unseen.unpublish().await, 1);
    assert!(!unseen.is_public());
    // It comes again when it was seen, and is asked for.
    unseen.bucket.go.add_permits(1);
    assert_eq!(unseen.publish().await, None);
    unseen.track("at://did:plc:b/fm.plyr.track/two", true).await;
    assert_eq!(unseen.publish().await, Some(path));
}

#[tokio::test]
async fn i08_a_copy_that_may_not_stay_is_deleted_though_that_fails_at_first() {
    let world = World::new();
    world.track("at://did:plc:a/fm.plyr.track/one", true).await;
    world.bucket.failing.store(3, Ordering::SeqCst);
    let hidden = async {
        let begun = || world.bucket.begun.load(Ordering::SeqCst) == 1;
        world.becomes("it is being copied", begun).await;
        world.hide().await;
        world.bucket.go.add_permits(1);
    };
    let (published, ()) = tokio::join!(world.publish(), hidden);
    assert_eq!(published, None);
    world.becomes("it is gone", || !world.is_public()).await;
    assert_eq!(world.bucket.failing.load(Ordering::SeqCst), 0);
}

/// Nor does the follower read any log here.
#[tokio::test]
async fn i08_a_takedown_of_a_record_or_account_waits_for_nothing_in_the_log() {
    let uri = "at://did:plc:a/fm.plyr.track/one";
    for text in [uri, "did:plc:a"] {
        let world = World::new();
        world.bucket.go.add_permits(1);
        let follower = Follower::new(world.blobstore.clone(), world.store.clone());
        world.track(uri, true).await;
        assert!(world.publish().await.is_some());
        let mut heard = Heard::default();
        follower.hear_hidden_records(&mut heard).await.unwrap();
        assert!(world.is_public());
        world.hide_one(text.parse().unwrap()).await;
        // What fails is heard of again.
        world.bucket.failing.store(1, Ordering::SeqCst);
        assert!(follower.hear_hidden_records(&mut heard).await.is_err());
        follower.hear_hidden_records(&mut heard).await.unwrap();
        assert!(!world.is_public(), "{text}");
    }
}

#[tokio::test]
async fn i11_nobody_waits_for_a_long_copy() {
    let world = World::new();
    world.track("at://did:plc:a/fm.plyr.track/one", true).await;
    let patience = Duration::from_secs(120);
    let first = timeout(patience, world.publish()).await;
    assert_eq!(first.unwrap(), None);
    // Nor is it begun again, while it goes on.
    assert_eq!(world.publish().await, None);
    assert_eq!(world.bucket.begun.load(Ordering::SeqCst), 1);
    world.bucket.go.add_permits(1);
    world.becomes("it is public", || world.is_public()).await;
    assert!(world.publish().await.is_some());
}

fn failed<T>() -> Result<T, ObjectsError> {
    Err(ObjectsError::Failed {
        store: "memory".to_owned(),
        doing: "do as it is told",
        detail: "of a test".to_owned(),
    })
}

#[async_trait]
impl Objects for Bucket {
    fn name(&self) -> &str {
        "memory"
    }

    async fn put(&self, _: &ObjectKey, _: &Path, _: &About) -> Result<Put, ObjectsError> {
        failed()
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>, ObjectsError> {
        let found = Found {
            size: 1,
            put_at: std::time::SystemTime::UNIX_EPOCH,
        };
        Ok(self.public.lock().unwrap().contains(key).then_some(found))
    }

    async fn read(
        &self,
        _: &ObjectKey,
        _: Option<Range<u64>>,
    ) -> Result<Option<Reading>, ObjectsError> {
        failed()
    }

    async fn copy(&self, _: &ObjectKey, to: &ObjectKey) -> Result<bool, ObjectsError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.go.acquire().await.unwrap().forget();
        self.public.lock().unwrap().insert(to.clone());
        Ok(true)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        let left = |failing: u32| failing.checked_sub(1);
        let fails = self
            .failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left);
        if fails.is_ok() {
            return failed();
        }
        self.public.lock().unwrap().remove(key);
        Ok(())
    }

    async fn list(
        &self,
        _: &str,
        _: Option<&ObjectKey>,
        _: usize,
    ) -> Result<Vec<Listed>, ObjectsError> {
        failed()
    }

    async fn direct(
        &self,
        _: &ObjectKey,
        _: Duration,
        _: &About,
        _: Option<&str>,
    ) -> Result<Option<Url>, ObjectsError> {
        failed()
    }

    async fn tidy(&self, _: Duration) -> Result<usize, ObjectsError> {
        failed()
    }

    async fn room(&self) -> Result<Option<u64>, ObjectsError> {
        failed()
    }
}
