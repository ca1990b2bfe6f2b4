//! The official TypeScript client, made of our documents by the official tool, calls every method
//! of a server over real peers, with response validation on, and gets every declared error.

use std::collections::BTreeSet;

use plyr_lexicons::document::SOURCES;
use plyr_lexicons::methods;
use plyr_peers::{Account, Clients, Layout, Pds, Peers, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

const WHEN: &str = "2026-06-01T12:00:00.000Z";
/// A CID of something else: what is liked may have changed since.
const OTHER: &str = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";

#[tokio::test]
async fn the_official_client_calls_every_method_and_finds_the_answers_valid() -> Tested {
    the_official_client_is_content(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn the_official_client_finds_an_appview_over_a_cluster_valid() -> Tested {
    the_official_client_is_content(Layout::apart(BINARY, "client").await?).await
}

async fn the_official_client_is_content(layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let made = folder.path().join("client");
    let clients = Clients::make(&made, SOURCES, &["typescript_client.ts"]);
    let Some(clients) = clients.await? else {
        return Ok(());
    };
    let options = PeersOptions {
        pds: Pds::V05,
        pds_count: 1,
        relay: true,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let data = folder.path().join("data");
    let plyr = Plyr::run(BINARY, &peers, &data, &layout).await?;
    let held = write_records(&peers, &plyr).await?;

    let arguments = [plyr.appview.as_str(), &held.to_string()];
    let said = clients.run("typescript_client.js", &arguments, b"").await?;
    let findings: Vec<Value> = said
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    every_method_answered(&findings);
    every_declared_error_was_given(&findings);
    wrong_parameters_are_named(&findings);
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

/// Writes records of every type, waits until they show, and tells the client where they are.
async fn write_records(peers: &Peers, plyr: &Plyr) -> Result<Value, Box<dyn std::error::Error>> {
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let bob = Account::create(&peers.pds[0], "bob.test").await?;
    let carol = Account::create(&peers.pds[0], "carol.test").await?;
    let (track, list) = alice_writes(&alice, &bob).await?;
    let like = json!({ "$type": "fm.plyr.like", "subject": { "uri": track, "cid": OTHER },
        "createdAt": WHEN });
    bob.put("fm.plyr.like", "3lfvhszifvc2a", &like).await?;
    // Invalid: they show in the quarantine list and nowhere else.
    let broken = json!({ "$type": "fm.plyr.track", "title": 5 });
    let (hidden_track, _) = bob.put("fm.plyr.track", "broken", &broken).await?;
    let broken = json!({ "$type": "fm.plyr.list", "items": 5 });
    let (hidden_list, _) = bob.put("fm.plyr.list", "broken", &broken).await?;
    let profile = json!({ "$type": "fm.plyr.actor.profile", "bio": "hums", "createdAt": WHEN });
    carol.put("fm.plyr.actor.profile", "self", &profile).await?;
    let who = format!("actor={}", carol.did);
    shows(
        plyr,
        "fm.plyr.actor.getProfile",
        &who,
        "/profile/bio",
        &json!("hums"),
    )
    .await?;
    let later = json!({ "deleteAfter": "2099-01-01T00:00:00.000Z" });
    carol
        .post("com.atproto.server.deactivateAccount", &later)
        .await?;

    let of_track = format!("uri={track}");
    let of_alice = "actor=alice.test";
    let get_track = "fm.plyr.feed.getTrack";
    shows(plyr, get_track, &of_track, "/track/likeCount", &json!(2)).await?;
    shows(plyr, get_track, &of_track, "/track/commentCount", &json!(2)).await?;
    let of_list = format!("uri={list}");
    shows(
        plyr,
        "fm.plyr.graph.getList",
        &of_list,
        "/list/itemCount",
        &json!(3),
    )
    .await?;
    let with_item = "fm.plyr.graph.getListsWithItem";
    shows(plyr, with_item, &of_track, "/lists/0/uri", &json!(list)).await?;
    wait_until("alice's likes and albums are listed", || async {
        let likes = plyr.xrpc("fm.plyr.feed.getActorLikes", of_alice).await?;
        let albums = "actor=alice.test&listType=album";
        let lists = plyr.xrpc("fm.plyr.graph.getActorLists", albums).await?;
        let count = |answer: &Value, name: &str| answer[name].as_array().map(Vec::len);
        let is_all = count(&likes, "likes") == Some(2) && count(&lists, "lists") == Some(1);
        is_all.then_some(()).ok_or(format!("{likes} {lists}"))
    })
    .await?;
    let bio = json!("sings");
    shows(
        plyr,
        "fm.plyr.actor.getProfile",
        of_alice,
        "/profile/bio",
        &bio,
    )
    .await?;
    let refused = "fm.plyr.sync.getQuarantine";
    wait_until(
        "both broken records are refused, and carol is hidden",
        || async {
            let entries = plyr.xrpc(refused, "").await?["entries"].clone();
            let hidden = plyr.xrpc("fm.plyr.actor.getProfile", &who).await;
            match (entries.as_array().map(Vec::len), hidden) {
                (Some(2), Err(answer)) if answer.contains("ActorHidden") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    )
    .await?;
    Ok(
        json!({ "track": track, "hiddenTrack": hidden_track, "list": list,
        "hiddenList": hidden_list, "actor": "alice.test", "hiddenActor": carol.did }),
    )
}

/// Every type of record, with every field its document knows; answers a track and a list.
async fn alice_writes(
    alice: &Account,
    bob: &Account,
) -> Result<(String, String), plyr_peers::PeersError> {
    let audio = alice.upload_blob("audio/mpeg", vec![7; 2000]).await?;
    let cover = alice.upload_blob("image/png", vec![8; 200]).await?;
    let plain = |title: &str| {
        json!({ "$type": "fm.plyr.track", "title": title, "artist": "Alice", "fileType": "mp3",
            "duration": 61, "createdAt": WHEN })
    };
    let mut full = plain("Night transit");
    let more = json!({ "album": "Transits", "audioBlob": audio, "cover": cover,
        "audioUrl": "https://audio.plyr.fm/audio/0f0f0f0f0f0f0f0f.mp3",
        "imageUrl": "https://images.plyr.fm/images/0f0f0f0f0f0f0f0f.jpg",
        "description": "Recorded on the way.",
        "features": [{ "did": bob.did, "handle": "bob.test", "displayName": "Bob" }],
        "supportGate": { "type": "any" },
        "labels": { "$type": "com.atproto.label.defs#selfLabels", "values": [{ "val": "sexual" }] },
        "tags": ["night"], "genres": ["drone"], "isrc": "AA6Q72000047", "language": "en-GB",
        "unknown": { "$type": "app.other.thing", "link": { "$link": OTHER } } });
    for (name, value) in more.as_object().into_iter().flatten() {
        full[name.as_str()] = value.clone();
    }
    let (track, cid) = alice.put("fm.plyr.track", "3lfvhszifvc2a", &full).await?;
    let (second, second_cid) = alice
        .put("fm.plyr.track", "second", &plain("Second"))
        .await?;
    alice.put("fm.plyr.track", "third", &plain("Third")).await?;

    let subject = |uri: &str, cid: &str| json!({ "uri": uri, "cid": cid });
    for (rkey, uri, cid) in [("a", &track, &cid), ("b", &second, &second_cid)] {
        let like = json!({ "$type": "fm.plyr.like", "subject": subject(uri, cid),
            "createdAt": WHEN });
        alice.put("fm.plyr.like", rkey, &like).await?;
        let comment = json!({ "$type": "fm.plyr.comment", "subject": subject(&track, cid),
            "text": "here", "timestampMs": 1500, "createdAt": WHEN, "updatedAt": WHEN });
        alice.put("fm.plyr.comment", rkey, &comment).await?;
    }
    let missing = format!("at://{}/fm.plyr.track/none", alice.did);
    let items: Vec<Value> = [
        (&track, &cid[..]),
        (&missing, OTHER),
        (&second, &second_cid),
    ]
    .iter()
    .map(|(uri, cid)| json!({ "subject": subject(uri, cid) }))
    .collect();
    let album = json!({ "$type": "fm.plyr.list", "name": "Transits", "listType": "album",
        "items": items, "description": "Three of them.", "cover": cover,
        "createdAt": WHEN, "updatedAt": WHEN });
    let (list, _) = alice.put("fm.plyr.list", "album", &album).await?;
    let bare = json!({ "$type": "fm.plyr.list", "items": [], "createdAt": WHEN });
    alice.put("fm.plyr.list", "bare", &bare).await?;
    let profile = json!({ "$type": "fm.plyr.actor.profile", "bio": "sings", "createdAt": WHEN,
        "avatar": "https://cdn.bsky.app/img/avatar/a@jpeg", "updatedAt": WHEN });
    alice.put("fm.plyr.actor.profile", "self", &profile).await?;
    Ok((track, list))
}

/// Waits until a field of an answer has a value.
async fn shows(
    plyr: &Plyr,
    method: &str,
    query: &str,
    pointer: &str,
    expected: &Value,
) -> Result<(), plyr_peers::PeersError> {
    wait_until(
        &format!("{method}?{query} {pointer} is {expected}"),
        || async {
            let answer = plyr.xrpc(method, query).await?;
            match answer.pointer(pointer) == Some(expected) {
                true => Ok(()),
                false => Err(answer.to_string()),
            }
        },
    )
    .await
}

/// Whether a method is tried elsewhere: the operator's (`appview/tests/admin.rs`), and those that
/// answer with bytes (`appview/tests/media`).
fn is_tried_elsewhere(nsid: &str) -> bool {
    let with_bytes = ["fm.plyr.media.getAudio", "fm.plyr.media.getImage"];
    nsid.starts_with("com.atproto.admin.") || with_bytes.contains(&nsid)
}

fn every_method_answered(findings: &[Value]) {
    let expected = [
        ("fm.plyr.feed.getTracks", 1),
        ("fm.plyr.feed.getActorTracks", 3),
        ("fm.plyr.feed.getLatest", 3),
        ("fm.plyr.feed.getLikes", 2),
        ("fm.plyr.feed.getActorLikes", 2),
        ("fm.plyr.feed.getComments", 2),
        ("fm.plyr.actor.searchActors", 1),
        ("fm.plyr.search.query", 2),
        ("fm.plyr.search.typeahead", 2),
        ("parts.page.mention.search", 2),
        ("fm.plyr.graph.getList", 3),
        ("fm.plyr.graph.getActorLists", 1),
        ("fm.plyr.graph.getListsWithItem", 1),
        // alice, bob and carol.
        ("fm.plyr.sync.getCoverage", 3),
        ("fm.plyr.sync.getQuarantine", 2),
    ];
    for method in methods().iter().filter(|one| !is_tried_elsewhere(one.nsid)) {
        let mut answers = findings
            .iter()
            .filter(|finding| finding["method"] == method.nsid && finding.get("items").is_some())
            .peekable();
        assert!(answers.peek().is_some(), "{} was not called", method.nsid);
        for answer in answers {
            let items = answer["items"].as_u64().unwrap_or_default();
            assert!(items > 0, "nothing in {answer}");
            let known = expected.iter().find(|(nsid, _)| *nsid == method.nsid);
            let known = known.map_or(items, |(_, count)| *count);
            assert_eq!(items, known, "{answer}");
        }
    }
}

fn every_declared_error_was_given(findings: &[Value]) {
    let declared = findings
        .iter()
        .filter(|finding| finding["declared"] == true);
    let given: BTreeSet<(&str, &str)> = declared
        .filter_map(|finding| Some((finding["method"].as_str()?, finding["error"].as_str()?)))
        .collect();
    let expected: BTreeSet<(&str, &str)> = methods()
        .iter()
        .filter(|method| !is_tried_elsewhere(method.nsid))
        .flat_map(|method| method.error_names().map(|name| (method.nsid, name)))
        // Only before the index serves, which may be at once.
        .filter(|(_, name)| *name != "SearchUnavailable")
        .collect();
    assert_eq!(given, expected);
}

fn wrong_parameters_are_named(findings: &[Value]) {
    let of_case = |finding: &&Value| {
        let case = finding["case"].as_str().unwrap_or_default();
        case.starts_with("wrong")
    };
    let wrong: Vec<&Value> = findings.iter().filter(of_case).collect();
    assert_eq!(wrong.len(), 9);
    for finding in wrong {
        assert_eq!(finding["error"], "InvalidRequest", "{finding}");
        let message = finding["message"].as_str().unwrap_or_default();
        let parameters = [
            "limit",
            "cursor",
            "uri",
            "uris",
            "sort",
            "actor",
            "collection",
            "q",
        ];
        assert!(
            parameters
                .iter()
                .any(|name| message.starts_with(&format!("{name}: "))),
            "{finding}"
        );
    }
}
