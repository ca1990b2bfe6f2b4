//! The official PDS, in both versions, and the fake beside it.

use std::collections::BTreeMap;

use plyr_lexicons::{Collection, Did};
use plyr_outbound::{Freshness, Outbound, OutboundConfig};
use plyr_peers::{Account, Pds, Peers, PeersOptions};
use plyr_repo::{Ask, Bounds, Entry, RepoError, Way};
use serde_json::{Value, json};

use crate::fake::{FakePds, Repo};
use crate::fetching::{fetcher, read_all};
use crate::forge::{Key, record};
use crate::reading::namespace;

fn writes(from: usize, count: usize, collection: &str) -> Vec<Value> {
    let write = |n: usize| {
        json!({ "$type": "com.atproto.repo.applyWrites#create", "collection": collection,
            "rkey": format!("3k{n:07}"), "value": { "$type": collection, "text": format!("no. {n}"),
                "filler": "x".repeat(200) } })
    };
    (from..from + count).map(write).collect()
}

async fn listed(account: &Account) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for collection in Collection::ALL {
        for record in account
            .list(namespace().nsid(collection).as_str())
            .await
            .unwrap()
        {
            let uri = record["uri"].as_str().unwrap().to_owned();
            all.insert(uri, record["cid"].as_str().unwrap().to_owned());
        }
    }
    all
}

fn by_uri(did: &Did, entries: &[Entry]) -> BTreeMap<String, String> {
    let uri = |entry: &Entry| {
        let collection = namespace().nsid(entry.collection).to_string();
        format!("at://{}/{collection}/{}", did.as_str(), entry.rkey)
    };
    entries
        .iter()
        .map(|entry| (uri(entry), entry.cid.to_string()))
        .collect()
}

async fn peers(pds: Pds) -> Option<Peers> {
    let options = PeersOptions {
        pds,
        pds_count: 1,
        relay: false,
        jetstream: false,
    };
    Peers::start(options).await.unwrap()
}

#[tokio::test]
async fn a_real_host_gives_what_it_lists_and_proves_the_rest_absent() {
    for version in [Pds::V05, Pds::V04] {
        let Some(peers) = peers(version).await else {
            return;
        };
        let account = Account::create(&peers.pds[0], "proven.test").await.unwrap();
        let did = Did::new(account.did.clone()).unwrap();
        let outbound = Outbound::new(OutboundConfig {
            plc_url: peers.plc.parse().unwrap(),
            handle_resolvers: Vec::new(),
            dev: true,
            contact: "test".to_owned(),
        });
        let document = outbound.unwrap().did_document(&did, Freshness::Fresh).await;
        let document = document.unwrap().unwrap();
        let mut ask = Ask {
            did: did.clone(),
            pds: document.pds.unwrap(),
            signing_key: document.signing_key,
            known: None,
            held: None,
        };
        let bounds = Bounds {
            memory: 64 << 10,
            ..Bounds::default()
        };
        let fetcher = fetcher(&peers.plc, bounds);
        // Nothing yet, then a few of ours, then many of others, then many of ours.
        let mut ways = Vec::new();
        for (ours, foreign) in [(0, 0), (3, 0), (4, 1_200), (600, 0)] {
            for (count, collection) in [(ours, "fm.plyr.track"), (foreign, "app.bsky.feed.post")] {
                let from = 10_000 * ways.len();
                for writes in writes(from, count, collection).chunks(200) {
                    account.apply_writes(writes).await.unwrap();
                }
            }
            let fetched = fetcher.fetch(&ask).await.unwrap();
            let state = fetched.state.clone();
            println!(
                "{version:?} {ours} {foreign}: {:?} {} {}",
                state.way, state.requests, state.bytes
            );
            ways.push(state.way);
            assert!(state.verified);
            let head = fetcher.head(&ask.pds, &did).await.unwrap();
            assert_eq!((head.rev, head.commit), (state.rev, state.commit));
            assert_eq!(
                by_uri(&did, &read_all(fetched, 500).await),
                listed(&account).await
            );
            ask.known = state.range;
        }
        let expected = [Way::Repo, Way::Repo, Way::Blocks];
        assert_eq!(ways[..3], expected, "{version:?}");

        account
            .put(
                "fm.plyr.stg.track",
                "x",
                &json!({ "$type": "fm.plyr.stg.track" }),
            )
            .await
            .unwrap();
        assert!(
            fetcher.fetch(&ask).await.unwrap().records.is_none(),
            "nothing of ours changed"
        );
        let there = fetcher
            .prove_record(&ask, Collection::Track, "3k0010001")
            .await
            .unwrap();
        account.delete("fm.plyr.track", "3k0010001").await.unwrap();
        let absent = fetcher
            .prove_record(&ask, Collection::Track, "3k0010001")
            .await
            .unwrap();
        assert!(there.record.is_some() && absent.record.is_none() && absent.rev > there.rev);
        // A record key as long as they come.
        let long = "r".repeat(500);
        let value = json!({ "$type": "fm.plyr.like", "text": "long" });
        account.put("fm.plyr.like", &long, &value).await.unwrap();
        let fetched = fetcher.fetch(&ask).await.unwrap();
        assert_eq!(
            by_uri(&did, &read_all(fetched, 500).await),
            listed(&account).await
        );
        let proof = fetcher
            .prove_record(&ask, Collection::Like, &long)
            .await
            .unwrap();
        assert!(proof.record.is_some());

        account
            .post("com.atproto.server.deactivateAccount", &json!({}))
            .await
            .unwrap();
        let gone = RepoError::Unavailable("RepoDeactivated".to_owned());
        assert_eq!(
            fetcher.fetch(&ask).await.map(|fetched| fetched.state),
            Err(gone.clone())
        );
        assert_eq!(fetcher.head(&ask.pds, &did).await, Err(gone));
    }
}

