//! The life of records on real PDSs, as XRPC shows it: creates, updates, deletes, re-creates,
//! invalid updates, duplicate likes, likes before their track, lists, profiles, accounts that go
//! and come back.

use plyr_peers::{Account, Layout, Pds, Peers, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

const WHEN: &str = "2026-06-01T12:00:00.000Z";

fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
        "duration": 60, "createdAt": WHEN })
}

fn like(uri: &str, cid: &str) -> Value {
    json!({ "$type": "fm.plyr.like", "subject": { "uri": uri, "cid": cid }, "createdAt": WHEN })
}

/// Waits until a field of an answer has a value.
async fn shows(
    plyr: &Plyr,
    method: &str,
    query: &str,
    pointer: &str,
    expected: Value,
) -> Result<Value, plyr_peers::PeersError> {
    wait_until(
        &format!("{method}?{query} {pointer} is {expected}"),
        || async {
            let answer = plyr.xrpc(method, query).await?;
            match answer.pointer(pointer) == Some(&expected) {
                true => Ok(answer),
                false => Err(answer.to_string()),
            }
        },
    )
    .await
}

/// Waits until a method refuses with an error's name.
async fn refuses(
    plyr: &Plyr,
    method: &str,
    query: &str,
    error: &str,
) -> Result<(), plyr_peers::PeersError> {
    wait_until(
        &format!("{method}?{query} refuses with {error}"),
        || async {
            match plyr.xrpc(method, query).await {
                Err(answer) if answer.contains(error) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    )
    .await
}

#[tokio::test]
async fn records_live_and_die_with_pds_0_4() -> Tested {
    records_live_and_die(Pds::V04, Some(Layout::Embedded)).await
}

#[tokio::test]
async fn records_live_and_die_with_pds_0_5() -> Tested {
    records_live_and_die(Pds::V05, Some(Layout::Embedded)).await
}

#[tokio::test]
async fn records_live_and_die_over_a_cluster() -> Tested {
    records_live_and_die(Pds::V04, Layout::together(BINARY, "together").await?).await
}

#[tokio::test]
async fn records_live_and_die_between_an_indexer_and_an_appview() -> Tested {
    records_live_and_die(Pds::V05, Layout::apart(BINARY, "apart").await?).await
}

async fn records_live_and_die(pds: Pds, layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let options = PeersOptions {
        pds,
        pds_count: 1,
        relay: true,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let plyr = Plyr::run(BINARY, &peers, &data, &layout).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let bob = Account::create(&peers.pds[0], "bob.test").await?;
    tracks(&plyr, &alice).await?;
    likes_and_comments(&plyr, &alice, &bob).await?;
    lists_and_profiles(&plyr, &alice, &bob).await?;
    accounts(&plyr, &alice, &bob).await?;
    hostile_records(&plyr, &alice).await?;
    counters_add_up(&plyr).await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

async fn tracks(plyr: &Plyr, alice: &Account) -> Tested {
    let (uri, _) = alice.put("fm.plyr.track", "one", &track("first")).await?;
    let query = format!("uri={uri}");
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/title",
        json!("first"),
    )
    .await?;
    alice.put("fm.plyr.track", "one", &track("second")).await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/title",
        json!("second"),
    )
    .await?;
    alice.delete("fm.plyr.track", "one").await?;
    refuses(plyr, "fm.plyr.feed.getTrack", &query, "TrackNotFound").await?;
    let mine = format!("actor={}", alice.did);
    shows(
        plyr,
        "fm.plyr.feed.getActorTracks",
        &mine,
        "/tracks",
        json!([]),
    )
    .await?;
    alice.put("fm.plyr.track", "one", &track("again")).await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/title",
        json!("again"),
    )
    .await?;

    let mut broken = track("broken");
    broken["title"] = json!(5);
    alice.put("fm.plyr.track", "one", &broken).await?;
    refuses(plyr, "fm.plyr.feed.getTrack", &query, "TrackHidden").await?;
    shows(plyr, "fm.plyr.feed.getLatest", "", "/tracks", json!([])).await?;
    let quarantine = "fm.plyr.sync.getQuarantine";
    let refused = shows(plyr, quarantine, "", "/entries/0/uri", json!(uri)).await?;
    assert!(
        refused["entries"][0]["detail"]
            .as_str()
            .unwrap_or_default()
            .contains("/title")
    );
    alice.put("fm.plyr.track", "one", &track("mended")).await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/title",
        json!("mended"),
    )
    .await?;
    shows(
        plyr,
        "fm.plyr.sync.getQuarantine",
        "",
        "/entries",
        json!([]),
    )
    .await?;
    Ok(())
}

