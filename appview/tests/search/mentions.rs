//! Mentions, as Leaflet asks for them.

use serde_json::{Value, json};

use crate::served::track;
use crate::*;

#[tokio::test]
async fn mentions_have_leaflets_shape() {
    let served = night().await;
    names(&served, "did:plc:carol", None, None).await;
    let title = json!({ "title": "Nightjar", "artist": "C", "fileType": "mp3",
        "imageUrl": "javascript:alert(1)" });
    served
        .put("at://did:plc:carol/fm.plyr.track/a:b", 9, title)
        .await;
    served.index().await;
    let base = served.url.replace("127.0.0.1", "localhost");
    let service = ("service", "at://did:plc:x/parts.page.mention.service/plyr");
    let of = async |scope: &str| {
        let parameters = [service, ("search", "night"), ("scope", scope)];
        let mut found = answer(&served, MENTIONS, &parameters).await;
        found["results"].take()
    };
    let page = |path: &str| format!("{base}{path}");
    let expected = json!([
        { "uri": page("/track/did:plc:carol/a:b"), "name": "Nightjar",
          "href": page("/track/did:plc:carol/a:b"), "description": "by did:plc:carol",
          "labels": [{ "text": "track" }], "subscope": { "scope": "tracks", "label": "Tracks" },
          "embed": { "src": page("/embed/track/did:plc:carol/a:b"), "width": 600,
              "height": 160 } },
        { "uri": page("/track/alice.test/night"), "name": "Night Transit",
          "href": page("/track/alice.test/night"), "description": "by Alice Añez",
          "icon": "https://images.plyr.fm/images/0f.jpg",
          "labels": [{ "text": "track" }], "subscope": { "scope": "tracks", "label": "Tracks" },
          "embed": { "src": page("/embed/track/alice.test/night"), "width": 600, "height": 160 } },
        { "uri": page("/track/bob.test/late"), "name": "Late",
          "href": page("/track/bob.test/late"), "description": "by Night Owl",
          "labels": [{ "text": "track" }], "subscope": { "scope": "tracks", "label": "Tracks" },
          "embed": { "src": page("/embed/track/bob.test/late"), "width": 600, "height": 160 } },
    ]);
    let by_name = |results: Value| {
        let results = results.as_array().unwrap().iter();
        let named = results.map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone()));
        named.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(by_name(of("tracks").await), by_name(expected));
    let avatar = "https://cdn.bsky.app/img/avatar/plain/did:plc:bob/\
                  bafkreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i@jpeg";
    let expected = json!([{ "uri": page("/u/bob.test"), "name": "Night Owl",
        "description": "@bob.test", "href": page("/u/bob.test"), "icon": avatar,
        "labels": [{ "text": "artist" }], "subscope": { "scope": "artists", "label": "Artists" },
        "embed": { "src": page("/embed/u/bob.test"), "width": 600, "height": 400 } }]);
    assert_eq!(of("artists").await, expected);
    let expected = json!([{ "uri": page("/album/alice.test/album"), "name": "Night Moves",
        "description": "by Alice Añez", "href": page("/album/alice.test/album"),
        "labels": [{ "text": "album" }], "subscope": { "scope": "albums", "label": "Albums" },
        "embed": { "src": page("/embed/album/alice.test/album"), "width": 600, "height": 400 } }]);
    assert_eq!(of("albums").await, expected);
    let expected = json!([{ "uri": page("/playlist/bob.test/playlist"), "name": "My nights",
        "description": "by Night Owl · 2 tracks", "href": page("/playlist/bob.test/playlist"),
        "labels": [{ "text": "playlist" }],
        "subscope": { "scope": "playlists", "label": "Playlists" },
        "embed": { "src": page("/embed/playlist/bob.test/playlist"), "width": 600,
            "height": 400 } }]);
    assert_eq!(of("playlists").await, expected);
    let expected = json!([{ "uri": page("/tag/Night"), "name": "Night",
        "description": "2 tracks", "href": page("/tag/Night"), "labels": [{ "text": "tag" }],
        "subscope": { "scope": "tags", "label": "Tags" } }]);
    assert_eq!(of("tags").await, expected);

    let all = answer(&served, MENTIONS, &[service, ("search", "night")]).await;
    assert_eq!(all["results"].as_array().unwrap().len(), 7);
    assert_eq!(
        of("everything").await,
        all["results"],
        "an unknown scope is none"
    );
    let parameters = [service, ("search", "night"), ("limit", "2")];
    let two = answer(&served, MENTIONS, &parameters).await;
    assert_eq!(two["results"].as_array().unwrap().len(), 2);
    for short in ["n", "夜", " "] {
        let none = answer(&served, MENTIONS, &[service, ("search", short)]).await;
        assert_eq!(none, json!({ "results": [] }), "{short:?}");
    }
    for (search, limit) in [("", "20"), (&"a".repeat(101)[..], "20"), ("night", "51")] {
        let parameters = [service, ("search", search), ("limit", limit)];
        assert_eq!(
            ask(&served, MENTIONS, &parameters).await.0,
            400,
            "{search} {limit}"
        );
    }
    let (status, _) = ask(&served, MENTIONS, &[("search", "night")]).await;
    assert_eq!(status, 400, "the service is required");
    // Not before all pages are served that mentions link to.
    let (status, _) = served.get("/u/alice.test").await;
    let (_, document) = served.get("/.well-known/did.json").await;
    let services = document["service"].as_array().unwrap();
    assert_eq!((status, services.len()), (404, 1));
}

