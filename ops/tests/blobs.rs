//! Fetching and keeping, in processes of this test over one store, from a host that does whatever
//! it is told to.

#![allow(clippy::unwrap_used)] // in helpers of tests

#[path = "blobs/bucket.rs"]
mod bucket;
#[path = "blobs/failing.rs"]
mod failing;
#[path = "blobs/host.rs"]
mod host;
#[path = "blobs/keeping.rs"]
mod keeping;
#[path = "blobs/others.rs"]
mod others;
#[path = "blobs/public.rs"]
mod public;
#[path = "blobs/turns.rs"]
mod turns;
#[path = "blobs/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use host::Does;
use plyr_blobstore::{
    AuditOptions, BLOB_CRASH_POINTS, MediaPolicy, Standing, SweepOptions, audit, retry, sweep,
};
use plyr_lexicons::Cid;
use plyr_objects::{ObjectKey, Objects};
use plyr_peers::wait_until;
use plyr_schemas::{BlobState, CrashPoint};
use world::{How, World, cid_of, did, files, tone};

const ALICE: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const BOB: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";

fn wav(bytes: &[u8]) -> Does {
    Does::Sends(bytes.to_vec(), "text/html")
}

fn is_kept(standing: &Standing) -> bool {
    matches!(standing, Standing::Kept { .. })
}

#[tokio::test]
async fn i09_only_the_bytes_of_the_cid_are_kept_whatever_the_host_calls_them() {
    let mut world = World::new().await;
    let (right, other) = (tone(1), tone(2));
    let cid = cid_of(&right);
    world.put_track(ALICE, "one", Some(&cid)).await;
    world.host.tell(ALICE, &cid, wav(&other));
    let process = world.start(How::default());
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    world.reason(&cid, "other bytes").await;
    assert_eq!(world.originals().await, []);

    // Another who names it has it.
    world.put_track(BOB, "two", Some(&cid)).await;
    world.host.tell(BOB, &cid, wav(&right));
    retry(&process.blobstore, &[cid], |_| true).await.unwrap();
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.bytes(&cid).await, Some(right));
    assert_eq!(world.originals().await, [cid]);
    process.stop().await;
    assert_eq!(files(&world.staging()), 0);
}

#[tokio::test]
async fn what_is_no_audio_is_refused_and_says_so() {
    let mut world = World::new().await;
    let process = world.start(How::default());
    let pretenders: [&[u8]; 3] = [
        b"<!doctype html><html><script>alert(1)</script></html>",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        b"",
    ];
    for (number, bytes) in pretenders.into_iter().enumerate() {
        let cid = cid_of(bytes);
        world
            .put_track(ALICE, &format!("p{number}"), Some(&cid))
            .await;
        world
            .host
            .tell(ALICE, &cid, Does::Sends(bytes.to_vec(), "audio/mpeg"));
        process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
        let standing = process.settled(&cid).await;
        let Standing::Refused { word, reason } = standing else {
            panic!("{number}: {standing:?}");
        };
        assert!(
            !word.is_empty() && !reason.is_empty() && !reason.contains('<'),
            "{reason}"
        );
    }
    assert_eq!(world.originals().await, []);
}

#[tokio::test]
async fn a_cid_of_another_codec_or_hash_is_never_asked_for() {
    let mut world = World::new().await;
    let process = world.start(How::default());
    let raw = cid_of(b"x");
    let dag_cbor = Cid::new_v1(0x71, *raw.hash());
    world.put_track(ALICE, "one", Some(&dag_cbor)).await;
    process
        .blobstore
        .want(&dag_cbor, &did(ALICE))
        .await
        .unwrap();
    assert_eq!(world.rows().blobs(&[dag_cbor]).await.unwrap(), [None]);
    assert_eq!(world.host.times_asked(&dag_cbor), 0);
}

