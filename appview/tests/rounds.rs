//! How many rounds to the store a method takes: as many as its page has steps, whatever the
//! page's length.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plyr_schemas::{Change, CountedStore, Identity};
use serde_json::json;
use served::{Served, about, put, track};

/// Every method that reads the store: its parameters, and its rounds.
const ROUNDS: &[(&str, &str, usize)] = &[
    (
        "com.atproto.identity.resolveHandle",
        "handle=nobody.invalid",
        1,
    ),
    (
        "com.atproto.repo.getRecord",
        "repo=did:plc:a&collection=fm.plyr.track&rkey=t00",
        1,
    ),
    (
        "com.atproto.repo.listRecords",
        "repo=did:plc:a&collection=fm.plyr.track",
        1,
    ),
    ("fm.plyr.actor.getProfile", "actor=did:plc:a", 1),
    (
        "fm.plyr.actor.getProfiles",
        "actors=did:plc:a&actors=did:plc:b",
        1,
    ),
    // Who is found; a query that names a handle takes another one.
    ("fm.plyr.actor.searchActors", "q=artist", 1),
    // The page, its likes, then their tracks.
    ("fm.plyr.feed.getActorLikes", "actor=did:plc:b", 3),
    ("fm.plyr.feed.getActorTracks", "actor=did:plc:a", 2),
    (
        "fm.plyr.feed.getComments",
        "uri=at://did:plc:a/fm.plyr.track/t00",
        2,
    ),
    ("fm.plyr.feed.getLatest", "", 2),
    (
        "fm.plyr.feed.getLikes",
        "uri=at://did:plc:a/fm.plyr.track/t00",
        2,
    ),
    (
        "fm.plyr.feed.getTrack",
        "uri=at://did:plc:a/fm.plyr.track/t00",
        1,
    ),
    (
        "fm.plyr.feed.getTracks",
        "uris=at://did:plc:a/fm.plyr.track/t00&uris=at://did:plc:a/fm.plyr.track/t01",
        1,
    ),
    ("fm.plyr.graph.getActorLists", "actor=did:plc:b", 2),
    // The list, then its items.
    (
        "fm.plyr.graph.getList",
        "uri=at://did:plc:b/fm.plyr.list/l",
        2,
    ),
    (
        "fm.plyr.graph.getListsWithItem",
        "uri=at://did:plc:a/fm.plyr.track/t00",
        2,
    ),
    // The record; of bytes there are none.
    (
        "fm.plyr.media.getAudio",
        "uri=at://did:plc:a/fm.plyr.track/t00",
        1,
    ),
    (
        "fm.plyr.media.getImage",
        "uri=at://did:plc:a/fm.plyr.track/t00",
        1,
    ),
    (
        "fm.plyr.media.getPlayback",
        "uri=at://did:plc:a/fm.plyr.track/t00",
        1,
    ),
    ("fm.plyr.search.query", "q=track", 1),
    ("fm.plyr.search.typeahead", "q=track", 1),
    ("fm.plyr.stats.getStats", "", 1),
    ("fm.plyr.sync.getCoverage", "", 2),
    ("fm.plyr.sync.getQuarantine", "", 1),
    ("parts.page.mention.search", "service=x&search=track", 1),
];

#[tokio::test]
async fn a_method_takes_its_rounds_whatever_its_length() {
    let told = Arc::new(AtomicUsize::new(0));
    let tell = told.clone();
    let served = Served::over(100, move |store| {
        Arc::new(CountedStore::telling(
            store,
            Arc::new(move |rounds| {
                tell.fetch_add(rounds, Ordering::SeqCst);
            }),
        ))
    })
    .await;
    let mut changes = Vec::new();
    let mut items = Vec::new();
    for number in 0..60 {
        let uri = format!("at://did:plc:a/fm.plyr.track/t{number:02}");
        changes.push(put(&uri, number, track("a track")));
        let like = format!("at://did:plc:b/fm.plyr.like/l{number:02}");
        changes.push(put(&like, number, about(&uri)));
        let first = "at://did:plc:a/fm.plyr.track/t00";
        for kind in ["like", "comment"] {
            let uri = format!("at://did:plc:c{number}/fm.plyr.{kind}/x");
            changes.push(put(&uri, number, about(first)));
        }
        items.push(about(&uri));
    }
    let list = json!({ "listType": "playlist", "items": items });
    changes.push(put("at://did:plc:b/fm.plyr.list/l", 1, list));
    let named = Identity {
        did: "did:plc:a".parse().unwrap(),
        pds: None,
        signing_key: None,
        handle: Some("artist.test".parse().unwrap()),
        asked_at: 9,
    };
    changes.push(Change::Identity(named));
    served.apply(changes).await;
    served.index().await;

    for (method, query, rounds) in ROUNDS {
        let described = plyr_lexicons::method(method).unwrap();
        let paged = described
            .parse_parameters(&format!("{query}&limit=1"))
            .unwrap()
            .contains_key("limit");
        // A search box takes no more than ten.
        let takes = |limit: &&str| {
            described
                .parse_parameters(&format!("{query}{limit}"))
                .is_ok()
        };
        let most = ["&limit=50", "&limit=10"].into_iter().find(takes).unwrap();
        let limits = if paged {
            vec!["&limit=1", most]
        } else {
            vec![""]
        };
        for limit in limits {
            told.store(0, Ordering::SeqCst);
            let (status, answer) = served.get(&format!("/xrpc/{method}?{query}{limit}")).await;
            let finds_nothing = [
                "com.atproto.identity.resolveHandle",
                "fm.plyr.media.getAudio",
                "fm.plyr.media.getImage",
            ];
            assert!(status == 200 || finds_nothing.contains(method), "{answer}");
            assert_eq!(
                told.load(Ordering::SeqCst),
                *rounds,
                "{method}?{query}{limit}"
            );
        }
    }
    let counted: Vec<&str> = ROUNDS.iter().map(|(method, ..)| *method).collect();
    // What the operator calls is no page.
    let is_public = |nsid: &&str| !nsid.starts_with("com.atproto.admin.");
    let described: Vec<&str> = plyr_lexicons::methods()
        .iter()
        .map(|method| method.nsid)
        .filter(is_public)
        .collect();
    assert_eq!(counted, described, "a method is not counted");
}
