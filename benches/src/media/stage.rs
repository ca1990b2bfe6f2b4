//! The binary over a store whose tracks name blobs of the host, none of which has come yet.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plyr_lexicons::{Collection, Namespace, RecordKey, RecordUri, Rev, data};
use plyr_peers::Plyr;
use plyr_schemas::Store;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::host::Host;
use super::wave::Wave;
use crate::corpus::{self, Entry};

type Failure = Box<dyn std::error::Error>;

/// Microseconds since 1970 at which the first track was made.
const BEGIN: i64 = 1_780_000_000_000_000;
/// How long a blob is waited for, and how often it is asked after.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(50);
/// How long a command of `plyr admin` may take.
const PATIENCE_OF_COMMANDS: Duration = Duration::from_secs(60);

/// A track, and the WAV that it names.
pub struct Track {
    pub uri: String,
    pub wave: Wave,
}

/// The binary, its host, and its tracks in the order of the WAVs given.
pub struct Stage {
    pub plyr: Plyr,
    pub host: Host,
    pub did: String,
    pub tracks: Vec<Track>,
    binary: String,
    folder: TempDir,
}

impl Stage {
    /// Starts both. What is kept goes from the disk with the stage.
    pub async fn start(binary: &str, waves: Vec<Wave>) -> Result<Stage, Failure> {
        let host = Host::start(&waves).await?;
        let folder = tempfile::tempdir()?;
        let data_dir = folder.path().join("data");
        let did = corpus::did(1)?.to_string();
        let tracks = fill(&data_dir, waves).await?;
        let no_stream = ["--jetstream", "ws://127.0.0.1:1", "--relay-url", "none"];
        let arguments = ["--dev", "--plc-url", &host.url]
            .into_iter()
            .chain(no_stream);
        let arguments: Vec<String> = arguments.map(str::to_owned).collect();
        Ok(Stage {
            plyr: Plyr::start(binary, &data_dir, &arguments).await?,
            host,
            did,
            tracks,
            binary: binary.to_owned(),
            folder,
        })
    }

    /// Stops the binary.
    pub async fn stop(self) -> Result<(), Failure> {
        match self.plyr.stop().await? {
            Some(0) => Ok(()),
            code => Err(format!("plyr ended with {code:?}").into()),
        }
    }

    /// Where a track is heard.
    pub fn path_of(track: &Track) -> String {
        format!("/xrpc/fm.plyr.media.getAudio?uri={}", track.uri)
    }

    /// Asks for a track's playback, which has it fetched; answers its `media.state`.
    pub async fn state(&self, track: &Track) -> Result<String, Failure> {
        let query = format!("uri={}", track.uri);
        let playback = self.plyr.xrpc("fm.plyr.media.getPlayback", &query).await?;
        let state = playback["media"]["state"].as_str();
        Ok(state.unwrap_or_default().to_owned())
    }

    /// Has a track's blob fetched, and waits until it is here.
    pub async fn fetched(&self, track: &Track) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let state = self.state(track).await?;
            if state == "available" {
                return Ok(());
            }
            if state != "pending" || began.elapsed() > PATIENCE {
                let seconds = began.elapsed().as_secs();
                let uri = &track.uri;
                return Err(format!("the audio of {uri} is {state} after {seconds} s").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The file that a WAV is kept in; another server may send it too.
    pub fn file_of(&self, wave: &Wave) -> Result<PathBuf, Failure> {
        let kept = self.folder.path().join("data").join("blobs");
        let found = find(&kept, &wave.cid.to_string(), wave.size)?;
        found.ok_or_else(|| format!("{} is in no file of {}", wave.cid, kept.display()).into())
    }

    /// Runs `plyr admin` on what is served here.
    pub async fn admin(&self, words: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new(&self.binary);
        command.arg("admin").args(words).arg("--data-dir");
        command
            .arg(self.folder.path().join("data"))
            .kill_on_drop(true);
        let done = tokio::time::timeout(PATIENCE_OF_COMMANDS, command.output()).await??;
        match done.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                Err(format!("plyr admin {}: {said}", words.join(" ")).into())
            }
        }
    }
}

/// The file below a folder whose path names a CID and that has that many bytes.
fn find(folder: &Path, cid: &str, size: u64) -> std::io::Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_dir() {
            if let Some(found) = find(&entry.path(), cid, size)? {
                return Ok(Some(found));
            }
        } else if about.len() == size && entry.path().to_string_lossy().contains(cid) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Writes a track for each WAV into a new store.
async fn fill(data_dir: &Path, waves: Vec<Wave>) -> Result<Vec<Track>, Failure> {
    let namespace: Namespace = "fm.plyr".parse()?;
    let options = EmbeddedOptions::new(data_dir.to_owned(), namespace.clone());
    let store = EmbeddedStore::open(options)?;
    let (mut tracks, mut changes) = (Vec::new(), Vec::new());
    for (number, wave) in waves.into_iter().enumerate() {
        let entry = entry(&namespace, number, &wave)?;
        changes.push(corpus::version(&entry)?);
        let uri = entry.uri.to_string();
        tracks.push(Track { uri, wave });
    }
    store.apply(changes).await?;
    store.close().await?;
    Ok(tracks)
}

fn entry(namespace: &Namespace, number: usize, wave: &Wave) -> Result<Entry, Failure> {
    let rev = Rev::from_micros(BEGIN + number as i64 * 1_000_000, 0);
    let uri = RecordUri::new(
        corpus::did(1)?,
        namespace.nsid(Collection::Track).clone(),
        RecordKey::new(rev.to_string())?,
    );
    let json = json!({
        "$type": "fm.plyr.track", "title": format!("Silence {number}"), "artist": "Nobody",
        "fileType": "wav", "createdAt": "2026-06-01T12:00:00.000Z",
        "audioBlob": { "$type": "blob", "ref": { "$link": wave.cid.to_string() },
            "mimeType": "audio/wav", "size": wave.size },
    })
    .to_string();
    let cbor = data::to_cbor(&data::from_json(json.as_bytes())?)?;
    let cid = data::cid_of(&cbor).to_string();
    Ok(Entry {
        uri,
        rev,
        json,
        cbor,
        cid,
    })
}
