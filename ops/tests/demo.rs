//! `plyr demo`: ready within seconds, something new all the time, the same again from a seed, and a
//! clean end.

use std::path::Path;

use plyr_peers::{PeersError, Plyr, wait_until};
use serde_json::Value;

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const TRACKS: u64 = 9;
/// Seconds after which nothing new comes while a test looks.
const NEVER: &str = "86400";

async fn demo(folder: &Path, name: &str, more: &[&str]) -> Result<Plyr, PeersError> {
    let mut arguments: Vec<String> = ["--artists", "3", "--tracks", "9"]
        .map(str::to_owned)
        .into();
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    Plyr::command(BINARY, "demo", &folder.join(name), &arguments).await
}

/// Waits until the tracks of the opening are there.
async fn stats(plyr: &Plyr, tracks: u64) -> Result<Value, PeersError> {
    wait_until("the opening's tracks are there", || async {
        let stats = plyr.xrpc("fm.plyr.stats.getStats", "").await?;
        let there = stats["trackCount"].as_u64().unwrap_or_default();
        if there >= tracks {
            Ok(stats)
        } else {
            Err(stats.to_string())
        }
    })
    .await
}

fn sum(stats: &Value) -> u64 {
    let names = ["trackCount", "likeCount", "commentCount", "listCount"];
    names.iter().filter_map(|name| stats[name].as_u64()).sum()
}

/// The at-uris and titles of the latest tracks.
async fn latest(plyr: &Plyr) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let answer = plyr.xrpc("fm.plyr.feed.getLatest", "limit=100").await?;
    let tracks = answer["tracks"].as_array().cloned().unwrap_or_default();
    let row = |track: &Value| format!("{} {}", track["uri"], track["record"]["title"]);
    Ok(tracks.iter().map(row).collect())
}

/// The record keys of tracks that the demo has told of: `  Name publishes “title” (rkey)`.
fn published(told: &str) -> Vec<&str> {
    let lines = told.lines().filter(|line| line.contains(" publishes “"));
    let rkeys = lines.filter_map(|line| line.split_once("” (")?.1.split_once(')'));
    rkeys.map(|(rkey, _)| rkey).collect()
}

#[tokio::test]
async fn something_new_shows_all_the_time_and_it_stops_cleanly() -> Tested {
    let folder = tempfile::tempdir()?;
    let plyr = demo(folder.path(), "data", &["--every", "1"]).await?;
    let before = sum(&stats(&plyr, TRACKS).await?);
    wait_until(
        "a track that was just published is among the latest",
        || async {
            let told = std::fs::read_to_string(folder.path().join("data.log"));
            let told = told.map_err(|problem| problem.to_string())?;
            let latest = latest(&plyr).await.map_err(|problem| problem.to_string())?;
            let is_there = |rkey: &&str| latest.iter().any(|track| track.contains(*rkey));
            let published = published(&told);
            let is_shown = published.iter().any(is_there);
            is_shown
                .then_some(())
                .ok_or(format!("{published:?} and {latest:?}"))
        },
    )
    .await?;
    wait_until("the sums have grown", || async {
        let stats = plyr.xrpc("fm.plyr.stats.getStats", "").await?;
        let has_grown = sum(&stats) > before;
        has_grown
            .then_some(())
            .ok_or(format!("{before} and then {stats}"))
    })
    .await?;
    wait_until("everybody's handle is known", || async {
        let answer = plyr.xrpc("fm.plyr.feed.getLatest", "limit=100").await?;
        let answer = answer.to_string();
        let are_known = !answer.contains("handle.invalid");
        are_known.then_some(()).ok_or(answer)
    })
    .await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

/// While nothing new comes: an edit may take a track's audio away.
#[tokio::test]
async fn what_it_says_to_try_is_there() -> Tested {
    let folder = tempfile::tempdir()?;
    let plyr = demo(folder.path(), "data", &["--every", NEVER]).await?;
    stats(&plyr, TRACKS).await?;
    let told = wait_until("what to try is told", || async {
        let told = std::fs::read_to_string(folder.path().join("data.log"));
        let told = told.map_err(|problem| problem.to_string())?;
        let is_whole = told.contains("Stop with ctrl-c");
        is_whole.then_some(told.clone()).ok_or(told)
    })
    .await?;
    let appview = &plyr.appview;
    for line in [
        format!("{appview}/status"),
        format!("curl '{appview}/xrpc/fm.plyr.stats.getStats'"),
    ] {
        assert!(told.contains(&line), "{line} is not in {told}");
    }
    let page = format!("{appview}/track/");
    let pages = told.split(&page).skip(1);
    let uris: Vec<&str> = pages
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    assert!(!uris.is_empty(), "no page is told in {told}");
    for uri in uris {
        let page = plyr.page(&format!("/track/{uri}")).await?;
        assert!(page.contains("<audio"), "{page}");
        wait_until("it sounds", || async {
            let playback = plyr
                .xrpc("fm.plyr.media.getPlayback", &format!("uri={uri}"))
                .await?;
            let sounds = playback["media"]["state"] == "available";
            sounds.then_some(()).ok_or(playback.to_string())
        })
        .await?;
    }
    let search = format!("curl -G '{appview}/xrpc/fm.plyr.search.query' --data-urlencode 'q=");
    let words = told
        .split_once(&search)
        .and_then(|(_, rest)| rest.split_once('\''));
    let (words, _) = words.ok_or(format!("no search is told in {told}"))?;
    let query = url::form_urlencoded::byte_serialize(words.as_bytes()).collect::<String>();
    wait_until("what it says to search for is found", || async {
        let answer = plyr
            .xrpc("fm.plyr.search.query", &format!("q={query}"))
            .await?;
        let is_found = answer["hitsTotal"].as_u64() > Some(0);
        is_found.then_some(()).ok_or(answer.to_string())
    })
    .await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn the_same_seed_is_the_same_network() -> Tested {
    let folder = tempfile::tempdir()?;
    let mut runs = Vec::new();
    for (name, seed) in [("one", "7"), ("two", "7"), ("three", "8")] {
        let more = ["--seed", seed, "--every", NEVER];
        let plyr = demo(folder.path(), name, &more).await?;
        stats(&plyr, TRACKS).await?;
        runs.push(plyr);
    }
    let (one, two, three) = (&runs[0], &runs[1], &runs[2]);
    wait_until("two runs of a seed tell the same", || async {
        let told = async |plyr| latest(plyr).await.map_err(|problem| problem.to_string());
        let (one, two) = (told(one).await?, told(two).await?);
        (one == two)
            .then_some(())
            .ok_or(format!("{one:?} and {two:?}"))
    })
    .await?;
    let (one, three) = (latest(one).await?, latest(three).await?);
    assert!(one.len() as u64 >= TRACKS, "{one:?}");
    assert!(three.iter().all(|track| !one.contains(track)), "{three:?}");
    for plyr in runs {
        assert_eq!(plyr.stop().await?, Some(0));
    }
    Ok(())
}

#[tokio::test]
async fn it_is_for_this_machine_alone() -> Tested {
    let folder = tempfile::tempdir()?;
    let more = [
        "--listen",
        "0.0.0.0:0",
        "--public-url",
        "https://music.example.com",
    ];
    let refused = demo(folder.path(), "data", &more).await;
    let told = refused
        .err()
        .map(|problem| problem.to_string())
        .unwrap_or_default();
    assert!(told.contains("for this machine alone"), "{told}");
    Ok(())
}
