//! A served store, for tests: the AppView over a real embedded store and a real socket.

#![allow(dead_code)] // each test file uses its own part

use std::collections::HashMap;
use std::sync::Arc;

use plyr_appview::{Admin, AppView, AppViewConfig};
use plyr_lexicons::{Did, Ipld, Namespace, RecordUri, Rev, Verdict, data, validate};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Body, Change, Derived, FileJournal, Own, Standing, Store, Version};
use plyr_search::{Document, Index, Live, Popularity, WriterBudget};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// What a test talks to.
pub struct Served {
    pub url: String,
    pub address: std::net::SocketAddr,
    pub store: Arc<EmbeddedStore>,
    /// What the operator did.
    pub own: Arc<Own>,
    pub client: Client,
    pub cancel: CancellationToken,
    pub done: tokio::task::JoinHandle<()>,
    /// The index that answers, and what is hidden from it.
    pub live: Arc<Live>,
    _folder: tempfile::TempDir,
}

impl Served {
    pub async fn start(connections: usize) -> Served {
        Served::over(connections, |store| store).await
    }

    /// Serves through what `wrap` makes of the store, with an empty search index.
    pub async fn over(
        connections: usize,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Served {
        Served::with(connections, wrap, Some).await
    }

    /// The same, with the search index that `keep` leaves of it.
    pub async fn with(
        connections: usize,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
        keep: impl FnOnce(Arc<Live>) -> Option<Arc<Live>>,
    ) -> Served {
        Served::configured(connections, wrap, keep, |config, _| config).await
    }

    /// The same, where the operator has a password.
    pub async fn guarded(
        connections: usize,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
        keep: impl FnOnce(Arc<Live>) -> Option<Arc<Live>>,
        password: Option<&str>,
    ) -> Served {
        Served::made(connections, wrap, keep, password, |config, _| config).await
    }

    /// The same, with what `configure` makes of the configuration.
    pub async fn configured(
        connections: usize,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
        keep: impl FnOnce(Arc<Live>) -> Option<Arc<Live>>,
        configure: impl FnOnce(AppViewConfig, &Arc<EmbeddedStore>) -> AppViewConfig,
    ) -> Served {
        Served::made(connections, wrap, keep, None, configure).await
    }

    async fn made(
        connections: usize,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
        keep: impl FnOnce(Arc<Live>) -> Option<Arc<Live>>,
        password: Option<&str>,
        configure: impl FnOnce(AppViewConfig, &Arc<EmbeddedStore>) -> AppViewConfig,
    ) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let live = Arc::new(Live::default());
        live.serve(Some(Index::create(&folder.path().join("search")).unwrap()));
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.path().to_owned(), namespace.clone());
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        let outbound = Outbound::new(OutboundConfig {
            plc_url: "http://127.0.0.1:1".parse().unwrap(),
            handle_resolvers: Vec::new(),
            dev: true,
            contact: "test".to_owned(),
        })
        .unwrap();
        let journal = Arc::new(FileJournal::open(folder.path()).unwrap());
        let own = Arc::new(Own::new(journal, store.clone()));
        let admin = password.map(|password| Arc::new(Admin::new(password, own.clone())));
        let listen = "127.0.0.1:0".parse().unwrap();
        let config = AppViewConfig {
            listen,
            public_url: None,
            namespace,
            connections,
            sources: None,
            search: keep(live.clone()),
            blobs: None,
            media_origins: vec![
                "https://audio.plyr.fm".parse().unwrap(),
                "https://images.plyr.fm".parse().unwrap(),
            ],
            cdn_url: None,
            admin,
        };
        let appview = AppView::bind(configure(config, &store), wrap(store.clone()), outbound)
            .await
            .unwrap();
        let address = appview.address();
        let cancel = CancellationToken::new();
        let done = tokio::spawn(appview.serve(cancel.clone()));
        let (url, client) = (
            format!("http://{address}"),
            Client::builder().no_gzip().build().unwrap(),
        );
        Served {
            url,
            address,
            store,
            own,
            client,
            cancel,
            done,
            live,
            _folder: folder,
        }
    }

    pub async fn call(&self, verb: Method, path: &str) -> Response {
        self.client
            .request(verb, format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.call(Method::GET, path).await;
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null),
        )
    }

    pub async fn put(&self, uri: &str, at: i64, record: Value) {
        self.apply(vec![put(uri, at, record)]).await;
    }

    /// Brings the search index to what the store holds, as a follower of its log would.
    pub async fn index(&self) {
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let index = self.live.serving().unwrap();
        let snapshot = self.store.snapshot().await.unwrap();
        let records = snapshot.all_records(None, 10_000).await.unwrap();
        let mut dids: Vec<Did> = records
            .iter()
            .map(|record| record.uri.did.clone())
            .collect();
        dids.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        dids.dedup();
        let mut documents = Vec::new();
        let mut bios = HashMap::new();
        for record in records {
            let collection = namespace
                .collection(record.uri.collection.as_str())
                .unwrap();
            let value = data::from_cbor(&record.bytes).unwrap();
            let subject = record.uri.to_string();
            let counts = snapshot.counts(&[subject]).await.unwrap();
            let likes = Popularity::of_likes(counts[0].likes);
            let uri = &record.uri;
            documents.extend(Document::of_record(uri, collection, &value, likes));
            let Ipld::Map(fields) = &value else { continue };
            if let Some(Ipld::String(bio)) = fields.get("bio") {
                bios.insert(uri.did.clone(), bio.clone());
            }
        }
        for actor in snapshot.actors(&dids).await.unwrap() {
            let (did, bio) = (&actor.did, bios.get(&actor.did).map(String::as_str));
            let (name, handle) = (actor.display_name.as_deref(), actor.handle.as_ref());
            let likes = Popularity::default();
            documents.extend(Document::of_actor(did, name, handle, bio, 0, likes));
        }
        let held: Vec<String> = index
            .searcher()
            .documents()
            .map(|document| document.unwrap().0)
            .collect();
        let mut writer = index.writer(WriterBudget::LIVE).unwrap();
        for subject in held {
            writer.delete(&subject);
        }
        for document in documents {
            writer.put(&document).unwrap();
        }
        writer.commit("a.1").unwrap();
        writer.finish().unwrap();
    }

    pub async fn apply(&self, changes: Vec<Change>) {
        self.store.apply(changes).await.unwrap();
    }
}

