//! A store copied into a cluster, cut off and resumed, and from there into a new folder: the full
//! dumps of both folders are the same bytes. `PLYR_COPY` sets the number of records.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use plyr_lexicons::{Did, RecordUri, Rev};
use plyr_peers::Layout;
use plyr_schemas::conformance::put;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::own::{Asked, Verb};
use plyr_schemas::{
    Account, AccountState, Body, Change, DueCheck, FileJournal, Floor, HiddenSubject, Identity,
    Own, QuarantineEntry, Standing, Store, StreamCursor, Version,
};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const REPOS: i64 = 40;

/// Records: the environment's number, or enough for several pages.
fn records() -> i64 {
    let number = std::env::var("PLYR_COPY").ok();
    number.and_then(|text| text.parse().ok()).unwrap_or(5_000)
}

fn actor(number: i64) -> String {
    format!("did:plc:actor{number:02}")
}

fn uri(number: i64) -> Result<RecordUri, plyr_lexicons::AtUriError> {
    let collection = ["track", "like", "comment", "list"][(number % 4) as usize];
    format!(
        "at://{}/fm.plyr.{collection}/k{number}",
        actor(number % REPOS)
    )
    .parse()
}

fn record(number: i64) -> Value {
    let uri = format!("at://{}/fm.plyr.track/k{}", actor(0), number % 80 / 40 * 40);
    let subject = json!({ "uri": uri,
        "cid": "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i" });
    // One title in nine is invalid.
    let title = if number % 9 == 0 {
        json!(7)
    } else {
        json!(format!("t{number}"))
    };
    match number % 4 {
        0 => json!({ "title": title, "artist": "A", "fileType": "mp3", "duration": number % 400 }),
        1 => json!({ "subject": subject }),
        2 => json!({ "subject": subject, "text": "c", "timestampMs": 1 }),
        _ => json!({ "name": "l", "listType": "album", "items": [{ "subject": subject }] }),
    }
}

fn with(change: Change, standing: Standing, body: Option<Body>) -> Change {
    match change {
        Change::Version(version) => Change::Version(Version {
            standing,
            body: body.unwrap_or_else(|| version.body.clone()),
            ..version
        }),
        other => other,
    }
}

/// A store with everything in it that is copied.
async fn fill(folder: &Path) -> Tested {
    let options = EmbeddedOptions::new(folder.to_owned(), "fm.plyr".parse()?);
    let store = EmbeddedStore::open(options)?;
    let mut changes = Vec::new();
    for number in 0..records() {
        let (uri, record) = (uri(number)?, record(number));
        let first = put(&uri, 1, &record)?;
        changes.push(match number % 50 {
            // Proven, and then told of something newer.
            7 => with(first, Standing::Proven, None),
            _ => first,
        });
        match number % 50 {
            3 => changes.push(with(
                put(&uri, 2, &record)?,
                Standing::Event,
                Some(Body::Delete),
            )),
            7 => changes.push(put(&uri, 3, &record)?),
            // Above the head that was signed: it never was.
            11 => changes.push(with(put(&uri, 4, &record)?, Standing::Void, None)),
            _ => {}
        }
        if changes.len() >= 2_000 {
            store.apply(std::mem::take(&mut changes)).await?;
        }
    }
    for number in 0..REPOS {
        let did = Did::new(actor(number))?;
        let state = match number % 10 {
            5 => AccountState::Deactivated,
            _ => AccountState::Active,
        };
        let (asked_at, pds) = (1_000_000 + number, Some("https://pds.example".to_owned()));
        let handle = Some(plyr_lexicons::Handle::new(format!("actor{number}.test"))?);
        let (signing_key, triggered_at) = (None, 2_000_000 + number);
        changes.push(Change::Account(Account {
            did: did.clone(),
            state,
            since: asked_at,
            asked_at,
        }));
        let identity = Identity {
            did: did.clone(),
            pds,
            signing_key,
            handle,
            asked_at,
        };
        changes.push(Change::Identity(identity));
        let check = DueCheck::triggered(did, triggered_at);
        changes.push(Change::Due(DueCheck {
            asked: 1,
            due_at: 3_000_000 + number,
            ..check
        }));
    }
    let of = uri(20)?;
    changes.push(Change::Floor(Floor {
        did: of.did,
        collection: of.collection,
        rev: Rev::from_micros(1_600_000_000_000_000, 0),
    }));
    changes.push(Change::Quarantine(QuarantineEntry {
        id: "ab".to_owned(),
        source: "one".to_owned(),
        reason: "frame".to_owned(),
        detail: "cut".to_owned(),
        did: None,
        uri: None,
        rev: None,
        cid: None,
        seen_at: 9_000_000,
    }));
    changes.push(Change::Cursor(StreamCursor {
        source: "one".to_owned(),
        position: 77,
        recent: vec![1],
    }));
    store.apply(changes).await?;
    let store: Arc<dyn Store> = Arc::new(store);
    let own = Own::new(Arc::new(FileJournal::open(folder)?), store.clone());
    for (action, number) in [
        (Verb::Takedown, 40),
        (Verb::Takedown, 41),
        (Verb::DeleteTrack, 44),
        (Verb::Restore, 41),
    ] {
        own.act(Asked {
            action,
            subject: HiddenSubject::Record(uri(number)?),
            by: "alice".to_owned(),
            reason: Some("r".to_owned()),
            reference: None,
            force: false,
        })
        .await?;
    }
    store.close().await?;
    Ok(())
}

