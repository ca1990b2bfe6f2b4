//! From nothing to complete: repos are found by a relay's directory, fetched and proven, while
//! records go on being written; with streams and without. And everything thrown away and rebuilt.

use plyr_peers::{Account, Layout, Peers, PeersError, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const COLLECTIONS: [&str; 5] = ["track", "like", "comment", "list", "actor.profile"];
const WHEN: &str = "2026-06-01T12:00:00.000Z";

fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
        "duration": 60, "createdAt": WHEN })
}

fn like(uri: &str, cid: &str) -> Value {
    json!({ "$type": "fm.plyr.like", "subject": { "uri": uri, "cid": cid }, "createdAt": WHEN })
}

/// What the PDSs hold: every record's address and CID.
async fn held_by_hosts(accounts: &[Account]) -> Result<Vec<String>, PeersError> {
    let mut held = Vec::new();
    for account in accounts {
        for collection in COLLECTIONS {
            for record in account.list(&format!("fm.plyr.{collection}")).await? {
                let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
                held.push(format!("{} {}", text("uri"), text("cid")));
            }
        }
    }
    held.sort();
    Ok(held)
}

/// The same out of a dump.
fn held_by_dump(dump: &str) -> Vec<String> {
    let rows = dump.lines().map(plyr_peers::read_json);
    let rows = rows.filter(|row| row["uri"].is_string());
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut held: Vec<String> = rows
        .map(|row| format!("{} {}", text(&row, "uri"), text(&row, "cid")))
        .collect();
    held.sort();
    held
}

/// What somebody likes by the PDSs: one line for each like.
async fn liked_by_hosts(accounts: &[Account]) -> Result<Vec<String>, PeersError> {
    let mut liked = Vec::new();
    for account in accounts {
        for like in account.list("fm.plyr.like").await? {
            let uri = &like["value"]["subject"]["uri"];
            liked.push(format!("1 {}", uri.as_str().unwrap_or_default()));
        }
    }
    Ok(liked)
}

/// The same by a dump's counts.
fn liked_by_dump(dump: &str) -> Vec<String> {
    let rows = dump.lines().map(plyr_peers::read_json);
    let liked = rows.filter(|row| row["likeCount"].as_u64() > Some(0));
    let mut liked: Vec<String> = liked
        .map(|row| {
            let subject = row["subject"].as_str().unwrap_or_default();
            format!("{} {subject}", row["likeCount"])
        })
        .collect();
    liked.sort();
    liked
}

/// Waits until the dump holds what the PDSs hold, and answers it.
async fn complete(plyr: &Plyr, accounts: &[Account]) -> Result<String, PeersError> {
    wait_until("the dump is what the PDSs hold", || async {
        let expected = held_by_hosts(accounts).await.map_err(|p| p.to_string())?;
        let dump = plyr.dump().await.map_err(|problem| problem.to_string())?;
        let held = held_by_dump(&dump);
        if held == expected {
            return Ok(dump);
        }
        let missing = expected.iter().filter(|one| !held.contains(one));
        let extra = held.iter().filter(|one| !expected.contains(one));
        let (missing, extra): (Vec<_>, Vec<_>) =
            (missing.take(3).collect(), extra.take(3).collect());
        let (of, all) = (held.len(), expected.len());
        Err(format!(
            "{of} of {all}; missing {missing:?}, too much {extra:?}"
        ))
    })
    .await
}

