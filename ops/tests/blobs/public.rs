//! Public copies: made of what records let out, and gone as soon as none does.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use plyr_blobstore::Blobstore;
use plyr_lexicons::{Cid, Collection, RecordUri};
use plyr_objects::{
    About, Disk, Found, ImageSize, Listed, ObjectKey, Objects, ObjectsError, Put, Reading,
};
use plyr_peers::wait_until;
use plyr_schemas::{Account, AccountState, Blob, BlobState, Change, HiddenSubject, Hide};
use plyr_schemas::{SeenAudio, Store};
use serde_json::json;
use tokio::sync::Semaphore;
use url::Url;

use super::world::{How, World, cid_of, did, tone};

const ALICE: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const BOB: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";
const CAROL: &str = "did:plc:cccccccccccccccccccccccc";
const DAN: &str = "did:plc:dddddddddddddddddddddddd";

fn public() -> How {
    How {
        is_public: true,
        ..How::default()
    }
}

/// Keeps a tone, as a fetch does.
async fn keep(world: &World, seed: u16) -> Cid {
    let bytes = tone(seed);
    let cid = cid_of(&bytes);
    let file = world.folder.path().join(cid.to_string());
    std::fs::write(&file, &bytes).unwrap();
    let about = About {
        media_type: "audio/wav".to_owned(),
    };
    let key = ObjectKey::original(&cid);
    world.objects.put(&key, &file, &about).await.unwrap();
    let mut row = Blob::wanted(cid, 1);
    row.state = BlobState::Kept;
    row.size = Some(bytes.len() as u64);
    row.due_at = None;
    assert!(world.rows().replace_blob(row).await.unwrap());
    cid
}

/// Keeps a tone that a track names.
async fn track(world: &mut World, who: &str, seed: u16) -> (RecordUri, Cid) {
    let cid = keep(world, seed).await;
    let uri = world.put_track(who, &format!("t{seed}"), Some(&cid)).await;
    (uri, cid)
}

async fn is_public(world: &World, cid: &Cid) -> bool {
    let key = ObjectKey::original(cid).public();
    world.objects.find(&key).await.unwrap().is_some()
}

/// Asks for a blob until the public has it.
async fn publish(world: &World, blobstore: &Blobstore, cid: &Cid) {
    let store: Arc<dyn Store> = world.store.clone();
    let path = wait_until("it is public", || async {
        let path = blobstore.publish(&store, cid).await.unwrap();
        path.ok_or_else(|| "not yet".to_owned())
    });
    let path = path.await.unwrap();
    assert_eq!(path, ObjectKey::original(cid).as_str());
    assert!(is_public(world, cid).await);
}

async fn gone(world: &World, cid: &Cid) {
    wait_until("the public can't read it", || async {
        let is = is_public(world, cid).await;
        (!is).then_some(()).ok_or("it is there".to_owned())
    })
    .await
    .unwrap();
}

async fn apply(world: &World, change: Change) {
    world.store.apply(vec![change]).await.unwrap();
}

async fn hide(world: &World, subject: HiddenSubject) {
    let (hidden, at) = (true, 1);
    let hide = Hide {
        subject,
        hidden,
        at,
    };
    apply(world, Change::Hide(hide)).await;
}

/// What a follower writes down of a track.
async fn seen(world: &World, uri: &RecordUri, cid: &Cid) {
    let seen = SeenAudio {
        uri: uri.clone(),
        cid: *cid,
        dropped_at: None,
    };
    world.rows().see_audio(seen).await.unwrap();
}

fn blob(who: Option<&str>, cid: &Cid) -> HiddenSubject {
    HiddenSubject::Blob {
        did: who.map(did),
        cid: *cid,
    }
}

#[tokio::test]
async fn i08_what_is_taken_down_is_no_longer_public() {
    let mut world = World::new().await;
    let process = world.start(public());
    let mut all = Vec::new();
    for (seed, who) in [ALICE, ALICE, ALICE, ALICE, BOB, CAROL, DAN]
        .into_iter()
        .enumerate()
    {
        let (uri, cid) = track(&mut world, who, 100 + seed as u16).await;
        publish(&world, &process.blobstore, &cid).await;
        all.push((uri, cid));
    }
    hide(&world, HiddenSubject::Record(all[0].0.clone())).await;
    hide(&world, blob(Some(ALICE), &all[1].1)).await;
    hide(&world, blob(None, &all[2].1)).await;
    hide(&world, HiddenSubject::Actor(did(BOB))).await;
    let account = Account {
        did: did(CAROL),
        state: AccountState::Deactivated,
        since: 1,
        asked_at: 1,
    };
    apply(&world, Change::Account(account)).await;
    // Under another's name it is not theirs that is hidden.
    hide(&world, blob(Some(BOB), &all[6].1)).await;
    let store: Arc<dyn Store> = world.store.clone();
    for taken in [0, 1, 2, 4, 5] {
        let cid = &all[taken].1;
        gone(&world, cid).await;
        let again = process.blobstore.publish(&store, cid).await.unwrap();
        assert_eq!(again, None, "{taken}");
        assert!(!is_public(&world, cid).await);
    }
    for stays in [3, 6] {
        assert!(is_public(&world, &all[stays].1).await, "{stays}");
    }
    process.stop().await;
}

