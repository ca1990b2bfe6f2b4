//! Search end to end: from a write on a real PDS to an answer, and from its delete to none.

use plyr_peers::{Account, Layout, Pds, Peers, PeersError, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const WHEN: &str = "2026-06-01T12:00:00.000Z";
const QUERY: &str = "fm.plyr.search.query";
const TYPEAHEAD: &str = "fm.plyr.search.typeahead";

#[tokio::test]
async fn i08_a_track_is_found_as_long_as_it_is_there() -> Tested {
    is_found(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn i08_a_track_is_found_over_a_cluster_as_long_as_it_is_there() -> Tested {
    is_found(Layout::apart(BINARY, "found").await?).await
}

fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "Ana Lima", "fileType": "mp3",
        "duration": 60, "createdAt": WHEN })
}

/// What a hit is about: an address or a tag.
fn about(hit: &Value) -> String {
    let pointers = ["/track/uri", "/list/uri", "/profile/did", "/tag", "/uri"];
    let found = pointers
        .iter()
        .find_map(|pointer| hit.pointer(pointer)?.as_str());
    found.unwrap_or_default().to_owned()
}

async fn found(plyr: &Plyr, method: &str, query: &str) -> Result<Vec<String>, String> {
    let answer = plyr.xrpc(method, query).await?;
    let hits = answer["hits"]
        .as_array()
        .ok_or_else(|| answer.to_string())?;
    Ok(hits.iter().map(about).collect())
}

/// Waits until these, in any order, and nothing else are found by a query; a search box agrees.
async fn finds(plyr: &Plyr, query: &str, expected: &[&str]) -> Result<(), PeersError> {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    wait_until(&format!("{query} finds {expected:?}"), || async {
        for method in [QUERY, TYPEAHEAD] {
            let mut found = found(plyr, method, query).await?;
            found.sort_unstable();
            if found != expected {
                return Err(format!("{method} {found:?}"));
            }
        }
        Ok(())
    })
    .await
}

async fn is_found(layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
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
    let folder = tempfile::tempdir()?;
    let plyr = Plyr::run(BINARY, &peers, &folder.path().join("data"), &layout).await?;
    let ana = Account::create(&peers.pds[0], "ana.test").await?;
    let bea = Account::create(&peers.pds[0], "bea.test").await?;

    let (uri, cid) = ana
        .put("fm.plyr.track", "one", &track("Verglühte Sterne"))
        .await?;
    finds(&plyr, "q=vergluhte", &[&uri]).await?;
    finds(&plyr, "q=stern", &[&uri]).await?;
    finds(&plyr, "q=vregl%C3%BChte%20sterne", &[&uri]).await?;

    // Renamed: the new name alone finds it.
    ana.put("fm.plyr.track", "one", &track("Kalter Morgen"))
        .await?;
    finds(&plyr, "q=kalter%20morgen", &[&uri]).await?;
    finds(&plyr, "q=vergluhte", &[]).await?;

    // Whose it is, what they say of themselves and what they list.
    let profile = json!({ "$type": "fm.plyr.actor.profile", "bio": "kora and quiet rooms",
        "createdAt": WHEN });
    ana.put("fm.plyr.actor.profile", "self", &profile).await?;
    finds(&plyr, "q=quiet%20rooms", &[&ana.did]).await?;
    let items = json!([{ "subject": { "uri": uri, "cid": cid } }]);
    let album = json!({ "$type": "fm.plyr.list", "name": "Wintergarten", "listType": "album",
        "items": items, "createdAt": WHEN });
    let (album, _) = ana.put("fm.plyr.list", "album", &album).await?;
    finds(&plyr, "q=wintergarten", &[&album]).await?;
    let (of_bea, _) = bea
        .put("fm.plyr.track", "two", &track("Morgen in Porto"))
        .await?;
    finds(&plyr, "q=morgen", &[&uri, &of_bea]).await?;
    // Her handle comes of an account check, and not of her records.
    wait_until("she is found by her handle", || async {
        let answer = plyr
            .xrpc("fm.plyr.actor.searchActors", "q=ana.test")
            .await?;
        let is_found = answer["profiles"][0]["did"] == json!(ana.did);
        is_found.then_some(()).ok_or(answer.to_string())
    })
    .await?;
    let mentions = "service=https://plyr.fm&search=wintergarten&scope=albums";
    let answer = plyr.xrpc("parts.page.mention.search", mentions).await?;
    assert_eq!(answer["results"][0]["name"], "Wintergarten", "{answer}");

    // Away and back: with her all of hers.
    ana.post("com.atproto.server.deactivateAccount", &json!({}))
        .await?;
    finds(&plyr, "q=morgen", &[&of_bea]).await?;
    for query in ["q=wintergarten", "q=quiet%20rooms", "q=kalter"] {
        finds(&plyr, query, &[]).await?;
    }
    // Totals are the index's, which is told of it by the log.
    wait_until("who is away isn't counted", || async {
        let answer = plyr.xrpc(QUERY, "q=morgen").await?;
        match answer["hitsTotal"] == 1 {
            true => Ok(()),
            false => Err(answer.to_string()),
        }
    })
    .await?;
    ana.post("com.atproto.server.activateAccount", &json!({}))
        .await?;
    finds(&plyr, "q=morgen", &[&uri, &of_bea]).await?;
    finds(&plyr, "q=wintergarten", &[&album]).await?;
    finds(&plyr, "q=quiet%20rooms", &[&ana.did]).await?;

    ana.delete("fm.plyr.track", "one").await?;
    finds(&plyr, "q=morgen", &[&of_bea]).await?;
    finds(&plyr, "q=kalter%20morgen", &[]).await?;
    ana.delete("fm.plyr.list", "album").await?;
    finds(&plyr, "q=wintergarten", &[]).await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
