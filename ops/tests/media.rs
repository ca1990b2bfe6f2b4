//! Audio from real PDSs of both versions: fetched, verified, and played in a real browser.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plyr_peers::{Account, Browser, Layout, Pds, Peers, PeersOptions, Plyr, wait_for, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
/// How long a browser may take to play something on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Is {
    /// Played by browsers as it is.
    Playable,
    /// Audio that they can't play: its page says so.
    Unplayable,
    /// No audio: refused.
    NoAudio,
}

/// Files, what the uploader calls them, and what they are.
const FILES: [(&str, &str, Is); 30] = [
    ("tone.mp3", "audio/mpeg", Is::Playable),
    ("tone-id3.mp3", "application/octet-stream", Is::Playable),
    ("tone-noid3.mp3", "audio/mpeg", Is::Playable),
    ("tone.m4a", "audio/mp4", Is::Playable),
    ("tone.aac", "audio/aac", Is::Playable),
    ("tone.flac", "audio/flac", Is::Playable),
    ("tone-24bit.flac", "audio/flac", Is::Playable),
    ("tone.ogg", "audio/ogg", Is::Playable),
    ("tone.opus", "audio/ogg", Is::Playable),
    ("tone.webm", "audio/webm", Is::Playable),
    ("tone.wav", "audio/wav", Is::Playable),
    ("long.wav", "audio/wav", Is::Playable),
    ("tone-vbr.mp3", "audio/mpeg", Is::Playable),
    ("tone-he-aac.m4a", "audio/mp4", Is::Playable),
    ("tone-5.1.m4a", "audio/mp4", Is::Playable),
    ("tone-fragmented.m4a", "audio/mp4", Is::Playable),
    ("tone-opus.mp4", "video/mp4", Is::Playable),
    ("tone-opus.webm", "audio/webm", Is::Playable),
    ("tone-vorbis.webm", "video/webm", Is::Playable),
    ("tone-flac.ogg", "application/ogg", Is::Playable),
    ("tone-opus-5.1.ogg", "audio/ogg", Is::Playable),
    ("tone-alaw.wav", "audio/x-wav", Is::Playable),
    ("tone.aiff", "audio/aiff", Is::Unplayable),
    ("tone-alac.m4a", "audio/mp4", Is::Unplayable),
    ("tone-alac-24bit.m4a", "audio/mp4", Is::Unplayable),
    ("tone-flac.mkv", "audio/x-matroska", Is::Unplayable),
    ("tone.wma", "audio/mpeg", Is::NoAudio),
    ("spoof.html", "audio/mpeg", Is::NoAudio),
    ("spoof.svg", "audio/mpeg", Is::NoAudio),
    ("cover.jpg", "audio/mpeg", Is::NoAudio),
];

/// The bytes of a file: a fixture, or made.
fn bytes_of(name: &str) -> std::io::Result<Vec<u8>> {
    if name == "long.wav" {
        return Ok(long_wav());
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../blobstore/probe/tests/fixtures");
    std::fs::read(fixtures.join(name))
}

/// Twenty minutes of a tone, 8 kHz and 8 bits: some nine megabytes.
fn long_wav() -> Vec<u8> {
    const RATE: u32 = 8_000;
    let frames = RATE * 20 * 60;
    let mut bytes = Vec::with_capacity(44 + frames as usize);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + frames).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&RATE.to_le_bytes());
    bytes.extend_from_slice(&RATE.to_le_bytes());
    bytes.extend_from_slice(b"\x01\0\x08\0data");
    bytes.extend_from_slice(&frames.to_le_bytes());
    bytes.extend((0..frames).map(|place| if place / 10 % 2 == 0 { 96 } else { 160 }));
    bytes
}

/// Publishes every file as a track; answers their at-uris by name.
async fn publish(
    artist: &Account,
) -> Result<BTreeMap<&'static str, String>, Box<dyn std::error::Error>> {
    let mut uris = BTreeMap::new();
    for (number, (name, declared, _)) in FILES.iter().enumerate() {
        let blob = artist.upload_blob(declared, bytes_of(name)?).await?;
        let record = json!({
            "$type": "fm.plyr.track", "title": name, "artist": "Alice", "fileType": "mp3",
            "audioBlob": blob, "createdAt": "2026-06-01T12:00:00.000Z",
        });
        let rkey = format!("3lfvhszifv{number:03}").replace(['0', '1', '8', '9'], "z");
        let rkey = format!(
            "{}{}",
            &rkey[..11],
            &"234567abcdefghijklmnopqrstuvwxyz"[number..][..2]
        );
        let (uri, _) = artist.put("fm.plyr.track", &rkey, &record).await?;
        uris.insert(*name, uri);
    }
    Ok(uris)
}

