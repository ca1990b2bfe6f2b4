//! Others who name the same bytes: they may be slow, silent or liars, and keep nobody from what its
//! author's server has.

use plyr_blobstore::Standing;
use plyr_lexicons::Cid;
use plyr_peers::wait_until;
use plyr_schemas::{
    Account, AccountState, Blob, BlobState, Change, HiddenSubject, Hide, MOST_HOLDERS, Store,
};

use super::host::{Does, Host};
use super::world::{How, World, cid_of, did, tone};
use super::{ALICE, BOB, is_kept};

const CAROL: &str = "did:plc:cccccccccccccccccccccccc";
const DAN: &str = "did:plc:dddddddddddddddddddddddd";
/// Whose records come last where all are of the same time.
const ZOE: &str = "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz";

async fn row(world: &World, cid: &Cid) -> Blob {
    let rows = world.rows().blobs(&[*cid]).await.unwrap();
    rows.into_iter().next().flatten().unwrap()
}

/// Has a blob's next try be the third at which it is found too large.
async fn twice_too_large(world: &World, cid: &Cid, holder: &str) {
    let mut twice = Blob::wanted(*cid, 1);
    twice.holders.push(did(holder));
    twice.reason = Some("it is larger than may be kept here; it was asked for twice".to_owned());
    assert!(world.rows().replace_blob(twice).await.unwrap());
}

#[tokio::test]
async fn who_is_slow_is_passed_over_for_another_while_others_wait() {
    let mut world = World::new().await;
    let (quick, waits) = (Host::start_at(70).await, Host::start_at(71).await);
    let slow = [Host::start_at(72).await, Host::start_at(73).await];
    // As many as have a place, two of each slow host.
    let mut all = Vec::new();
    for (number, who) in (3_000..).zip([CAROL, CAROL, DAN, DAN]) {
        let host = &slow[usize::from(who == DAN)];
        let bytes = tone(number);
        let cid = cid_of(&bytes);
        for (who, host, does) in [
            (ALICE, &quick, Does::Sends(bytes, "audio/wav")),
            // Not as slow as what is given up whoever waits.
            (who, host, Does::Drips(24 << 10)),
        ] {
            world
                .put_track(who, &format!("t{number}"), Some(&cid))
                .await;
            world.host.is_at(who, host);
            host.tell(who, &cid, does);
        }
        all.push((who, host, cid));
    }
    let process = world.start(How {
        at_once: 1,
        ..How::default()
    });
    for (who, host, cid) in &all {
        process.blobstore.want(cid, &did(who)).await.unwrap();
        wait_until("the slow one is asked", || async {
            let asked = host.times_asked(cid);
            (asked > 0).then_some(()).ok_or(asked.to_string())
        })
        .await
        .unwrap();
    }
    let other = cid_of(&tone(3_010));
    world.put_track(BOB, "other", Some(&other)).await;
    world.host.is_at(BOB, &waits);
    waits.tell(BOB, &other, Does::Sends(tone(3_010), "audio/wav"));
    process.blobstore.want(&other, &did(BOB)).await.unwrap();
    let cids: Vec<Cid> = all.iter().map(|(.., cid)| *cid).collect();
    let kept = wait_until("one that gave way is had from the quick one", || async {
        let standings = process.blobstore.standings(&cids).await.unwrap();
        let kept = standings.iter().position(is_kept);
        kept.ok_or(format!("{standings:?}"))
    })
    .await
    .unwrap();
    let (_, host, cid) = all[kept];
    assert_eq!(host.times_asked(&cid), 1, "it was not begun anew");
    process.stop().await;
}

/// Records of accounts that don't show are read as well, and take the place of the author's.
#[tokio::test]
async fn what_one_of_many_says_is_too_large_is_not_refused_unless_all_were_asked() {
    let mut world = World::new().await;
    let (liar, author) = (Host::start_at(74).await, Host::start_at(75).await);
    let cid = cid_of(&tone(3_100));
    world.put_track(ZOE, "one", Some(&cid)).await;
    world.host.is_at(ZOE, &author);
    let mut gone = Vec::new();
    for number in 0..18_u8 {
        let who = format!(
            "did:plc:{}",
            char::from(b'e' + number).to_string().repeat(24)
        );
        world.put_track(&who, "one", Some(&cid)).await;
        gone.push(Change::Account(Account {
            did: did(&who),
            state: AccountState::Deactivated,
            since: 1,
            asked_at: 1,
        }));
    }
    world.store.apply(gone).await.unwrap();
    world.put_track(CAROL, "one", Some(&cid)).await;
    world.host.is_at(CAROL, &liar);
    liar.tell(CAROL, &cid, Does::Announces(1 << 40));
    twice_too_large(&world, &cid, CAROL).await;
    let process = world.start(How::default());
    wait_until("it is tried", || async {
        let row = row(&world, &cid).await;
        let is_tried = row.failures > 0 || row.state != BlobState::Wanted;
        is_tried.then_some(()).ok_or(format!("{row:?}"))
    })
    .await
    .unwrap();
    assert_eq!(row(&world, &cid).await.state, BlobState::Wanted);
    assert_eq!(author.times_asked(&cid), 0, "all were asked");
    process.stop().await;
}

#[tokio::test]
async fn whoever_asked_last_has_it_asked_for() {
    let world = World::new().await;
    let blobstore = world.blobstore(&How::default());
    let cid = cid_of(&tone(3_200));
    for number in 0..MOST_HOLDERS {
        let who = did(&format!("did:plc:other{number}"));
        blobstore.want(&cid, &who).await.unwrap();
    }
    blobstore.want(&cid, &did(ALICE)).await.unwrap();
    let holders = row(&world, &cid).await.holders;
    assert_eq!(holders.len(), MOST_HOLDERS);
    assert!(holders.contains(&did(ALICE)), "{holders:?}");
}

#[tokio::test]
async fn i08_what_shows_again_is_fetched_at_once() {
    let mut world = World::new().await;
    let host = Host::start_at(76).await;
    let bytes = tone(3_300);
    let cid = cid_of(&bytes);
    let uri = world.put_track(ALICE, "one", Some(&cid)).await;
    world.host.is_at(ALICE, &host);
    host.tell(ALICE, &cid, Does::Sends(bytes, "audio/wav"));
    let hide = |hidden, at| {
        let subject = HiddenSubject::Record(uri.clone());
        let hide = Hide {
            subject,
            hidden,
            at,
        };
        world.store.apply(vec![Change::Hide(hide)])
    };
    hide(true, 1).await.unwrap();
    let process = world.start(How::default());
    process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    world.reason(&cid, "no record that shows").await;
    wait_until("it is put off", || async {
        let row = row(&world, &cid).await;
        (row.leased_until == 0)
            .then_some(())
            .ok_or(format!("{row:?}"))
    })
    .await
    .unwrap();
    hide(false, 2).await.unwrap();
    let told = process.blobstore.want(&cid, &did(ALICE)).await.unwrap();
    let is_silent = matches!(told, Standing::Wanted { reason: None, .. });
    assert!(is_silent || is_kept(&told), "{told:?}");
    assert!(is_kept(&process.settled(&cid).await));
    process.stop().await;
}
