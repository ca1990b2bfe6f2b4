//! `plyr verify`, `backfill` and `quarantine`: differences planted in a store are found, each of
//! them, and mended; by the command alone and through the server that holds the folder.

use std::collections::BTreeSet;
use std::path::Path;

use plyr_lexicons::{RecordUri, Rev};
use plyr_peers::{Account, Peers, PeersOptions, Plyr};
use plyr_schemas::conformance::put;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Body, Change, Floor, QuarantineEntry, Repo, Standing, Store, Version};
use serde_json::{Value, json};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Tested = Result<(), BoxError>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
        "duration": 60, "createdAt": "2026-01-01T00:00:00Z" })
}

/// A repo of ten tracks on a real PDS, of which the last was deleted.
async fn written(peers: &Peers) -> Result<Account, BoxError> {
    let account = Account::create(&peers.pds[0], "alice.test").await?;
    for number in 0..10 {
        let rkey = format!("t{number}");
        account.put("fm.plyr.track", &rkey, &track(&rkey)).await?;
    }
    account.delete("fm.plyr.track", "t9").await?;
    Ok(account)
}

/// A repo, and a store in `data` of a folder that differs from it in every way.
struct Planted {
    account: Account,
    folder: tempfile::TempDir,
    /// The lines that tell so.
    expected: BTreeSet<String>,
}

async fn planted(peers: &Peers) -> Result<Planted, BoxError> {
    let account = written(peers).await?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    let expected = differing(&data, &account).await?;
    Ok(Planted {
        account,
        folder,
        expected,
    })
}

/// Plants the store; answers the lines.
async fn differing(folder: &Path, account: &Account) -> Result<BTreeSet<String>, BoxError> {
    let store = EmbeddedStore::open(EmbeddedOptions::new(folder.to_owned(), "fm.plyr".parse()?))?;
    let uri = |rkey: &str| -> Result<RecordUri, BoxError> {
        Ok(format!("at://{}/fm.plyr.track/{rkey}", account.did).parse()?)
    };
    let mut changes = Vec::new();
    for number in (0..6).chain([9]) {
        let rkey = format!("t{number}");
        let title = if number == 4 { "an older one" } else { &rkey };
        changes.push(put(&uri(&rkey)?, 1, &track(title))?);
    }
    let Change::Version(extra) = put(&uri("x")?, 5, &track("never was"))? else {
        return Err("no version".into());
    };
    let Change::Version(Version { rev: floor, .. }) = put(&uri("x")?, 3, &track(""))? else {
        return Err("no version".into());
    };
    let first = uri("t0")?;
    changes.push(Change::Floor(Floor {
        did: first.did.clone(),
        collection: first.collection.clone(),
        rev: floor,
    }));
    assert!(matches!(
        (&extra.body, extra.standing),
        (Body::Record { .. }, Standing::Event)
    ));
    changes.push(Change::Version(extra));
    changes.push(Change::Repo(Repo::met(first.did.clone(), 1)));
    for (id, of) in [("of-a-record", Some(first)), ("of-nobody", None)] {
        changes.push(Change::Quarantine(QuarantineEntry {
            id: id.to_owned(),
            source: "wss://one.example".to_owned(),
            reason: "cid-mismatch".to_owned(),
            detail: "two\tlines\nof text".to_owned(),
            did: of.as_ref().map(|uri| uri.did.clone()),
            uri: of,
            rev: None,
            cid: None,
            seen_at: 1_700_000_000_000_000,
        }));
    }
    store.apply(changes).await?;
    store.close().await?;
    let line = |cause: &str, rkey: &str| -> Result<String, BoxError> {
        Ok(json!({ "cause": cause, "uri": uri(rkey)?.to_string() }).to_string())
    };
    Ok(BTreeSet::from([
        line("missed_create", "t6")?,
        line("missed_create", "t7")?,
        line("missed_create", "t8")?,
        line("stale", "t4")?,
        line("missed_delete", "t9")?,
        line("extra", "x")?,
    ]))
}

/// The command line of one folder.
struct Told {
    arguments: Vec<String>,
}

