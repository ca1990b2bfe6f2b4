//! A store with records that name blobs, a folder of objects, and what fetches between them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plyr_blobstore::{
    Blobstore, Fetching, FetchingParts, Follower, Holders, MediaOptions, MediaPolicy, Staging,
    Standing, Usage,
};
use plyr_lexicons::{
    Cid, Collection, Did, Ipld, Judgement, Namespace, RecordUri, Rev, Verdict, data,
};
use plyr_objects::{Disk, ObjectKey, Objects};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_peers::wait_until;
use plyr_probe::{Prober, ProberOptions};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{
    BlobRows, Body, Change, Derived, FaultHook, Standing as VersionStanding, Store, Version,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::host::Host;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

/// A blob's CID.
pub fn cid_of(bytes: &[u8]) -> Cid {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes);
    let hash = ipld_core::cid::multihash::Multihash::<64>::wrap(0x12, &digest).unwrap();
    Cid::new_v1(0x55, hash)
}

/// A second of a tone as WAV; another one for each `seed`.
pub fn tone(seed: u16) -> Vec<u8> {
    const RATE: u32 = 8_000;
    let mut bytes = Vec::new();
    let data_bytes = RATE * 2;
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data_bytes).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&RATE.to_le_bytes());
    bytes.extend_from_slice(&(RATE * 2).to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&data_bytes.to_le_bytes());
    for place in 0..RATE {
        let place = f64::from(place) * f64::from(300 + seed) / f64::from(RATE);
        let sample = (place * std::f64::consts::TAU).sin() * 12_000.0;
        bytes.extend_from_slice(&(sample as i16).to_le_bytes());
    }
    bytes
}

/// The rev of a moment.
fn tid(micros: u64) -> Rev {
    const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let number = micros << 10;
    let letter = |place: u32| LETTERS[(number >> (5 * place)) as usize & 31] as char;
    let text: String = (0..13).rev().map(letter).collect();
    Rev::parse(&text).unwrap()
}

/// The world.
pub struct World {
    pub folder: tempfile::TempDir,
    pub store: Arc<EmbeddedStore>,
    pub objects: Arc<Disk>,
    pub host: Host,
    pub namespace: Namespace,
    rev: u64,
}

/// How its processes fetch.
#[derive(Clone)]
pub struct How {
    pub policy: MediaPolicy,
    pub quota: u64,
    pub largest: u64,
    /// Bytes to leave free on the disk.
    pub reserve: u64,
    /// Who may look at bytes at the same time; four times as many are fetched.
    pub at_once: usize,
    /// Where bytes are put instead of the world's own folder.
    pub objects: Option<Arc<dyn Objects>>,
    pub fault: Option<FaultHook>,
    /// Whether it makes public copies.
    pub is_public: bool,
}

impl Default for How {
    fn default() -> How {
        How {
            policy: MediaPolicy::OnDemand,
            quota: 1 << 30,
            largest: 8 << 20,
            reserve: 0,
            at_once: 4,
            objects: None,
            fault: None,
            is_public: false,
        }
    }
}

/// A process that fetches.
pub struct Process {
    pub blobstore: Blobstore,
    pub cancel: CancellationToken,
    pub tasks: TaskTracker,
}

impl Process {
    /// Stops it, as SIGTERM does.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until a blob is here or refused.
    pub async fn settled(&self, cid: &Cid) -> Standing {
        let patience = Duration::from_secs(300);
        self.blobstore.wait(cid, patience).await.unwrap()
    }
}