fn full_dump(folder: &Path) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let dumped = Command::new(BINARY)
        .args(["dump", "--full", "--data-dir"])
        .arg(folder)
        .output()?;
    let told = String::from_utf8_lossy(&dumped.stderr).into_owned();
    assert!(dumped.status.success(), "{told}");
    Ok(String::from_utf8(dumped.stdout)?)
}

fn copy(from: &str, to: &str, progress: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["store", "copy", "--from", from, "--to", to, "--progress"]);
    command.arg(progress).stdin(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn i01_a_store_is_copied_into_a_cluster_and_back() -> Tested {
    let folder = tempfile::tempdir()?;
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    fill(&first).await?;
    let expected = full_dump(&first)?;
    for kind in [
        "\"version\":",
        "\"actor\":",
        "\"floor\":",
        "\"checkOf\":",
        "\"refused\":",
        "\"void\"",
        "\"proven\"",
        "\"says\":null",
        "\"likeCount\":",
        "\"ownAction\":",
        "\"action\":\"delete-track\"",
    ] {
        assert!(expected.contains(kind), "no {kind} in the full dump");
    }

    let progress = folder.path().join("copy.json");
    let from = format!("embedded:{}", first.display());
    let is_under_way = || {
        let kept = std::fs::read_to_string(&progress).unwrap_or_default();
        kept.contains("\"stage\":\"versions\"") && !kept.contains("\"versions\":0")
    };
    let mut cluster = String::new();
    // Who stands still misses the middle of it: then once more, into a new keyspace.
    for keyspace in ["copied", "copied2", "copied3"] {
        let Some(layout) = Layout::together(BINARY, keyspace).await? else {
            return Ok(());
        };
        layout.store().unwrap_or_default().clone_into(&mut cluster);
        if progress.exists() {
            std::fs::remove_file(&progress)?;
        }
        let mut cut = copy(&from, &cluster, &progress)
            .stderr(Stdio::null())
            .spawn()?;
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        while !is_under_way() && cut.try_wait()?.is_none() {
            looks.tick().await;
        }
        cut.kill()?;
        cut.wait()?;
        if is_under_way() {
            break;
        }
    }
    assert!(is_under_way(), "the copy was not cut off in the middle");

    let other = copy(&cluster, &from, &progress).output()?;
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(1), "{told}");
    assert!(
        told.contains("it keeps the progress of a copy from"),
        "{told}"
    );

    let resumed = copy(&from, &cluster, &progress).output()?;
    let told = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(resumed.status.success(), "{told}");
    assert!(told.contains("going on with an earlier copy"), "{told}");
    assert!(!progress.exists());

    let to = format!("embedded:{}", second.display());
    let back = copy(&cluster, &to, &progress).output()?;
    let told = String::from_utf8_lossy(&back.stderr).into_owned();
    assert!(back.status.success(), "{told}");
    assert!(full_dump(&second)? == expected, "the full dumps differ");

    // A store that isn't the same is found out.
    let odd = EmbeddedOptions::new(second.clone(), "fm.plyr".parse()?);
    let odd = EmbeddedStore::open(odd)?;
    odd.apply(vec![put(&uri(4)?, 50, &record(8))?]).await?;
    odd.close().await?;
    drop(odd);
    let differs = copy(&cluster, &to, &progress).output()?;
    let told = String::from_utf8_lossy(&differs.stderr).into_owned();
    assert_eq!(differs.status.code(), Some(1), "{told}");
    assert!(told.contains("only in the target"), "{told}");
    Ok(())
}
