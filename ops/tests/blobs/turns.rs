//! Who is fetched when: no host, however slow or however much of it there is, and nothing that
//! fails here keeps what somebody waits for from coming, nor is anything downloaded in vain.

use std::sync::atomic::Ordering;

use plyr_blobstore::{MediaPolicy, Standing, list};
use plyr_lexicons::Cid;
use plyr_objects::ObjectKey;
use plyr_peers::wait_until;
use plyr_schemas::{Blob, BlobState, Change, HiddenSubject, Hide, Store};

use super::failing::{Failing, SECRET};
use super::host::{Does, Host};
use super::world::{How, Process, World, cid_of, did, files, tone};

const ALICE: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const BOB: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";
const CAROL: &str = "did:plc:cccccccccccccccccccccccc";

/// What is said of all that is this machine's fault.
const NOT_KEPT: &str = "it can't be kept here just now";

fn is_kept(standing: &Standing) -> bool {
    matches!(standing, Standing::Kept { .. })
}

/// A tone of somebody's, which that host has.
async fn of(world: &mut World, host: &Host, who: &str, seed: u16, does: Option<Does>) -> Cid {
    let bytes = tone(seed);
    let cid = cid_of(&bytes);
    world.put_track(who, &format!("t{seed}"), Some(&cid)).await;
    world.host.is_at(who, host);
    host.tell(who, &cid, does.unwrap_or(Does::Sends(bytes, "audio/wav")));
    cid
}

/// Waits until a host was asked for so many of those.
async fn asked_for(host: &Host, cids: &[Cid], many: usize) {
    wait_until("it is asked for them", || async {
        let asked = cids.iter().filter(|cid| host.times_asked(cid) > 0).count();
        (asked >= many).then_some(()).ok_or(asked.to_string())
    })
    .await
    .unwrap();
}