#[tokio::test]
async fn i08_what_is_gated_dropped_or_deleted_is_no_longer_public() {
    let mut world = World::new().await;
    let process = world.start(public());
    let (gated, shut) = track(&mut world, ALICE, 110).await;
    let (_, dropped) = track(&mut world, ALICE, 111).await;
    let (deleted, gone_with_it) = track(&mut world, ALICE, 112).await;
    let (shared, twice) = track(&mut world, ALICE, 113).await;
    world.put_track(BOB, "same", Some(&twice)).await;
    for cid in [&shut, &dropped, &gone_with_it, &twice] {
        publish(&world, &process.blobstore, cid).await;
    }
    let record = json!({
        "$type": "fm.plyr.track", "title": "t", "artist": "A", "fileType": "wav",
        "createdAt": "2026-06-01T12:00:00.000Z", "supportGate": { "type": "any" },
        "audioBlob": {
            "$type": "blob", "ref": { "$link": shut.to_string() }, "mimeType": "audio/wav",
            "size": 1,
        },
    });
    let rkey = gated.rkey.as_str().to_owned();
    world.put(ALICE, Collection::Track, &rkey, &record).await;
    world.put_track(ALICE, "t111", None).await;
    world.delete(&deleted).await;
    world.delete(&shared).await;
    for cid in [&shut, &dropped, &gone_with_it] {
        gone(&world, cid).await;
    }
    let rows = world.rows();
    wait_until("the follower has passed the last delete", || async {
        let seen = rows
            .seen_audio(std::slice::from_ref(&shared))
            .await
            .unwrap();
        let is_forgotten = seen.iter().all(Option::is_none);
        is_forgotten.then_some(()).ok_or(format!("{seen:?}"))
    })
    .await
    .unwrap();
    assert!(is_public(&world, &twice).await);
    process.stop().await;
}

#[tokio::test]
async fn i08_what_ends_while_nobody_follows_is_not_public_after_a_start() {
    let mut world = World::new().await;
    let process = world.start(public());
    let mut all = Vec::new();
    for seed in 120..125 {
        let (uri, cid) = track(&mut world, ALICE, seed).await;
        publish(&world, &process.blobstore, &cid).await;
        all.push((uri, cid));
    }
    process.stop().await;
    let rows = world.rows();
    // One that rows remember, and one that nobody does.
    world.delete(&all[0].0).await;
    world.delete(&all[1].0).await;
    rows.forget_audio(&all[1].0).await.unwrap();
    hide(&world, blob(None, &all[2].1)).await;
    // A copy of what is no longer kept, and one that never should have been.
    let row = rows.blobs(&[all[3].1]).await.unwrap().pop().flatten();
    let revision = row.unwrap().revision;
    assert!(rows.remove_blob(&all[3].1, revision).await.unwrap());
    let stays = all[4].1;
    let original = ObjectKey::original(&stays);
    let image = ObjectKey::image(&stays, ImageSize::Card).public();
    assert!(world.objects.copy(&original, &image).await.unwrap());
    // This one makes no copies, and takes them out all the same.
    let process = world.start(How::default());
    for (_, cid) in &all[..4] {
        gone(&world, cid).await;
    }
    wait_until("no image is public", || async {
        let found = world.objects.find(&image).await.unwrap();
        found.is_none().then_some(()).ok_or(format!("{found:?}"))
    })
    .await
    .unwrap();
    assert!(is_public(&world, &stays).await);
    process.stop().await;
}

#[tokio::test]
async fn i08_what_is_hidden_while_it_is_copied_is_not_public() {
    let mut world = World::new().await;
    let (uri, cid) = track(&mut world, ALICE, 130).await;
    seen(&world, &uri, &cid).await;
    let halting = Arc::new(Halting::over(&world));
    let blobstore = world.blobstore_over(&public(), halting.clone());
    let store: Arc<dyn Store> = world.store.clone();
    let asking = |blobstore: Blobstore, store: Arc<dyn Store>| {
        tokio::spawn(async move { blobstore.publish(&store, &cid).await.unwrap() })
    };
    let began = Instant::now();
    let first = asking(blobstore.clone(), store.clone());
    halting.has_copied(1).await;
    // Nobody waits for another's copy, nor makes one as well: as if it weren't there yet.
    world
        .objects
        .delete(&ObjectKey::original(&cid).public())
        .await
        .unwrap();
    let second = asking(blobstore.clone(), store.clone()).await.unwrap();
    assert_eq!((second, halting.copied()), (None, 1));
    halting.go.add_permits(1);
    // A listener waits for two seconds at most; this machine may have taken longer.
    let told = first.await.unwrap();
    assert!(told.is_some() || began.elapsed() >= Duration::from_secs(2));

    let third = RefCell::new(asking(blobstore.clone(), store.clone()));
    wait_until("it is copied again", || async {
        let copied = halting.copied();
        // None at once where the first copy wasn't at its end yet.
        if copied < 2 && third.borrow().is_finished() {
            third.replace(asking(blobstore.clone(), store.clone()));
        }
        (copied == 2).then_some(()).ok_or(copied.to_string())
    })
    .await
    .unwrap();
    assert!(is_public(&world, &cid).await);
    hide(&world, blob(None, &cid)).await;
    halting.go.add_permits(1);
    assert_eq!(third.into_inner().await.unwrap(), None);
    gone(&world, &cid).await;
}

