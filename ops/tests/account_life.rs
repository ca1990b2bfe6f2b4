//! Accounts on real PDSs: they move, are deleted, are taken down, or are a did:web.

use plyr_peers::{Account, Layout, Pds, Peers, PeersError, PeersOptions, Plyr, wait_until};
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

/// Peers and a `plyr` over them; none where they are missing.
async fn start(
    options: PeersOptions,
    layout: &Layout,
) -> Result<Option<(Peers, tempfile::TempDir, Plyr)>, PeersError> {
    let Some(peers) = Peers::start(options).await? else {
        return Ok(None);
    };
    let folder = tempfile::tempdir().map_err(|problem| PeersError::Start(problem.to_string()))?;
    let data = folder.path().join("data");
    let plyr = Plyr::run(BINARY, &peers, &data, layout).await?;
    Ok(Some((peers, folder, plyr)))
}

/// Waits until a field of an answer, or the whole answer's text, is as expected.
async fn shows(
    plyr: &Plyr,
    method: &str,
    query: &str,
    pointer: &str,
    expected: Value,
) -> Result<(), PeersError> {
    let what = format!("{method}?{query} {pointer} is {expected}");
    wait_until(&what, || async {
        let answer = plyr.xrpc(method, query).await?;
        match answer.pointer(pointer) == Some(&expected) {
            true => Ok(()),
            false => Err(answer.to_string()),
        }
    })
    .await
}

