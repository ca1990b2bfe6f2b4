//! What is found, and how it shows.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::served::track;
use crate::*;

#[tokio::test]
async fn all_types_are_found_each_as_its_view_and_with_why() {
    let served = night().await;
    let found = answer(&served, QUERY, &[("q", "night")]).await;
    let kind = |hit: &Value| hit["$type"].as_str().unwrap().to_owned();
    let shown: Vec<(String, String)> = hits(&found)
        .into_iter()
        .map(|hit| (kind(hit), address(hit)))
        .collect();
    let of =
        |kind: &str, address: &str| (format!("fm.plyr.search.defs#{kind}"), address.to_owned());
    let expected = [
        of("tagHit", "Night"),
        of("trackHit", NIGHT),
        of("listHit", ALBUM),
        of("profileHit", "did:plc:bob"),
        of("trackHit", LATE),
        of("listHit", PLAYLIST),
    ];
    let sorted = |hits: &[(String, String)]| hits.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(sorted(&shown), sorted(&expected), "{found}");
    assert_eq!(shown[0], expected[0], "the tag is the whole query");
    assert_eq!(
        (&found["hitsTotal"], &found["totalExact"], &found["partial"]),
        (&json!(6), &json!(true), &json!(false))
    );
    assert_eq!(found.get("cursor"), None);
    let hit = |address: &str| {
        let place = shown.iter().position(|(_, one)| one == address).unwrap();
        found["hits"][place].clone()
    };
    let tag = hit("Night");
    assert_eq!(
        tag["match"],
        json!({ "tier": "exact", "field": "name", "whole": true })
    );
    assert_eq!(tag["trackCount"], 2);
    assert_eq!(hit(NIGHT)["match"]["tier"], "prefix");
    assert_eq!(hit(PLAYLIST)["match"]["field"], "artist");
    let late = hit(LATE);
    assert_eq!(
        late["match"],
        json!({ "tier": "word", "field": "artist", "whole": false })
    );
    assert_eq!(hit(NIGHT)["track"]["author"]["handle"], "alice.test");
    assert_eq!(hit(NIGHT)["track"]["durationMs"], 61_000);
    assert_eq!(hit("did:plc:bob")["profile"]["trackCount"], 1);

    for (kinds, expected) in [
        (&["track"][..], &[NIGHT, LATE][..]),
        (&["album"], &[ALBUM]),
        (&["playlist"], &[PLAYLIST]),
        (&["artist"], &["did:plc:bob"]),
        (&["tag"], &["Night"]),
        (&["album", "playlist", "album"], &[ALBUM, PLAYLIST]),
    ] {
        let mut parameters = vec![("q", "night")];
        parameters.extend(kinds.iter().map(|kind| ("type", *kind)));
        let found = answer(&served, QUERY, &parameters).await;
        assert_eq!(addresses(&found), expected, "{kinds:?}");
        assert_eq!(found["hitsTotal"], expected.len());
    }
}

#[tokio::test]
async fn hits_are_narrowed_by_author_length_and_time() {
    let served = night().await;
    for (parameters, expected) in [
        (&[("author", "did:plc:bob")][..], &[LATE][..]),
        (&[("author", "alice.test")], &[NIGHT]),
        (&[("minDuration", "62")], &[LATE]),
        (&[("maxDuration", "61")], &[NIGHT]),
        (&[("since", "2026-01-01T00:00:00Z")], &[NIGHT]),
        (&[("until", "2025-01-01T00:00:00+01:00")], &[LATE]),
        (&[("minDuration", "62"), ("maxDuration", "61")], &[]),
    ] {
        let all = [&[("q", "night"), ("type", "track")], parameters].concat();
        let found = answer(&served, QUERY, &all).await;
        assert_eq!(addresses(&found), expected, "{parameters:?}");
    }
    let nobody = [("q", "night"), ("author", "nobody.test")];
    let (status, refused) = ask(&served, QUERY, &nobody).await;
    assert_eq!((status, &refused["error"]), (400, &json!("ActorNotFound")));
    for wrong in [("minDuration", "-1"), ("since", "2026"), ("type", "song")] {
        let (status, refused) = ask(&served, QUERY, &[("q", "night"), wrong]).await;
        assert_eq!((status, &refused["error"]), (400, &json!("InvalidRequest")));
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with(wrong.0), "{message}");
    }
}

