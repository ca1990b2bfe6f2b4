//! The server as clients meet it: every method abused, headers on every status, pages walked, bad
//! records and hidden actors. Over a real store and real sockets.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod served;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use plyr_lexicons::{Did, Handle, data, methods};
use plyr_schemas::{Account, AccountState, Body, Change, Identity, Store};
use reqwest::Method;
use serde_json::{Value, json};
use served::{Served, about, put, track};

/// Methods that answer with bytes, of which there are none here.
const WITH_BYTES: [&str; 2] = ["fm.plyr.media.getAudio", "fm.plyr.media.getImage"];

/// A call of each method that is answered with 200, or with bytes if there were any.
fn good_calls() -> Vec<(&'static str, &'static str)> {
    let actor = "actor=did:plc:a";
    let uri = "uri=at://did:plc:a/fm.plyr.track/one";
    vec![
        (
            "com.atproto.repo.getRecord",
            "repo=did:plc:a&collection=fm.plyr.track&rkey=one",
        ),
        (
            "com.atproto.repo.listRecords",
            "repo=did:plc:a&collection=fm.plyr.track",
        ),
        ("fm.plyr.actor.getProfile", actor),
        (
            "fm.plyr.actor.getProfiles",
            "actors=did:plc:a&actors=did:plc:b",
        ),
        ("fm.plyr.actor.searchActors", "q=one"),
        ("fm.plyr.feed.getActorLikes", actor),
        ("fm.plyr.feed.getActorTracks", actor),
        ("fm.plyr.feed.getComments", uri),
        ("fm.plyr.feed.getLatest", ""),
        ("fm.plyr.feed.getLikes", uri),
        ("fm.plyr.feed.getTrack", uri),
        (
            "fm.plyr.feed.getTracks",
            "uris=at://did:plc:a/fm.plyr.track/one",
        ),
        ("fm.plyr.graph.getActorLists", actor),
        ("fm.plyr.graph.getList", "uri=at://did:plc:a/fm.plyr.list/l"),
        ("fm.plyr.graph.getListsWithItem", uri),
        ("fm.plyr.media.getAudio", uri),
        ("fm.plyr.media.getImage", uri),
        ("fm.plyr.media.getPlayback", uri),
        ("fm.plyr.search.query", "q=one"),
        ("fm.plyr.search.typeahead", "q=one"),
        ("fm.plyr.stats.getStats", ""),
        ("fm.plyr.sync.getCoverage", ""),
        ("fm.plyr.sync.getQuarantine", ""),
        (
            "parts.page.mention.search",
            "service=at://did:plc:a/a.b.c/d&search=one",
        ),
    ]
}

/// Parameters that hold whatever people type, or aren't looked at.
const FREE: [&str; 3] = ["q", "search", "service"];

async fn filled(connections: usize) -> Served {
    let served = Served::start(connections).await;
    let one = "at://did:plc:a/fm.plyr.track/one";
    served.put(one, 1, track("one")).await;
    served
        .put("at://did:plc:b/fm.plyr.like/x", 1, about(one))
        .await;
    served
        .put("at://did:plc:b/fm.plyr.comment/x", 1, about(one))
        .await;
    let items = json!({ "items": [about(one), about("at://did:plc:a/fm.plyr.track/none")] });
    served.put("at://did:plc:a/fm.plyr.list/l", 1, items).await;
    served.index().await;
    served
}