#[tokio::test]
async fn the_same_bytes_are_fetched_once_and_stay_while_anybody_names_them() {
    let mut world = World::new().await;
    let bytes = tone(5);
    let cid = cid_of(&bytes);
    let of_alice = world.put_track(ALICE, "one", Some(&cid)).await;
    let of_bob = world.put_track(BOB, "two", Some(&cid)).await;
    world.host.tell(ALICE, &cid, wav(&bytes));
    world.host.tell(BOB, &cid, wav(&bytes));
    // Several processes over one store.
    let processes: Vec<_> = (0..3).map(|_| world.start(How::default())).collect();
    for process in &processes {
        process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
        process.blobstore.want(&cid, &did(BOB)).await.unwrap();
    }
    for process in &processes {
        assert!(is_kept(&process.settled(&cid).await));
    }
    assert_eq!(world.host.times_asked(&cid), 1);
    let at_once = SweepOptions {
        grace: Duration::ZERO,
        is_dry: false,
        spares_unknown: false,
    };
    let blobstore = processes[0].blobstore.clone();
    let store = world.store.clone();
    world.delete(&of_alice).await;
    for _ in 0..2 {
        let swept = sweep(&blobstore, store.as_ref(), &at_once, |_| true)
            .await
            .unwrap();
        assert_eq!((swept.named, swept.gone), (1, 0));
    }
    world.delete(&of_bob).await;
    let rows = world.rows();
    // Until the followers have forgotten it, it counts as dropped lately.
    wait_until("nobody remembers it", || async {
        let seen = rows.all_seen_audio(None, 10).await.unwrap();
        seen.is_empty().then_some(()).ok_or(format!("{seen:?}"))
    })
    .await
    .unwrap();
    let dry = SweepOptions {
        is_dry: true,
        ..at_once.clone()
    };
    let first = sweep(&blobstore, store.as_ref(), &at_once, |_| true)
        .await
        .unwrap();
    assert_eq!((first.unnamed, first.gone), (1, 0));
    let told = sweep(&blobstore, store.as_ref(), &dry, |_| true)
        .await
        .unwrap();
    assert_eq!((told.gone, world.originals().await.len()), (1, 1));
    let second = sweep(&blobstore, store.as_ref(), &at_once, |_| true)
        .await
        .unwrap();
    assert_eq!((second.gone, world.originals().await.len()), (1, 0));
    for process in processes {
        process.stop().await;
    }
}

#[tokio::test]
async fn a_version_that_drops_its_blob_keeps_the_bytes_for_a_corrected_one() {
    let mut world = World::new().await;
    let bytes = tone(6);
    let cid = cid_of(&bytes);
    let uri = world.put_track(ALICE, "one", Some(&cid)).await;
    world.host.tell(ALICE, &cid, wav(&bytes));
    let process = world.start(How::default());
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    assert!(is_kept(&process.settled(&cid).await));
    let blobstore = process.blobstore.clone();
    let uris = [uri];
    let dropped = async |is: bool| {
        wait_until("it is seen", || async {
            let seen = blobstore.seen(&uris).await.unwrap().pop().flatten();
            match seen
                .as_ref()
                .is_some_and(|seen| seen.dropped_at.is_some() == is)
            {
                true => Ok(()),
                false => Err(format!("{seen:?}")),
            }
        })
        .await
        .unwrap();
    };
    // What was never seen with it drops nothing.
    dropped(false).await;
    world.put_track(ALICE, "one", None).await;
    dropped(true).await;
    let at_once = SweepOptions {
        grace: Duration::ZERO,
        is_dry: false,
        spares_unknown: false,
    };
    for _ in 0..3 {
        sweep(&blobstore, world.store.as_ref(), &at_once, |_| true)
            .await
            .unwrap();
    }
    world.host.tell(ALICE, &cid, Does::Answers(404));
    world.put_track(ALICE, "one", Some(&cid)).await;
    dropped(false).await;
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.bytes(&cid).await, Some(bytes));
    process.stop().await;
}

#[tokio::test]
async fn i03_killed_at_any_step_a_fetch_ends_whole_and_leaves_nothing() {
    for step in BLOB_CRASH_POINTS {
        for times in 1..=2_u64 {
            killed_at(step, times).await;
        }
    }
}

