//! The same over a real bucket: bytes are fetched into it, what it loses is fetched again, and
//! while it is down it says so, and nothing is lost by that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plyr_blobstore::{AuditOptions, audit};
use plyr_lexicons::Cid;
use plyr_objects::{ObjectKey, Objects, S3, S3Credentials, S3Links, S3Options, S3Patience};
use plyr_peers::{S3Server, wait_until};
use plyr_schemas::BlobState;

use super::world::{How, World, cid_of, did, tone};
use super::{ALICE, is_kept, wav};

const BUCKET: &str = "music";

fn bucket(server: &S3Server) -> Arc<S3> {
    let s3 = S3::new(S3Options {
        bucket: BUCKET.to_owned(),
        prefix: "kept".to_owned(),
        endpoint: Some(server.url.parse().unwrap()),
        links: S3Links::Endpoint,
        region: "us-east-1".to_owned(),
        credentials: S3Credentials {
            access_key: server.access_key.clone(),
            secret_key: server.secret_key.clone(),
            session_token: None,
        },
        // Nothing waits for their end: a server that is stopped refuses at once.
        patience: S3Patience {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            transfer: Duration::from_secs(60),
            tries: 2,
        },
    });
    Arc::new(s3.unwrap())
}

/// Where an original is a file beneath the server.
fn beneath(server: &S3Server, cid: &Cid) -> PathBuf {
    let key = ObjectKey::original(cid);
    server.folder.join(BUCKET).join("kept").join(key.as_str())
}

fn is_there(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.len() > 0)
}

/// Has a job tried again now, not when its next try comes.
async fn hurry(world: &World, cid: &Cid) {
    let rows = world.rows();
    let row = rows.blobs(&[*cid]).await.unwrap().pop().flatten();
    let waits = |row: &plyr_schemas::Blob| row.state == BlobState::Wanted && row.leased_until == 0;
    if let Some(mut row) = row.filter(waits) {
        row.due_at = Some(0);
        rows.replace_blob(row).await.unwrap();
    }
}

#[tokio::test]
async fn i09_a_bucket_that_loses_an_object_or_is_down_loses_nobody_a_track() {
    let Some(server) = S3Server::start(&[BUCKET]).await.unwrap() else {
        return;
    };
    let mut world = World::new().await;
    let tones: Vec<Vec<u8>> = (60..62).map(tone).collect();
    let cids: Vec<Cid> = tones.iter().map(|bytes| cid_of(bytes)).collect();
    for (bytes, cid) in tones.iter().zip(&cids) {
        world.put_track(ALICE, &cid.to_string(), Some(cid)).await;
        world.host.tell(ALICE, cid, wav(bytes));
    }
    let s3 = bucket(&server);
    let process = world.start(How {
        objects: Some(s3.clone()),
        ..How::default()
    });
    let wanted = did(ALICE);
    process.blobstore.want(&cids[0], &wanted).await.unwrap();
    let settled = process.settled(&cids[0]).await;
    assert!(is_kept(&settled), "{settled:?}");
    let path = beneath(&server, &cids[0]);
    assert_eq!(std::fs::read(&path).unwrap(), tones[0]);

    s3.delete(&ObjectKey::original(&cids[0])).await.unwrap();
    let options = AuditOptions {
        is_quick: false,
        is_dry: false,
    };
    let audited = audit(&process.blobstore, &options, |_| true).await.unwrap();
    assert_eq!(
        (audited.missing, audited.wrong, audited.unreadable),
        (1, 0, 0)
    );
    let settled = process.settled(&cids[0]).await;
    assert!(
        is_kept(&settled),
        "{settled:?} {:?}",
        world.rows().blobs(&cids).await
    );
    assert_eq!(std::fs::read(&path).unwrap(), tones[0]);

    server.steer("stop").await.unwrap();
    process.blobstore.want(&cids[1], &wanted).await.unwrap();
    world.reason(&cids[1], "can't be").await;
    let audited = audit(&process.blobstore, &options, |_| true).await.unwrap();
    // That it can't be read is no reason to fetch it again.
    assert_eq!((audited.missing, audited.unreadable), (0, 1));
    server.steer("start").await.unwrap();
    let standings = || async {
        hurry(&world, &cids[1]).await;
        let standings = process.blobstore.standings(&cids).await.unwrap();
        match standings.iter().all(is_kept) {
            true => Ok(()),
            false => Err(format!("{standings:?}")),
        }
    };
    wait_until("both are kept", standings).await.unwrap();
    assert!(is_there(&path) && is_there(&beneath(&server, &cids[1])));
    let listed = s3.list("", None, 100).await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    process.stop().await;
}