async fn likes_and_comments(plyr: &Plyr, alice: &Account, bob: &Account) -> Tested {
    let uri = format!("at://{}/fm.plyr.track/late", alice.did);
    let query = format!("uri={uri}");
    let any_cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    bob.put("fm.plyr.like", "3lfvhszifvc2a", &like(&uri, any_cid))
        .await?;
    bob.put("fm.plyr.like", "3lfvhszifvc2b", &like(&uri, any_cid))
        .await?;
    alice
        .put("fm.plyr.like", "3lfvhszifvc2c", &like(&uri, any_cid))
        .await?;
    let comment = json!({ "$type": "fm.plyr.comment", "subject": { "uri": uri, "cid": any_cid },
        "text": "here", "timestampMs": 1500, "createdAt": WHEN });
    bob.put("fm.plyr.comment", "3lfvhszifvc2d", &comment)
        .await?;
    alice
        .put("fm.plyr.track", "late", &track("liked before it was there"))
        .await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/likeCount",
        json!(2),
    )
    .await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/commentCount",
        json!(1),
    )
    .await?;
    let likes = plyr.xrpc("fm.plyr.feed.getLikes", &query).await?;
    assert_eq!(likes["likes"].as_array().map(Vec::len), Some(2), "{likes}");
    let comments = plyr.xrpc("fm.plyr.feed.getComments", &query).await?;
    assert_eq!(comments["comments"][0]["timestampMs"], 1500);
    let resolve = "com.atproto.identity.resolveHandle";
    shows(plyr, resolve, "handle=bob.test", "/did", json!(bob.did)).await?;
    // Each row follows the record by itself.
    let (likes, by_bob) = ("fm.plyr.feed.getActorLikes", "actor=bob.test");
    let liked = shows(plyr, likes, by_bob, "/likes/0/track/uri", json!(uri)).await?;
    assert_eq!(liked["likes"].as_array().map(Vec::len), Some(1), "{liked}");
    // One of two likes of one actor goes: the other still counts. Then that goes too.
    bob.delete("fm.plyr.like", "3lfvhszifvc2a").await?;
    alice.delete("fm.plyr.like", "3lfvhszifvc2c").await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/likeCount",
        json!(1),
    )
    .await?;
    let likes = plyr.xrpc("fm.plyr.feed.getLikes", &query).await?;
    assert_eq!(likes["likes"].as_array().map(Vec::len), Some(1), "{likes}");
    Ok(())
}

