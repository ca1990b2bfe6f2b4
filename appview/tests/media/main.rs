//! Bytes as players meet them: ranges and conditions, what is served and what is not, an end in the
//! middle, and the page. Over a real store and real sockets; objects are put by hand.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod blobs;
mod ends;
mod named;
mod page;
mod places;
mod playback;
mod ranges;
#[path = "../served/mod.rs"]
mod served;

use std::sync::Arc;

use blobs::Kept;
use bytes::Bytes;
use plyr_appview::AppViewConfig;
use plyr_blobstore::objects::{ImageSize, ObjectKey};
use plyr_blobstore::probe::{AudioFacts, Fact, ImageFacts, Refusal};
use plyr_blobstore::{Blobstore, MediaOptions, MediaPolicy};
use plyr_lexicons::{Cid, data};
use plyr_schemas::embedded::EmbeddedStore;
use plyr_schemas::{
    Account, AccountState, Blob, BlobRows, BlobState, BlueskyProfile, Body, Change, HiddenSubject,
    Hide, Identity,
};
use serde_json::{Value, json};
use served::{Served, put, track};

const ONE: &str = "at://did:plc:a/fm.plyr.track/one";
const AUDIO: &str = "/xrpc/fm.plyr.media.getAudio";
const IMAGE: &str = "/xrpc/fm.plyr.media.getImage";
const PLAYBACK: &str = "/xrpc/fm.plyr.media.getPlayback";

/// A server with blobs.
pub(crate) struct Playing {
    pub(crate) served: Served,
    pub(crate) kept: Arc<Kept>,
}

impl Playing {
    pub(crate) async fn start() -> Playing {
        Playing::with(MediaPolicy::OnDemand, |config| config).await
    }

    pub(crate) async fn with(
        policy: MediaPolicy,
        configure: impl FnOnce(AppViewConfig) -> AppViewConfig,
    ) -> Playing {
        let kept = Arc::new(Kept::new());
        let objects = kept.clone();
        let with_blobs = move |config: AppViewConfig, store: &Arc<EmbeddedStore>| {
            let config = configure(config);
            let options = MediaOptions {
                policy,
                quota: 1 << 30,
                namespace: "fm.plyr".parse().unwrap(),
                largest_audio: 1 << 30,
                largest_image: 1 << 20,
                at_once: 1,
                reserve: 0,
                is_public: config.cdn_url.is_some(),
            };
            AppViewConfig {
                blobs: Some(Blobstore::new(options, store.clone(), objects)),
                ..config
            }
        };
        let served = Served::configured(100, |store| store, Some, with_blobs).await;
        Playing { served, kept }
    }

    pub(crate) async fn row(&self, cid: &Cid) -> Option<Blob> {
        let rows = self.served.store.blobs(&[*cid]).await.unwrap();
        rows.into_iter().next().unwrap()
    }

    /// Writes a row, whatever there was.
    async fn put_row(&self, cid: &Cid, state: BlobState, size: Option<usize>, fact: &Fact) {
        let mut row = match self.row(cid).await {
            Some(row) => row,
            None => Blob::wanted(*cid, 1),
        };
        row.state = state;
        row.size = size.map(|size| size as u64);
        row.facts = Some(serde_json::to_string(fact).unwrap());
        row.due_at = None;
        assert!(self.served.store.replace_blob(row).await.unwrap());
    }

    /// Keeps bytes that were found to be something.
    pub(crate) async fn keep(&self, bytes: &Bytes, fact: &Fact) -> Cid {
        let cid = cid_of(bytes);
        self.kept.put_bytes(&ObjectKey::original(&cid), bytes).await;
        let size = Some(bytes.len());
        self.put_row(&cid, BlobState::Kept, size, fact).await;
        cid
    }

    /// Keeps a picture with its sizes.
    pub(crate) async fn keep_image(&self, bytes: &Bytes) -> Cid {
        let cid = self.keep(bytes, &image()).await;
        for size in ImageSize::ALL {
            let made = [b"RIFF....WEBP", size.name().as_bytes()].concat();
            self.kept
                .put_bytes(&ObjectKey::image(&cid, size), &made)
                .await;
        }
        cid
    }

