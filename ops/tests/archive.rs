//! A real Jetstream v2 whose stream keeps no past, and no relay to ask: what was written before is
//! found in its archive, and fetched from the repos.

mod forgetful;

use plyr_peers::{Account, Layout, Peers, PeersError, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const WHEN: &str = "2026-06-01T12:00:00.000Z";

fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
        "createdAt": WHEN })
}

async fn peers() -> Result<Option<Peers>, PeersError> {
    Peers::start(PeersOptions {
        jetstream: false,
        jetstream2: true,
        ..PeersOptions::default()
    })
    .await
}

/// Another Jetstream v2 begins: with what the repos hold, which is sealed before it answers.
async fn archived(peers: &Peers, anybody: &Account) -> Result<(), PeersError> {
    peers.steer("forget", "jetstream2").await?;
    peers.steer("start", "jetstream2").await?;
    let mut host = anybody.clone();
    host.pds = peers.jetstream2.replacen("ws", "http", 1);
    wait_until("the archive answers", || async {
        let everything = json!({ "afterSeq": 0 });
        let planned = host.post("network.bsky.jetstream.planSnapshot", &everything);
        planned
            .await
            .map(drop)
            .map_err(|problem| problem.to_string())
    })
    .await
}

/// The value of a metric's row that has all of some words; 0 where there is no such row.
async fn metric(plyr: &Plyr, name: &str, words: &str) -> Result<f64, String> {
    let page = plyr.probe("/metrics").await?;
    let mut rows = page.lines().filter(|row| row.starts_with(name));
    let row = rows.find(|row| row.contains(words));
    let value = row.and_then(|row| row.rsplit(' ').next()?.parse().ok());
    Ok(value.unwrap_or(0.0))
}

/// Waits until every track of an account is held.
async fn are_held(plyr: &Plyr, accounts: &[Account]) -> Result<(), PeersError> {
    wait_until("the tracks are held", || async {
        let dump = plyr.dump().await.map_err(|problem| problem.to_string())?;
        for account in accounts {
            let tracks = account.list("fm.plyr.track").await;
            for track in tracks.map_err(|problem| problem.to_string())? {
                let cid = track["cid"].as_str().unwrap_or("none").to_owned();
                if !dump.contains(&cid) {
                    return Err(format!("{track} is missing of {}", dump.lines().count()));
                }
            }
        }
        Ok(())
    })
    .await
}

async fn are_verified(plyr: &Plyr, accounts: &[Account]) -> Result<(), PeersError> {
    for account in accounts {
        let query = format!("actor={}", account.did);
        wait_until("the repo is verified", || async {
            let told = plyr.xrpc("fm.plyr.sync.getCoverage", &query).await?;
            match told["repos"][0]["state"].as_str() {
                Some("verified") => Ok(()),
                _ => Err(told.to_string()),
            }
        })
        .await?;
    }
    Ok(())
}

/// Three with tracks and one without.
async fn written(peers: &Peers) -> Result<(Vec<Account>, Account), PeersError> {
    let mut artists = Vec::new();
    for number in 0..3 {
        let artist = Account::create(&peers.pds[0], &format!("artist-{number}.test")).await?;
        artist.put("fm.plyr.track", "one", &track("one")).await?;
        artists.push(artist);
    }
    let other = Account::create(&peers.pds[0], "dave.test").await?;
    let post = json!({ "$type": "app.bsky.feed.post", "text": "t", "createdAt": WHEN });
    other.put("app.bsky.feed.post", "one", &post).await?;
    Ok((artists, other))
}

#[tokio::test]
async fn i01_what_only_an_archive_knows_of_is_found_and_fetched() -> Tested {
    let Some(mut peers) = peers().await? else {
        return Ok(());
    };
    peers.steer("stop", "jetstream2").await?;
    let (artists, _) = written(&peers).await?;
    archived(&peers, &artists[0]).await?;
    peers.jetstream2 = forgetful::before(&peers.jetstream2).await?;
    let folder = tempfile::tempdir()?;
    let plyr = Plyr::serve(BINARY, &peers, &folder.path().join("data")).await?;
    are_held(&plyr, &artists).await?;
    are_verified(&plyr, &artists).await?;
    let found = metric(&plyr, "plyr_repos_discovered_total", "archive").await?;
    assert_eq!(found, artists.len() as f64, "who has no tracks is not met");
    let read = metric(&plyr, "plyr_archive_read_bytes_total", &peers.jetstream2).await?;
    assert!(read > 0.0);
    let heard = metric(&plyr, "plyr_events_received_total", &peers.jetstream2).await?;
    assert_eq!(heard, 0.0, "no stream told of them");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn i02_after_a_gap_the_repos_with_archived_rows_are_due_at_once() -> Tested {
    let Some(mut peers) = peers().await? else {
        return Ok(());
    };
    let (artists, _) = written(&peers).await?;
    let behind = peers.jetstream2.clone();
    peers.jetstream2 = forgetful::before(&behind).await?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let arguments = Plyr::arguments(&peers, &Layout::Embedded);
    let plyr = Plyr::start(BINARY, &data, &arguments).await?;
    wait_until("the stream has begun", || async {
        let ready = plyr.probe("/ready").await?;
        match ready.contains(&peers.jetstream2) {
            false => Ok(()),
            true => Err(ready),
        }
    })
    .await?;
    // Heard of by the stream, which so has a number to go on from.
    for artist in &artists {
        artist.put("fm.plyr.track", "two", &track("two")).await?;
    }
    are_held(&plyr, &artists).await?;
    are_verified(&plyr, &artists).await?;
    assert_eq!(plyr.stop().await?, Some(0));

    peers.steer("stop", "jetstream2").await?;
    let creates = (0..100).map(|at| {
        json!({ "$type": "com.atproto.repo.applyWrites#create", "collection": "fm.plyr.track",
            "rkey": format!("later-{at}"), "value": track(&format!("later {at}")) })
    });
    let creates: Vec<Value> = creates.collect();
    artists[1].apply_writes(&creates).await?;
    archived(&peers, &artists[0]).await?;
    let plyr = Plyr::start(BINARY, &data, &arguments).await?;
    wait_until("a repo of the gap is due at once", || async {
        let due = metric(&plyr, "plyr_repos_suspected_total", "archive").await?;
        (due >= 1.0).then_some(()).ok_or(format!("{due}"))
    })
    .await?;
    are_held(&plyr, &artists).await?;
    let gaps = metric(&plyr, "plyr_stream_gaps_total", &peers.jetstream2).await?;
    assert_eq!(gaps, 1.0);
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