async fn lists_and_profiles(plyr: &Plyr, alice: &Account, bob: &Account) -> Tested {
    let subject = |rkey: &str| {
        json!({ "subject": { "uri": format!("at://{}/fm.plyr.track/{rkey}", alice.did),
            "cid": "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i" } })
    };
    let list = |items: Vec<Value>| {
        json!({ "$type": "fm.plyr.list", "name": "Evenings", "listType": "playlist",
            "items": items, "createdAt": WHEN })
    };
    let items = vec![subject("late"), subject("gone"), subject("one")];
    let (uri, _) = bob
        .put("fm.plyr.list", "3lfvhszifvc2e", &list(items))
        .await?;
    let query = format!("uri={uri}");
    let shown = shows(
        plyr,
        "fm.plyr.graph.getList",
        &query,
        "/list/itemCount",
        json!(3),
    )
    .await?;
    let kinds: Vec<_> = (0..3)
        .map(|place| shown["items"][place]["item"]["$type"].as_str())
        .collect();
    let kind = |name: &'static str| Some(name);
    let track_view = kind("fm.plyr.feed.defs#trackView");
    assert_eq!(
        kinds,
        [track_view, kind("fm.plyr.graph.defs#notFound"), track_view]
    );
    let holds = format!("uri=at://{}/fm.plyr.track/late", alice.did);
    let lists = "fm.plyr.graph.getListsWithItem";
    shows(plyr, lists, &holds, "/lists/0/uri", json!(uri)).await?;
    bob.put("fm.plyr.list", "3lfvhszifvc2e", &list(vec![subject("one")]))
        .await?;
    shows(
        plyr,
        "fm.plyr.graph.getListsWithItem",
        &holds,
        "/lists",
        json!([]),
    )
    .await?;
    let playlists = "actor=bob.test&listType=playlist";
    let mine = plyr.xrpc("fm.plyr.graph.getActorLists", playlists).await?;
    assert_eq!(mine["lists"].as_array().map(Vec::len), Some(1));
    let albums = plyr
        .xrpc(
            "fm.plyr.graph.getActorLists",
            "actor=bob.test&listType=album",
        )
        .await?;
    assert_eq!(albums["lists"], json!([]));

    let profile =
        |bio: &str| json!({ "$type": "fm.plyr.actor.profile", "bio": bio, "createdAt": WHEN });
    bob.put("fm.plyr.actor.profile", "self", &profile("hums"))
        .await?;
    let who = "actor=bob.test";
    shows(
        plyr,
        "fm.plyr.actor.getProfile",
        who,
        "/profile/bio",
        json!("hums"),
    )
    .await?;
    bob.put("fm.plyr.actor.profile", "self", &profile("sings"))
        .await?;
    shows(
        plyr,
        "fm.plyr.actor.getProfile",
        who,
        "/profile/bio",
        json!("sings"),
    )
    .await?;
    bob.delete("fm.plyr.actor.profile", "self").await?;
    wait_until("the profile record is gone", || async {
        let answer = plyr.xrpc("fm.plyr.actor.getProfile", who).await?;
        let profile = &answer["profile"];
        let is_bare = profile.get("record").is_none() && profile["playlistCount"] == 1;
        is_bare.then_some(()).ok_or(answer.to_string())
    })
    .await?;
    Ok(())
}

async fn accounts(plyr: &Plyr, alice: &Account, bob: &Account) -> Tested {
    let track = format!("uri=at://{}/fm.plyr.track/late", alice.did);
    // Totals may follow a moment behind.
    let totals = "fm.plyr.stats.getStats";
    let before = json!({ "trackCount": 2, "artistCount": 1, "likeCount": 1, "commentCount": 1,
        "listCount": 1, "durationSeconds": 120 });
    shows(plyr, totals, "", "", before.clone()).await?;
    bob.post(
        "com.atproto.server.deactivateAccount",
        &json!({ "deleteAfter": "2099-01-01T00:00:00.000Z" }),
    )
    .await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &track,
        "/track/likeCount",
        json!(0),
    )
    .await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &track,
        "/track/commentCount",
        json!(0),
    )
    .await?;
    let comments = plyr.xrpc("fm.plyr.feed.getComments", &track).await?;
    assert_eq!(comments["comments"], json!([]));
    let who = format!("actor={}", bob.did);
    refuses(plyr, "fm.plyr.actor.getProfile", &who, "ActorHidden").await?;
    bob.post("com.atproto.server.activateAccount", &json!({}))
        .await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &track,
        "/track/likeCount",
        json!(1),
    )
    .await?;
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &track,
        "/track/commentCount",
        json!(1),
    )
    .await?;
    shows(plyr, totals, "", "", before).await?;

    bob.post(
        "com.atproto.identity.updateHandle",
        &json!({ "handle": "robert.test" }),
    )
    .await?;
    let renamed = "/profile/handle";
    shows(
        plyr,
        "fm.plyr.actor.getProfile",
        &who,
        renamed,
        json!("robert.test"),
    )
    .await?;
    let by_new = "handle=robert.test";
    shows(
        plyr,
        "com.atproto.identity.resolveHandle",
        by_new,
        "/did",
        json!(bob.did),
    )
    .await?;
    Ok(())
}

