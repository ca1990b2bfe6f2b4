//! Right answers agree, and an answer that is wrong in one place doesn't, whatever place it is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answers::{Ask, encoded};
use crate::compare::{Asked, Disagreement};
use crate::network::{Account, Held, Network};

const ALICE: &str = "did:plc:alice";
const BOB: &str = "did:plc:bob";
const CAROL: &str = "did:plc:carol";
const CID: &str = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
const WHEN: &str = "2026-06-01T12:00:00.000Z";
const SORT_AT: &str = "2026-06-01T12:00:00.000000Z";

fn uri(did: &str, path: &str) -> String {
    format!("at://{did}/{path}")
}

fn reference(did: &str, path: &str) -> Value {
    json!({ "uri": uri(did, path), "cid": CID })
}

fn record(path: &str) -> Value {
    match path {
        "fm.plyr.track/one" => json!({ "$type": "fm.plyr.track", "artist": "A", "fileType": "mp3",
            "createdAt": WHEN, "title": "é".repeat(129), "duration": 7,
            "labels": { "$type": "com.atproto.label.defs#selfLabels",
                "values": [{ "val": "sexual" }, { "val": "graphic-media" }, { "val": "sexual" }] }
        }),
        "fm.plyr.track/two" => json!({ "$type": "fm.plyr.track", "artist": "A", "fileType": "mp3",
            "createdAt": WHEN, "title": "two", "duration": 9_007_199_254_740_991_i64 }),
        "fm.plyr.track/bad" => json!({ "$type": "fm.plyr.track", "artist": "A", "fileType": "mp3",
            "createdAt": WHEN, "title": 7 }),
        "fm.plyr.list/album" => json!({ "$type": "fm.plyr.list", "createdAt": WHEN,
            "name": "n".repeat(65), "listType": "album", "items": [
                { "subject": reference(ALICE, "fm.plyr.track/one") },
                { "subject": reference(ALICE, "fm.plyr.track/none") },
                { "subject": reference(ALICE, "fm.plyr.track/bad") },
                { "subject": reference(CAROL, "fm.plyr.track/gone") },
            ] }),
        "fm.plyr.actor.profile/self" => json!({ "$type": "fm.plyr.actor.profile",
            "createdAt": WHEN, "bio": "b".repeat(257) }),
        "app.bsky.actor.profile/self" => json!({ "$type": "app.bsky.actor.profile",
            "displayName": "Alice Sings" }),
        "fm.plyr.like/like" => json!({ "$type": "fm.plyr.like", "createdAt": WHEN,
            "subject": reference(ALICE, "fm.plyr.track/one") }),
        _ => json!({ "$type": "fm.plyr.comment", "createdAt": WHEN, "timestampMs": 5,
            "text": "c".repeat(1_001), "subject": reference(ALICE, "fm.plyr.track/one") }),
    }
}

/// Alice has tracks, one of them invalid, and a list; Bob likes one and says something; Carol is
/// gone.
fn network() -> Network {
    let mut network = Network::default();
    let of_alice = [
        "app.bsky.actor.profile/self",
        "fm.plyr.actor.profile/self",
        "fm.plyr.list/album",
        "fm.plyr.track/bad",
        "fm.plyr.track/one",
        "fm.plyr.track/two",
    ];
    let of_bob = ["fm.plyr.comment/comment", "fm.plyr.like/like"];
    let handle = Some("alice.test".to_owned());
    for (did, handle, is_active, paths) in [
        (ALICE, handle, true, &of_alice[..]),
        (BOB, None, true, &of_bob[..]),
        (CAROL, None, false, &[][..]),
    ] {
        let held = |path: &&str| {
            let cid = CID.to_owned();
            let value = record(path);
            ((*path).to_owned(), Held { cid, value })
        };
        network.add(Account {
            did: did.to_owned(),
            handle,
            is_active,
            is_told: true,
            records: paths.iter().map(held).collect(),
        });
    }
    network
}

