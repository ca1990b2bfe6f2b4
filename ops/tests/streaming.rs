//! i08: a takedown ends what twenty clients are hearing within a second, outlives a rebuild and a
//! backfill, and is lifted again.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plyr_peers::{Account, Layout, Peers, PeersOptions, Plyr, wait_for, wait_until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

type Tested = Result<(), Box<dyn std::error::Error>>;
type Error = Box<dyn std::error::Error>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const CLIENTS: usize = 20;
/// What a client hears in a second.
const A_SECOND: usize = 512 << 10;
/// Far more than kernels hold between two ends: what hasn't been read can still be ended.
const BYTES: u32 = 48 << 20;

/// A WAV of silence.
fn silence() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES as usize + 44);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + BYTES).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    bytes.extend_from_slice(&44_100_u32.to_le_bytes());
    bytes.extend_from_slice(&176_400_u32.to_le_bytes());
    bytes.extend_from_slice(b"\x04\0\x10\0data");
    bytes.extend_from_slice(&BYTES.to_le_bytes());
    bytes.resize(BYTES as usize + 44, 0);
    bytes
}

/// A client that has begun to hear, and reads on slowly.
async fn client(plyr: &Plyr, uri: &str) -> Result<TcpStream, Error> {
    let address = plyr.appview.trim_start_matches("http://").parse()?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 << 10)?;
    let mut stream = socket.connect(address).await?;
    let path = format!("/xrpc/fm.plyr.media.getAudio?uri={uri}");
    let asked = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(asked.as_bytes()).await?;
    let mut beginning = [0; 1024];
    stream.read_exact(&mut beginning).await?;
    let beginning = String::from_utf8_lossy(&beginning);
    assert!(beginning.starts_with("HTTP/1.1 200"), "{beginning}");
    Ok(stream)
}

/// Reads as listeners do, until it ends; answers how much there was.
async fn heard(mut stream: TcpStream, so_far: Arc<AtomicUsize>) -> usize {
    let mut piece = vec![0; 32 << 10];
    let mut heard = 1024;
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return heard,
            Ok(many) => heard += many,
        }
        so_far.store(heard, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

fn admin(data_dir: &std::path::Path, words: &[&str]) -> Tested {
    let done = Command::new(BINARY)
        .args(words)
        .arg("--data-dir")
        .arg(data_dir)
        .output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{words:?}: {}", String::from_utf8_lossy(&done.stderr)).into()),
    }
}

async fn is_down(plyr: &Plyr, uri: &str) -> Result<(), String> {
    let (status, track) = asked(plyr, "fm.plyr.feed.getTrack", uri).await?;
    let (audio, _) = asked(plyr, "fm.plyr.media.getAudio", uri).await?;
    let latest = plyr.xrpc("fm.plyr.feed.getLatest", "").await?;
    let found = plyr.xrpc("fm.plyr.search.query", "q=silence").await?;
    let is_down = status == 400
        && audio == 404
        && latest["tracks"] == json!([])
        && found["hits"] == json!([]);
    is_down
        .then_some(())
        .ok_or(format!("{status} {track} {audio} {latest} {found}"))
}

async fn asked(plyr: &Plyr, method: &str, uri: &str) -> Result<(u16, Value), String> {
    let path = format!("/xrpc/{method}?uri={uri}");
    plyr.get(&path).await.map_err(|problem| problem.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i08_a_takedown_ends_what_twenty_hear_and_stays() -> Tested {
    let Some(peers) = Peers::start(PeersOptions::default()).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    let plyr = Plyr::run(BINARY, &peers, &data_dir, &Layout::Embedded).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let blob = alice.upload_blob("audio/wav", silence()).await?;
    let record = json!({
        "$type": "fm.plyr.track", "title": "Silence", "artist": "Alice", "fileType": "wav",
        "audioBlob": blob, "createdAt": "2026-06-01T12:00:00.000Z",
    });
    let (uri, _) = alice.put("fm.plyr.track", "3lfvhszifvc2c", &record).await?;
    let query = format!("uri={uri}");
    wait_for(Duration::from_secs(600), "the audio is here", || async {
        let playback = plyr.xrpc("fm.plyr.media.getPlayback", &query).await?;
        let is_here = playback["media"]["state"] == "available";
        is_here.then_some(()).ok_or(playback.to_string())
    })
    .await?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let stream = client(&plyr, &uri).await?;
        let so_far = Arc::new(AtomicUsize::new(1024));
        clients.push((tokio::spawn(heard(stream, so_far.clone())), so_far));
    }
    admin(
        &data_dir,
        &["admin", "takedown", &uri, "--reason", "a test"],
    )?;
    let by_then = |(_, so_far): &(_, Arc<AtomicUsize>)| so_far.load(Ordering::Relaxed);
    let by_then: Vec<usize> = clients.iter().map(by_then).collect();
    let mut most = 0;
    for ((client, _), by_then) in clients.into_iter().zip(by_then) {
        let heard = client.await?;
        assert!(heard < BYTES as usize, "all of it was heard");
        most = most.max(heard - by_then);
    }
    // What is heard in ten times of what is aimed at, so that a machine that stands still is no
    // fault; the measure is told in docs/performance.md.
    assert!(most < 10 * A_SECOND, "{most} bytes");
    wait_until("it is down everywhere", || is_down(&plyr, &uri)).await?;
    admin(&data_dir, &["rebuild", "all"])?;
    admin(&data_dir, &["backfill", &alice.did])?;
    is_down(&plyr, &uri).await?;
    admin(&data_dir, &["admin", "restore", &uri])?;
    wait_until("it is back", || async {
        let (status, _) = asked(&plyr, "fm.plyr.feed.getTrack", &uri).await?;
        let (audio, _) = asked(&plyr, "fm.plyr.media.getAudio", &uri).await?;
        (status == 200 && audio == 200)
            .then_some(())
            .ok_or(format!("{status} {audio}"))
    })
    .await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