/// Waits until a track's audio is here or refused; answers the playback.
async fn settled(plyr: &Plyr, uri: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let playback = wait_for(PATIENCE, "the audio is here or refused", || async {
        let query = format!("uri={uri}");
        let playback = plyr.xrpc("fm.plyr.media.getPlayback", &query).await?;
        match playback["media"]["state"].as_str() {
            Some("available" | "refused") => Ok(playback),
            _ => Err(playback.to_string()),
        }
    });
    Ok(playback.await?)
}

/// Plays the page's audio, jumps, and plays on; answers what it came to.
const PLAY: &str = r#"
(async () => {
  const audio = document.querySelector('audio')
  if (!audio) return { problem: 'no audio element' }
  const once = (name) => new Promise((done, failed) => {
    audio.addEventListener(name, () => done(), { once: true })
    audio.addEventListener('error', () => failed(new Error('audio: ' + audio.error?.message)))
    for (const source of audio.querySelectorAll('source:last-of-type'))
      source.addEventListener('error', () => failed(new Error('no source plays')))
    setTimeout(() => failed(new Error('never ' + name)), 60000)
  })
  if (audio.readyState < 1) await once('loadedmetadata')
  const duration = audio.duration
  await audio.play()
  if (audio.currentTime === 0) await once('timeupdate')
  // At rest: what plays on moves between a jump's end and our hearing of it, or ends before it.
  audio.pause()
  const middle = duration / 2
  const sought = once('seeked')
  audio.currentTime = middle
  await sought
  const at = audio.currentTime
  const ended = once('ended')
  if (duration > 30) audio.currentTime = duration - 0.5
  await audio.play()
  await ended
  return { duration, middle, at, ended: audio.ended, source: audio.currentSrc }
})()
"#;

