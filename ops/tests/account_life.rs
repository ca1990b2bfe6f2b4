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

/// The same in one process with an option more.
async fn start_with(
    options: PeersOptions,
    layout: &Layout,
    option: [&str; 2],
) -> Result<Option<(Peers, tempfile::TempDir, Plyr)>, PeersError> {
    let Some(peers) = Peers::start(options).await? else {
        return Ok(None);
    };
    let folder = tempfile::tempdir().map_err(|problem| PeersError::Start(problem.to_string()))?;
    let mut arguments = Plyr::arguments(&peers, layout);
    arguments.extend(option.map(str::to_owned));
    let plyr = Plyr::start(BINARY, &folder.path().join("data"), &arguments).await?;
    Ok(Some((peers, folder, plyr)))
}

/// One PDS of the latest version behind a relay and a Jetstream.
const ONE_HOST: PeersOptions = PeersOptions {
    pds: Pds::V05,
    pds_count: 1,
    relay: true,
    jetstream: true,
    jetstream2: false,
    collectiondir: false,
};

/// What was observed of an actor, from the full dump.
async fn observed(plyr: &Plyr, did: &str) -> Result<Value, PeersError> {
    let dump = plyr.full_dump().await?;
    let mut rows = dump.lines().map(plyr_peers::read_json);
    Ok(rows.find(|row| row["actor"] == did).unwrap_or_default())
}

