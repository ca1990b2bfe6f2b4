//! What people type and paste, and what they are told where nothing answers.

use std::collections::BTreeSet;

use plyr_search::{Live, Progress, Standing};
use reqwest::Method;
use serde_json::json;

use crate::served::Served;
use crate::*;

#[tokio::test]
async fn odd_queries_get_an_answer_or_a_reason() {
    let served = night().await;
    let long = "night ".repeat(400);
    let many_words = "a ".repeat(10_000);
    let words = "a ".repeat(200);
    for (q, said) in [
        ("", "q: "),
        (" ", "no letter, digit or sign"),
        ("\u{202e}\u{200f}", "no letter, digit or sign"),
        ("\0", "no letter, digit or sign"),
        ("\"\"", "no letter, digit or sign"),
        (&long[..2000], "has 2000 characters; ask with at most 1000"),
        (&many_words, "q: "),
        ("-live -demo", "only says what to leave out"),
        ("min:90 before:2020", "only says what to leave out"),
        ("night min:soon", "`min:soon` can't be read"),
        ("night -min:90", "leaves nothing out"),
    ] {
        for method in [QUERY, TYPEAHEAD, ACTORS] {
            let (status, refused) = ask(&served, method, &[("q", q)]).await;
            // A search box is asked while it is typed.
            let goes_on = ["no letter", "only says", "can't be read"];
            if method == TYPEAHEAD && goes_on.iter().any(|begin| said.contains(begin)) {
                assert_eq!(status, 200, "{q:?}: {refused}");
                continue;
            }
            let message = refused["message"].as_str().unwrap();
            assert_eq!(
                (status, &refused["error"]),
                (400, &json!("InvalidRequest")),
                "{q:?}"
            );
            assert!(
                message.starts_with("q: ") && message.contains(said),
                "{q:?}: {message}"
            );
        }
    }
    // 200 equal letters, each a word of its own.
    let (status, _) = ask(&served, QUERY, &[("q", &words)]).await;
    assert_eq!(status, 400);
    for q in [
        "n",
        "!!!",
        "night\0transit",
        "\u{202e}night\u{202c}",
        "\"night",
        "night \"",
        "artist:",
        "-",
        "a:b:c:d",
        "%00",
        "night -\"",
        "OR AND NOT * ? ~ ^ [ ] { } ( ) /",
        "🙂",
        &"ａ".repeat(1000),
        &"\"a a\" ".repeat(60),
    ] {
        for method in [QUERY, TYPEAHEAD, ACTORS] {
            let (status, found) = ask(&served, method, &[("q", q)]).await;
            assert_eq!(status, 200, "{method} {q:?}: {found}");
        }
    }
    let found = answer(&served, QUERY, &[("q", "night\0transit")]).await;
    assert_eq!(addresses(&found), [NIGHT]);
}

