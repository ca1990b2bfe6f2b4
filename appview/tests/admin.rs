//! The operator's methods: closed without the password, and what they do with it.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod served;

use plyr_lexicons::data;
use plyr_schemas::own::{Asked, Verb};
use plyr_schemas::{Change, HiddenSubject, Hide};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use served::{Served, about, track};

const PASSWORD: &str = "correct horse: battery staple";
const UPDATE: &str = "/xrpc/com.atproto.admin.updateSubjectStatus";
const STATUS: &str = "/xrpc/com.atproto.admin.getSubjectStatus";
const TRACK: &str = "at://did:plc:a/fm.plyr.track/one";
const CID: &str = "bafkreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae";

async fn filled(password: Option<&str>) -> Served {
    let served = Served::guarded(100, |store| store, Some, password).await;
    served.put(TRACK, 1, track("one")).await;
    served
        .put("at://did:plc:b/fm.plyr.like/x", 1, about(TRACK))
        .await;
    served
}

fn post(served: &Served, body: &Value) -> RequestBuilder {
    let request = served.client.post(format!("{}{UPDATE}", served.url));
    let request = request.header(CONTENT_TYPE, "application/json");
    request.body(body.to_string())
}

fn get(served: &Served, query: &str) -> RequestBuilder {
    served.client.get(format!("{}{STATUS}?{query}", served.url))
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The answer to who knows the password.
async fn let_in(request: RequestBuilder) -> (u16, Value) {
    let request = request.basic_auth("admin", Some(PASSWORD));
    read(request.send().await.unwrap()).await
}

fn account() -> Value {
    json!({ "$type": "com.atproto.admin.defs#repoRef", "did": "did:plc:a" })
}

fn record() -> Value {
    // Whichever version it names.
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    json!({ "$type": "com.atproto.repo.strongRef", "uri": TRACK, "cid": cid })
}

fn blob() -> Value {
    json!({ "$type": "com.atproto.admin.defs#repoBlobRef", "did": "did:plc:a", "cid": CID })
}

fn down(subject: &Value) -> Value {
    json!({ "subject": subject, "takedown": { "applied": true, "ref": "case 7" } })
}

fn up(subject: &Value) -> Value {
    json!({ "subject": subject, "takedown": { "applied": false } })
}

#[tokio::test]
async fn i12_without_a_password_the_admin_methods_are_closed() {
    for password in [None, Some(PASSWORD)] {
        let served = filled(password).await;
        let given = "Basic YWRtaW46"; // admin, and an empty password
        for header in [
            None,
            Some(given),
            Some("Basic ???"),
            Some("Bearer abc"),
            Some(""),
        ] {
            for request in [
                post(&served, &down(&account())),
                get(&served, "did=did:plc:a"),
            ] {
                let request = match header {
                    Some(header) => request.header(AUTHORIZATION, header),
                    None => request,
                };
                let response = request.send().await.unwrap();
                let challenge = response.headers().get("www-authenticate").cloned();
                assert!(challenge.unwrap().to_str().unwrap().starts_with("Basic "));
                assert_eq!(response.headers()["access-control-allow-origin"], "*");
                assert_eq!(response.headers()["cache-control"], "no-store");
                let (status, answer) = read(response).await;
                assert_eq!(status, 401, "{header:?}: {answer}");
                assert_eq!(answer["error"], "AuthenticationRequired");
            }
        }
        let wrong = post(&served, &down(&account())).basic_auth("root", Some(PASSWORD));
        assert_eq!(read(wrong.send().await.unwrap()).await.0, 401);
        assert!(
            served.own.tell_what_is_missing().await.unwrap() == 0,
            "nothing was done"
        );
        let seen = served
            .get(&format!("/xrpc/fm.plyr.feed.getTrack?uri={TRACK}"))
            .await;
        assert_eq!(seen.0, 200);
    }
}

#[tokio::test]
async fn i12_too_many_wrong_passwords_are_refused_and_lock_nobody_out() {
    let served = filled(Some(PASSWORD)).await;
    assert_eq!(let_in(get(&served, "did=did:plc:a")).await.0, 200);
    for guess in 0..10 {
        let wrong = format!("{PASSWORD}{guess}");
        let request = get(&served, "did=did:plc:a").basic_auth("admin", Some(wrong));
        assert_eq!(read(request.send().await.unwrap()).await.0, 401, "{guess}");
    }
    let wrong = get(&served, "did=did:plc:a").basic_auth("admin", Some("another guess"));
    let response = wrong.send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    let (status, answer) = read(response).await;
    assert_eq!(
        (status, &answer["error"]),
        (429, &json!("RateLimitExceeded"))
    );
    assert_eq!(let_in(get(&served, "did=did:plc:a")).await.0, 200);
    let other = served.get("/xrpc/fm.plyr.stats.getStats").await;
    assert_eq!(other.0, 200, "the rest is answered");
}

#[tokio::test]
async fn i08_accounts_records_and_blobs_are_taken_down_and_restored() {
    let served = filled(Some(PASSWORD)).await;
    let query = [
        (account(), "did=did:plc:a".to_owned()),
        (record(), format!("uri={TRACK}")),
        (blob(), format!("did=did:plc:a&blob={CID}")),
    ];
    for (subject, query) in query {
        let (status, answer) = let_in(get(&served, &query)).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["takedown"], json!({ "applied": false }), "{answer}");
        assert_eq!(answer["subject"]["$type"], subject["$type"]);

        let (status, answer) = let_in(post(&served, &down(&subject))).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["subject"], subject, "it is told back as it came");
        let applied = json!({ "applied": true, "ref": "case 7" });
        assert_eq!(answer["takedown"], applied);
        let (_, answer) = let_in(get(&served, &query)).await;
        assert_eq!(answer["takedown"], applied);
        let described = plyr_lexicons::method("com.atproto.admin.getSubjectStatus").unwrap();
        let value = data::from_json(answer.to_string().as_bytes()).unwrap();
        assert_eq!(described.check_output(&value), []);

        // Without a word about it nothing changes.
        let (_, answer) = let_in(post(&served, &json!({ "subject": subject }))).await;
        assert_eq!(answer["takedown"], applied);
        let seen = served
            .get(&format!("/xrpc/fm.plyr.feed.getTrack?uri={TRACK}"))
            .await;
        let is_blob = subject == blob();
        assert_eq!(seen.0 == 200, is_blob, "{}", seen.1);

        let (status, answer) = let_in(post(&served, &up(&subject))).await;
        assert_eq!(
            (status, &answer["takedown"]["applied"]),
            (200, &json!(false))
        );
        let seen = served
            .get(&format!("/xrpc/fm.plyr.feed.getTrack?uri={TRACK}"))
            .await;
        assert_eq!(seen.0, 200, "{}", seen.1);
        assert_eq!(seen.1["track"]["likeCount"], 1);
    }
    let mut by = Vec::new();
    let mut hear = |action: plyr_schemas::own::Action| {
        by.push(action.by);
        true
    };
    served.own.journal().each(&mut hear).await.unwrap();
    assert_eq!(by, ["admin"; 6]);
}