/// Accounts on two PDSs with hundreds of records, some of which were changed or deleted again.
async fn written(peers: &Peers) -> Result<Vec<Account>, Box<dyn std::error::Error>> {
    let mut accounts = Vec::new();
    for (number, name) in ["alice", "bob", "carol", "dave"].iter().enumerate() {
        let pds = &peers.pds[number % peers.pds.len()];
        accounts.push(Account::create(pds, &format!("{name}.test")).await?);
    }
    let mut subjects = Vec::new();
    for (number, account) in accounts.iter().enumerate().take(3) {
        for batch in 0..6 {
            let creates = (0..20).map(|at| {
                json!({ "$type": "com.atproto.repo.applyWrites#create",
                    "collection": "fm.plyr.track", "rkey": format!("t{batch}-{at}"),
                    "value": track(&format!("{number} {batch} {at}")) })
            });
            let creates: Vec<Value> = creates.collect();
            account.apply_writes(&creates).await?;
        }
        // Records of somebody else, in between.
        for at in 0..5 {
            let post = json!({ "$type": "app.bsky.feed.post", "text": "t", "createdAt": WHEN });
            account
                .put("app.bsky.feed.post", &format!("p{at}"), &post)
                .await?;
        }
        let changed = account
            .put("fm.plyr.track", "t0-1", &track("changed"))
            .await?;
        subjects.push(changed);
        for at in 2..6 {
            account.delete("fm.plyr.track", &format!("t1-{at}")).await?;
        }
    }
    // Only likes: a repo that no list of tracks names.
    for (at, (uri, cid)) in subjects.iter().enumerate() {
        accounts[3]
            .put("fm.plyr.like", &format!("l{at}"), &like(uri, cid))
            .await?;
    }
    accounts[3].delete("fm.plyr.like", "l0").await?;
    Ok(accounts)
}

/// What one account goes on doing.
async fn goes_on(account: &Account, round: usize) -> Result<(), PeersError> {
    let rkey = format!("live{}", round % 7);
    match round % 3 {
        2 => {
            account
                .delete("fm.plyr.track", &format!("live{}", (round + 5) % 7))
                .await
        }
        _ => {
            let title = format!("live {round}");
            account
                .put("fm.plyr.track", &rkey, &track(&title))
                .await
                .map(drop)
        }
    }
}

async fn peers() -> Result<Option<Peers>, PeersError> {
    Peers::start(PeersOptions {
        pds_count: 2,
        collectiondir: true,
        ..PeersOptions::default()
    })
    .await
}