pub fn put(uri: &str, at: i64, mut record: Value) -> Change {
    let namespace: Namespace = "fm.plyr".parse().unwrap();
    let uri: RecordUri = uri.parse().unwrap();
    let collection = namespace.collection(uri.collection.as_str()).unwrap();
    record["$type"] = uri.collection.as_str().into();
    if record.get("createdAt").is_none() {
        record["createdAt"] = "2026-01-01T00:00:00Z".into();
    }
    let value = data::from_json(record.to_string().as_bytes()).unwrap();
    let bytes = data::to_cbor(&value).unwrap();
    let judgement = validate::judge(&namespace, collection, &value);
    let derived = match judgement.verdict {
        Verdict::Invalid => Derived::default(),
        _ => Derived::of(&uri, collection, &value),
    };
    let body = Body::Record {
        cid: data::cid_of(&bytes),
        bytes,
        judgement,
        derived,
    };
    let rev = Rev::from_micros(1_700_000_000_000_000 + at, 0);
    Change::Version(Version {
        uri,
        rev,
        standing: Standing::Event,
        body,
        seen_at: at,
    })
}

pub fn track(title: &str) -> Value {
    json!({ "title": title, "artist": "A", "fileType": "mp3" })
}

pub fn about(uri: &str) -> Value {
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    json!({ "subject": { "uri": uri, "cid": cid }, "text": "t", "timestampMs": 1 })
}