#[tokio::test]
async fn i08_a_blob_that_is_down_for_all_is_down_under_each_name() {
    let served = filled(Some(PASSWORD)).await;
    let query = format!("did=did:plc:a&blob={CID}");
    let for_all = |action| Asked {
        action,
        subject: HiddenSubject::Blob {
            did: None,
            cid: CID.parse().unwrap(),
        },
        by: "alice".to_owned(),
        reason: None,
        reference: Some("case 8".to_owned()),
        force: false,
    };
    served.own.act(for_all(Verb::Takedown)).await.unwrap();
    let applied = json!({ "applied": true, "ref": "case 8" });
    let (_, answer) = let_in(get(&served, &query)).await;
    assert_eq!(answer["takedown"], applied);
    // What is lifted under one name is down all the same.
    let (_, answer) = let_in(post(&served, &down(&blob()))).await;
    assert_eq!(answer["takedown"]["ref"], "case 7");
    let (_, answer) = let_in(post(&served, &up(&blob()))).await;
    assert_eq!(answer["takedown"], applied);
    served.own.act(for_all(Verb::Restore)).await.unwrap();
    let (_, answer) = let_in(get(&served, &query)).await;
    assert_eq!(answer["takedown"], json!({ "applied": false }));
}

#[tokio::test]
async fn i08_what_the_store_alone_knows_to_be_hidden_is_told_and_lifted() {
    let served = filled(Some(PASSWORD)).await;
    let hide = Hide {
        subject: HiddenSubject::Record(TRACK.parse().unwrap()),
        hidden: true,
        at: 1,
    };
    served.apply(vec![Change::Hide(hide)]).await;
    let query = format!("uri={TRACK}");
    let (_, answer) = let_in(get(&served, &query)).await;
    assert_eq!(answer["takedown"], json!({ "applied": true }));
    let (_, answer) = let_in(post(&served, &up(&record()))).await;
    assert_eq!(answer["takedown"], json!({ "applied": false }));
    let path = format!("/xrpc/fm.plyr.feed.getTrack?uri={TRACK}");
    assert_eq!(served.get(&path).await.0, 200);
}