/// A view with what every view of a record has.
fn view(did: &str, path: &str, own: Value) -> Value {
    let author = match did {
        ALICE => json!({ "did": ALICE, "handle": "alice.test", "displayName": "Alice Sings" }),
        _ => json!({ "did": did, "handle": "handle.invalid" }),
    };
    let mut view = json!({ "uri": uri(did, path), "cid": CID, "record": record(path),
        "sortAt": SORT_AT, "author": author });
    for (field, value) in own.as_object().into_iter().flatten() {
        view[field] = value.clone();
    }
    view
}

fn one() -> Value {
    let own = json!({ "$type": "fm.plyr.feed.defs#trackView", "title": "é".repeat(128),
        "tolerated": true, "durationMs": 7_000, "labels": ["sexual", "graphic-media"],
        "likeCount": 1, "commentCount": 1, "listCount": 1 });
    view(ALICE, "fm.plyr.track/one", own)
}

fn two() -> Value {
    let own = json!({ "title": "two", "likeCount": 0, "commentCount": 0, "listCount": 0 });
    view(ALICE, "fm.plyr.track/two", own)
}

fn album() -> Value {
    let own = json!({ "name": "n".repeat(64), "tolerated": true, "listType": "album",
        "itemCount": 4 });
    view(ALICE, "fm.plyr.list/album", own)
}

fn like() -> Value {
    let own = json!({ "subject": reference(ALICE, "fm.plyr.track/one") });
    view(BOB, "fm.plyr.like/like", own)
}

fn comment() -> Value {
    let own = json!({ "subject": reference(ALICE, "fm.plyr.track/one"), "tolerated": true,
        "text": "c".repeat(1_000), "timestampMs": 5 });
    view(BOB, "fm.plyr.comment/comment", own)
}

fn profile() -> Value {
    json!({ "did": ALICE, "handle": "alice.test", "displayName": "Alice Sings",
        "bio": "b".repeat(256), "record": record("fm.plyr.actor.profile/self"), "trackCount": 2,
        "albumCount": 1, "playlistCount": 0, "likeCount": 0, "commentCount": 0,
        "durationSeconds": 86_407 })
}

/// What is answered to each question; anything else is no answer.
#[derive(Clone, Default)]
struct Answers(BTreeMap<String, Value>);

impl Ask for Answers {
    async fn ask(&self, method: &str, query: &str) -> Result<Value, String> {
        let query = query.replace("limit=7&", "");
        let question = format!("{method}?{query}");
        let answer = self.0.get(&question).cloned();
        answer.ok_or_else(|| format!("no answer to {question}"))
    }
}

/// All the right answers about a track, a list, who likes and who publishes.
fn right() -> Answers {
    let mut answers = Answers::default();
    let (track, list) = (
        uri(ALICE, "fm.plyr.track/one"),
        uri(ALICE, "fm.plyr.list/album"),
    );
    for (about, likes, comments, lists) in [
        (&track, vec![like()], vec![comment()], vec![album()]),
        (&list, vec![], vec![], vec![]),
    ] {
        let query = format!("uri={}", encoded(about));
        let comments = json!({ "uri": about, "comments": comments });
        for (question, answer) in [
            (
                format!("fm.plyr.feed.getLikes?{query}"),
                json!({ "uri": about, "likes": likes }),
            ),
            (
                format!("fm.plyr.feed.getComments?{query}"),
                comments.clone(),
            ),
            (
                format!("fm.plyr.feed.getComments?{query}&sort=time"),
                comments,
            ),
            (
                format!("fm.plyr.graph.getListsWithItem?{query}"),
                json!({ "lists": lists }),
            ),
            (
                format!("fm.plyr.feed.getTrack?{query}"),
                json!({ "track": one() }),
            ),
        ] {
            answers.0.insert(question, answer);
        }
    }
    let missing = |did: &str, path: &str, kind: &str| {
        json!({ "subject": reference(did, path),
            "item": { "$type": format!("fm.plyr.graph.defs#{kind}"), "uri": uri(did, path) } })
    };
    let mut bad = missing(ALICE, "fm.plyr.track/bad", "hidden");
    bad["item"]["reason"] = json!("invalid");
    let mut gone = missing(CAROL, "fm.plyr.track/gone", "hidden");
    gone["item"]["reason"] = json!("accountDeleted");
    let items = json!([
        { "subject": reference(ALICE, "fm.plyr.track/one"), "item": one() },
        missing(ALICE, "fm.plyr.track/none", "notFound"),
        bad,
        gone,
    ]);
    let question = format!("fm.plyr.graph.getList?uri={}", encoded(&list));
    answers
        .0
        .insert(question, json!({ "list": album(), "items": items }));
    let question = format!("fm.plyr.feed.getActorLikes?actor={}", encoded(BOB));
    let liked = json!({ "likes": [{ "like": like(), "track": one() }] });
    answers.0.insert(question, liked);
    let question = format!("fm.plyr.actor.getProfile?actor={}", encoded(ALICE));
    answers.0.insert(question, json!({ "profile": profile() }));
    answers
}