async fn refuses(plyr: &Plyr, method: &str, query: &str, error: &str) -> Result<(), PeersError> {
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

/// Checks of accounts that were answered.
async fn answered(plyr: &Plyr) -> Result<f64, String> {
    let page = plyr.probe("/metrics").await?;
    let mut rows = page.lines().filter(|line| {
        line.starts_with("plyr_account_checks_total") && line.contains("\"answered\"")
    });
    Ok(rows
        .next()
        .and_then(|row| row.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0.0))
}

/// Read through a relay, which drops what the old host says after the move.
#[tokio::test]
async fn i02_an_account_moves_with_all_it_has() -> Tested {
    moves(true, Some(Layout::Embedded)).await
}

#[tokio::test]
async fn i02_an_account_moves_over_a_cluster() -> Tested {
    moves(true, Layout::apart(BINARY, "moves").await?).await
}

/// Read from the old host itself, whose `deactivated` comes after the move.
#[tokio::test]
async fn i02_what_the_old_host_says_after_a_move_hides_nobody() -> Tested {
    moves(false, Some(Layout::Embedded)).await
}

async fn moves(relay: bool, layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let options = PeersOptions {
        pds: Pds::V05,
        pds_count: 2,
        relay,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some((peers, _folder, plyr)) = start(options, &layout).await? else {
        return Ok(());
    };
    let dave = Account::create(&peers.pds[0], "dave.test").await?;
    let fan = Account::create(&peers.pds[0], "fan.test").await?;
    let (uri, cid) = dave.put("fm.plyr.track", "one", &track("old home")).await?;
    fan.put("fm.plyr.like", "3lfvhszifvc2a", &like(&uri, &cid))
        .await?;
    let (liked, liked_cid) = fan.put("fm.plyr.track", "two", &track("fan's")).await?;
    dave.put("fm.plyr.like", "3lfvhszifvc2b", &like(&liked, &liked_cid))
        .await?;
    let (get, one, two) = (
        "fm.plyr.feed.getTrack",
        format!("uri={uri}"),
        format!("uri={liked}"),
    );
    shows(&plyr, get, &one, "/track/likeCount", json!(1)).await?;
    shows(&plyr, get, &two, "/track/likeCount", json!(1)).await?;
    let who = format!("actor={}", dave.did);
    let profile = "fm.plyr.actor.getProfile";
    shows(&plyr, profile, &who, "/profile/handle", json!("dave.test")).await?;
    let stats = json!({ "artistCount": 2, "commentCount": 0, "durationSeconds": 120,
        "likeCount": 2, "listCount": 0, "trackCount": 2 });
    let totals = "fm.plyr.stats.getStats";
    shows(&plyr, totals, "", "", stats.clone()).await?;

    let before = answered(&plyr).await?;
    let there = dave
        .move_to(&peers.pds[1], "moved.test", &peers.control)
        .await?;
    shows(&plyr, profile, &who, "/profile/handle", json!("moved.test")).await?;
    // The last word of the old host has been heard and asked about, twice.
    wait_until("the checks are done", || async {
        match answered(&plyr).await? {
            done if done >= before + 2.0 => Ok(()),
            done => Err(format!("{done} after {before}")),
        }
    })
    .await?;
    shows(&plyr, get, &one, "/track/title", json!("old home")).await?;
    shows(&plyr, get, &one, "/track/likeCount", json!(1)).await?;
    shows(&plyr, get, &two, "/track/likeCount", json!(1)).await?;
    shows(&plyr, totals, "", "", stats).await?;
    let by_handle = plyr
        .xrpc("com.atproto.identity.resolveHandle", "handle=moved.test")
        .await?;
    assert_eq!(by_handle["did"], json!(dave.did));
    if relay {
        there
            .put("fm.plyr.track", "one", &track("new home"))
            .await?;
        shows(&plyr, get, &one, "/track/title", json!("new home")).await?;
    }
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn i08_a_takedown_hides_and_a_deletion_hides_for_good() -> Tested {
    takedown_and_deletion(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn i08_a_takedown_and_a_deletion_hide_over_a_cluster() -> Tested {
    takedown_and_deletion(Layout::together(BINARY, "hides").await?).await
}

async fn takedown_and_deletion(layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let options = PeersOptions {
        pds: Pds::V05,
        pds_count: 1,
        relay: true,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some((peers, _folder, plyr)) = start(options, &layout).await? else {
        return Ok(());
    };
    let carol = Account::create(&peers.pds[0], "carol.test").await?;
    let fan = Account::create(&peers.pds[0], "fan.test").await?;
    let (uri, cid) = carol.put("fm.plyr.track", "one", &track("carol's")).await?;
    let (liked, liked_cid) = fan.put("fm.plyr.track", "two", &track("fan's")).await?;
    carol
        .put("fm.plyr.like", "3lfvhszifvc2a", &like(&liked, &liked_cid))
        .await?;
    fan.put("fm.plyr.like", "3lfvhszifvc2b", &like(&uri, &cid))
        .await?;
    let (get, one, two) = (
        "fm.plyr.feed.getTrack",
        format!("uri={uri}"),
        format!("uri={liked}"),
    );
    let who = format!("actor={}", carol.did);
    let is_there = async || -> Tested {
        shows(&plyr, get, &one, "/track/title", json!("carol's")).await?;
        shows(&plyr, get, &one, "/track/likeCount", json!(1)).await?;
        shows(&plyr, get, &two, "/track/likeCount", json!(1)).await?;
        shows(
            &plyr,
            "fm.plyr.actor.getProfile",
            &who,
            "/profile/handle",
            json!("carol.test"),
        )
        .await?;
        Ok(())
    };
    let is_hidden = async || -> Tested {
        refuses(&plyr, get, &one, "TrackHidden").await?;
        refuses(&plyr, "fm.plyr.actor.getProfile", &who, "ActorHidden").await?;
        shows(&plyr, get, &two, "/track/likeCount", json!(0)).await?;
        shows(&plyr, "fm.plyr.feed.getLikes", &two, "/likes", json!([])).await?;
        let latest = plyr.xrpc("fm.plyr.feed.getLatest", "").await?;
        assert!(!latest.to_string().contains(&carol.did), "{latest}");
        let dump = plyr.dump().await?;
        assert!(
            !dump.contains(&format!("at://{}/fm.plyr.like", carol.did)),
            "{dump}"
        );
        let likes = format!("actor={}", fan.did);
        let likes = plyr.xrpc("fm.plyr.feed.getActorLikes", &likes).await?;
        assert!(!likes.to_string().contains("carol's"), "{likes}");
        Ok(())
    };
    is_there().await?;
    carol.take_down(true).await?;
    is_hidden().await?;
    carol.take_down(false).await?;
    is_there().await?;
    carol.delete_account(&peers.control).await?;
    is_hidden().await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

/// Without the relay, which knows no did:web on a port.
#[tokio::test]
async fn a_did_web_with_a_port_is_an_account_like_any_other() -> Tested {
    let layout = Layout::Embedded;
    let options = PeersOptions {
        pds: Pds::V05,
        pds_count: 1,
        relay: false,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some((peers, _folder, plyr)) = start(options, &layout).await? else {
        return Ok(());
    };
    let webby = Account::create_web(&peers.control, &peers.pds[0], "webby.test").await?;
    assert!(
        webby.did.starts_with("did:web:localhost%3A"),
        "{}",
        webby.did
    );
    let (uri, _) = webby
        .put("fm.plyr.track", "one", &track("from the web"))
        .await?;
    let query = format!("uri={}", uri.replace('%', "%25"));
    shows(
        &plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/title",
        json!("from the web"),
    )
    .await?;
    let who = format!("actor={}", webby.did.replace('%', "%25"));
    let profile = "fm.plyr.actor.getProfile";
    shows(&plyr, profile, &who, "/profile/handle", json!("webby.test")).await?;
    let later = json!({ "deleteAfter": "2099-01-01T00:00:00.000Z" });
    webby
        .post("com.atproto.server.deactivateAccount", &later)
        .await?;
    refuses(&plyr, "fm.plyr.feed.getTrack", &query, "TrackHidden").await?;
    webby
        .post("com.atproto.server.activateAccount", &json!({}))
        .await?;
    shows(
        &plyr,
        "fm.plyr.feed.getTrack",
        &query,
        "/track/title",
        json!("from the web"),
    )
    .await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