#[tokio::test]
async fn every_method_answers_and_every_abused_parameter_is_named() {
    let served = filled(100).await;
    // The operator's are in `admin.rs`.
    let mut called = BTreeSet::from([
        "com.atproto.admin.getSubjectStatus",
        "com.atproto.admin.updateSubjectStatus",
        "com.atproto.identity.resolveHandle",
    ]);
    for (method, query) in good_calls() {
        called.insert(method);
        let (status, answer) = served.get(&format!("/xrpc/{method}?{query}")).await;
        let described = plyr_lexicons::method(method).unwrap();
        if WITH_BYTES.contains(&method) {
            let refused = (status, &answer["error"]);
            assert_eq!(refused, (404, &json!("BlobNotFound")), "{method}");
        } else {
            assert_eq!(status, 200, "{method}: {answer}");
            let value = data::from_json(answer.to_string().as_bytes()).unwrap();
            assert_eq!(described.check_output(&value), [], "{method}: {answer}");
        }
        let abused = |text: &str| {
            let text = text.to_owned();
            let served = &served;
            async move {
                let (status, answer) = served.get(&format!("/xrpc/{method}?{text}")).await;
                assert_eq!(
                    (status, &answer["error"]),
                    (400, &json!("InvalidRequest")),
                    "{text}"
                );
                answer["message"].as_str().unwrap().to_owned()
            }
        };
        if described
            .parse_parameters(&format!("{query}&limit=7"))
            .unwrap()
            .contains_key("limit")
        {
            for limit in [
                "-1",
                "0",
                "101",
                "abc",
                "",
                "1.5",
                "7&limit=8",
                "%00",
                "99999999999999999999",
            ] {
                let message = abused(&format!("{query}&limit={limit}")).await;
                assert!(
                    message.starts_with("limit: "),
                    "{method} limit={limit}: {message}"
                );
            }
        }
        if described
            .parse_parameters(&format!("{query}&cursor=x"))
            .unwrap()
            .contains_key("cursor")
        {
            for cursor in ["x", "0", "-5", "AAAA", "%F0%9F%98%80", &"A".repeat(4000)] {
                let message = abused(&format!("{query}&cursor={cursor}")).await;
                assert!(
                    message.starts_with("cursor: "),
                    "{method} cursor={cursor}: {message}"
                );
            }
        }
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let name = part.split('=').next().unwrap();
            let others = || query.split('&').filter(|other| !other.starts_with(name));
            let without: Vec<&str> = others().collect();
            let message = abused(&without.join("&")).await;
            assert!(
                message.starts_with(name),
                "{method} without {name}: {message}"
            );
            for wrong in ["", "%20", "at:%2F%2F", "a%00b", "%ff"] {
                let text = format!("{}&{name}={wrong}", without.join("&"));
                let (status, _) = served.get(&format!("/xrpc/{method}?{text}")).await;
                if FREE.contains(&name) && status == 200 {
                    continue;
                }
                let message = abused(&text).await;
                assert!(
                    message.starts_with(name),
                    "{method} {name}={wrong}: {message}"
                );
            }
        }
    }
    let described: BTreeSet<&str> = methods().iter().map(|one| one.nsid).collect();
    assert_eq!(called, described, "a method has no call here");
}

#[tokio::test]
async fn every_status_can_be_read_from_anywhere() {
    let served = filled(100).await;
    let cases = [
        (Method::GET, "/xrpc/_health", 200, ""),
        (Method::GET, "/", 200, ""),
        (Method::GET, "/robots.txt", 200, ""),
        (Method::GET, "/.well-known/did.json", 200, ""),
        (Method::HEAD, "/xrpc/fm.plyr.feed.getLatest", 200, ""),
        (Method::OPTIONS, "/xrpc/fm.plyr.feed.getLatest", 204, ""),
        (Method::GET, "/nothing/here", 404, "NotFound"),
        (
            Method::GET,
            "/xrpc/fm.plyr.feed.getNothing",
            501,
            "MethodNotImplemented",
        ),
        (Method::GET, "/xrpc/a/b", 400, "InvalidRequest"),
        (Method::GET, "/xrpc/%ff", 400, "InvalidRequest"),
        (Method::GET, "/xrpc/", 400, "InvalidRequest"),
        (
            Method::POST,
            "/xrpc/fm.plyr.feed.getLatest",
            400,
            "InvalidRequest",
        ),
        (Method::DELETE, "/", 400, "InvalidRequest"),
        (Method::PUT, "/xrpc/_health", 400, "InvalidRequest"),
        (
            Method::GET,
            "/xrpc/fm.plyr.feed.getTrack?uri=at://did:plc:a/fm.plyr.track/no",
            400,
            "TrackNotFound",
        ),
    ];
    for (verb, path, status, error) in cases {
        let response = served.call(verb.clone(), path).await;
        assert_eq!(response.status().as_u16(), status, "{verb} {path}");
        let allowed = response
            .headers()
            .get("access-control-allow-origin")
            .cloned();
        assert_eq!(allowed.unwrap(), "*", "{verb} {path}");
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-credentials")
        );
        let body = response.text().await.unwrap();
        if !error.is_empty() {
            let answer: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(answer["error"], error, "{verb} {path}");
            assert!(answer["message"].is_string());
        }
        if verb == Method::HEAD {
            assert!(body.is_empty());
        }
    }
    let long = format!("/xrpc/fm.plyr.feed.getLatest?x={}", "y".repeat(60_000));
    assert_eq!(served.call(Method::GET, &long).await.status().as_u16(), 414);
}