/// Waits until a blob's standing says why it isn't here.
async fn said(process: &Process, cid: &Cid, says: &str) {
    wait_until("it is said why", || async {
        let standing = process
            .blobstore
            .standings(&[*cid])
            .await
            .unwrap()
            .remove(0);
        match &standing {
            Standing::Wanted {
                reason: Some(reason),
                ..
            } if reason.contains(says) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
}

async fn row(world: &World, cid: &Cid) -> Option<Blob> {
    let rows = world.rows().blobs(&[*cid]).await.unwrap();
    rows.into_iter().next().flatten()
}

#[tokio::test]
async fn i17_a_host_that_hangs_with_many_blobs_keeps_no_other_waiting() {
    let mut world = World::new().await;
    let (hangs, other) = (Host::start_at(2).await, Host::start_at(3).await);
    let process = world.start(How::default());
    let mut many = Vec::new();
    for seed in 1_000..1_040 {
        many.push(of(&mut world, &hangs, ALICE, seed, Some(Does::Hangs)).await);
    }
    let good = of(&mut world, &other, BOB, 1_100, None).await;
    let (began, alice) = (std::time::Instant::now(), did(ALICE));
    let wants = many.iter().map(|cid| process.blobstore.want(cid, &alice));
    futures_util::future::try_join_all(wants).await.unwrap();
    asked_for(&hangs, &many, 2).await;
    process.blobstore.want(&good, &did(BOB)).await.unwrap();
    assert!(is_kept(&process.settled(&good).await));
    let asked = many.iter().map(|cid| hangs.times_asked(cid)).sum::<usize>();
    // Two at the same time, and the next two when those are given up, half a minute later.
    let turns = 1 + began.elapsed().as_secs() as usize / 30;
    assert!((2..=2 * turns).contains(&asked), "{asked} in {turns} turns");
    let rows = world.rows().blobs(&many).await.unwrap();
    for (cid, row) in many.iter().zip(rows) {
        let failures = row.unwrap().failures;
        let may_fail = turns > 1 && hangs.times_asked(cid) > 0;
        assert!(
            failures == 0 || may_fail,
            "who finds no place has not failed"
        );
    }
    process.stop().await;
}

#[tokio::test]
async fn i17_those_that_drip_give_way_to_who_waits() {
    let mut world = World::new().await;
    let how = How {
        at_once: 1,
        ..How::default()
    };
    let process = world.start(how);
    let hosts = [Host::start_at(4).await, Host::start_at(5).await];
    let mut seed = 1_200;
    for (host, who) in hosts.iter().zip([ALICE, CAROL]) {
        let mut cids = Vec::new();
        for _ in 0..2 {
            seed += 1;
            // Not as slow as what is given up whoever waits.
            let cid = of(&mut world, host, who, seed, Some(Does::Drips(24 << 10))).await;
            process.blobstore.want(&cid, &did(who)).await.unwrap();
            cids.push(cid);
        }
        asked_for(host, &cids, 2).await;
    }
    let other = Host::start_at(6).await;
    let good = of(&mut world, &other, BOB, 1_300, None).await;
    process.blobstore.want(&good, &did(BOB)).await.unwrap();
    assert!(is_kept(&process.settled(&good).await));
    process.stop().await;
}

#[tokio::test]
async fn i17_what_somebody_waits_for_comes_before_what_a_mirror_wants() {
    let world = World::new().await;
    let (rows, blobstore) = (world.rows(), world.blobstore(&How::default()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_micros()).unwrap();
    let cids: Vec<Cid> = (0..5).map(|seed| cid_of(&tone(1_400 + seed))).collect();
    for (place, cid) in (0..).zip(&cids[..4]) {
        let row = Blob::wanted(*cid, now - 10_000_000 + place);
        assert!(rows.replace_blob(row).await.unwrap());
    }
    // The third is in line already, the fifth is new.
    for cid in [&cids[2], &cids[4]] {
        blobstore.want(cid, &did(ALICE)).await.unwrap();
    }
    let due = rows.due_blobs(now + 60_000_000, 10).await.unwrap();
    assert_eq!(due, [cids[2], cids[4], cids[0], cids[1], cids[3]]);
    // People are told when they asked, not how it is put before all others.
    let told = list(&blobstore).await.unwrap().not_kept;
    let told = told.iter().find(|one| one.cid == cids[4].to_string());
    let due_at = told.unwrap().due_at.unwrap();
    assert!(
        (now..now + 3_600_000_000).contains(&due_at),
        "{due_at} {now}"
    );
    let revision = row(&world, &cids[2]).await.unwrap().revision;
    // That somebody asks is written once an hour, not each time; the next may begin just now.
    for _ in 0..20 {
        blobstore.want(&cids[2], &did(ALICE)).await.unwrap();
    }
    let again = row(&world, &cids[2]).await.unwrap().revision;
    assert!(again - revision <= 1, "{again} after {revision}");
}

#[tokio::test]
async fn i11_what_can_not_be_put_is_not_downloaded_again_and_again() {
    let mut world = World::new().await;
    let other = Host::start_at(7).await;
    let objects = Failing::over(&world.objects);
    objects.puts.store(true, Ordering::SeqCst);
    let process = world.start(How {
        objects: Some(objects.clone()),
        ..How::default()
    });
    let first = of(&mut world, &other, ALICE, 1_500, None).await;
    process.blobstore.want(&first, &did(ALICE)).await.unwrap();
    world.reason(&first, NOT_KEPT).await;
    // Alone it might be the fault of the first.
    let second = of(&mut world, &other, ALICE, 1_501, None).await;
    process.blobstore.want(&second, &did(ALICE)).await.unwrap();
    world.reason(&second, NOT_KEPT).await;
    let third = of(&mut world, &other, ALICE, 1_502, None).await;
    process.blobstore.want(&third, &did(ALICE)).await.unwrap();
    said(&process, &third, NOT_KEPT).await;
    assert_eq!(other.times_asked(&first), 1);
    assert_eq!(other.times_asked(&second), 1);
    assert_eq!(other.times_asked(&third), 0);
    process.stop().await;
}

#[tokio::test]
async fn i11_one_that_can_not_be_put_holds_up_no_other() {
    let mut world = World::new().await;
    let other = Host::start_at(17).await;
    let objects = Failing::over(&world.objects);
    let process = world.start(How {
        objects: Some(objects.clone()),
        ..How::default()
    });
    let first = of(&mut world, &other, ALICE, 1_510, None).await;
    *objects.refused.lock().unwrap() = Some(ObjectKey::original(&first));
    process.blobstore.want(&first, &did(ALICE)).await.unwrap();
    world.reason(&first, NOT_KEPT).await;
    let second = of(&mut world, &other, ALICE, 1_511, None).await;
    process.blobstore.want(&second, &did(ALICE)).await.unwrap();
    let patience = std::time::Duration::from_secs(40);
    let standing = process.blobstore.wait(&second, patience).await.unwrap();
    assert!(is_kept(&standing), "{standing:?}");
    process.stop().await;
}

#[tokio::test]
async fn a_store_that_can_not_be_read_is_said_and_its_words_are_not() {
    let mut world = World::new().await;
    let other = Host::start_at(8).await;
    let objects = Failing::over(&world.objects);
    objects.reads.store(true, Ordering::SeqCst);
    let process = world.start(How {
        objects: Some(objects),
        ..How::default()
    });
    let cid = of(&mut world, &other, ALICE, 1_600, None).await;
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    world.reason(&cid, NOT_KEPT).await;
    let held = row(&world, &cid).await.unwrap();
    assert!(!held.reason.unwrap().contains(SECRET));
    assert_eq!((held.leased_until, held.failures), (0, 0));
    assert_eq!(other.times_asked(&cid), 0);
    process.stop().await;
}

#[tokio::test]
async fn i11_a_full_disk_begins_nothing_and_says_so() {
    let mut world = World::new().await;
    let other = Host::start_at(9).await;
    let process = world.start(How {
        reserve: u64::MAX,
        ..How::default()
    });
    let cid = of(&mut world, &other, ALICE, 1_700, None).await;
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    said(&process, &cid, NOT_KEPT).await;
    let held = row(&world, &cid).await.unwrap();
    assert_eq!((held.revision, held.state), (1, BlobState::Wanted));
    assert_eq!(other.times_asked(&cid), 0);
    process.stop().await;
}

#[tokio::test]
async fn i17_a_full_mirror_begins_nothing_and_says_so() {
    let mut world = World::new().await;
    let other = Host::start_at(10).await;
    let how = How {
        // What is left is less than a twentieth.
        quota: tone(1_750).len() as u64 * 103 / 100,
        ..How::default()
    };
    let first = of(&mut world, &other, ALICE, 1_750, None).await;
    let process = world.start(how.clone());
    process.blobstore.want(&first, &did(ALICE)).await.unwrap();
    assert!(is_kept(&process.settled(&first).await));
    process.stop().await;
    let second = of(&mut world, &other, ALICE, 1_751, None).await;
    let mirror = world.start(How {
        policy: MediaPolicy::Mirror,
        ..how
    });
    said(&mirror, &second, NOT_KEPT).await;
    let held = row(&world, &second).await.unwrap();
    assert_eq!((held.revision, held.state), (1, BlobState::Wanted));
    assert_eq!(other.times_asked(&second), 0);
    mirror.stop().await;
}

#[tokio::test]
async fn i17_a_mirror_downloads_nothing_that_it_has_no_room_for() {
    let mut world = World::new().await;
    let hosts = [Host::start_at(15).await, Host::start_at(16).await];
    let large = Some(Does::Announces(1 << 20));
    let announced = of(&mut world, &hosts[0], ALICE, 1_755, large).await;
    let endless = of(&mut world, &hosts[1], BOB, 1_756, Some(Does::NeverEnds)).await;
    let mirror = world.start(How {
        policy: MediaPolicy::Mirror,
        quota: 600 << 10,
        ..How::default()
    });
    for cid in [announced, endless] {
        world.reason(&cid, NOT_KEPT).await;
        let held = row(&world, &cid).await.unwrap();
        // A host's word is no proof: nothing is written down of it.
        assert_eq!((held.failures, held.size), (0, None));
        let wait = held.due_at.unwrap() - chrono::Utc::now().timestamp_micros();
        assert!(wait > 5 * 3_600_000_000, "{wait}");
    }
    assert_eq!(world.originals().await, []);
    mirror.stop().await;
}

#[tokio::test]
async fn what_is_larger_than_the_quota_is_not_refused_for_ever() {
    let mut world = World::new().await;
    let other = Host::start_at(11).await;
    let cid = of(&mut world, &other, ALICE, 1_760, None).await;
    let mut large = Blob::wanted(cid, 1);
    large.size = Some(2 << 30);
    assert!(world.rows().replace_blob(large).await.unwrap());
    let process = world.start(How::default());
    world.reason(&cid, NOT_KEPT).await;
    let held = row(&world, &cid).await.unwrap();
    assert_eq!(held.state, BlobState::Wanted);
    assert!(held.due_at.is_some());
    process.stop().await;
    // The quota is another then.
    let mut due = row(&world, &cid).await.unwrap();
    due.due_at = Some(1);
    assert!(world.rows().replace_blob(due).await.unwrap());
    let process = world.start(How {
        quota: 4 << 30,
        ..How::default()
    });
    assert!(is_kept(&process.settled(&cid).await));
    process.stop().await;
}

#[tokio::test]
async fn what_one_says_is_too_large_is_not_refused_while_another_was_not_asked() {
    let mut world = World::new().await;
    let (first, resting) = (Host::start_at(13).await, Host::start_at(14).await);
    let process = world.start(How::default());
    let busy = of(&mut world, &resting, BOB, 1_780, Some(Does::Rests(300))).await;
    process.blobstore.want(&busy, &did(BOB)).await.unwrap();
    world.reason(&busy, "answers 429").await;
    let cid = of(
        &mut world,
        &first,
        ALICE,
        1_781,
        Some(Does::Announces(1 << 40)),
    )
    .await;
    of(&mut world, &resting, BOB, 1_781, None).await;
    // The third time.
    let mut twice = Blob::wanted(cid, 1);
    twice.reason = Some("it is larger than may be kept here; it was asked for twice".to_owned());
    assert!(world.rows().replace_blob(twice).await.unwrap());
    let tried = wait_until("it is tried", || async {
        let row = row(&world, &cid).await.unwrap();
        let is_tried = row.failures > 0 || row.state != BlobState::Wanted;
        is_tried.then_some(row.clone()).ok_or(format!("{row:?}"))
    });
    assert_eq!(tried.await.unwrap().state, BlobState::Wanted);
    assert_eq!(resting.times_asked(&cid), 0);
    process.stop().await;
}

#[tokio::test]
async fn i10_the_directory_is_not_asked_anew_for_a_host_at_rest() {
    let mut world = World::new().await;
    let other = Host::start_at(12).await;
    let process = world.start(How::default());
    let busy = Some(Does::Answers(429));
    let first = of(&mut world, &other, ALICE, 1_770, busy.clone()).await;
    process.blobstore.want(&first, &did(ALICE)).await.unwrap();
    world.reason(&first, "answers 429").await;
    // From the cache, and anew since it failed.
    assert_eq!(world.host.times_looked_up(ALICE), 2);
    for seed in 1_771..1_774 {
        let next = of(&mut world, &other, ALICE, seed, busy.clone()).await;
        process.blobstore.want(&next, &did(ALICE)).await.unwrap();
        world.reason(&next, "left alone").await;
    }
    assert_eq!(world.host.times_looked_up(ALICE), 2);
    process.stop().await;
}

#[tokio::test]
async fn i08_a_mirror_asks_nobody_for_what_is_taken_down() {
    let mut world = World::new().await;
    let other = Host::start_at(20).await;
    let theirs = of(&mut world, &other, ALICE, 1_800, None).await;
    let everybodys = of(&mut world, &other, ALICE, 1_801, None).await;
    // Of this one another has it too, and under that name it shows.
    let shared = of(&mut world, &other, ALICE, 1_802, Some(Does::Hangs)).await;
    assert_eq!(of(&mut world, &other, BOB, 1_802, None).await, shared);
    for (who, cid) in [
        (Some(ALICE), theirs),
        (None, everybodys),
        (Some(ALICE), shared),
    ] {
        let hide = Hide {
            subject: HiddenSubject::Blob {
                did: who.map(did),
                cid,
            },
            hidden: true,
            at: 1,
        };
        world.store.apply(vec![Change::Hide(hide)]).await.unwrap();
    }
    let mirror = world.start(How {
        policy: MediaPolicy::Mirror,
        ..How::default()
    });
    assert!(is_kept(&mirror.settled(&shared).await));
    for cid in [theirs, everybodys] {
        world.reason(&cid, "no record that shows").await;
        assert_eq!(other.times_asked(&cid), 0);
    }
    assert_eq!(other.times_asked(&shared), 1);
    mirror.stop().await;
}

#[tokio::test]
async fn a_mirror_tries_what_was_given_up_before() {
    let mut world = World::new().await;
    let other = Host::start_at(21).await;
    let cid = of(&mut world, &other, ALICE, 1_900, None).await;
    let mut given_up = Blob::wanted(cid, 1);
    given_up.holders.push(did(ALICE));
    given_up.failures = 15;
    given_up.due_at = None;
    assert!(world.rows().replace_blob(given_up).await.unwrap());
    let mirror = world.start(How {
        policy: MediaPolicy::Mirror,
        ..How::default()
    });
    assert!(is_kept(&mirror.settled(&cid).await));
    mirror.stop().await;
}

#[tokio::test]
async fn what_hosts_do_wrong_ends_with_a_reason_and_hurts_nothing_else() {
    let mut world = World::new().await;
    let too_large = "larger than may be kept";
    let cases = [
        (Does::CutsOff(tone(4), 5_000), "can't be reached"),
        (Does::NeverEnds, too_large),
        (Does::SendsZeros(1_000_001), too_large),
        (Does::Announces(1_000_001), too_large),
        (Does::Answers(500), "answers 500"),
        (Does::Answers(429), "answers 429"),
        (Does::Redirects("http://169.254.169.254/"), "answers 302"),
        (Does::Hangs, "can't be reached"),
        (Does::Drips(1_000), "can't be reached"),
    ];
    let (mut hosts, mut bad) = (Vec::new(), Vec::new());
    for (number, (does, says)) in (0..).zip(cases) {
        let who = format!(
            "did:plc:{}",
            char::from(b'c' + number).to_string().repeat(24)
        );
        let host = Host::start_at(30 + number).await;
        let seed = 2_000 + u16::from(number);
        let cid = of(&mut world, &host, &who, seed, Some(does)).await;
        hosts.push(host);
        bad.push((did(&who), cid, says));
    }
    let other = Host::start_at(50).await;
    let good_cid = of(&mut world, &other, BOB, 2_100, None).await;
    let process = world.start(How {
        largest: 1_000_000,
        ..How::default()
    });
    // All at once, and listened to from the beginning: of a host at rest something else is said
    // some seconds later.
    let wants = async {
        let wants = bad
            .iter()
            .map(|(who, cid, _)| process.blobstore.want(cid, who));
        futures_util::future::try_join_all(wants).await.unwrap();
    };
    let reasons = bad.iter().map(|(_, cid, says)| world.reason(cid, says));
    let good = async {
        for (host, (_, cid, _)) in hosts.iter().zip(&bad) {
            asked_for(host, &[*cid], 1).await;
        }
        process.blobstore.want(&good_cid, &did(BOB)).await.unwrap();
        assert!(is_kept(&process.settled(&good_cid).await));
    };
    tokio::join!(wants, futures_util::future::join_all(reasons), good);
    let cids: Vec<Cid> = bad.iter().map(|(_, cid, _)| *cid).collect();
    for row in world
        .rows()
        .blobs(&cids)
        .await
        .unwrap()
        .into_iter()
        .flatten()
    {
        let reason = row.reason.unwrap();
        assert!(
            !reason.contains("127.0.0.") && !reason.contains('/'),
            "{reason}"
        );
    }
    assert_eq!(world.originals().await, [good_cid]);
    process.stop().await;
    assert_eq!(files(&world.staging()), 0);
}

#[tokio::test]
async fn i17_who_is_silent_or_drips_keeps_nobody_waiting() {
    // They are given up after 30 and 20 s: a machine that stands still for so long proves nothing.
    for _ in 0..5 {
        if comes_meanwhile().await {
            return;
        }
    }
    panic!("nothing came before those were given up");
}

/// Whether a blob came while one host was silent and one dripped, and neither was given up.
async fn comes_meanwhile() -> bool {
    let mut world = World::new().await;
    let hosts = [Host::start_at(60).await, Host::start_at(61).await];
    let other = Host::start_at(62).await;
    let mut slow = Vec::new();
    let cases = [(ALICE, Does::Hangs), (CAROL, Does::Drips(1_000))];
    for ((host, (who, does)), seed) in hosts.iter().zip(cases).zip(2_200..) {
        let cid = of(&mut world, host, who, seed, Some(does)).await;
        slow.push((did(who), cid));
    }
    let good = of(&mut world, &other, BOB, 2_210, None).await;
    let process = world.start(How::default());
    for (host, (who, cid)) in hosts.iter().zip(&slow) {
        process.blobstore.want(cid, who).await.unwrap();
        asked_for(host, &[*cid], 1).await;
    }
    process.blobstore.want(&good, &did(BOB)).await.unwrap();
    assert!(is_kept(&process.settled(&good).await));
    let mut failures = 0;
    for (_, cid) in &slow {
        failures += row(&world, cid).await.unwrap().failures;
    }
    process.stop().await;
    failures == 0
}