/// Longer than the documents allow, and so tolerated; and what no page can be about.
#[tokio::test]
async fn i06_mentions_are_cut_and_what_has_no_page_takes_no_place() {
    let served = night().await;
    let of = async |search: &str, limit: &str| {
        let parameters = [("service", "x"), ("search", search), ("limit", limit)];
        answer(&served, MENTIONS, &parameters).await["results"].take()
    };
    names(&served, "did:plc:dora", None, Some(&"d".repeat(70))).await;
    let long = format!("hums {}", "o".repeat(300));
    // Within its bounds as it is, and beyond them as a link.
    let image = format!("https://images.test/{}", "é".repeat(4000));
    let record = json!({ "title": "hums", "artist": "D", "fileType": "mp3", "imageUrl": image });
    served
        .put("at://did:plc:dora/fm.plyr.track/t", 5, record)
        .await;
    let record = json!({ "name": long, "listType": "album", "items": [] });
    served
        .put("at://did:plc:dora/fm.plyr.list/l", 5, record)
        .await;
    let mut record = track("dotted");
    record["tags"] = json!(["..", "."]);
    served
        .put("at://did:plc:dora/fm.plyr.track/dots", 5, record)
        .await;
    let liked = "at://did:plc:dora/fm.plyr.list/liked";
    let record = json!({ "name": "Liked", "listType": "liked", "items": [] });
    served.put(liked, 5, record).await;
    let nameless = "at://did:plc:dora/fm.plyr.list/nameless";
    let record = json!({ "listType": "playlist", "items": [] });
    served.put(nameless, 5, record).await;
    served.index().await;

    let hums = of("hums", "20").await;
    let shown = hums.as_array().unwrap().iter();
    let lengths = shown.map(|one| {
        assert_eq!(one.get("icon"), None);
        let length = |name: &str| one[name].as_str().unwrap().chars().count();
        (length("name"), length("description"))
    });
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort();
    assert_eq!(lengths, [(4, 67), (64, 67)]);
    // A list that is no album and no playlist leaves its place to the next.
    let found = of(&format!("{liked} night"), "1").await;
    assert_eq!(found[0]["subscope"]["scope"], "tags", "{found}");
    assert_eq!(of(nameless, "1").await[0]["name"], "playlist");
    let parameters = [("service", "x"), ("search", ".."), ("scope", "tags")];
    let dots = answer(&served, MENTIONS, &parameters).await;
    assert_eq!(dots["results"], json!([]), "no path has such a step");
    let found = answer(&served, QUERY, &[("q", ".."), ("type", "tag")]).await;
    assert_eq!(addresses(&found), [".."]);
}
