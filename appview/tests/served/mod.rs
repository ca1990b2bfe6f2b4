//! A served store, for tests: the AppView over a real embedded store and a real socket.

#![allow(dead_code)] // each test file uses its own part

use std::sync::Arc;

use plyr_appview::{AppView, AppViewConfig};
use plyr_lexicons::{Namespace, RecordUri, Rev, Verdict, data, validate};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Body, Change, Derived, Standing, Store, Version};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// What a test talks to.
pub struct Served {
    pub url: String,
    pub address: std::net::SocketAddr,
    pub store: Arc<EmbeddedStore>,
    pub client: Client,
    pub cancel: CancellationToken,
    pub done: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Served {
    pub async fn start(connections: usize) -> Served {
        Served::over(connections, |store| store).await
    }

    /// Serves through what `wrap` makes of the store.
    pub async fn over(
        connections: usize,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Served {
        let folder = tempfile::tempdir().unwrap();
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
        let listen = "127.0.0.1:0".parse().unwrap();
        let config = AppViewConfig {
            listen,
            public_url: None,
            namespace,
            connections,
            sources: None,
        };
        let appview = AppView::bind(config, wrap(store.clone()), outbound)
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
            client,
            cancel,
            done,
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