#[tokio::test]
async fn what_is_pasted_is_what_it_names() {
    let served = night().await;
    for (q, expected) in [
        (NIGHT, NIGHT),
        ("at://alice.test/fm.plyr.track/night", NIGHT),
        ("<at://did:plc:alice/fm.plyr.list/album>", ALBUM),
        ("at://did:plc:bob", "did:plc:bob"),
        ("did:plc:bob", "did:plc:bob"),
        ("at://bob.test/fm.plyr.actor.profile/self", "did:plc:bob"),
        ("https://bsky.app/profile/bob.test", "did:plc:bob"),
        ("https://plyr.fm/u/bob.test", "did:plc:bob"),
        ("https://plyr.fm/tag/NIGHT", "Night"),
    ] {
        for method in [QUERY, TYPEAHEAD] {
            let found = answer(&served, method, &[("q", q)]).await;
            assert_eq!(addresses(&found), [expected], "{method} {q}");
            assert_eq!(found["hits"][0]["match"], json!({ "tier": "named" }), "{q}");
        }
        let found = answer(&served, QUERY, &[("q", q)]).await;
        assert_eq!(
            (&found["hitsTotal"], found.get("cursor")),
            (&json!(1), None),
            "{q}"
        );
    }
    // A handle is words too, and named first; nothing stands twice.
    let found = answer(&served, QUERY, &[("q", "@bob.test")]).await;
    assert_eq!(addresses(&found)[0], "did:plc:bob");
    assert_eq!(found["hits"][0]["match"]["tier"], "named");
    let distinct: BTreeSet<String> = addresses(&found).into_iter().collect();
    assert_eq!(distinct.len(), hits(&found).len());
    assert_eq!(found["hitsTotal"], hits(&found).len());
    // The named one isn't repeated on the next page, and stays counted.
    let q = ("q", "did:plc:alice night");
    let first = answer(&served, QUERY, &[q, ("limit", "1")]).await;
    assert_eq!(addresses(&first), ["did:plc:alice"]);
    let cursor = first["cursor"].as_str().unwrap();
    let next = answer(&served, QUERY, &[q, ("cursor", cursor)]).await;
    assert!(!addresses(&next).contains(&"did:plc:alice".to_owned()));
    assert_eq!(hits(&next).len(), 6);
    assert_eq!(
        (&first["hitsTotal"], &next["hitsTotal"]),
        (&json!(6), &json!(6)),
        "what is named stands beside"
    );
    for nothing in [
        "did:plc:nobody",
        "@nobody.test",
        "at://nobody.test/fm.plyr.track/night",
        "at://did:plc:alice/fm.plyr.track/none",
        "at://did:plc:alice/app.bsky.feed.post/night",
    ] {
        let found = answer(&served, QUERY, &[("q", nothing)]).await;
        assert_eq!(hits(&found).len(), 0, "{nothing}: {found}");
    }
    // Who is named is of the type that is asked for, too.
    let found = answer(&served, QUERY, &[("q", NIGHT), ("type", "album")]).await;
    assert_eq!(hits(&found).len(), 0);
    let by_bob = [("q", NIGHT), ("author", "did:plc:bob")];
    assert_eq!(hits(&answer(&served, QUERY, &by_bob).await).len(), 0);
    let found = answer(&served, ACTORS, &[("q", "did:plc:bob")]).await;
    assert_eq!(found["profiles"][0]["did"], "did:plc:bob");
    let found = answer(
        &served,
        QUERY,
        &[("q", "artist:bob.test night"), ("type", "track")],
    );
    assert_eq!(addresses(&found.await), [LATE]);
}