async fn killed_at(step: CrashPoint, times: u64) {
    let mut world = World::new().await;
    // Long enough for several pieces.
    let bytes: Vec<Vec<u8>> = (0..3).map(long_tone).collect();
    let cids: Vec<Cid> = bytes.iter().map(|bytes| cid_of(bytes)).collect();
    for (bytes, cid) in bytes.iter().zip(&cids) {
        world.put_track(ALICE, &cid.to_string(), Some(cid)).await;
        world.host.tell(ALICE, cid, wav(bytes));
    }
    let passed = Arc::new(AtomicU64::new(0));
    let counted = passed.clone();
    let how = How {
        fault: Some(Arc::new(move |reached: CrashPoint| {
            // A process that was killed does nothing more.
            let number = match reached == step {
                true => counted.fetch_add(1, Ordering::SeqCst) + 1,
                false => counted.load(Ordering::SeqCst),
            };
            number >= times
        })),
        ..How::default()
    };
    let process = world.start(how);
    for cid in &cids {
        process.blobstore.want(cid, &did(ALICE)).await.unwrap();
    }
    wait_until("the step is reached", || async {
        let passed = passed.load(Ordering::SeqCst);
        (passed >= times).then_some(()).ok_or(passed.to_string())
    })
    .await
    .unwrap();
    process.tasks.close();
    process.cancel.cancel();
    process.tasks.wait().await;
    for cid in world.originals().await {
        let place = cids.iter().position(|one| *one == cid).unwrap();
        assert_eq!(
            world.bytes(&cid).await.as_ref(),
            Some(&bytes[place]),
            "{step:?}"
        );
    }
    // What a killed process leased is free when the lease ends: here at once.
    let rows = world.rows();
    for mut row in rows.all_blobs(None, 10).await.unwrap() {
        if row.leased_until > 0 {
            row.leased_until = 0;
            row.due_at = Some(0);
            assert!(rows.replace_blob(row).await.unwrap());
        }
    }
    let process = world.start(How::default());
    for cid in &cids {
        assert!(is_kept(&process.settled(cid).await), "{step:?}");
    }
    let sound = AuditOptions {
        is_quick: false,
        is_dry: true,
    };
    let audited = audit(&process.blobstore, &sound, |_| true).await.unwrap();
    assert_eq!((audited.blobs, audited.missing, audited.wrong), (3, 0, 0));
    assert_eq!(world.originals().await.len(), 3);
    process.stop().await;
    assert_eq!(files(&world.staging()), 0);
}

/// A tone of half a megabyte, by repetition of its samples.
fn long_tone(seed: u16) -> Vec<u8> {
    let mut bytes = tone(seed);
    let samples = bytes[44..].to_vec();
    for _ in 0..32 {
        bytes.extend_from_slice(&samples);
    }
    let data = (bytes.len() - 44) as u32;
    bytes[40..44].copy_from_slice(&data.to_le_bytes());
    bytes[4..8].copy_from_slice(&(data + 36).to_le_bytes());
    bytes
}

#[tokio::test]
async fn i11_asked_to_stop_it_gives_its_jobs_back() {
    let mut world = World::new().await;
    let cid = cid_of(&tone(7));
    world.put_track(ALICE, "one", Some(&cid)).await;
    world.host.tell(ALICE, &cid, Does::Hangs);
    let process = world.start(How::default());
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    wait_until("it is asked for", || async {
        let asked = world.host.times_asked(&cid);
        (asked == 1).then_some(()).ok_or(asked.to_string())
    })
    .await
    .unwrap();
    process.stop().await;
    let row = world
        .rows()
        .blobs(&[cid])
        .await
        .unwrap()
        .pop()
        .flatten()
        .unwrap();
    assert_eq!((row.leased_until, row.state), (0, BlobState::Wanted));
    assert!(row.due_at.is_some());
    assert_eq!(files(&world.staging()), 0);
}

#[tokio::test]
async fn i17_the_least_recently_played_makes_room_and_a_full_mirror_waits() {
    let mut world = World::new().await;
    let bytes: Vec<Vec<u8>> = (20..24).map(tone).collect();
    let cids: Vec<Cid> = bytes.iter().map(|bytes| cid_of(bytes)).collect();
    for (bytes, cid) in bytes.iter().zip(&cids) {
        world.put_track(ALICE, &cid.to_string(), Some(cid)).await;
        world.host.tell(ALICE, cid, wav(bytes));
    }
    let how = How {
        // Room for three, and a little that is left free when one goes.
        quota: bytes[0].len() as u64 * 33 / 10,
        ..How::default()
    };
    let process = world.start(how.clone());
    for cid in &cids[..3] {
        process.blobstore.want(cid, &did(ALICE)).await.unwrap();
        assert!(is_kept(&process.settled(cid).await));
    }
    // The second was played longest ago.
    let rows = world.rows();
    let mut row = rows
        .blobs(&[cids[1]])
        .await
        .unwrap()
        .pop()
        .flatten()
        .unwrap();
    row.played_at = Some(1);
    row.kept_at = Some(1);
    assert!(rows.replace_blob(row).await.unwrap());
    process.blobstore.want(&cids[3], &did(ALICE)).await.unwrap();
    assert!(is_kept(&process.settled(&cids[3]).await));
    let mut left = world.originals().await;
    left.sort();
    let mut expected = vec![cids[0], cids[2], cids[3]];
    expected.sort();
    assert_eq!(left, expected);
    process.blobstore.want(&cids[1], &did(ALICE)).await.unwrap();
    assert!(is_kept(&process.settled(&cids[1]).await));
    process.stop().await;

    let mirror = world.start(How {
        policy: MediaPolicy::Mirror,
        ..how
    });
    let missing = wait_until("it is said that there is no room", || async {
        let standings = mirror.blobstore.standings(&cids).await.unwrap();
        let is_said = |one: &Standing| match one {
            Standing::Wanted { reason, .. } => {
                reason.as_ref().is_some_and(|why| why.contains("kept here"))
            }
            _ => false,
        };
        let is_missing = standings.iter().any(is_said);
        is_missing.then_some(()).ok_or(format!("{standings:?}"))
    });
    missing.await.unwrap();
    assert_eq!(world.originals().await.len(), 3);
    mirror.stop().await;
}