/// Waits until the directory lists every account.
async fn listed(peers: &Peers, accounts: &[Account]) -> Tested {
    let mut directory = accounts[0].clone();
    directory.pds.clone_from(&peers.collectiondir);
    let directory = &directory;
    let asked = async |collection: &str| {
        let method = "com.atproto.sync.listReposByCollection";
        let answer = directory
            .get(method, &format!("collection={collection}"))
            .await;
        answer
            .map(|answer| answer.to_string())
            .map_err(|problem| problem.to_string())
    };
    wait_until("the directory lists every repo", || async {
        let (tracks, likes) = (asked("fm.plyr.track").await?, asked("fm.plyr.like").await?);
        let is_listed =
            |account: &&Account| tracks.contains(&account.did) || likes.contains(&account.did);
        let listed = accounts.iter().filter(is_listed).count();
        (listed == accounts.len())
            .then_some(())
            .ok_or(format!("{listed}: {tracks} {likes}"))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn i01_an_empty_folder_ends_complete_with_streams() -> Tested {
    let Some(peers) = peers().await? else {
        return Ok(());
    };
    let accounts = written(&peers).await?;
    listed(&peers, &accounts).await?;
    let folder = tempfile::tempdir()?;
    let arguments = Plyr::arguments(&peers, &Layout::Embedded);
    let plyr = Plyr::start(BINARY, &folder.path().join("data"), &arguments).await?;
    for round in 0..30 {
        goes_on(&accounts[round % 2], round).await?;
    }
    let dump = complete(&plyr, &accounts).await?;
    assert!(dump.lines().count() > 340, "{} lines", dump.lines().count());
    let metrics = plyr.probe("/metrics").await?;
    assert!(metrics.contains("plyr_repos_discovered_total"), "{metrics}");
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn i01_an_empty_folder_ends_complete_with_no_stream_reachable() -> Tested {
    let Some(peers) = peers().await? else {
        return Ok(());
    };
    let accounts = written(&peers).await?;
    listed(&peers, &accounts).await?;
    let folder = tempfile::tempdir()?;
    let mut arguments = Plyr::arguments(&peers, &Layout::Embedded);
    for argument in &mut arguments {
        if *argument == peers.jetstream {
            "ws://127.0.0.1:1".clone_into(argument);
        }
    }
    arguments.extend(["--verify-every".to_owned(), "2s".to_owned()]);
    let plyr = Plyr::start(BINARY, &folder.path().join("data"), &arguments).await?;
    for round in 0..30 {
        goes_on(&accounts[round % 2], round).await?;
    }
    complete(&plyr, &accounts).await?;
    // No stream told of anybody, and still they have their handles.
    for (account, name) in accounts.iter().zip(["alice", "bob", "carol", "dave"]) {
        let query = format!("actor={}", account.did);
        wait_until("the handle is known", || async {
            let answer = plyr.xrpc("fm.plyr.actor.getProfile", &query).await?;
            let handle = answer["profile"]["handle"].as_str().unwrap_or_default();
            let is_known = handle == format!("{name}.test");
            is_known.then_some(()).ok_or(handle.to_owned())
        })
        .await?;
    }
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn i01_wiped_and_rebuilt_the_dump_is_the_same() -> Tested {
    rebuilt(Some((Layout::Embedded, Layout::Embedded))).await
}

#[tokio::test]
async fn i01_wiped_and_rebuilt_over_a_cluster_the_dump_is_the_same() -> Tested {
    let Some(live) = Layout::together(BINARY, "live").await? else {
        return Ok(());
    };
    let Some(again) = Layout::apart(BINARY, "again").await? else {
        return Ok(());
    };
    rebuilt(Some((live, again))).await
}

/// Indexed live, from before the first record; then from nothing, by the repos alone.
async fn rebuilt(layouts: Option<(Layout, Layout)>) -> Tested {
    let Some((first, second)) = layouts else {
        return Ok(());
    };
    let Some(peers) = peers().await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let live = Plyr::run(BINARY, &peers, &folder.path().join("live"), &first).await?;
    let accounts = written(&peers).await?;
    complete(&live, &accounts).await?;
    // Counts follow behind over a cluster, each by itself: all of them, and no more.
    let mut expected = liked_by_hosts(&accounts).await?;
    expected.sort();
    let before = wait_until("every like is counted", || async {
        let dump = live.dump().await.map_err(|problem| problem.to_string())?;
        let counted = liked_by_dump(&dump);
        (counted == expected)
            .then_some(dump)
            .ok_or(format!("{counted:?}, not {expected:?}"))
    })
    .await?;
    assert_eq!(live.stop().await?, Some(0));
    listed(&peers, &accounts).await?;

    let mut arguments = Plyr::arguments(&peers, &second);
    for argument in &mut arguments {
        if *argument == peers.jetstream {
            "ws://127.0.0.1:1".clone_into(argument);
        }
    }
    let data = folder.path().join("again");
    let again = match second {
        Layout::Apart(_) => Plyr::command(BINARY, "index", &data, &arguments).await?,
        _ => Plyr::start(BINARY, &data, &arguments).await?,
    };
    wait_until("the rebuilt dump is the live one", || async {
        let dump = again.dump().await.map_err(|problem| problem.to_string())?;
        if dump == before {
            return Ok(());
        }
        let (had, has) = (before.lines(), dump.lines());
        let lost = before.lines().find(|line| !dump.contains(line));
        let new = dump.lines().find(|line| !before.contains(line));
        Err(format!(
            "{} of {} lines; lost {lost:?}, new {new:?}",
            has.count(),
            had.count()
        ))
    })
    .await?;
    assert_eq!(again.stop().await?, Some(0));
    Ok(())
}