#[tokio::test]
async fn anonymous_reads_carry_an_etag_and_large_ones_shrink() {
    let served = filled(100).await;
    let path = "/xrpc/fm.plyr.feed.getTrack?uri=at://did:plc:a/fm.plyr.track/one";
    let first = served.call(Method::GET, path).await;
    let etag = first.headers()["etag"].clone();
    let again = |header: &'static str, value: reqwest::header::HeaderValue| {
        let request = served
            .client
            .get(format!("{}{path}", served.url))
            .header(header, value);
        async move { request.send().await.unwrap() }
    };
    let unchanged = again("if-none-match", etag.clone()).await;
    assert_eq!(unchanged.status().as_u16(), 304);
    assert_eq!(unchanged.headers()["access-control-allow-origin"], "*");
    served
        .put(
            "at://did:plc:a/fm.plyr.track/one",
            2,
            track(&"long ".repeat(300)),
        )
        .await;
    assert_eq!(again("if-none-match", etag).await.status().as_u16(), 200);
    let zipped = again("accept-encoding", "gzip".parse().unwrap()).await;
    let long = served.call(Method::GET, path).await.bytes().await.unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    assert!(zipped.bytes().await.unwrap().len() < long.len());
    for (accepted, zips) in [
        ("*", true),
        ("br, GZIP;q=0.5", true),
        ("gzip;q=0, *", false),
        ("gzip;q=0.000", false),
        ("x-gzip, identity", false),
    ] {
        let answer = again("accept-encoding", accepted.parse().unwrap()).await;
        let zipped = answer.headers().contains_key("content-encoding");
        assert_eq!(zipped, zips, "{accepted}");
    }
}

#[tokio::test]
async fn a_request_without_a_path_is_refused_like_any_other() {
    let served = filled(100).await;
    let address = served.address;
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        stream
            .write_all(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });
    let answer = asked.await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        answer.contains("access-control-allow-origin: *"),
        "{answer}"
    );
    assert!(answer.contains(r#"{"error":"InvalidRequest""#), "{answer}");
}

#[tokio::test]
async fn i15_pages_hold_everything_once_and_i06_bad_records_hurt_nobody() {
    let served = Served::start(100).await;
    for number in 0..25 {
        let uri = format!("at://did:plc:a/fm.plyr.track/t{number:02}");
        served.put(&uri, number, track("same time")).await;
        let bad = format!("at://did:plc:a/fm.plyr.track/bad{number:02}");
        served
            .put(&bad, number, json!({ "title": [], "artist": 3 }))
            .await;
        let hidden = format!("at://did:plc:h/fm.plyr.track/h{number:02}");
        served.put(&hidden, number, track("hidden")).await;
    }
    let far = json!({ "title": "far", "artist": "A", "fileType": "mp3",
        "createdAt": "2999-01-01T00:00:00Z" });
    served
        .put("at://did:plc:a/fm.plyr.track/future", 1, far)
        .await;
    let did = Did::new("did:plc:h".to_owned()).unwrap();
    let hide = Account {
        did,
        state: AccountState::Deactivated,
        since: 9,
        asked_at: 9,
    };
    served
        .store
        .apply(vec![Change::Account(hide)])
        .await
        .unwrap();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    let mut pages = 0;
    loop {
        let path = format!("/xrpc/fm.plyr.feed.getLatest?limit=4{cursor}");
        let (status, page) = served.get(&path).await;
        assert_eq!(status, 200, "{page}");
        pages += 1;
        let uris = page["tracks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|track| track["uri"].to_string());
        seen.extend(uris);
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        assert!(pages < 100, "the pages never end");
    }
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), once.len()), (25, 25), "{seen:?}");
    let foreign = format!("/xrpc/fm.plyr.feed.getActorTracks?actor=did:plc:a{cursor}");
    assert_eq!(served.get(&foreign).await.0, 400);
    let (_, stats) = served.get("/xrpc/fm.plyr.stats.getStats").await;
    assert_eq!(
        (&stats["trackCount"], &stats["artistCount"]),
        (&json!(26), &json!(1))
    );
    let (status, refused) = served
        .get("/xrpc/fm.plyr.feed.getTrack?uri=at://did:plc:h/fm.plyr.track/h01")
        .await;
    assert_eq!((status, &refused["error"]), (400, &json!("TrackHidden")));
    assert_eq!(refused["message"], "accountDeactivated");
    let bad = "/xrpc/fm.plyr.feed.getTrack?uri=at://did:plc:a/fm.plyr.track/bad01";
    assert_eq!(served.get(bad).await.1["message"], "invalid");
}