#[tokio::test]
async fn a_mirror_fetches_what_is_named_and_an_audit_mends_what_is_damaged() {
    let mut world = World::new().await;
    let bytes = tone(30);
    let cid = cid_of(&bytes);
    world.host.tell(ALICE, &cid, wav(&bytes));
    let before = tone(31);
    let before_cid = cid_of(&before);
    world.host.tell(ALICE, &before_cid, wav(&before));
    world.put_track(ALICE, "before", Some(&before_cid)).await;
    let process = world.start(How {
        policy: MediaPolicy::Mirror,
        ..How::default()
    });
    assert!(is_kept(&process.settled(&before_cid).await));
    world.put_track(ALICE, "one", Some(&cid)).await;
    assert!(is_kept(&process.settled(&cid).await));
    let key = ObjectKey::original(&cid);
    let path = world.folder.path().join("blobs").join(key.as_str());
    let mut damaged = bytes.clone();
    damaged[1_000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &damaged).unwrap();
    let options = AuditOptions {
        is_quick: false,
        is_dry: false,
    };
    let audited = audit(&process.blobstore, &options, |_| true).await.unwrap();
    assert_eq!((audited.blobs, audited.wrong, audited.missing), (2, 1, 0));
    assert_eq!(audited.found, [cid.to_string()]);
    assert!(is_kept(&process.settled(&cid).await));
    assert_eq!(world.bytes(&cid).await, Some(bytes));
    world.objects.delete(&key).await.unwrap();
    let audited = audit(&process.blobstore, &options, |_| true).await.unwrap();
    assert_eq!((audited.wrong, audited.missing), (0, 1));
    assert!(is_kept(&process.settled(&cid).await));
    process.stop().await;
}

#[tokio::test]
async fn who_else_names_a_blob_decides_neither_what_it_is_nor_who_is_asked() {
    let mut world = World::new().await;
    let picture = std::fs::read("../blobstore/probe/tests/fixtures/cover.png").unwrap();
    let cid = cid_of(&picture);
    world.put_cover(BOB, &cid).await;
    // Others mean it to be audio, came later, are played, and haven't got it.
    let others: Vec<String> = ('c'..='l')
        .map(|c| format!("did:plc:{}", c.to_string().repeat(24)))
        .collect();
    for other in &others {
        world.put_track(other, "mine", Some(&cid)).await;
    }
    world
        .host
        .tell(BOB, &cid, Does::Sends(picture.clone(), "image/png"));
    let process = world.start(How::default());
    for other in &others {
        process.blobstore.want(&cid, &did(other)).await.unwrap();
    }
    let rows = world.rows();
    let standing = wait_until("it is kept", || async {
        // Each try comes at once.
        let row = rows.blobs(&[cid]).await.unwrap().pop().flatten();
        let is_waiting =
            |row: &plyr_schemas::Blob| row.state == BlobState::Wanted && row.leased_until == 0;
        if let Some(mut row) = row.filter(is_waiting) {
            row.due_at = Some(0);
            rows.replace_blob(row).await.unwrap();
        }
        let standing = process.blobstore.standings(&[cid]).await.unwrap().remove(0);
        is_kept(&standing)
            .then_some(standing.clone())
            .ok_or(format!("{standing:?}"))
    })
    .await
    .unwrap();
    let Standing::Kept { fact, .. } = standing else {
        return;
    };
    assert!(
        matches!(fact, plyr_blobstore::probe::Fact::Image(_)),
        "{fact:?}"
    );
    process.stop().await;
}