/// Status, kind and, of an error or JSON, the shape: what the fake must have in common.
async fn shape(client: &reqwest::Client, pds: &str, method: &str, query: &str) -> String {
    let url = format!("{pds}/xrpc/{method}?{query}");
    let answer = client.get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap();
    let kind = kind.split(';').next().unwrap().to_owned();
    let body = answer.bytes().await.unwrap();
    let fields = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(fields)) if status == 200 => {
            let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
            fields.join(",")
        }
        Ok(value) => value["error"].as_str().unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    };
    format!("{method} {status} {kind} {fields}")
}

#[tokio::test]
async fn the_fake_answers_in_the_shapes_of_the_real_one() {
    let Some(peers) = peers(Pds::V05).await else {
        return;
    };
    let account = Account::create(&peers.pds[0], "shape.test").await.unwrap();
    account
        .apply_writes(&writes(0, 60, "fm.plyr.track"))
        .await
        .unwrap();
    let fake = FakePds::start().await;
    let name = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    let key = |n: usize| format!("fm.plyr.track/3k{n:07}");
    let records = (0..60).map(|n| (key(n), record(&key(n), 200))).collect();
    fake.put(name, Repo::new(name, Key::k256(1), records));
    let client = reqwest::Client::new();
    let nowhere = plyr_lexicons::data::cid_of(b"nowhere").to_string();
    let mut both = Vec::new();
    for (pds, did) in [(&peers.pds[0], &account.did[..]), (&fake.origin, name)] {
        let record = format!("did={did}&collection=fm.plyr.track&rkey");
        let unknown = "did=did:plc:zzzzzzzzzzzzzzzzzzzzzzzz";
        let list = format!("repo={did}&collection=fm.plyr.track&reverse=true&limit=50");
        let mut shapes = Vec::new();
        for (method, query) in [
            ("com.atproto.sync.getLatestCommit", format!("did={did}")),
            ("com.atproto.sync.getLatestCommit", unknown.to_owned()),
            ("com.atproto.sync.getRecord", format!("{record}=3k0000001")),
            ("com.atproto.sync.getRecord", format!("{record}=none")),
            (
                "com.atproto.sync.getRecord",
                format!("{unknown}&collection=fm.plyr.track&rkey=a"),
            ),
            (
                "com.atproto.sync.getBlocks",
                format!("did={did}&cids={nowhere}"),
            ),
            (
                "com.atproto.sync.getBlocks",
                format!("{unknown}&cids={nowhere}"),
            ),
            ("com.atproto.sync.getRepo", format!("did={did}")),
            ("com.atproto.sync.getRepo", unknown.to_owned()),
            ("com.atproto.repo.listRecords", list.clone()),
            (
                "com.atproto.repo.listRecords",
                format!("{list}&cursor=3k0000055"),
            ),
            ("com.atproto.sync.noSuchMethod", format!("did={did}")),
        ] {
            shapes.push(shape(&client, pds, method, &query).await);
        }
        both.push(shapes);
    }
    let (real, fake) = (&both[0], &both[1]);
    assert_eq!(fake, real);
}
