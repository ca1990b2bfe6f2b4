//! Search as clients meet it: what is found, in pages that lose and repeat nothing, and what odd
//! queries get. Over a real store, a real index and real sockets.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod found;
mod mentions;
mod pages;
#[path = "../served/mod.rs"]
mod served;
mod slow;
mod words;

use plyr_lexicons::Did;
use plyr_schemas::{Account, AccountState, BlueskyProfile, Change, Identity};
use serde_json::{Value, json};
use served::{Served, about};

const QUERY: &str = "fm.plyr.search.query";
const TYPEAHEAD: &str = "fm.plyr.search.typeahead";
const ACTORS: &str = "fm.plyr.actor.searchActors";
const MENTIONS: &str = "parts.page.mention.search";

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Answers a call whose parameters are given as they are meant.
async fn ask(served: &Served, method: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let parameters = parameters.iter();
    let parameters = parameters.map(|(name, value)| format!("{name}={}", encoded(value)));
    let query = parameters.collect::<Vec<_>>().join("&");
    served.get(&format!("/xrpc/{method}?{query}")).await
}

async fn answer(served: &Served, method: &str, parameters: &[(&str, &str)]) -> Value {
    let (status, answer) = ask(served, method, parameters).await;
    assert_eq!(status, 200, "{method} {parameters:?}: {answer}");
    answer
}

fn hits(answer: &Value) -> Vec<&Value> {
    answer["hits"].as_array().unwrap().iter().collect()
}

/// What a hit is about.
fn address(hit: &Value) -> String {
    let places = ["/track/uri", "/list/uri", "/profile/did", "/uri", "/tag"];
    let found = places.iter().find_map(|place| hit.pointer(place));
    found.unwrap().as_str().unwrap().to_owned()
}

fn addresses(answer: &Value) -> Vec<String> {
    hits(answer).into_iter().map(address).collect()
}

/// The parts of a hit's texts that are marked, by pointer.
fn marked(hit: &Value) -> Vec<(String, Vec<String>)> {
    let highlights = hit["highlights"].as_array().unwrap().iter();
    let texts = highlights.map(|one| {
        let path = one["path"].as_str().unwrap();
        let text = hit.pointer(path).unwrap().as_str().unwrap();
        let ranges = one["ranges"].as_array().unwrap().iter();
        let parts = ranges.map(|range| {
            let place = |name: &str| range[name].as_u64().unwrap() as usize;
            text[place("byteStart")..place("byteEnd")].to_owned()
        });
        (path.to_owned(), parts.collect())
    });
    texts.collect()
}

async fn names(served: &Served, did: &str, handle: Option<&str>, name: Option<&str>) {
    let did: Did = did.parse().unwrap();
    let identity = Identity {
        did: did.clone(),
        pds: None,
        signing_key: None,
        handle: handle.map(|handle| handle.parse().unwrap()),
        asked_at: 9,
    };
    let profile = BlueskyProfile {
        did,
        display_name: name.map(str::to_owned),
        avatar: Some("bafkreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i".to_owned()),
        asked_at: 9,
    };
    let changes = vec![Change::Identity(identity), Change::Bluesky(profile)];
    served.apply(changes).await;
}

async fn deactivate(served: &Served, did: &str) {
    let account = Account {
        did: did.parse().unwrap(),
        state: AccountState::Deactivated,
        since: 9,
        asked_at: 9,
    };
    served.apply(vec![Change::Account(account)]).await;
}

const NIGHT: &str = "at://did:plc:alice/fm.plyr.track/night";
const LATE: &str = "at://did:plc:bob/fm.plyr.track/late";
const ALBUM: &str = "at://did:plc:alice/fm.plyr.list/album";
const PLAYLIST: &str = "at://did:plc:bob/fm.plyr.list/playlist";

/// Things called night, of every type.
async fn night() -> Served {
    let served = Served::start(100).await;
    names(
        &served,
        "did:plc:alice",
        Some("alice.test"),
        Some("Alice Añez"),
    )
    .await;
    names(&served, "did:plc:bob", Some("bob.test"), Some("Night Owl")).await;
    let record = json!({ "title": "Night Transit", "artist": "Alice", "fileType": "mp3",
        "duration": 61, "tags": ["night", "drone"], "album": "Transits",
        "imageUrl": "https://images.plyr.fm/images/0f.jpg",
        "description": "Recorded at night.", "createdAt": "2026-02-01T00:00:00Z" });
    served.put(NIGHT, 1, record).await;
    let record = json!({ "title": "Late", "artist": "Bob", "fileType": "mp3", "duration": 300,
        "tags": ["Night"], "createdAt": "2024-02-01T00:00:00Z" });
    served.put(LATE, 2, record).await;
    let items = [about(NIGHT)];
    let list = json!({ "name": "Night Moves", "listType": "album", "items": items });
    served.put(ALBUM, 3, list).await;
    let items = [about(NIGHT), about(LATE)];
    let list = json!({ "name": "My nights", "listType": "playlist", "items": items });
    served.put(PLAYLIST, 4, list).await;
    served.index().await;
    served
}