/// What a PDS lets in: none of it fails a page, a total or the process.
async fn hostile_records(plyr: &Plyr, alice: &Account) -> Tested {
    let deep = (0..500).fold(json!(1), |inner, _| json!([inner]));
    let hostile = [
        json!({ "supportGate": "x" }),
        json!({ "duration": 9_007_199_254_740_991_i64 }),
        json!({ "title": "a\u{0}b\u{202e}c" }),
        json!({ "title": "" }),
        json!({ "createdAt": "9999-12-31T23:59:59.999Z" }),
        json!({ "createdAt": "yesterday" }),
        json!({ "features": ["did:plc:good", null, { "handle": "x" }] }),
        json!({ "labels": ["porn"] }),
        json!({ "audioBlob": { "ref": "bafk" } }),
        json!({ "description": "x".repeat(50_000) }),
        json!({ "unknown": deep }),
        json!({ "tags": 7, "cover": "none" }),
    ];
    for (number, odd) in hostile.iter().enumerate() {
        let mut record = track(&format!("hostile {number}"));
        for (name, value) in odd.as_object().into_iter().flatten() {
            record[name.as_str()] = value.clone();
        }
        alice
            .put("fm.plyr.track", &format!("hostile-{number}"), &record)
            .await?;
    }
    alice
        .put(
            "fm.plyr.like",
            "odd",
            &json!({ "$type": "fm.plyr.like", "subject": 1 }),
        )
        .await?;
    let (end, _) = alice.put("fm.plyr.track", "end", &track("end")).await?;
    let query = format!("uri={end}");
    shows(
        plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/title",
        json!("end"),
    )
    .await?;
    for call in [
        format!(
            "/xrpc/fm.plyr.feed.getActorTracks?actor={}&limit=100",
            alice.did
        ),
        "/xrpc/fm.plyr.feed.getLatest?limit=100".to_owned(),
        format!("/xrpc/fm.plyr.actor.getProfile?actor={}", alice.did),
        "/xrpc/fm.plyr.stats.getStats".to_owned(),
        "/xrpc/fm.plyr.sync.getQuarantine?limit=100".to_owned(),
        format!(
            "/xrpc/com.atproto.repo.listRecords?repo={}&collection=fm.plyr.track&limit=100",
            alice.did
        ),
    ] {
        let (status, answer) = plyr.get(&call).await?;
        assert_eq!(status, 200, "{call}: {answer}");
    }
    let held = alice.list("fm.plyr.track").await?;
    let query = format!("repo={}&collection=fm.plyr.track&limit=100", alice.did);
    let records = "com.atproto.repo.listRecords";
    shows(plyr, records, &query, "/records", json!(held)).await?;
    let mine = format!("actor={}&limit=100", alice.did);
    wait_until("what is odd is shown, what is invalid isn't", || async {
        let titles = plyr.xrpc("fm.plyr.feed.getActorTracks", &mine).await?;
        let shown = titles["tracks"].as_array().cloned().unwrap_or_default();
        let is_shown = |title: &str| shown.iter().any(|track| track["record"]["title"] == title);
        let odd = ["hostile 1", "hostile 9", "hostile 11"];
        let is_right =
            odd.into_iter().all(is_shown) && !is_shown("hostile 0") && !is_shown("hostile 5");
        is_right.then_some(()).ok_or(titles.to_string())
    })
    .await?;
    Ok(())
}

/// I5: what was received adds up to the four outcomes.
async fn counters_add_up(plyr: &Plyr) -> Tested {
    let sum = |metrics: &str, name: &str| -> f64 {
        let rows = metrics
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")));
        rows.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    wait_until(
        "received equals applied + superseded + out of scope + quarantined",
        || async {
            let metrics = plyr.probe("/metrics").await?;
            let received = sum(&metrics, "plyr_events_received_total");
            let finished = sum(&metrics, "plyr_events_total");
            match received > 0.0 && received == finished {
                true => Ok(()),
                false => Err(format!("{received} received, {finished} finished")),
            }
        },
    )
    .await?;
    Ok(())
}
