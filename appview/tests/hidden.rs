//! What the operator hides is in no answer over HTTP.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod served;

use plyr_schemas::{Change, Hide};
use serde_json::{Value, json};
use served::{Served, about, track};

#[tokio::test]
async fn i08_what_the_operator_hides_is_in_no_answer() {
    let served = Served::start(100).await;
    let one = "at://did:plc:a/fm.plyr.track/one";
    let two = "at://did:plc:b/fm.plyr.track/two";
    let list = "at://did:plc:c/fm.plyr.list/l";
    for (number, uri) in [(1, one), (2, two)] {
        served.put(uri, number, track("t")).await;
    }
    let items = json!({ "listType": "playlist", "items": [about(one), about(two)] });
    served.put(list, 3, items).await;
    served
        .put("at://did:plc:c/fm.plyr.like/x", 4, about(two))
        .await;
    let hide = async |subject: &str, hidden: bool, at: i64| {
        let subject = subject.parse().unwrap();
        let hide = Hide {
            subject,
            hidden,
            at,
        };
        served.apply(vec![Change::Hide(hide)]).await;
    };
    let reasons = async || {
        let path = format!("/xrpc/fm.plyr.graph.getList?uri={list}");
        let (status, page) = served.get(&path).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap().clone();
        let reason = |item: Value| item["item"]["reason"].as_str().map(str::to_owned);
        items.into_iter().map(reason).collect::<Vec<_>>()
    };
    let latest = async || {
        let (_, page) = served.get("/xrpc/fm.plyr.feed.getLatest").await;
        page["tracks"].as_array().unwrap().len()
    };
    assert_eq!((reasons().await, latest().await), (vec![None, None], 2));
    hide(one, true, 10).await;
    hide("did:plc:b", true, 10).await;
    let words = ["takenDown", "accountTakenDown"].map(|word| Some(word.to_owned()));
    assert_eq!((reasons().await, latest().await), (words.to_vec(), 0));
    for (uri, word) in [(one, "takenDown"), (two, "accountTakenDown")] {
        let path = format!("/xrpc/fm.plyr.feed.getTrack?uri={uri}");
        let (status, refused) = served.get(&path).await;
        assert_eq!((status, &refused["error"]), (400, &json!("TrackHidden")));
        assert_eq!(refused["message"], word);
    }
    let of = |did: &str| format!("repo={did}&collection=fm.plyr.track");
    for (did, rkey) in [("did:plc:a", "one"), ("did:plc:b", "two")] {
        let path = format!("/xrpc/com.atproto.repo.getRecord?{}&rkey={rkey}", of(did));
        assert_eq!(served.get(&path).await.1["error"], "RecordNotFound");
        let path = format!("/xrpc/com.atproto.repo.listRecords?{}", of(did));
        assert_eq!(served.get(&path).await.1["records"], json!([]));
    }
    let profile = "/xrpc/fm.plyr.actor.getProfile?actor=did:plc:b";
    let (_, refused) = served.get(profile).await;
    assert_eq!(refused["error"], "ActorHidden");
    assert_eq!(refused["message"], "accountTakenDown");
    hide(one, false, 11).await;
    hide("did:plc:b", false, 11).await;
    assert_eq!((reasons().await, latest().await), (vec![None, None], 2));
    assert_eq!(served.get(profile).await.0, 200);
}
