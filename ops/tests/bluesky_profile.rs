//! An artist's Bluesky name: read when the artist is first met, and again when it changes, which
//! nobody but Jetstream's Bluesky events tells.

use plyr_peers::{Account, Pds, Peers, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

fn named(name: &str) -> Value {
    json!({ "$type": "app.bsky.actor.profile", "displayName": name })
}

async fn shows(plyr: &Plyr, did: &str, name: &str) -> Result<Value, plyr_peers::PeersError> {
    wait_until(&format!("the artist is called {name}"), || async {
        let query = format!("actor={did}");
        let answer = plyr.xrpc("fm.plyr.actor.getProfile", &query).await?;
        match answer["profile"]["displayName"] == name {
            true => Ok(answer),
            false => Err(answer.to_string()),
        }
    })
    .await
}

#[tokio::test]
async fn a_bluesky_name_is_read_and_followed() -> Tested {
    let options = PeersOptions {
        pds: Pds::V05,
        pds_count: 1,
        relay: false,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let plyr = Plyr::serve(env!("CARGO_BIN_EXE_plyr"), &peers, &data).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let own = "app.bsky.actor.profile";
    alice.put(own, "self", &named("Alice Sings")).await?;
    let track = json!({ "$type": "fm.plyr.track", "title": "t", "artist": "A",
        "fileType": "mp3", "createdAt": "2026-06-01T12:00:00.000Z" });
    let (uri, _) = alice.put("fm.plyr.track", "one", &track).await?;
    shows(&plyr, &alice.did, "Alice Sings").await?;
    // The checks that the first record made due are over: what follows is the hint's doing.
    wait_until("no check is due any more", || async {
        match plyr
            .counted("plyr_account_checks_total", "\"answered\"")
            .await?
        {
            count if count >= 2.0 => Ok(()),
            other => Err(format!("{other} checks were answered")),
        }
    })
    .await?;
    alice.put(own, "self", &named("Alice Hums")).await?;
    shows(&plyr, &alice.did, "Alice Hums").await?;
    let query = format!("uri={uri}");
    let answer = plyr.xrpc("fm.plyr.feed.getTrack", &query).await?;
    assert_eq!(answer["track"]["author"]["displayName"], "Alice Hums");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
