//! Sweeps and audits over a store that knows less than what is kept.

use std::time::Duration;

use plyr_blobstore::{AuditOptions, MediaPolicy, Standing, SweepOptions, audit, retry, sweep};
use plyr_lexicons::Cid;
use plyr_objects::{About, ImageSize, ObjectKey, Objects};
use plyr_schemas::{Blob, BlobState};

use super::failing::Failing;
use super::host::Does;
use super::world::{How, World, cid_of, did, tone};
use super::{ALICE, BOB, is_kept, wav};

/// Puts bytes under a CID, of which no row knows.
async fn put_bytes(world: &World, cid: &Cid, bytes: &[u8]) {
    let about = About {
        media_type: "audio/wav".to_owned(),
    };
    let file = world.folder.path().join("file");
    std::fs::write(&file, bytes).unwrap();
    let key = ObjectKey::original(cid);
    world.objects.put(&key, &file, &about).await.unwrap();
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn a_store_that_is_new_finds_what_is_kept_and_no_sweep_takes_it() {
    let mut world = World::new().await;
    let (right, other) = (tone(41), tone(42));
    let (cid, other_cid) = (cid_of(&right), cid_of(&other));
    let about = plyr_objects::About {
        media_type: "audio/wav".to_owned(),
    };
    let file = world.folder.path().join("file");
    std::fs::write(&file, &right).unwrap();
    // Of the second it is other bytes than its name says.
    for cid in [&cid, &other_cid] {
        let key = ObjectKey::original(cid);
        world.objects.put(&key, &file, &about).await.unwrap();
        world.put_track(ALICE, &cid.to_string(), Some(cid)).await;
    }
    world.host.tell(ALICE, &other_cid, wav(&other));
    let at_once = SweepOptions {
        grace: Duration::ZERO,
        is_dry: false,
        spares_unknown: false,
    };
    let blobstore = world.blobstore(&How::default());
    for _ in 0..2 {
        let swept = sweep(&blobstore, world.store.as_ref(), &at_once, |_| true).await;
        assert_eq!(swept.unwrap().gone, 0);
    }
    let process = world.start(How::default());
    for cid in [&cid, &other_cid] {
        process.blobstore.want(cid, &did(ALICE)).await.unwrap();
        assert!(is_kept(&process.settled(cid).await));
    }
    // The first is nowhere else.
    assert_eq!(world.host.times_asked(&cid), 0);
    assert_eq!(world.bytes(&other_cid).await, Some(other));
    process.stop().await;
}

#[tokio::test]
async fn where_nothing_is_fetched_what_is_here_is_found_by_a_store_that_is_new() {
    let mut world = World::new().await;
    let (here, elsewhere) = (tone(45), tone(46));
    let (here_cid, elsewhere_cid) = (cid_of(&here), cid_of(&elsewhere));
    put_bytes(&world, &here_cid, &here).await;
    for (rkey, cid) in [("one", &here_cid), ("two", &elsewhere_cid)] {
        world.put_track(ALICE, rkey, Some(cid)).await;
    }
    world.host.tell(ALICE, &elsewhere_cid, wav(&elsewhere));
    // Nor does a quota take from what can't be fetched again.
    let process = world.start(How {
        policy: MediaPolicy::Off,
        quota: 1,
        ..How::default()
    });
    assert!(is_kept(&process.settled(&here_cid).await));
    let alice = did(ALICE);
    let wanted = process.blobstore.want(&elsewhere_cid, &alice).await;
    assert_eq!(wanted.unwrap(), Standing::NotWanted);
    // One that is damaged goes, and is not asked for either.
    let wrong = cid_of(b"wrong");
    put_bytes(&world, &wrong, &here).await;
    world.put_track(ALICE, "three", Some(&wrong)).await;
    world.reason(&wrong, "nothing is fetched").await;
    let standings = process.blobstore.standings(&[wrong]).await.unwrap();
    assert_eq!(standings, [Standing::NotWanted]);
    assert_eq!(world.originals().await, [here_cid]);
    for cid in [here_cid, elsewhere_cid, wrong] {
        assert_eq!(world.host.times_asked(&cid), 0);
    }
    process.stop().await;
}

#[tokio::test]
async fn an_object_that_no_row_knows_goes_when_it_is_old() {
    let world = World::new().await;
    let bytes = tone(40);
    let cid = cid_of(&bytes);
    put_bytes(&world, &cid, &bytes).await;
    let blobstore = world.blobstore(&How::default());
    let run = async |seconds: u64, spares_unknown: bool| {
        let options = SweepOptions {
            grace: Duration::from_secs(seconds),
            is_dry: false,
            spares_unknown,
        };
        let swept = sweep(&blobstore, world.store.as_ref(), &options, |_| true).await;
        let swept = swept.unwrap();
        let left = world.originals().await.len();
        (swept.unknown, swept.unnamed, swept.gone, left)
    };
    // A server's own sweeps, while the records are on their way: however many, however old.
    for _ in 0..3 {
        assert_eq!(run(0, true).await, (1, 0, 0, 1));
    }
    assert_eq!(run(3_600, false).await, (1, 0, 0, 1));
    // Asked for, it gets a row, and then its grace like anything that nobody names.
    assert_eq!(run(0, false).await, (1, 0, 0, 1));
    assert_eq!(run(3_600, false).await, (0, 1, 0, 1));
    assert_eq!(run(0, true).await, (0, 0, 1, 0));
}

#[tokio::test]
async fn what_was_noted_as_nobodys_plays_when_its_record_comes() {
    let mut world = World::new().await;
    let bytes = tone(43);
    let cid = cid_of(&bytes);
    put_bytes(&world, &cid, &bytes).await;
    let options = SweepOptions {
        grace: Duration::ZERO,
        is_dry: false,
        spares_unknown: false,
    };
    let blobstore = world.blobstore(&How::default());
    let noted = sweep(&blobstore, world.store.as_ref(), &options, |_| true).await;
    assert_eq!(noted.unwrap().unknown, 1);
    world.put_track(ALICE, "late", Some(&cid)).await;
    let process = world.start(How::default());
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.host.times_asked(&cid), 0);
    for _ in 0..2 {
        let swept = sweep(&blobstore, world.store.as_ref(), &options, |_| true).await;
        assert_eq!(swept.unwrap().gone, 0);
    }
    process.stop().await;
}

