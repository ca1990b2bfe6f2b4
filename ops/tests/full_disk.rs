//! A disk nearly full, with the real binary: `/ready` says why, reads go on, the cursor waits, and
//! it goes on by itself when there is room. The disk is a small piece of the one in memory.

#![allow(clippy::print_stderr)] // helpers of tests

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use plyr_peers::{Account, Pds, Peers, PeersOptions, Plyr, wait_until};
use serde_json::json;

type Tested = Result<(), Box<dyn std::error::Error>>;

const DISK: &str = "/dev/shm";
/// What is left above the reserve, and what is then taken, in bytes.
const LEFT: u64 = 96 << 20;
const TAKEN: usize = 192 << 20;

fn free_bytes() -> Option<u64> {
    let told = Command::new("df")
        .args(["-B1", "--output=avail", DISK])
        .output()
        .ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    told.lines().nth(1)?.trim().parse().ok()
}

/// Takes space, so that less than the reserve is free.
fn fill(path: &Path) -> std::io::Result<()> {
    let file = std::fs::File::create(path)?;
    let block = vec![1; 1 << 20];
    for place in 0..TAKEN >> 20 {
        file.write_all_at(&block, (place as u64) << 20)?;
    }
    Ok(())
}

#[tokio::test]
async fn i11_a_nearly_full_disk_stops_writes_and_nothing_else() -> Tested {
    let Some(free) = free_bytes().filter(|free| *free > LEFT + 2 * TAKEN as u64) else {
        eprintln!("skipped: {DISK} is no disk in memory with room for this test");
        return Ok(());
    };
    let options = PeersOptions {
        pds: Pds::V04,
        pds_count: 1,
        relay: false,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir_in(DISK)?;
    let data = folder.path().join("data");
    let arguments = [
        "--dev",
        "--plc-url",
        &peers.plc,
        "--jetstream",
        &peers.jetstream,
        "--relay-url",
        "none",
        "--handle-resolver",
        &peers.pds[0],
        "--disk-reserve",
        &(free - LEFT).to_string(),
    ]
    .map(str::to_owned);
    let serve = async || Plyr::start(env!("CARGO_BIN_EXE_plyr"), &data, &arguments).await;
    let plyr = serve().await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let track = |title: &str| {
        json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
            "createdAt": "2026-06-01T12:00:00.000Z" })
    };
    let query = |rkey: &str| format!("uri=at://{}/fm.plyr.track/{rkey}", alice.did);
    let is_served = async |plyr: &Plyr, rkey: &str| {
        wait_until(&format!("{rkey} is served"), || async {
            plyr.xrpc("fm.plyr.feed.getTrack", &query(rkey)).await
        })
        .await
    };
    let says = async |plyr: &Plyr, full: bool| {
        wait_until(&format!("/ready names the disk: {full}"), || async {
            let ready = plyr.probe("/ready").await?;
            let named = ready.contains("writes stop below");
            match ready.contains("\"ready\":true") && named == full {
                true => Ok(()),
                false => Err(ready),
            }
        })
        .await
    };
    alice.put("fm.plyr.track", "one", &track("one")).await?;
    is_served(&plyr, "one").await?;
    says(&plyr, false).await?;

    let ballast = folder.path().join("ballast");
    fill(&ballast)?;
    says(&plyr, true).await?;
    alice.put("fm.plyr.track", "two", &track("two")).await?;
    // The event is there and waits, and so does the cursor behind it.
    wait_until("an event waits", || async {
        let log = std::fs::read_to_string(data.with_extension("log"));
        let log = log.map_err(|problem| problem.to_string())?;
        match log.contains("the store takes nothing") {
            true => Ok(()),
            false => Err(log),
        }
    })
    .await?;
    is_served(&plyr, "one").await?;
    assert!(
        plyr.xrpc("fm.plyr.feed.getTrack", &query("two"))
            .await
            .is_err()
    );
    assert_eq!(
        plyr.xrpc("fm.plyr.feed.getLatest", "").await?["tracks"][0]["record"]["title"],
        "one"
    );

    // Also over a restart: it starts, reads, and waits.
    assert_eq!(plyr.stop().await?, Some(0));
    let plyr = serve().await?;
    says(&plyr, true).await?;
    is_served(&plyr, "one").await?;
    assert!(
        plyr.xrpc("fm.plyr.feed.getTrack", &query("two"))
            .await
            .is_err()
    );

    std::fs::remove_file(&ballast)?;
    is_served(&plyr, "two").await?;
    says(&plyr, false).await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
