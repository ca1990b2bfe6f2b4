//! `plyr admin` beside a running server, in a folder that nobody holds, and over a cluster: what is
//! taken down is gone from everything, stays so, and comes back when it is restored.

use std::path::Path;
use std::process::{Command, Output};

use plyr_peers::{Account, Layout, Pds, Peers, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const KEY: &str = "3lfvhszifvc2c";

/// Runs `plyr` with words of the test's own.
fn run(folder: &Path, layout: &Layout, words: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new(BINARY);
    command.args(words).arg("--data-dir").arg(folder);
    if let Some(store) = layout.store() {
        command.args(["--store", store]);
    }
    command.output()
}

/// What it printed; an error where it failed.
fn done(folder: &Path, layout: &Layout, words: &[&str]) -> Result<String, String> {
    let output = run(folder, layout, words).map_err(|problem| problem.to_string())?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{words:?}: {told}")),
    }
}

/// What it said as it refused.
fn refused(folder: &Path, layout: &Layout, words: &[&str]) -> Result<String, String> {
    done(folder, layout, words).map_or_else(Ok, |out| Err(format!("{words:?} was done: {out}")))
}

async fn found(plyr: &Plyr) -> Result<u64, String> {
    let answer = plyr.xrpc("fm.plyr.search.query", "q=transit").await?;
    let hits = answer["hits"].as_array().ok_or(answer.to_string())?;
    Ok(hits.len() as u64)
}

async fn shows(plyr: &Plyr, uri: &str) -> Result<(), String> {
    let answer = plyr
        .xrpc("fm.plyr.feed.getTrack", &format!("uri={uri}"))
        .await?;
    let track = &answer["track"];
    match track["likeCount"] == 1 && track["author"]["handle"] == "alice.test" {
        true => Ok(()),
        false => Err(answer.to_string()),
    }
}

/// It is gone from views, feeds and totals at once; search follows.
async fn is_gone(plyr: &Plyr, uri: &str) -> Tested {
    let gone = || async {
        let path = format!("/xrpc/fm.plyr.feed.getTrack?uri={uri}");
        let (status, answer) = plyr.get(&path).await.map_err(|why| why.to_string())?;
        let is_told = answer["error"] == "TrackHidden" && answer["message"] == "takenDown";
        let latest = plyr.xrpc("fm.plyr.feed.getLatest", "").await?;
        let totals = plyr.xrpc("fm.plyr.stats.getStats", "").await?;
        let is_listed = latest["tracks"] != json!([]) || totals["trackCount"] != 0;
        match status == 400 && is_told && !is_listed && found(plyr).await? == 0 {
            true => Ok(()),
            false => Err(format!("{answer} {latest} {totals}")),
        }
    };
    Ok(wait_until("the track is gone", gone).await?)
}

async fn is_back(plyr: &Plyr, uri: &str) -> Tested {
    let back = || async {
        shows(plyr, uri).await?;
        let totals = plyr.xrpc("fm.plyr.stats.getStats", "").await?;
        match totals["trackCount"] == 1 && found(plyr).await? == 1 {
            true => Ok(()),
            false => Err(totals.to_string()),
        }
    };
    Ok(wait_until("the track is back", back).await?)
}