async fn formats_play(pds: Pds) -> Tested {
    let options = PeersOptions {
        pds,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let Some(mut browser) = Browser::start(folder.path()).await? else {
        return Ok(());
    };
    let data_dir = folder.path().join("data");
    let plyr = Plyr::run(BINARY, &peers, &data_dir, &Layout::Embedded).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let uris = publish(&alice).await?;
    let mut settlings = BTreeMap::new();
    for (name, _, is) in FILES {
        let playback = settled(&plyr, &uris[name]).await?;
        let sources = playback["sources"].as_array().ok_or("no sources")?;
        let media = &playback["media"];
        match is {
            Is::Playable | Is::Unplayable => {
                assert_eq!(media["state"], "available", "{name}: {playback}");
                assert_eq!(sources[0]["verified"], true, "{name}: {playback}");
            }
            Is::NoAudio => {
                assert_eq!(
                    (&media["state"], sources.len()),
                    (&json!("refused"), 0),
                    "{name}"
                );
                assert!(
                    media["reason"].as_str().is_some_and(|why| !why.is_empty()),
                    "{name}"
                );
            }
        }
        settlings.insert(name, playback);
    }
    are_counted(&plyr).await?;
    // What is kept plays whatever becomes of the network.
    drop(peers);
    for (name, _, is) in FILES {
        let uri = &uris[name];
        let page = format!("{}/track/{uri}", plyr.appview);
        match is {
            Is::Playable => {
                browser.open(&page).await?;
                let played = browser
                    .run(PLAY)
                    .await
                    .map_err(|why| format!("{name}: {why}"))?;
                let number = |field: &str| played[field].as_f64().unwrap_or(f64::NAN);
                let known = settlings[name]["media"]["durationMs"].as_f64();
                let known = known.ok_or(format!("{name}: {}", settlings[name]))? / 1000.0;
                // Browsers count what encoders add at the ends in some formats.
                let is_near = (number("duration") - known).abs() < 0.15;
                assert!(is_near, "{name}: {known} s, the browser says {played}");
                assert!(
                    (number("at") - number("middle")).abs() < 0.3,
                    "{name}: {played}"
                );
                assert_eq!(played["ended"], true, "{name}: {played}");
                let source = played["source"].as_str().unwrap_or_default();
                assert!(
                    source.contains("fm.plyr.media.getAudio"),
                    "{name}: {source}"
                );
            }
            Is::Unplayable | Is::NoAudio => {
                let text = plyr.page(&format!("/track/{uri}")).await?;
                let shown = match is {
                    Is::NoAudio => settlings[name]["media"]["reason"].as_str(),
                    _ => Some("browsers"),
                };
                let shown = shown.ok_or("no reason")?;
                assert!(text.contains(shown), "{name}: {shown:?} is not on {text}");
                assert!(!text.contains("<audio"), "{name}");
            }
        }
    }
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

/// Every job's end is in the metrics, and every byte that came.
async fn are_counted(plyr: &Plyr) -> Tested {
    // A picture is kept as one, whoever calls it audio.
    let is_kept = |(name, _, is): &&(&str, &str, Is)| *is != Is::NoAudio || *name == "cover.jpg";
    let kept = FILES.iter().filter(is_kept).count();
    let (kept, refused) = (kept as f64, (FILES.len() - kept) as f64);
    let sizes: std::io::Result<Vec<usize>> = FILES
        .iter()
        .map(|(name, ..)| bytes_of(name).map(|bytes| bytes.len()))
        .collect();
    let least = sizes?.iter().sum::<usize>() as f64;
    let jobs = "plyr_media_jobs_total";
    wait_until("all are counted", || async {
        let told = (
            plyr.counted(jobs, "outcome=\"kept\"").await?,
            plyr.counted(jobs, "outcome=\"refused\"").await?,
            plyr.counted("plyr_media_fetched_bytes_total", "").await?,
        );
        let is_all = (told.0, told.1) == (kept, refused) && told.2 >= least;
        is_all.then_some(()).ok_or(format!(
            "{told:?}, not {kept}, {refused} and {least} or more"
        ))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn formats_play_from_a_pds_of_version_0_4() -> Tested {
    formats_play(Pds::V04).await
}

#[tokio::test]
async fn formats_play_from_a_pds_of_version_0_5() -> Tested {
    formats_play(Pds::V05).await
}

/// Where a PDS keeps the bytes of a blob, below the peers' folders.
fn stored(folder: &Path, cid: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = stored(&path, cid) {
                return Some(found);
            }
        } else if entry.file_name().to_string_lossy() == cid {
            return Some(path);
        }
    }
    None
}

#[tokio::test]
async fn i09_a_pds_that_serves_other_bytes_is_not_believed() -> Tested {
    let Some(peers) = Peers::start(PeersOptions::default()).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    let plyr = Plyr::run(BINARY, &peers, &data_dir, &Layout::Embedded).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let blob = alice
        .upload_blob("audio/mpeg", bytes_of("tone.mp3")?)
        .await?;
    let cid = blob["ref"]["$link"].as_str().ok_or("no cid")?.to_owned();
    let record = json!({
        "$type": "fm.plyr.track", "title": "One", "artist": "Alice", "fileType": "mp3",
        "audioBlob": blob, "createdAt": "2026-06-01T12:00:00.000Z",
    });
    let (uri, _) = alice.put("fm.plyr.track", "3lfvhszifvc2c", &record).await?;
    let path = stored(&peers.folder, &cid).ok_or("the PDS's file is not found")?;
    std::fs::write(&path, bytes_of("tone.wav")?)?;
    let query = format!("uri={uri}");
    let wrong = wait_until("it is told that the bytes are wrong", || async {
        let playback = plyr.xrpc("fm.plyr.media.getPlayback", &query).await?;
        match playback["media"]["reason"].as_str() {
            Some(why) if why.contains("other bytes") => Ok(playback),
            _ => Err(playback.to_string()),
        }
    })
    .await?;
    wait_until("it is counted", || async {
        let jobs = "plyr_media_jobs_total";
        let told = plyr.counted(jobs, "reason=\"wrongBytes\"").await?;
        (told >= 1.0).then_some(()).ok_or(told.to_string())
    })
    .await?;
    let sources = wrong["sources"].as_array().ok_or("no sources")?;
    assert!(
        sources.iter().all(|source| source["verified"] != true),
        "{wrong}"
    );
    // Mended there, it is fetched again when asked.
    std::fs::write(&path, bytes_of("tone.mp3")?)?;
    let retried = std::process::Command::new(BINARY)
        .args(["blobs", "retry", &cid, "--data-dir"])
        .arg(&data_dir)
        .output()?;
    assert!(retried.status.success(), "{retried:?}");
    let playback = settled(&plyr, &uri).await?;
    assert_eq!(playback["media"]["state"], "available");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