async fn compared(answers: &Answers) -> Result<(), Disagreement> {
    let network = network();
    let mut asked = Asked::of(answers, &network);
    asked.about(&uri(ALICE, "fm.plyr.track/one")).await?;
    asked.about(&uri(ALICE, "fm.plyr.list/album")).await?;
    asked.liked(BOB, &format!("actor={}", encoded(BOB))).await?;
    asked
        .profile(ALICE, &format!("actor={}", encoded(ALICE)))
        .await
}

/// In a view of each kind each field is looked at, where it is otherwise and where it is missing.
#[test]
fn each_field_of_each_view_is_compared() {
    let (network, answers) = (network(), Answers::default());
    let asked = Asked::of(&answers, &network);
    for right in [one(), two(), album(), like(), comment()] {
        let uri = right["uri"].as_str().unwrap().to_owned();
        assert_eq!(asked.view(&uri, &right), Ok(()));
        let fields = right.as_object().unwrap();
        for field in fields.keys().filter(|field| *field != "$type") {
            each_is_compared(field, &right, |wrong| asked.view(&uri, wrong));
        }
        for field in right["author"].as_object().unwrap().keys() {
            let mut other = right.clone();
            let author = &right["author"];
            each_is_compared(field, author, |wrong| {
                other["author"] = wrong.clone();
                asked.view(&uri, &other)
            });
        }
    }
    let right = profile();
    assert_eq!(asked.profile_view(ALICE, &right), Ok(()));
    for field in right.as_object().unwrap().keys() {
        each_is_compared(field, &right, |wrong| asked.profile_view(ALICE, wrong));
    }
}

fn each_is_compared(
    field: &str,
    right: &Value,
    mut compared: impl FnMut(&Value) -> Result<(), Disagreement>,
) {
    let mut wrong = right.clone();
    wrong[field] = json!("something else");
    let found = compared(&wrong).expect_err(field);
    let has_parts = ["author", "subject"].contains(&field);
    assert!(
        has_parts || found.answered.contains("something else"),
        "{found}"
    );
    if field == "subject" {
        wrong[field] = json!({ "uri": right[field]["uri"], "cid": "another" });
        compared(&wrong).expect_err(field);
    }
    wrong.as_object_mut().unwrap().remove(field);
    compared(&wrong).expect_err(field);
}