#[tokio::test]
async fn highlights_are_bytes_of_the_texts_that_show() {
    let served = night().await;
    let record = json!({ "title": "Été à Ｎight — Beyoncé 夜想曲", "artist": "é Ana",
        "album": "Größe", "fileType": "mp3", "tags": ["été"], "description": "ÉTÉ, always.",
        "features": [{ "did": "did:plc:bob", "handle": "bob.test", "displayName": "Été" }] });
    let uri = "at://did:plc:carol/fm.plyr.track/summer";
    served.put(uri, 9, record).await;
    served.index().await;
    let marked_in = |found: &Value, uri: &str| {
        let hit = hits(found).into_iter().find(|hit| address(hit) == uri);
        marked(hit.unwrap())
    };
    let of = |path: &str, parts: &[&str]| {
        let parts = parts
            .iter()
            .map(|part| (*part).to_owned())
            .collect::<Vec<_>>();
        (path.to_owned(), parts)
    };
    let found = answer(&served, QUERY, &[("q", "ete")]).await;
    let expected = [
        of("/track/record/title", &["Été"]),
        of("/track/record/features/0/displayName", &["Été"]),
        of("/track/record/tags/0", &["été"]),
        of("/track/record/description", &["ÉTÉ"]),
    ];
    assert_eq!(marked_in(&found, uri), expected);
    let found = answer(&served, QUERY, &[("q", "night beyonce 夜想曲")]).await;
    let expected = [of("/track/record/title", &["Ｎight", "Beyoncé", "夜想曲"])];
    assert_eq!(marked_in(&found, uri), expected);
    let found = answer(&served, QUERY, &[("q", "grosse")]).await;
    assert_eq!(
        marked_in(&found, uri),
        [of("/track/record/album", &["Größe"])]
    );
    let found = answer(&served, QUERY, &[("q", "anez")]).await;
    let expected = [of("/profile/displayName", &["Añez"])];
    assert_eq!(marked_in(&found, "did:plc:alice"), expected);
    assert_eq!(
        marked_in(&found, NIGHT),
        [of("/track/author/displayName", &["Añez"])]
    );
    let found = answer(&served, TYPEAHEAD, &[("q", "niGht tr")]).await;
    assert_eq!(marked_in(&found, NIGHT), [of("/title", &["Night", "Tr"])]);
}

#[tokio::test]
async fn a_search_box_gets_few_and_light_hits() {
    let served = night().await;
    let found = answer(&served, TYPEAHEAD, &[("q", "ni")]).await;
    let shown: BTreeSet<String> = addresses(&found).into_iter().collect();
    let expected = ["Night", NIGHT, LATE, ALBUM, PLAYLIST, "did:plc:bob"];
    assert_eq!(shown, expected.map(str::to_owned).into());
    let hit = |uri: &str| {
        hits(&found)
            .into_iter()
            .find(|hit| address(hit) == uri)
            .unwrap()
    };
    assert_eq!(hit(ALBUM)["itemCount"], 1);
    assert_eq!(hit(ALBUM)["name"], "Night Moves");
    assert_eq!(hit(NIGHT)["author"]["displayName"], "Alice Añez");
    assert!(hit(NIGHT).get("record").is_none());
    let few = answer(&served, TYPEAHEAD, &[("q", "ni"), ("limit", "2")]).await;
    assert_eq!(addresses(&few), addresses(&found)[..2]);
    assert_eq!(few.get("cursor"), None);
    let lists = [("q", "ni"), ("type", "album"), ("type", "playlist")];
    let lists = answer(&served, TYPEAHEAD, &lists).await;
    assert_eq!(addresses(&lists), [ALBUM, PLAYLIST]);
    let (status, _) = ask(&served, TYPEAHEAD, &[("q", "ni"), ("limit", "11")]).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_record_that_changed_since_shows_as_it_is() {
    let served = night().await;
    served.put(NIGHT, 50, track("Day Break")).await;
    let found = answer(&served, QUERY, &[("q", "transit"), ("type", "track")]).await;
    assert_eq!(addresses(&found), [NIGHT]);
    assert_eq!(found["hits"][0]["track"]["title"], "Day Break");
    assert_eq!(found["hits"][0]["highlights"], json!([]));
    let list = json!({ "name": "Night Moves", "listType": "playlist", "items": [] });
    served.put(ALBUM, 50, list).await;
    let found = answer(&served, QUERY, &[("q", "night"), ("type", "album")]).await;
    assert_eq!(hits(&found).len(), 0, "it is no album any more");
}

/// Longer than the documents allow, and so tolerated: a text of 256 bytes may have more graphemes
/// than a name, and one of few graphemes more bytes.
#[tokio::test]
async fn i06_names_are_cut_to_their_lengths_and_still_found() {
    let served = night().await;
    names(
        &served,
        "did:plc:dora",
        Some("dora.test"),
        Some(&"d".repeat(70)),
    )
    .await;
    let profile = json!({ "bio": format!("hums {}", "é".repeat(300)) });
    served
        .put("at://did:plc:dora/fm.plyr.actor.profile/self", 5, profile)
        .await;
    let name = format!("hums {}", "o".repeat(90));
    let list = json!({ "name": name, "listType": "album", "items": [] });
    served
        .put("at://did:plc:dora/fm.plyr.list/l", 5, list)
        .await;
    served.index().await;
    let found = answer(&served, QUERY, &[("q", "hums")]).await;
    let texts = ["/list/name", "/profile/bio", "/profile/displayName"];
    let lengths = texts.map(|path| {
        let mut shown = hits(&found).into_iter().filter_map(|hit| hit.pointer(path));
        shown.next().unwrap().as_str().unwrap().chars().count()
    });
    assert_eq!(lengths, [64, 256, 64]);
    assert_eq!(hits(&found).len(), 2);
}