#[tokio::test]
async fn i08_a_copy_is_asked_about_again_though_the_listener_is_gone() {
    let mut world = World::new().await;
    let (uri, cid) = track(&mut world, ALICE, 131).await;
    seen(&world, &uri, &cid).await;
    let halting = Arc::new(Halting::over(&world));
    let blobstore = world.blobstore_over(&public(), halting.clone());
    let store: Arc<dyn Store> = world.store.clone();
    let asking = tokio::spawn(async move { blobstore.publish(&store, &cid).await });
    halting.has_copied(1).await;
    asking.abort();
    // Or gone by itself, where this machine took longer than a listener waits.
    if let Err(ended) = asking.await {
        assert!(ended.is_cancelled());
    }
    world.delete(&uri).await;
    assert!(is_public(&world, &cid).await);
    halting.go.add_permits(1);
    gone(&world, &cid).await;
}

#[tokio::test]
async fn only_audio_that_a_follower_knows_of_becomes_public() {
    let mut world = World::new().await;
    let blobstore = world.blobstore(&public());
    let store: Arc<dyn Store> = world.store.clone();
    let cover = keep(&world, 140).await;
    let record = json!({
        "$type": "fm.plyr.track", "title": "t", "artist": "A", "fileType": "wav",
        "createdAt": "2026-06-01T12:00:00.000Z",
        "cover": {
            "$type": "blob", "ref": { "$link": cover.to_string() }, "mimeType": "image/png",
            "size": 1,
        },
    });
    let pictured = world
        .put(ALICE, Collection::Track, "covered", &record)
        .await;
    seen(&world, &pictured, &cover).await;
    assert_eq!(blobstore.publish(&store, &cover).await.unwrap(), None);

    let (uri, audio) = track(&mut world, ALICE, 141).await;
    assert_eq!(blobstore.publish(&store, &audio).await.unwrap(), None);
    seen(&world, &uri, &audio).await;
    publish(&world, &blobstore, &audio).await;
    // Where no copies are made none is told of.
    let other = world.blobstore(&How::default());
    assert_eq!(other.publish(&store, &audio).await.unwrap(), None);
}

/// A disk whose copies are there, and answered when they are let go on.
struct Halting {
    disk: Arc<Disk>,
    copied: AtomicU64,
    go: Semaphore,
}

impl Halting {
    fn over(world: &World) -> Halting {
        Halting {
            disk: world.objects.clone(),
            copied: AtomicU64::new(0),
            go: Semaphore::new(0),
        }
    }

    fn copied(&self) -> u64 {
        self.copied.load(Ordering::SeqCst)
    }

    async fn has_copied(&self, many: u64) {
        wait_until("it is copied", || async {
            let copied = self.copied();
            (copied == many).then_some(()).ok_or(copied.to_string())
        })
        .await
        .unwrap();
    }
}

#[async_trait]
impl Objects for Halting {
    fn name(&self) -> &str {
        self.disk.name()
    }

    async fn put(&self, key: &ObjectKey, file: &Path, about: &About) -> Result<Put, ObjectsError> {
        self.disk.put(key, file, about).await
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>, ObjectsError> {
        self.disk.find(key).await
    }

    async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<Reading>, ObjectsError> {
        self.disk.read(key, range).await
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<bool, ObjectsError> {
        let copied = self.disk.copy(from, to).await;
        self.copied.fetch_add(1, Ordering::SeqCst);
        self.go.acquire().await.unwrap().forget();
        copied
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        self.disk.delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, ObjectsError> {
        self.disk.list(prefix, after, limit).await
    }

    async fn direct(
        &self,
        key: &ObjectKey,
        lives: Duration,
        about: &About,
        disposition: Option<&str>,
    ) -> Result<Option<Url>, ObjectsError> {
        self.disk.direct(key, lives, about, disposition).await
    }

    async fn tidy(&self, older_than: Duration) -> Result<usize, ObjectsError> {
        self.disk.tidy(older_than).await
    }

    async fn room(&self) -> Result<Option<u64>, ObjectsError> {
        self.disk.room().await
    }
}