/// How many repos have changed in a way.
async fn repo_changes(plyr: &Plyr, cause: &str) -> Result<u64, String> {
    let page = plyr.probe("/metrics").await?;
    let name = format!("plyr_repo_changes_total{{cause=\"{cause}\"}} ");
    let row = page.lines().find_map(|line| line.strip_prefix(&name));
    Ok(row.and_then(|count| count.parse().ok()).unwrap_or(0))
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
    plyr.counted("plyr_account_checks_total", "\"answered\"")
        .await
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
    let old_key = dave.named_key(&peers.plc).await?;
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
    let held = observed(&plyr, &dave.did).await?;
    let key = there.named_key(&peers.plc).await?;
    assert_eq!(held["identity"]["pds"], json!(peers.pds[1]), "{held}");
    assert_eq!(held["identity"]["signingKey"], json!(key), "{held}");
    assert_ne!(key, old_key);
    assert_eq!(repo_changes(&plyr, "moved").await?, 1);
    assert_eq!(repo_changes(&plyr, "rekeyed").await?, 1);
    let (resolve, handle) = ("com.atproto.identity.resolveHandle", "handle=moved.test");
    shows(&plyr, resolve, handle, "/did", json!(dave.did)).await?;
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
        let likes = format!("actor={}", fan.did);
        wait_until("no list has it", || async {
            let latest = plyr.xrpc("fm.plyr.feed.getLatest", "").await?.to_string();
            let liked = plyr.xrpc("fm.plyr.feed.getActorLikes", &likes).await?;
            let liked = liked.to_string();
            let is_out = !latest.contains(&carol.did) && !liked.contains("carol's");
            is_out.then_some(()).ok_or(format!("{latest} {liked}"))
        })
        .await?;
        let dump = plyr.dump().await?;
        assert!(
            !dump.contains(&format!("at://{}/fm.plyr.like", carol.did)),
            "{dump}"
        );
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

#[tokio::test]
async fn i02_a_handle_changes_hands() -> Tested {
    handles(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn i02_a_handle_changes_hands_over_a_cluster() -> Tested {
    handles(Layout::together(BINARY, "handles").await?).await
}

async fn handles(layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let Some((peers, _folder, plyr)) = start(ONE_HOST, &layout).await? else {
        return Ok(());
    };
    let one = Account::create(&peers.pds[0], "trio.test").await?;
    let two = Account::create(&peers.pds[0], "duet.test").await?;
    for account in [&one, &two] {
        account.put("fm.plyr.track", "one", &track("a")).await?;
    }
    let profile = "fm.plyr.actor.getProfile";
    let resolve = "com.atproto.identity.resolveHandle";
    let handle = async |account: &Account, handle: &str| -> Tested {
        let who = format!("actor={}", account.did);
        shows(&plyr, profile, &who, "/profile/handle", json!(handle)).await?;
        let query = format!("handle={handle}");
        shows(&plyr, resolve, &query, "/did", json!(account.did)).await?;
        let query = format!("actor={handle}");
        shows(&plyr, profile, &query, "/profile/did", json!(account.did)).await?;
        Ok(())
    };
    handle(&one, "trio.test").await?;
    handle(&two, "duet.test").await?;
    // The one lets go of it, the other takes it, and they swap.
    one.rename("quartet.test").await?;
    two.rename("trio.test").await?;
    handle(&two, "trio.test").await?;
    handle(&one, "quartet.test").await?;
    one.rename("duet.test").await?;
    handle(&one, "duet.test").await?;
    two.rename("quartet.test").await?;
    one.rename("trio.test").await?;
    handle(&one, "trio.test").await?;
    handle(&two, "quartet.test").await?;
    let nobodys = plyr.xrpc(resolve, "handle=duet.test").await;
    assert!(nobodys.is_err(), "{nobodys:?}");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn i02_a_new_signing_key_is_known() -> Tested {
    let Some((peers, _folder, plyr)) = start(ONE_HOST, &Layout::Embedded).await? else {
        return Ok(());
    };
    let carol = Account::create(&peers.pds[0], "carol.test").await?;
    let other = Account::create(&peers.pds[0], "erin.test").await?;
    carol.put("fm.plyr.track", "one", &track("a")).await?;
    let key = async |key: &str| -> Result<(), PeersError> {
        wait_until("the key is known", || async {
            let held = observed(&plyr, &carol.did).await;
            let held = held.map_err(|problem| problem.to_string())?;
            match held["identity"]["signingKey"] == key {
                true => Ok(()),
                false => Err(held.to_string()),
            }
        })
        .await
    };
    key(&carol.named_key(&peers.plc).await?).await?;
    assert_eq!(repo_changes(&plyr, "rekeyed").await?, 0);
    let new = other.named_key(&peers.plc).await?;
    carol.name_key(&new, &peers.plc, &peers.control).await?;
    // The host tells of the identity when it is changed through it.
    carol.rename("caroline.test").await?;
    key(&new).await?;
    assert_eq!(repo_changes(&plyr, "rekeyed").await?, 1);
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn i08_a_deleted_account_is_erased_after_the_grace_time() -> Tested {
    erased(Some(Layout::Embedded)).await
}

#[tokio::test]
async fn i08_a_deleted_account_is_erased_over_a_cluster() -> Tested {
    erased(Layout::together(BINARY, "erased").await?).await
}

async fn erased(layout: Option<Layout>) -> Tested {
    let Some(layout) = layout else { return Ok(()) };
    let grace = ["--erase-after", "30s"];
    let Some((peers, _folder, plyr)) = start_with(ONE_HOST, &layout, grace).await? else {
        return Ok(());
    };
    let gone = Account::create(&peers.pds[0], "gone.test").await?;
    let fan = Account::create(&peers.pds[0], "fan.test").await?;
    let (uri, cid) = gone.put("fm.plyr.track", "one", &track("gone's")).await?;
    let (liked, liked_cid) = fan.put("fm.plyr.track", "two", &track("fan's")).await?;
    gone.put("fm.plyr.like", "3lfvhszifvc2a", &like(&liked, &liked_cid))
        .await?;
    fan.put("fm.plyr.like", "3lfvhszifvc2b", &like(&uri, &cid))
        .await?;
    let (get, two) = ("fm.plyr.feed.getTrack", format!("uri={liked}"));
    shows(&plyr, get, &two, "/track/likeCount", json!(1)).await?;
    let who = format!("actor={}", gone.did);
    let profile = "fm.plyr.actor.getProfile";
    shows(&plyr, profile, &who, "/profile/handle", json!("gone.test")).await?;
    gone.delete_account(&peers.control).await?;
    refuses(&plyr, get, &format!("uri={uri}"), "TrackHidden").await?;
    let ours = format!("\"version\":\"at://{}/", gone.did);
    wait_until("everything is erased", || async {
        let dump = plyr.full_dump().await;
        let dump = dump.map_err(|problem| problem.to_string())?;
        match dump.contains(&ours) {
            true => Err(dump),
            false => Ok(()),
        }
    })
    .await?;
    let held = wait_until("it was asked about again", || async {
        let held = observed(&plyr, &gone.did).await;
        let held = held.map_err(|problem| problem.to_string())?;
        let time = |name: &str| held["account"][name].as_i64().unwrap_or(0);
        let is_again = time("since") > 0 && time("askedAt") > time("since");
        is_again.then_some(held.clone()).ok_or(held.to_string())
    })
    .await?;
    assert_eq!(held["account"]["state"], json!("deleted"), "{held}");
    wait_until("it is told", || async {
        match repo_changes(&plyr, "erased").await? {
            1 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await?;
    // What others made is there, and the erased track is nowhere.
    shows(&plyr, get, &two, "/track/likeCount", json!(0)).await?;
    refuses(&plyr, get, &format!("uri={uri}"), "NotFound").await?;
    let likes = format!("actor={}", fan.did);
    let likes = plyr.xrpc("fm.plyr.feed.getActorLikes", &likes).await?;
    assert!(!likes.to_string().contains("gone's"), "{likes}");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