/// What a record doesn't say isn't in its view; that it is not tolerated may be said or not.
#[test]
fn a_view_says_no_more_than_its_record() {
    let (network, answers) = (network(), Answers::default());
    let asked = Asked::of(&answers, &network);
    let uri = uri(ALICE, "fm.plyr.track/two");
    for (field, value) in [
        ("tolerated", json!(true)),
        ("durationMs", json!(9_007_199_254_740_991_i64)),
        ("durationMs", Value::Null),
        ("labels", json!([])),
    ] {
        let mut wrong = two();
        wrong[field] = value;
        asked.view(&uri, &wrong).expect_err(field);
    }
    let mut right = two();
    right["tolerated"] = json!(false);
    assert_eq!(asked.view(&uri, &right), Ok(()));
    // Another track in its place, and one that doesn't show.
    asked.view(&uri, &one()).expect_err("another track");
    let bad = format!("at://{ALICE}/fm.plyr.track/bad");
    asked.view(&bad, &two()).expect_err("an invalid one");
}

#[tokio::test]
async fn each_place_of_an_answer_is_compared() {
    assert_eq!(compared(&right()).await, Ok(()));
    let cases = [
        ("getLikes", "/uri"),
        ("getLikes", "/likes/0/uri"),
        ("getLikes", "/likes/0/record/createdAt"),
        ("getLikes", "/likes/0/subject/cid"),
        ("getComments", "/uri"),
        ("getComments", "/comments/0/text"),
        ("getComments", "/comments/0/timestampMs"),
        ("getListsWithItem", "/lists/0/name"),
        ("getListsWithItem", "/lists/0/itemCount"),
        ("getTrack?", "/track/uri"),
        ("getTrack?", "/track/title"),
        ("getTrack?", "/track/durationMs"),
        ("getList?", "/list/listType"),
        ("getList?", "/list/cid"),
        ("getList?", "/items/0/subject/cid"),
        ("getList?", "/items/0/item/$type"),
        ("getList?", "/items/0/item/likeCount"),
        ("getList?", "/items/0/item/author/displayName"),
        ("getList?", "/items/1/item/uri"),
        ("getList?", "/items/2/item/reason"),
        ("getList?", "/items/3/item/reason"),
        ("getActorLikes", "/likes/0/like/subject/uri"),
        ("getActorLikes", "/likes/0/like/sortAt"),
        ("getActorLikes", "/likes/0/track/likeCount"),
        ("getActorLikes", "/likes/0/track/author/did"),
        ("getProfile", "/profile/displayName"),
        ("getProfile", "/profile/bio"),
    ];
    for (method, place) in cases {
        let (mut wrong, mut changed) = (right(), 0);
        for (question, answer) in &mut wrong.0 {
            let value = answer.pointer_mut(place);
            if let Some(value) = value.filter(|_| question.contains(method)) {
                *value = json!("something else");
                changed += 1;
            }
        }
        assert!(changed > 0, "{method} {place}");
        let found = compared(&wrong).await.expect_err(place);
        assert!(found.to_string().contains("something else"), "{found}");
    }
}

/// A list that doesn't show is refused; a page that lacks its entries is no list.
#[tokio::test]
async fn what_must_be_refused_and_what_is_no_list() {
    let network = network();
    let uri = uri(CAROL, "fm.plyr.list/gone");
    let query = format!("uri={}", encoded(&uri));
    let mut answers = Answers::default();
    for (method, name) in [
        ("fm.plyr.feed.getLikes", "likes"),
        ("fm.plyr.feed.getComments", "comments"),
        ("fm.plyr.graph.getListsWithItem", "lists"),
    ] {
        let answer = json!({ "uri": uri, name: [] });
        answers
            .0
            .insert(format!("{method}?{query}&sort=time"), answer.clone());
        answers.0.insert(format!("{method}?{query}"), answer);
    }
    let list = format!("fm.plyr.graph.getList?{query}");
    answers
        .0
        .insert(list, json!({ "list": album(), "items": [] }));
    let refused = Asked::of(&answers, &network).about(&uri).await;
    assert_eq!(refused.unwrap_err().expected, "ListNotFound or ListHidden");
    let likes = format!("fm.plyr.feed.getLikes?{query}");
    answers.0.insert(likes, json!({ "uri": uri }));
    let refused = Asked::of(&answers, &network).about(&uri).await;
    assert_eq!(refused.unwrap_err().expected, "a list");
}