impl World {
    pub async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.path().join("data"), namespace.clone());
        World {
            store: Arc::new(EmbeddedStore::open(options).unwrap()),
            objects: Arc::new(Disk::open(&folder.path().join("blobs")).unwrap()),
            host: Host::start().await,
            folder,
            namespace,
            rev: 0,
        }
    }

    pub fn rows(&self) -> Arc<dyn BlobRows> {
        self.store.clone()
    }

    pub fn blobstore(&self, how: &How) -> Blobstore {
        let own = || -> Arc<dyn Objects> { self.objects.clone() };
        self.blobstore_over(how, how.objects.clone().unwrap_or_else(own))
    }

    pub fn blobstore_over(&self, how: &How, objects: Arc<dyn Objects>) -> Blobstore {
        let options = MediaOptions {
            policy: how.policy,
            quota: how.quota,
            namespace: self.namespace.clone(),
            largest_audio: how.largest,
            largest_image: how.largest,
            at_once: how.at_once,
            reserve: how.reserve,
            is_public: how.is_public,
        };
        Blobstore::new(options, self.rows(), objects)
    }

    /// Starts a process that fetches and follows.
    pub fn start(&self, how: How) -> Process {
        let cancel = CancellationToken::new();
        let tasks = TaskTracker::new();
        let blobstore = self.blobstore(&how);
        let store: Arc<dyn Store> = self.store.clone();
        let follower = Follower::new(blobstore.clone(), store.clone());
        let following = cancel.clone();
        tasks.spawn(async move { follower.run(following).await });
        let outbound = Outbound::new(OutboundConfig {
            plc_url: self.host.url.parse().unwrap(),
            handle_resolvers: Vec::new(),
            dev: true,
            contact: "tests".to_owned(),
        });
        let fetching = Fetching::new(FetchingParts {
            blobstore: blobstore.clone(),
            outbound: outbound.unwrap(),
            prober: Prober::new(ProberOptions {
                program: BINARY.into(),
                at_once: 2,
                memory: 768 << 20,
                cpu: Duration::from_secs(30),
                wall: Duration::from_secs(60),
            }),
            holders: Holders::new(store, self.namespace.clone()),
            is_alone: false,
            staging: Staging::take(&self.staging()).unwrap(),
            process: format!("{:016x}", rand::random::<u64>()),
            fault: how.fault,
            cancel: cancel.clone(),
            usage: Usage::default(),
        });
        tasks.spawn(async move { fetching.run().await });
        Process {
            blobstore,
            cancel,
            tasks,
        }
    }

    pub fn staging(&self) -> std::path::PathBuf {
        self.folder.path().join("staging")
    }

    async fn write(&mut self, uri: &RecordUri, body: Body) {
        self.rev += 1;
        let rev = tid(1_750_000_000_000_000 + self.rev);
        let version = Version {
            uri: uri.clone(),
            rev,
            standing: VersionStanding::Event,
            seen_at: 1,
            body,
        };
        self.store
            .apply(vec![Change::Version(version)])
            .await
            .unwrap();
    }

    /// Puts a track whose audio is that blob, or none.
    pub async fn put_track(&mut self, did: &str, rkey: &str, audio: Option<&Cid>) -> RecordUri {
        let mut record = json!({
            "$type": "fm.plyr.track", "title": rkey, "artist": "A", "fileType": "wav",
            "createdAt": "2026-06-01T12:00:00.000Z",
        });
        if let Some(cid) = audio {
            record["audioBlob"] = json!({
                "$type": "blob", "ref": {"$link": cid.to_string()}, "mimeType": "audio/mpeg",
                "size": 1,
            });
        }
        self.put(did, Collection::Track, rkey, &record).await
    }

    pub async fn put(
        &mut self,
        did: &str,
        collection: Collection,
        rkey: &str,
        record: &Value,
    ) -> RecordUri {
        let collection_name = self.namespace.nsid(collection);
        let uri: RecordUri = format!("at://{did}/{}/{rkey}", collection_name.as_str())
            .parse()
            .unwrap();
        let value: Ipld = data::from_json(record.to_string().as_bytes()).unwrap();
        let bytes = data::to_cbor(&value).unwrap();
        let body = Body::Record {
            cid: data::cid_of(&bytes),
            derived: Derived::of(&uri, collection, &value),
            bytes,
            judgement: Judgement {
                verdict: Verdict::Valid,
                reasons: Vec::new(),
            },
        };
        self.write(&uri, body).await;
        uri
    }

    /// Puts an album whose cover is that blob.
    pub async fn put_cover(&mut self, did: &str, cid: &Cid) -> RecordUri {
        let album = json!({
            "$type": "fm.plyr.list", "name": "One", "listType": "album", "items": [],
            "createdAt": "2026-06-01T12:00:00.000Z",
            "cover": {
                "$type": "blob", "ref": {"$link": cid.to_string()}, "mimeType": "image/png",
                "size": 1,
            },
        });
        self.put(did, Collection::List, "one", &album).await
    }

    pub async fn delete(&mut self, uri: &RecordUri) {
        self.write(uri, Body::Delete).await;
    }

    /// The CIDs of all originals on the disk.
    pub async fn originals(&self) -> Vec<Cid> {
        let listed = self.objects.list("originals/", None, 1_000).await.unwrap();
        listed.iter().filter_map(|one| one.key.cid()).collect()
    }

    /// The bytes of an original.
    pub async fn bytes(&self, cid: &Cid) -> Option<Vec<u8>> {
        use futures_util::TryStreamExt;
        let key = ObjectKey::original(cid);
        let reading = self.objects.read(&key, None).await.unwrap()?;
        let pieces: Vec<bytes::Bytes> = reading.bytes.try_collect().await.unwrap();
        Some(pieces.concat())
    }

    /// Waits until the last failure of a blob says something.
    pub async fn reason(&self, cid: &Cid, says: &str) {
        let rows = self.rows();
        wait_until("the row says why", || async {
            let row = rows.blobs(&[*cid]).await.unwrap().pop().flatten();
            let reason = row.and_then(|row| row.reason).unwrap_or_default();
            match reason.contains(says) {
                true => Ok(()),
                false => Err(reason),
            }
        })
        .await
        .unwrap();
    }
}

pub fn did(text: &str) -> Did {
    Did::new(text.to_owned()).unwrap()
}

/// Files below a folder, but for locks.
pub fn files(folder: &Path) -> usize {
    let mut many = 0;
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => many += files(&path),
            false => many += usize::from(path.extension().is_none_or(|end| end != "lock")),
        }
    }
    many
}