#[tokio::test]
async fn a_search_box_answers_at_every_key() {
    let served = night().await;
    for q in [
        "-night transit artist:alice.test after:2026-01 min:1:00",
        "\"night transit\" tag:drone before:2027",
        "min:60",
    ] {
        for end in (1..=q.len()).filter(|end| !q[..*end].trim().is_empty()) {
            let found = answer(&served, TYPEAHEAD, &[("q", &q[..end])]).await;
            assert_eq!(found["partial"], false, "{}", &q[..end]);
            if end > 1 {
                let parameters = [("service", "x"), ("search", &q[..end])];
                answer(&served, MENTIONS, &parameters).await;
            }
        }
    }
    for q in ["-", "-l", "-live", "max:", "after:2", "after:2024", " "] {
        let found = answer(&served, TYPEAHEAD, &[("q", q)]).await;
        assert_eq!(hits(&found).len(), 0, "{q}");
    }
    let found = answer(
        &served,
        TYPEAHEAD,
        &[("q", "transit after:20"), ("type", "track")],
    )
    .await;
    assert_eq!(addresses(&found), [NIGHT]);
    let (status, _) = ask(&served, QUERY, &[("q", "transit after:20")]).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn what_is_pasted_is_named_without_filters_alone() {
    let served = night().await;
    let tag = "https://plyr.fm/tag/night";
    for (q, filter) in [
        (tag, ("author", "did:plc:alice")),
        (tag, ("minDuration", "60")),
        (tag, ("since", "2020-01-01T00:00:00Z")),
        (NIGHT, ("minDuration", "600")),
        (NIGHT, ("author", "did:plc:bob")),
    ] {
        let found = answer(&served, QUERY, &[("q", q), filter]).await;
        assert_eq!(hits(&found).len(), 0, "{q} {filter:?}");
        assert_eq!(found["hitsTotal"], 0, "{q} {filter:?}");
    }
    for filter in [
        "min:600",
        "max:30",
        "after:2027",
        "before:2020",
        "-night",
        "-tag:night",
    ] {
        for q in [format!("{NIGHT} {filter}"), format!("{tag} {filter}")] {
            let found = answer(&served, QUERY, &[("q", &q)]).await;
            assert_eq!(addresses(&found), [""; 0], "{q}");
        }
    }
    let found = answer(&served, QUERY, &[("q", tag), ("type", "track")]).await;
    assert_eq!(hits(&found).len(), 0, "a tag is no track");
}

#[tokio::test]
async fn links_to_plyr_fm_are_looked_up_by_what_they_say() {
    let served = night().await;
    for (q, expected) in [
        ("https://plyr.fm/u/alice.test/album/night-moves", ALBUM),
        ("https://plyr.fm/u/did:plc:alice/album/night-moves", ALBUM),
        // Somebody else's, or called otherwise by now: whose it is.
        (
            "https://plyr.fm/u/bob.test/album/night-moves",
            "did:plc:bob",
        ),
        (
            "https://plyr.fm/u/alice.test/album/day-moves",
            "did:plc:alice",
        ),
        ("https://plyr.fm/u/alice.test/album/nights", "did:plc:alice"),
    ] {
        for method in [QUERY, TYPEAHEAD] {
            let found = answer(&served, method, &[("q", q)]).await;
            assert_eq!(addresses(&found), [expected], "{method} {q}");
            assert_eq!(found["hits"][0]["match"], json!({ "tier": "named" }), "{q}");
        }
    }
    let nobody = "https://plyr.fm/u/nobody.test/album/night-moves";
    assert_eq!(
        hits(&answer(&served, QUERY, &[("q", nobody)]).await).len(),
        0
    );
    // Each is a search of its own: there are few.
    let links: Vec<String> = ["night", "drone", "a", "b", "c", "d"]
        .map(|tag| format!("plyr.fm/tag/{tag}"))
        .into();
    let found = answer(&served, QUERY, &[("q", &links.join(" "))]).await;
    assert_eq!(addresses(&found), ["Night", "drone"]);
    let reversed: Vec<String> = links.into_iter().rev().collect();
    let found = answer(&served, QUERY, &[("q", &reversed.join(" "))]).await;
    assert_eq!(addresses(&found), [""; 0]);

    let numbers = "https://plyr.fm/track/778 plyr.fm/playlist/b7d0";
    for method in [QUERY, ACTORS] {
        for q in ["https://plyr.fm/track/778", numbers] {
            let (status, refused) = ask(&served, method, &[("q", q)]).await;
            assert_eq!((status, &refused["error"]), (400, &json!("InvalidRequest")));
            let message = refused["message"].as_str().unwrap();
            assert!(message.contains("plyr.fm alone knows"), "{message}");
        }
    }
    let found = answer(&served, TYPEAHEAD, &[("q", numbers)]).await;
    assert_eq!(hits(&found).len(), 0);
    let with_words = format!("{numbers} transit");
    let found = answer(&served, QUERY, &[("q", &with_words), ("type", "track")]).await;
    assert_eq!(addresses(&found), [NIGHT]);
}

#[tokio::test]
async fn without_an_index_search_says_so_and_all_else_answers() {
    let kept_none = Served::with(100, |store| store, |_| None).await;
    let built = Served::with(
        100,
        |store| store,
        |live: std::sync::Arc<Live>| {
            live.serve(None);
            let building = Some(Progress {
                documents: 712,
                ..Progress::default()
            });
            live.tell(Standing {
                building,
                ..Standing::default()
            });
            Some(live)
        },
    )
    .await;
    for (served, said) in [
        (&kept_none, "keeps no search index"),
        (&built, "712 documents"),
    ] {
        for (method, parameters) in [
            (QUERY, &[("q", "night")][..]),
            (TYPEAHEAD, &[("q", "night")]),
            (ACTORS, &[("q", "night")]),
            (MENTIONS, &[("service", "x"), ("search", "night")]),
        ] {
            let (status, refused) = ask(served, method, parameters).await;
            assert_eq!(
                (status, &refused["error"]),
                (503, &json!("SearchUnavailable"))
            );
            let message = refused["message"].as_str().unwrap();
            assert!(message.contains(said), "{message}");
        }
        let response = served
            .call(Method::GET, &format!("/xrpc/{QUERY}?q=night"))
            .await;
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["retry-after"], "2");
        let (status, document) = served.get("/.well-known/did.json").await;
        assert_eq!(
            (status, document["service"].as_array().unwrap().len()),
            (200, 1)
        );
        let (status, _) = served.get("/xrpc/fm.plyr.feed.getLatest").await;
        assert_eq!(status, 200);
    }
}
