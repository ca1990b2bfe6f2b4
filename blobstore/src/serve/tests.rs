//! What is wanted of whom.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::follow::Follower;
use crate::testing::{ALICE, BOB, World, cid_of, did};

/// A row that is refused for that reason, as Alice's host had it.
fn refused(cid: &Cid, reason: &str) -> Blob {
    Blob {
        state: BlobState::Refused,
        reason: Some(reason.to_owned()),
        holders: vec![did(ALICE)],
        failures: 3,
        due_at: None,
        ..Blob::wanted(*cid, 1)
    }
}

#[tokio::test]
async fn i09_what_a_host_says_of_a_size_says_nothing_of_anothers() {
    let world = World::new();
    let blobstore = world.blobstore(MediaPolicy::OnDemand);
    let (claimed, proven) = (cid_of(b"claimed"), cid_of(b"proven"));
    world.write(refused(&claimed, TOO_LARGE)).await;
    world.write(refused(&proven, "it is no audio")).await;
    for cid in [&claimed, &proven] {
        blobstore.want(cid, &did(ALICE)).await.unwrap();
        assert_eq!(world.row(cid).await.unwrap().state, BlobState::Refused);
        blobstore.want(cid, &did(BOB)).await.unwrap();
    }
    assert_eq!(
        world.row(&proven).await.unwrap().state,
        BlobState::Refused,
        "what was looked at stays what it is, whoever names it"
    );
    let row = world.row(&claimed).await.unwrap();
    assert_eq!((row.state, row.failures), (BlobState::Wanted, 0));
    assert!(row.due_at.is_some_and(|due| due <= now()));
    assert_eq!(row.reason, None);
    assert!(row.holders.contains(&did(BOB)));
}

#[tokio::test]
async fn i09_who_forgets_holders_hears_of_one_once_an_hour() {
    let world = World::new();
    let blobstore = world.blobstore(MediaPolicy::OnDemand);
    let cid = cid_of(b"claimed");
    let mut row = refused(&cid, TOO_LARGE);
    let others = (1..MOST_HOLDERS).map(|number| did(&format!("did:plc:other{number}")));
    row.holders.extend(others);
    row.played_at = Some(hour_of(now()));
    world.write(row).await;
    blobstore.want(&cid, &did(BOB)).await.unwrap();
    let mut row = world.row(&cid).await.unwrap();
    // Unless the next hour has just begun.
    if row.played_at == Some(hour_of(now())) && row.revision == 1 {
        assert_eq!(row.state, BlobState::Refused);
        row.played_at = Some(hour_of(now()) - HOUR);
        world.write(row).await;
        blobstore.want(&cid, &did(BOB)).await.unwrap();
    }
    let row = world.row(&cid).await.unwrap();
    assert_eq!(
        (row.state, row.holders.len()),
        (BlobState::Wanted, MOST_HOLDERS)
    );
    assert!(row.holders.contains(&did(BOB)));
}

#[tokio::test]
async fn i09_a_record_that_newly_names_it_has_what_was_said_of_a_size_forgotten() {
    for policy in [MediaPolicy::OnDemand, MediaPolicy::Mirror] {
        let world = World::new();
        let (alices, bobs) = (cid_of(b"alice's"), cid_of(b"bob's"));
        for cid in [&alices, &bobs] {
            world.write(refused(cid, TOO_LARGE)).await;
        }
        let cancel = CancellationToken::new();
        let follower = Follower::new(world.blobstore(policy), world.store.clone());
        let following = cancel.clone();
        let task = tokio::spawn(async move { follower.run(following).await });
        // It was the cover of hers, which may be smaller than audio.
        world.track(ALICE, &alices).await;
        world.track(BOB, &bobs).await;
        let is_due = policy == MediaPolicy::Mirror;
        let anew = |row: &Blob| {
            (row.state, row.failures, row.due_at.is_some()) == (BlobState::Wanted, 0, is_due)
        };
        for cid in [&alices, &bobs] {
            world.becomes(cid, "it is wanted", anew).await;
        }
        cancel.cancel();
        task.await.unwrap();
    }
}