#[tokio::test]
async fn i16_what_cant_be_done_is_refused_with_why() {
    let served = filled(Some(PASSWORD)).await;
    let mut deactivated = down(&account());
    deactivated["deactivated"] = json!({ "applied": true });
    let unknown = json!({ "$type": "com.atproto.admin.defs#other", "did": "did:plc:a" });
    let no_record = json!({ "$type": "com.atproto.repo.strongRef", "cid": CID,
        "uri": "at://did:plc:a" });
    let no_did = json!({ "$type": "com.atproto.admin.defs#repoRef", "did": "alice" });
    for (body, said) in [
        (deactivated, "its own host's to say"),
        (down(&unknown), "its $type says which"),
        (down(&no_record), "names no record"),
        (down(&no_did), "did"),
        (json!({}), "subject"),
        (json!([]), "input"),
        (json!({ "subject": account(), "takedown": {} }), "applied"),
        (
            json!({ "subject": account(), "takedown": { "applied": 1 } }),
            "applied",
        ),
    ] {
        let (status, answer) = let_in(post(&served, &body)).await;
        assert_eq!(
            (status, &answer["error"]),
            (400, &json!("InvalidRequest")),
            "{body}"
        );
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(said), "{body}: {message}");
    }
    for query in [
        "",
        "blob=x",
        "uri=at://did:plc:a",
        "did=did:plc:a&uri=at://did:plc:a/a.b.c/d",
        &format!("blob={CID}"),
    ] {
        let (status, answer) = let_in(get(&served, query)).await;
        assert_eq!(
            (status, &answer["error"]),
            (400, &json!("InvalidRequest")),
            "{query}"
        );
    }
    let nothing = "uri=at://did:plc:a/fm.plyr.track/none";
    let (status, answer) = let_in(get(&served, nothing)).await;
    assert_eq!((status, &answer["error"]), (400, &json!("NotFound")));
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("it isn't taken down"), "{message}");
    let uri = "at://did:plc:a/fm.plyr.track/none";
    let early = json!({ "$type": "com.atproto.repo.strongRef", "cid": CID, "uri": uri });
    assert_eq!(let_in(post(&served, &down(&early))).await.0, 200);
    let (status, answer) = let_in(get(&served, nothing)).await;
    assert_eq!((status, &answer["error"]), (400, &json!("NotFound")));
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("it is taken down") && message.contains("case 7"),
        "{message}"
    );
}

#[tokio::test]
async fn i11_a_body_is_bounded_and_of_the_right_kind() {
    let served = filled(Some(PASSWORD)).await;
    let url = format!("{}{UPDATE}", served.url);
    let good = down(&blob()).to_string();
    let with = |kind: Option<&str>, body: String| {
        let request = served.client.post(&url).body(body);
        match kind {
            Some(kind) => request.header(CONTENT_TYPE, kind),
            None => request,
        }
    };
    let json = Some("application/json");
    for (kind, body, expected) in [
        (Some("Application/JSON; charset=utf-8"), good.clone(), 200),
        (json, format!("{good}{}", " ".repeat(1_000)), 200),
        (None, good.clone(), 400),
        (Some("text/plain"), good.clone(), 400),
        (json, String::new(), 400),
        (json, "{".to_owned(), 400),
        (json, "[".repeat(60_000), 400),
        (json, format!("{good}{}", " ".repeat(65_536)), 413),
    ] {
        let (status, answer) = let_in(with(kind, body)).await;
        assert_eq!(status, expected, "{kind:?}: {answer}");
    }
    let zipped = with(json, good.clone()).header("content-encoding", "gzip");
    assert_eq!(let_in(zipped).await.0, 415);
    // One that doesn't say how long it is, and has no end.
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
    let endless = reqwest::Body::wrap_stream(endless);
    let endless = served
        .client
        .post(&url)
        .header(CONTENT_TYPE, "application/json")
        .body(endless);
    let sent = endless.basic_auth("admin", Some(PASSWORD)).send().await;
    if let Ok(response) = sent {
        assert_eq!(response.status().as_u16(), 413);
    }
    // Who isn't let in isn't read.
    let (status, _) = read(with(json, "{".to_owned()).send().await.unwrap()).await;
    assert_eq!(status, 401);
    let got = served.client.get(&url).basic_auth("admin", Some(PASSWORD));
    let (status, answer) = read(got.send().await.unwrap()).await;
    assert_eq!(status, 400);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("expected POST")
    );
}