#[tokio::test]
async fn a_hundred_handles_of_the_register_are_a_hundred_tracks() {
    let served = filled(100).await;
    let handle = Handle::new("artist.test".to_owned()).unwrap();
    let identity = Identity {
        did: Did::new("did:plc:a".to_owned()).unwrap(),
        pds: None,
        signing_key: None,
        handle: Some(handle),
        asked_at: 9,
    };
    served.apply(vec![Change::Identity(identity)]).await;
    let uris = vec!["uris=at://artist.test/fm.plyr.track/one"; 100].join("&");
    let (status, answer) = served
        .get(&format!("/xrpc/fm.plyr.feed.getTracks?{uris}"))
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["tracks"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn i15_likes_of_what_is_gone_leave_no_holes_in_a_page() {
    let served = filled(100).await;
    for number in 0..8 {
        let gone = format!("at://did:plc:a/fm.plyr.track/gone{number}");
        let mut like = about(&gone);
        like["createdAt"] = format!("2026-02-0{}T00:00:00Z", number + 1).into();
        let uri = format!("at://did:plc:b/fm.plyr.like/gone{number}");
        served.put(&uri, 2, like).await;
    }
    let path = "/xrpc/fm.plyr.feed.getActorLikes?actor=did:plc:b&limit=4";
    let (status, page) = served.get(path).await;
    assert_eq!(status, 200, "{page}");
    let likes = page["likes"].as_array().unwrap();
    assert_eq!(likes.len(), 1, "{page}");
    assert_eq!(likes[0]["track"]["uri"], "at://did:plc:a/fm.plyr.track/one");
    assert_eq!(page.get("cursor"), None);
}

#[tokio::test]
async fn i07_who_likes_twice_shows_once() {
    let served = filled(100).await;
    let one = "at://did:plc:a/fm.plyr.track/one";
    for uri in [
        "at://did:plc:b/fm.plyr.like/y",
        "at://did:plc:c/fm.plyr.like/x",
    ] {
        served.put(uri, 2, about(one)).await;
    }
    let path = format!("/xrpc/fm.plyr.feed.getLikes?uri={one}");
    let (_, page) = served.get(&path).await;
    let likes = page["likes"].as_array().unwrap().iter();
    let authors: Vec<&Value> = likes.map(|like| &like["author"]["did"]).collect();
    assert_eq!(authors.len(), 2, "{page}");
    assert_ne!(authors[0], authors[1], "{page}");
}

#[tokio::test]
async fn i11_pages_of_large_records_are_short_and_lose_none() {
    let served = Served::start(100).await;
    for number in 0..12 {
        let mut large = track("large");
        large["unknown"] = "x".repeat(700_000).into();
        let uri = format!("at://did:plc:a/fm.plyr.track/t{number:02}");
        served.put(&uri, number, large).await;
    }
    let item = |number: i64| about(&format!("at://did:plc:a/fm.plyr.track/t{number:02}"));
    let items: Vec<Value> = (0..12).map(item).collect();
    served
        .put(
            "at://did:plc:a/fm.plyr.list/l",
            1,
            json!({ "items": items }),
        )
        .await;
    for number in 0..12 {
        let like = format!("at://did:plc:b/fm.plyr.like/l{number:02}");
        served.put(&like, number, item(number)).await;
    }
    let uris = vec!["uris=at://did:plc:a/fm.plyr.track/t00"; 100].join("&");
    let many = format!("/xrpc/fm.plyr.feed.getTracks?{uris}");
    let (status, refused) = served.get(&many).await;
    assert_eq!((status, &refused["error"]), (400, &json!("InvalidRequest")));
    for (method, query, key) in [
        (
            "fm.plyr.graph.getList",
            "uri=at://did:plc:a/fm.plyr.list/l",
            "items",
        ),
        ("fm.plyr.feed.getActorTracks", "actor=did:plc:a", "tracks"),
        ("fm.plyr.feed.getActorLikes", "actor=did:plc:b", "likes"),
        (
            "com.atproto.repo.listRecords",
            "repo=did:plc:a&collection=fm.plyr.track",
            "records",
        ),
    ] {
        let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("/xrpc/{method}?{query}&limit=100{cursor}");
            let (status, page) = served.get(&path).await;
            assert_eq!(status, 200, "{method}");
            let rows = page[key].as_array().unwrap();
            assert!((1..=7).contains(&rows.len()), "{method}: {}", rows.len());
            for row in rows {
                let uris = ["/uri", "/subject/uri", "/track/uri"];
                let uri = uris.iter().find_map(|place| row.pointer(place)).unwrap();
                assert!(seen.insert(uri.to_string()), "{method}: twice");
            }
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 12, "{method}");
    }
}

#[tokio::test]
async fn i11_deleted_records_are_walked_a_bounded_number_at_a_time() {
    let served = Served::start(100).await;
    let uri = |rkey: &str| format!("at://did:plc:a/fm.plyr.track/{rkey}");
    let mut changes = vec![put(&uri("a"), 1, track("a")), put(&uri("z"), 1, track("z"))];
    for number in 0..5_000 {
        let Change::Version(mut version) = put(&uri(&format!("k{number:04}")), 2, track("k"))
        else {
            unreachable!();
        };
        version.body = Body::Delete;
        changes.push(Change::Version(version));
    }
    served.apply(changes).await;
    for order in ["", "&reverse=true"] {
        let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let query = "repo=did:plc:a&collection=fm.plyr.track";
            let path = format!("/xrpc/com.atproto.repo.listRecords?{query}{order}{cursor}");
            let (status, page) = served.get(&path).await;
            assert_eq!(status, 200, "{page}");
            pages += 1;
            let records = page["records"].as_array().unwrap();
            seen.extend(
                records
                    .iter()
                    .map(|row| row["uri"].as_str().unwrap().to_owned()),
            );
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut all = vec![uri("z"), uri("a")];
        if !order.is_empty() {
            all.reverse();
        }
        assert_eq!((seen, pages), (all, 3), "{order}");
    }
}

#[tokio::test]
async fn i06_a_time_outside_the_years_fails_no_page() {
    let served = filled(100).await;
    let mut late = track("late");
    late["createdAt"] = "9999-12-31T23:59:59-23:59".into();
    served
        .put("at://did:plc:a/fm.plyr.track/late", 2, late)
        .await;
    let (status, page) = served
        .get("/xrpc/fm.plyr.feed.getActorTracks?actor=did:plc:a")
        .await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["tracks"][0]["sortAt"], "9999-12-31T23:59:59.999999Z");
    assert_eq!(page["tracks"].as_array().unwrap().len(), 2);
}
