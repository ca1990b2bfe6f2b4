//! `plyr media` as processes of their own, over one cluster and one real bucket: a blob is one's at a
//! time, and what one leaves that is killed, another takes up.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use plyr_objects::ObjectKey;
use plyr_objects::conformance::{BoxError, bytes, cid_of};
use plyr_peers::{
    Account, Around, Layout, Peers, PeersOptions, Plyr, S3Server, wait_for, wait_until,
};
use serde_json::json;

type Tested = Result<(), BoxError>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const BUCKET: &str = "music";
/// Tracks of each half; more than one process has hands for.
const TRACKS: usize = 12;
/// A lease that nobody renews has run out by then, on a busy machine too.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// WAV of noise: as many bytes as none that is asked of a stored one would take at once.
fn wav(seed: u64) -> Vec<u8> {
    let sound = bytes(seed, 600_000);
    let length = sound.len() as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data");
    file.extend(length.to_le_bytes());
    file.extend(sound);
    file
}

/// Publishes tracks; answers the bytes of each by their key in the bucket.
async fn publish(
    artist: &Account,
    seeds: std::ops::Range<usize>,
) -> Result<BTreeMap<String, Vec<u8>>, BoxError> {
    let mut published = BTreeMap::new();
    for seed in seeds {
        let audio = wav(seed as u64);
        let blob = artist.upload_blob("audio/wav", audio.clone()).await?;
        let record = json!({
            "$type": "fm.plyr.track", "title": format!("Number {seed}"), "artist": "Alice",
            "fileType": "wav", "audioBlob": blob, "createdAt": "2026-06-01T12:00:00.000Z",
        });
        let letters = "234567abcdefghijklmnopqrstuvwxyz";
        let rkey = format!("3lfvhszifvc{}", &letters[seed..seed + 2]);
        artist.put("fm.plyr.track", &rkey, &record).await?;
        let key = ObjectKey::original(&cid_of(&audio)?);
        published.insert(key.as_str().to_owned(), audio);
    }
    Ok(published)
}

/// Waits until all of it lies in the bucket, byte for byte.
async fn are_kept(
    server: &S3Server,
    published: &BTreeMap<String, Vec<u8>>,
    how_many: usize,
) -> Tested {
    let folder = server.folder.join(BUCKET).join("kept");
    wait_for(PATIENCE, "the audio is in the bucket", || async {
        let is_there = |key: &&String| folder.join(key).exists();
        let there = published.keys().filter(is_there).count();
        (there >= how_many)
            .then_some(())
            .ok_or(format!("{there} of {how_many}"))
    })
    .await?;
    for (key, audio) in published {
        if let Ok(found) = std::fs::read(folder.join(key)) {
            assert!(found == *audio, "{key} has other bytes");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i09_several_that_fetch_do_each_blob_once_and_one_that_dies_leaves_nothing_undone() -> Tested
{
    let Some(peers) = Peers::start(PeersOptions::default()).await? else {
        return Ok(());
    };
    let Some(server) = S3Server::start(&[BUCKET]).await? else {
        return Ok(());
    };
    let Some(layout) = Layout::apart(BINARY, "media_parts").await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let around = Around {
        environment: vec![
            ("AWS_ACCESS_KEY_ID".to_owned(), server.access_key.clone()),
            (
                "AWS_SECRET_ACCESS_KEY".to_owned(),
                server.secret_key.clone(),
            ),
        ],
        ..Around::default()
    };
    let mut arguments = Plyr::arguments(&peers, &layout);
    let place = [
        ["--blobs", "s3://music/kept"],
        ["--s3-endpoint", &server.url],
        ["--s3-region", "us-east-1"],
        ["--media", "mirror"],
    ];
    arguments.extend(place.concat().into_iter().map(str::to_owned));
    let part = async |command: &str, name: &str| {
        let data_dir = folder.path().join(name);
        Plyr::launch(&around, BINARY, command, &data_dir, &arguments).await
    };
    let index = part("index", "index").await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let first = publish(&alice, 0..TRACKS).await?;
    let (one, two) = tokio::try_join!(part("media", "one"), part("media", "two"))?;
    are_kept(&server, &first, TRACKS).await?;
    wait_until("each was fetched once, by one of them", || async {
        let jobs = "plyr_media_jobs_total";
        let kept = one.counted(jobs, "outcome=\"kept\"").await?
            + two.counted(jobs, "outcome=\"kept\"").await?;
        let all = "plyr_media_fetched_bytes_total";
        let came = one.counted(all, "").await? + two.counted(all, "").await?;
        let wanted: usize = first.values().map(Vec::len).sum();
        ((kept, came) == (TRACKS as f64, wanted as f64))
            .then_some(())
            .ok_or(format!("{kept} kept, {came} bytes of {wanted}"))
    })
    .await?;

    // One dies in the midst of what comes next.
    let second = publish(&alice, TRACKS..2 * TRACKS).await?;
    are_kept(&server, &second, 1).await?;
    one.kill().await?;
    are_kept(&server, &second, TRACKS).await?;
    let appview = part("appview", "appview").await?;
    wait_for(PATIENCE, "all of them can be played", || async {
        let latest = appview.xrpc("fm.plyr.feed.getLatest", "limit=100").await?;
        let tracks = latest["tracks"].as_array().cloned().unwrap_or_default();
        let plays = |track: &&serde_json::Value| track["media"]["state"] == "available";
        let playable = tracks.iter().filter(plays).count();
        (playable == 2 * TRACKS)
            .then_some(())
            .ok_or(format!("{playable} of {}", tracks.len()))
    })
    .await?;
    is_sound(&server, &layout, folder.path())?;
    for plyr in [index, two, appview] {
        assert_eq!(plyr.stop().await?, Some(0));
    }
    Ok(())
}

/// Every object that a row names is there with its hash, and nothing else lies around.
fn is_sound(server: &S3Server, layout: &Layout, home: &Path) -> Tested {
    let audited = Command::new(BINARY)
        .args(["blobs", "audit", "--blobs", "s3://music/kept"])
        .args(["--s3-endpoint", &server.url, "--s3-region", "us-east-1"])
        .args(["--store", layout.store().unwrap_or_default()])
        .arg("--data-dir")
        .arg(home.join("audit"))
        .env("AWS_ACCESS_KEY_ID", &server.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &server.secret_key)
        .output()?;
    let told = String::from_utf8_lossy(&audited.stdout).into_owned();
    let why = String::from_utf8_lossy(&audited.stderr).into_owned();
    assert!(audited.status.success(), "{told}{why}");
    Ok(())
}