#[tokio::test]
async fn i09_an_audit_deletes_no_original_for_a_size_that_is_missing() {
    let mut world = World::new().await;
    let picture = std::fs::read("../blobstore/probe/tests/fixtures/cover.png").unwrap();
    let cid = cid_of(&picture);
    world.put_cover(BOB, &cid).await;
    world
        .host
        .tell(BOB, &cid, Does::Sends(picture.clone(), "image/png"));
    let process = world.start(How::default());
    process.blobstore.want(&cid, &did(BOB)).await.unwrap();
    assert!(is_kept(&process.settled(&cid).await));
    // Its host is gone since, and with a new version there may be a size more.
    world.host.tell(BOB, &cid, Does::Answers(500));
    let thumb = ObjectKey::image(&cid, ImageSize::Thumb);
    world.objects.delete(&thumb).await.unwrap();
    let options = AuditOptions {
        is_quick: true,
        is_dry: false,
    };
    let audited = audit(&process.blobstore, &options, |_| true).await.unwrap();
    assert_eq!((audited.missing, audited.wrong), (1, 0));
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.bytes(&cid).await, Some(picture));
    assert!(world.objects.find(&thumb).await.unwrap().is_some());
    assert_eq!(world.host.times_asked(&cid), 1);
    process.stop().await;
}

#[tokio::test]
async fn i11_one_object_that_can_not_be_read_is_fetched_anew() {
    let mut world = World::new().await;
    let bytes = tone(44);
    let cid = cid_of(&bytes);
    let key = ObjectKey::original(&cid);
    world.put_track(ALICE, "one", Some(&cid)).await;
    world.host.tell(ALICE, &cid, wav(&bytes));
    let objects = Failing::over(&world.objects);
    let process = world.start(How {
        objects: Some(objects.clone()),
        ..How::default()
    });
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    assert!(is_kept(&process.settled(&cid).await));
    let options = AuditOptions {
        is_quick: false,
        is_dry: false,
    };
    *objects.unreadable.lock().unwrap() = Some(key.clone());
    let audited = audit(&process.blobstore, &options, |_| true).await.unwrap();
    assert_eq!(
        (audited.unreadable, audited.wrong, audited.missing),
        (1, 0, 0)
    );
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.host.times_asked(&cid), 2);
    let audited = audit(&process.blobstore, &options, |_| true).await.unwrap();
    assert_eq!(audited.unreadable, 0);
    // Somebody who knows of it need not wait for an audit.
    *objects.unreadable.lock().unwrap() = Some(key);
    let retried = retry(&process.blobstore, &[cid], |_| true).await.unwrap();
    assert_eq!(retried.again, 1);
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.host.times_asked(&cid), 3);
    assert_eq!(*objects.unreadable.lock().unwrap(), None);
    process.stop().await;
}

/// Rows are looked at some hundreds at a time; what comes may need more of them to go.
#[tokio::test]
async fn as_many_go_as_one_that_is_played_needs() {
    let mut world = World::new().await;
    let bytes = tone(90);
    let cid = cid_of(&bytes);
    let size = bytes.len() as u64 / 550;
    for number in 0..600_u16 {
        let other = cid_of(&number.to_le_bytes());
        let kept = Blob {
            state: BlobState::Kept,
            size: Some(size),
            kept_at: Some(1 + i64::from(number)),
            due_at: None,
            ..Blob::wanted(other, 1)
        };
        assert!(world.rows().replace_blob(kept).await.unwrap());
    }
    world.put_track(ALICE, "one", Some(&cid)).await;
    world.host.tell(ALICE, &cid, wav(&bytes));
    let process = world.start(How {
        quota: 600 * size,
        ..How::default()
    });
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.host.times_asked(&cid), 1);
    process.stop().await;
}
