//! One track from a real PDS through a real Jetstream to `getTrack`.

use plyr_peers::{Account, Layout, Pds, Peers, PeersOptions, Plyr, wait_until};
use serde_json::json;

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

#[tokio::test]
async fn one_track_travels_from_its_repo_to_an_answer() -> Tested {
    one_track_travels(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn one_track_travels_over_a_cluster() -> Tested {
    one_track_travels(Layout::together(BINARY, "together").await?).await
}

#[tokio::test]
async fn one_track_travels_from_an_indexer_to_an_appview() -> Tested {
    one_track_travels(Layout::apart(BINARY, "apart").await?).await
}

async fn one_track_travels(layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let options = PeersOptions {
        pds: Pds::V04,
        pds_count: 1,
        relay: true,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let plyr = Plyr::run(BINARY, &peers, &folder.path().join("data"), &layout).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let record = json!({
        "$type": "fm.plyr.track", "title": "Night transit", "artist": "Alice", "fileType": "mp3",
        "duration": 183, "createdAt": "2026-06-01T12:00:00.000Z",
    });
    let (uri, cid) = alice.put("fm.plyr.track", "3lfvhszifvc2c", &record).await?;

    let found = wait_until("the track is answered with its author's handle", || async {
        let answer = plyr
            .xrpc("fm.plyr.feed.getTrack", &format!("uri={uri}"))
            .await?;
        match answer["track"]["author"]["handle"] == "alice.test" {
            true => Ok(answer),
            false => Err(answer.to_string()),
        }
    })
    .await?;
    let track = &found["track"];
    assert_eq!((&track["uri"], &track["cid"]), (&json!(uri), &json!(cid)));
    assert_eq!(track["record"], record);
    assert_eq!(track["durationMs"], 183_000);
    let by_handle = "uri=at://alice.test/fm.plyr.track/3lfvhszifvc2c";
    assert_eq!(
        plyr.xrpc("fm.plyr.feed.getTrack", by_handle).await?["track"]["uri"],
        json!(uri)
    );
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
