//! A store, a folder of objects and what serves from them, for tests.

use std::sync::Arc;

use plyr_lexicons::{Cid, Did, RecordUri};
use plyr_objects::Disk;
use plyr_peers::wait_until;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Blob, BlobRows, Store, conformance};
use serde_json::json;

use crate::options::{MediaOptions, MediaPolicy};
use crate::serve::Blobstore;

pub(crate) const ALICE: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const BOB: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";

pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub store: Arc<EmbeddedStore>,
    pub objects: Arc<Disk>,
}

impl World {
    pub fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.path().join("data"), namespace);
        World {
            store: Arc::new(EmbeddedStore::open(options).unwrap()),
            objects: Arc::new(Disk::open(&folder.path().join("blobs")).unwrap()),
            _folder: folder,
        }
    }

    pub fn blobstore(&self, policy: MediaPolicy) -> Blobstore {
        let options = MediaOptions {
            policy,
            quota: 1 << 30,
            namespace: "fm.plyr".parse().unwrap(),
            largest_audio: 1 << 20,
            largest_image: 1 << 20,
            at_once: 1,
            reserve: 0,
            is_public: false,
        };
        Blobstore::new(options, self.store.clone(), self.objects.clone())
    }

    /// Puts a track that names a blob.
    pub async fn track(&self, did: &str, cid: &Cid) {
        let uri: RecordUri = format!("at://{did}/fm.plyr.track/one").parse().unwrap();
        let record = json!({ "title": "t", "artist": "A", "fileType": "mp3", "audioBlob":
            { "$type": "blob", "ref": { "$link": cid.to_string() }, "mimeType": "audio/mpeg",
              "size": 1 } });
        let put = conformance::put(&uri, 1, &record).unwrap();
        self.store.apply(vec![put]).await.unwrap();
    }

    pub async fn row(&self, cid: &Cid) -> Option<Blob> {
        let rows = self.store.blobs(std::slice::from_ref(cid)).await.unwrap();
        rows.into_iter().next().flatten()
    }

    pub async fn write(&self, row: Blob) {
        assert!(self.store.replace_blob(row).await.unwrap());
    }

    /// Waits until a row is as asked.
    pub async fn becomes(&self, cid: &Cid, what: &str, question: impl Fn(&Blob) -> bool) {
        let asked = || async {
            let row = self.row(cid).await;
            let is_it = row.as_ref().is_some_and(&question);
            is_it.then_some(()).ok_or(format!("{row:?}"))
        };
        wait_until(what, asked).await.unwrap();
    }
}

/// The CID of a blob.
pub(crate) fn cid_of(bytes: &[u8]) -> Cid {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes);
    let hash = ipld_core::cid::multihash::Multihash::<64>::wrap(0x12, &digest).unwrap();
    Cid::new_v1(0x55, hash)
}

pub(crate) fn did(text: &str) -> Did {
    Did::new(text.to_owned()).unwrap()
}