    pub(crate) async fn refuse(&self, cid: &Cid, word: &str, reason: &str) {
        let refusal = Refusal {
            word: word.to_owned(),
            reason: reason.to_owned(),
        };
        let fact = Fact::Refused(refusal);
        self.put_row(cid, BlobState::Refused, None, &fact).await;
    }

    /// Keeps audio, and publishes a track of it.
    pub(crate) async fn publish(&self, uri: &str, at: i64, bytes: &Bytes) -> Cid {
        let cid = self.keep(bytes, &mp3()).await;
        self.served.put(uri, at, of(&cid)).await;
        cid
    }

    pub(crate) async fn delete(&self, uri: &str, at: i64) {
        let Change::Version(mut version) = put(uri, at, track("gone")) else {
            unreachable!();
        };
        version.body = Body::Delete;
        self.served.apply(vec![Change::Version(version)]).await;
    }

    pub(crate) async fn account(&self, did: &str, state: AccountState, at: i64) {
        let account = Account {
            did: did.parse().unwrap(),
            state,
            since: at,
            asked_at: at,
        };
        self.served.apply(vec![Change::Account(account)]).await;
    }

    pub(crate) async fn hide(&self, subject: HiddenSubject, hidden: bool, at: i64) {
        let hide = Hide {
            subject,
            hidden,
            at,
        };
        self.served.apply(vec![Change::Hide(hide)]).await;
    }

    pub(crate) async fn lives_at(&self, did: &str, handle: &str, pds: &str) {
        let identity = Identity {
            did: did.parse().unwrap(),
            pds: Some(pds.to_owned()),
            signing_key: None,
            handle: Some(handle.parse().unwrap()),
            asked_at: 9,
        };
        self.served.apply(vec![Change::Identity(identity)]).await;
    }

    pub(crate) async fn looks_like(&self, did: &str, avatar: &Cid) {
        let profile = BlueskyProfile {
            did: did.parse().unwrap(),
            display_name: None,
            avatar: Some(avatar.to_string()),
            asked_at: 9,
        };
        self.served.apply(vec![Change::Bluesky(profile)]).await;
    }

    /// GET with headers.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.served.client.get(format!("{}{path}", self.served.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// The status and the name of the error of a call.
    pub(crate) async fn refused(&self, path: &str) -> (u16, String) {
        let (status, answer) = self.served.get(path).await;
        (
            status,
            answer["error"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// What a track's view says of its audio.
    pub(crate) async fn media(&self, uri: &str) -> Value {
        let (status, answer) = self
            .served
            .get(&format!("/xrpc/fm.plyr.feed.getTrack?uri={uri}"))
            .await;
        assert_eq!(status, 200, "{answer}");
        answer["track"]["media"].clone()
    }
}

/// Bytes that differ from place to place.
pub(crate) fn sound(length: usize) -> Bytes {
    let bytes = (0..length).map(|place| (place / 7 + place * place / 3) as u8);
    bytes.collect::<Vec<u8>>().into()
}

pub(crate) fn cid_of(bytes: &Bytes) -> Cid {
    // As of a blob: raw bytes, not DAG-CBOR.
    let of_record = data::cid_of(bytes);
    Cid::new_v1(0x55, *of_record.hash())
}

/// A track whose declared media type is a lie.
pub(crate) fn of(audio: &Cid) -> Value {
    let mut record = track("one");
    record["audioBlob"] = json!({ "$type": "blob", "ref": { "$link": audio.to_string() },
        "mimeType": "text/html", "size": 5 });
    record
}

pub(crate) fn with_cover(mut record: Value, cover: &Cid) -> Value {
    record["cover"] = json!({ "$type": "blob", "ref": { "$link": cover.to_string() },
        "mimeType": "image/png", "size": 5 });
    record
}

pub(crate) fn mp3() -> Fact {
    Fact::Audio(AudioFacts {
        container: "mp3".to_owned(),
        codec: "mp3".to_owned(),
        media_type: "audio/mpeg".to_owned(),
        channels: 2,
        sample_rate: 44_100,
        bit_depth: None,
        bit_rate: 192_000,
        frames: 88_200,
        duration_ms: 2_000,
        exact: true,
        tags: Vec::new(),
        has_cover: false,
    })
}

pub(crate) fn image() -> Fact {
    Fact::Image(ImageFacts {
        format: "png".to_owned(),
        width: 1_200,
        height: 1_200,
    })
}