#[tokio::test]
async fn i08_a_takedown_reaches_everything_and_stays() -> Tested {
    taken_down(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn i08_a_takedown_reaches_everything_over_a_cluster() -> Tested {
    taken_down(Layout::together(BINARY, "takedowns").await?).await
}

async fn taken_down(layout: Option<Layout>) -> Tested {
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
    let data = folder.path().join("data");
    let plyr = Plyr::run(BINARY, &peers, &data, &layout).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let bob = Account::create(&peers.pds[0], "bob.test").await?;
    let record = json!({
        "$type": "fm.plyr.track", "title": "Night transit", "artist": "Alice", "fileType": "mp3",
        "createdAt": "2026-06-01T12:00:00.000Z",
    });
    let (uri, cid) = alice.put("fm.plyr.track", KEY, &record).await?;
    let like = json!({ "$type": "fm.plyr.like", "subject": { "uri": uri, "cid": cid },
        "createdAt": "2026-06-01T12:00:00.000Z" });
    bob.put("fm.plyr.like", KEY, &like).await?;
    is_back(&plyr, &uri).await?;

    let named = format!("at://alice.test/fm.plyr.track/{KEY}");
    let admin = |words: &[&str]| done(&data, &layout, &[&["admin"], words].concat());
    let told = admin(&["takedown", &named, "--dry-run"])?;
    for part in [
        "would be taken down",
        "Night transit",
        "alice.test",
        "1 like,",
        "dry run",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    assert_eq!(admin(&["log"])?, "");
    shows(&plyr, &uri).await?;

    let told = admin(&[
        "takedown", &named, "--reason", "spam", "--by", "carol", "--ref", "7",
    ])?;
    assert!(
        told.contains(&format!("plyr admin restore {uri}")),
        "{told}"
    );
    is_gone(&plyr, &uri).await?;
    let log = admin(&["log", &uri])?;
    let action: Value = serde_json::from_str(&log)?;
    assert_eq!(
        (&action["action"], &action["by"]),
        (&json!("takedown"), &json!("carol"))
    );
    assert_eq!(
        (&action["reason"], &action["ref"]),
        (&json!("spam"), &json!("7"))
    );
    assert_eq!(action["subject"], json!(uri));

    // Neither what is made again brings it back, nor a newer version, nor a start.
    done(&data, &layout, &["rebuild", "all"])?;
    is_gone(&plyr, &uri).await?;
    let mut newer = record.clone();
    newer["title"] = json!("Transit at dawn");
    alice.put("fm.plyr.track", KEY, &newer).await?;
    let other = json!({ "$type": "fm.plyr.track", "title": "Later", "artist": "Alice",
        "fileType": "mp3", "createdAt": "2026-06-01T12:00:00.000Z" });
    let (later, _) = alice.put("fm.plyr.track", "3lfvhszifvc3c", &other).await?;
    let seen = || async {
        let path = format!("uri={later}");
        plyr.xrpc("fm.plyr.feed.getTrack", &path).await.map(|_| ())
    };
    wait_until("what came after it is seen", seen).await?;
    alice.delete("fm.plyr.track", "3lfvhszifvc3c").await?;
    is_gone(&plyr, &uri).await?;
    assert_eq!(plyr.stop().await?, Some(0));

    // Alone, in a folder that nobody holds.
    let told = admin(&["restore", &uri, "--dry-run"])?;
    assert!(
        told.contains("would be restored") && told.contains("by carol: spam"),
        "{told}"
    );
    let plyr = Plyr::run(BINARY, &peers, &data, &layout).await?;
    is_gone(&plyr, &uri).await?;

    admin(&["restore", &uri])?;
    is_back(&plyr, &uri).await?;
    let told = admin(&["restore", &uri])?;
    assert!(told.contains("there is nothing to restore"), "{told}");

    admin(&["delete-track", &uri, "--reason", "a court"])?;
    is_gone(&plyr, &uri).await?;
    let told = refused(&data, &layout, &["admin", "restore", &uri])?;
    assert!(
        told.contains("a court") && told.contains("--force"),
        "{told}"
    );
    admin(&["restore", &uri, "--force"])?;
    is_back(&plyr, &uri).await?;

    // An account, with all that it made.
    admin(&["takedown", "@alice.test"])?;
    let hidden = || async {
        let latest = plyr.xrpc("fm.plyr.feed.getLatest", "").await?;
        match latest["tracks"] == json!([]) && found(&plyr).await? == 0 {
            true => Ok(()),
            false => Err(latest.to_string()),
        }
    };
    wait_until("the account is gone", hidden).await?;
    admin(&["restore", "alice.test"])?;
    is_back(&plyr, &uri).await?;
    assert_eq!(admin(&["log"])?.lines().count(), 6);

    for (subject, said) in [
        ("nobody.example", "name it by its DID"),
        ("at://nobody.example/fm.plyr.track/a", "name it by its DID"),
        ("what is this", "names nothing that can be hidden"),
        (
            "https://example.com/track/alice.test/a",
            "is no link of this service",
        ),
    ] {
        let told = refused(&data, &layout, &["admin", "takedown", subject])?;
        assert!(told.contains(said), "{subject}: {told}");
    }
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[test]
fn i12_a_folder_without_a_store_is_named() -> Tested {
    let folder = tempfile::tempdir()?;
    let told = refused(folder.path(), &Layout::Embedded, &["admin", "log"])?;
    assert!(told.contains("--data-dir"), "{told}");
    let file = folder.path().join("password");
    std::fs::write(&file, "short")?;
    let file = file.display().to_string();
    let checked = ["config", "check", "--admin-password-file", &file];
    let output = run(folder.path(), &Layout::Embedded, &checked)?;
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("chmod 600") || told.contains("16 to 1024"),
        "{told}"
    );
    assert!(!told.contains("short"), "it is never shown: {told}");
    Ok(())
}