impl Told {
    /// Exit code, lines of standard output, standard error.
    async fn run(&self, words: &[&str]) -> Result<(Option<i32>, Vec<String>, String), BoxError> {
        let mut command = tokio::process::Command::new(BINARY);
        let done = command.args(words).args(&self.arguments).kill_on_drop(true);
        let done = done.output().await?;
        let out = String::from_utf8(done.stdout)?;
        let lines = out.lines().map(str::to_owned).collect();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        Ok((done.status.code(), lines, told))
    }

    async fn ends(&self, words: &[&str], code: i32) -> Result<BTreeSet<String>, BoxError> {
        let (ended, lines, told) = self.run(words).await?;
        assert_eq!(ended, Some(code), "{words:?}: {lines:?} {told}");
        Ok(lines.into_iter().collect())
    }
}

fn arguments(peers: &Peers) -> Vec<String> {
    let mut arguments = Plyr::arguments(peers, &plyr_peers::Layout::Embedded);
    arguments.extend(["--jetstream", "ws://127.0.0.1:1"].map(str::to_owned));
    arguments
}

async fn peers() -> Result<Option<Peers>, BoxError> {
    let options = PeersOptions {
        relay: false,
        jetstream: false,
        ..PeersOptions::default()
    };
    Ok(Peers::start(options).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_planted_differences_are_found_and_mended() -> Tested {
    let Some(peers) = peers().await? else {
        return Ok(());
    };
    let Planted {
        account,
        folder,
        expected,
    } = planted(&peers).await?;
    let data = folder.path().join("data");
    let mut arguments = arguments(&peers);
    arguments.extend(["--data-dir".to_owned(), data.display().to_string()]);
    let told = Told { arguments };

    let before = told.ends(&["dump", "--full"], 0).await?;
    assert_eq!(told.ends(&["verify"], 1).await?, expected);
    let after = told.ends(&["dump", "--full"], 0).await?;
    assert_eq!(after, before, "a look changed something");
    assert_eq!(
        told.ends(&["verify", "--repair", "--repo", "alice.test"], 0)
            .await?,
        expected
    );
    assert!(told.ends(&["verify", &account.did], 0).await?.is_empty());
    same_as_held(&told, &account).await?;
    let nobody = told
        .ends(&["verify", "nobody.test", "no handle"], 1)
        .await?;
    assert_eq!(nobody.len(), 2, "{nobody:?}");
    assert!(
        nobody
            .iter()
            .all(|line| line.contains(r#""repo":"no"#) && line.contains("error")),
        "{nobody:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_a_server_mends_fetches_and_asks_again() -> Tested {
    let Some(peers) = peers().await? else {
        return Ok(());
    };
    let Planted {
        account,
        folder,
        expected,
    } = planted(&peers).await?;
    let data = folder.path().join("data");
    let server = Plyr::start(BINARY, &data, &arguments(&peers)).await?;
    // The server's arguments count, not the command's.
    let told = Told {
        arguments: vec!["--data-dir".to_owned(), data.display().to_string()],
    };

    let listed = told.ends(&["quarantine", "list"], 0).await?;
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(
        listed
            .iter()
            .all(|line| plyr_peers::read_json(line)["detail"] == "two\tlines\nof text"),
        "{listed:?}"
    );
    told.ends(&["quarantine", "retry"], 2).await?;
    for unknown in [["nothing-of-it"].as_slice(), &["--reason", "no-reason"]] {
        let words = [&["quarantine", "retry"], unknown].concat();
        let retried = told.ends(&words, 1).await?;
        assert!(
            retried.len() == 1 && retried.iter().all(|line| line.contains("unknown")),
            "{retried:?}"
        );
    }
    let retried = told
        .ends(&["quarantine", "retry", "of-a-record"], 0)
        .await?;
    let settled = json!({ "id": "of-a-record", "outcome": "settled" }).to_string();
    assert_eq!(retried, BTreeSet::from([settled]));
    let retried = told.ends(&["quarantine", "retry", "--all"], 1).await?;
    assert!(
        retried
            .iter()
            .any(|line| line.contains(r#""id":"of-nobody","outcome":"kept""#)),
        "{retried:?}"
    );
    let left = told
        .ends(&["quarantine", "list", "--reason", "cid-mismatch"], 0)
        .await?;
    assert!(
        left.len() == 1 && left.iter().all(|line| line.contains("of-nobody")),
        "{left:?}"
    );

    assert_eq!(told.ends(&["verify"], 1).await?, expected);
    assert_eq!(told.ends(&["verify", "--repair"], 0).await?, expected);
    assert!(told.ends(&["verify"], 0).await?.is_empty());
    same_as_held(&told, &account).await?;

    told.ends(&["backfill", "pause"], 0).await?;
    let status = told.ends(&["backfill", "status"], 0).await?;
    assert!(
        status.iter().any(|line| line.contains(r#""paused":true"#)),
        "{status:?}"
    );
    let cancelled = waiting_until(&told, "cancel").await?;
    let line = json!({ "repo": account.did, "cancelled": true });
    assert_eq!(cancelled, [line.to_string()]);
    let fetched = waiting_until(&told, "resume").await?;
    let line = json!({ "repo": account.did, "state": "verified", "records": 9 });
    assert_eq!(fetched, [line.to_string()]);
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}

/// The lines of a backfill of alice's repo that waits until something is said; as many wait as the
/// server works for at once, so that it must hear what needs no place.
async fn waiting_until(told: &Told, word: &str) -> Result<Vec<String>, BoxError> {
    let fetching = || told.run(&["backfill", "alice.test"]);
    let steer = || async {
        plyr_peers::wait_until("the repo waits", || async {
            let status = told.ends(&["backfill", "status"], 0).await;
            let status = status.map_err(|problem| problem.to_string())?;
            let waits = status.iter().any(|line| line.contains(r#""waiting":1"#));
            waits.then_some(()).ok_or_else(|| format!("{status:?}"))
        })
        .await?;
        told.ends(&["backfill", word], 0).await
    };
    let mut four =
        std::pin::pin!(async { tokio::try_join!(fetching(), fetching(), fetching(), fetching()) });
    // One that starts late waits anew, so it is said until all have heard it.
    let (one, two, three, four) = loop {
        tokio::select! {
            ended = &mut four => break ended?,
            steered = steer() => drop(steered?),
        }
    };
    for (code, lines, said) in [&two, &three, &four] {
        assert_eq!((*code, lines), (Some(0), &one.1), "{said}");
    }
    assert_eq!(one.0, Some(0), "{}", one.2);
    Ok(one.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_what_is_above_a_signed_head_is_told_and_stays_open() -> Tested {
    let Some(peers) = peers().await? else {
        return Ok(());
    };
    let account = Account::create(&peers.pds[0], "alice.test").await?;
    account.put("fm.plyr.track", "t0", &track("t0")).await?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    let uri: RecordUri = format!("at://{}/fm.plyr.track/x", account.did).parse()?;
    let Change::Version(invented) = put(&uri, 1, &track("never was"))? else {
        return Err("no version".into());
    };
    let soon = chrono::Utc::now().timestamp_micros() + 60_000_000;
    let rev = Rev::from_micros(soon, 1);
    let store = EmbeddedStore::open(EmbeddedOptions::new(data.clone(), "fm.plyr".parse()?))?;
    store
        .apply(vec![Change::Version(Version { rev, ..invented })])
        .await?;
    store.close().await?;
    drop(store);
    let mut arguments = arguments(&peers);
    arguments.extend(["--data-dir".to_owned(), data.display().to_string()]);
    let told = Told { arguments };
    let above = json!({ "aboveHead": rev.to_string(), "uri": uri.to_string() }).to_string();
    for more in [None, Some("--repair")] {
        let words = ["verify", &account.did].into_iter().chain(more);
        let (code, lines, said) = told.run(&words.collect::<Vec<_>>()).await?;
        assert_eq!(code, Some(1), "{said}");
        assert!(lines.contains(&above), "{lines:?} {said}");
    }
    Ok(())
}

/// The dump says what the PDS holds.
async fn same_as_held(told: &Told, account: &Account) -> Tested {
    let dump = told.ends(&["dump"], 0).await?;
    let rows = dump.iter().map(|line| plyr_peers::read_json(line));
    let rows = rows.filter(|row| row["uri"].is_string());
    let held: BTreeSet<String> = rows
        .map(|row| format!("{} {}", row["uri"], row["cid"]))
        .collect();
    let theirs = account.list("fm.plyr.track").await?;
    let theirs = theirs
        .iter()
        .map(|row| format!("{} {}", row["uri"], row["cid"]));
    assert_eq!(held, theirs.collect::<BTreeSet<String>>());
    assert_eq!(held.len(), 9);
    Ok(())
}
