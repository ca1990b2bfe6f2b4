//! `plyr rebuild`: through the server that holds the folder, while it serves; in the folder itself;
//! and over a cluster.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use plyr_peers::{Layout, Plyr, wait_until};
use plyr_schemas::conformance::put;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::tables;
use plyr_schemas::{Change, Store};
use serde_json::{Value, json};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Tested = Result<(), BoxError>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const RECORDS: i64 = 6_000;
/// A network that isn't there.
const NOWHERE: [&str; 5] = [
    "--dev",
    "--jetstream",
    "ws://127.0.0.1:1",
    "--plc-url",
    "http://127.0.0.1:1",
];

fn plyr(arguments: &[&str]) -> Result<(Option<i32>, String, String), BoxError> {
    let done = Command::new(BINARY).args(arguments).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((done.status.code(), text(&done.stdout), text(&done.stderr)))
}

fn change(number: i64) -> Result<Change, BoxError> {
    let collection = ["track", "like", "comment"][(number % 3) as usize];
    let uri = format!(
        "at://did:plc:actor{}/fm.plyr.{collection}/k{number}",
        number % 70
    );
    let subject = format!("at://did:plc:actor0/fm.plyr.track/k{}", number % 8 * 210);
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    let about = json!({ "subject": { "uri": subject, "cid": cid }, "text": "t", "timestampMs": 1 });
    let track = json!({ "title": format!("t{number}"), "artist": "A", "fileType": "mp3" });
    let record: &Value = if collection == "track" {
        &track
    } else {
        &about
    };
    put(&uri.parse()?, number, record)
}

async fn fill(folder: &Path) -> Tested {
    let options = EmbeddedOptions::new(folder.to_owned(), "fm.plyr".parse()?);
    let store = EmbeddedStore::open(options)?;
    let changes: Vec<Change> = (0..RECORDS).map(change).collect::<Result<_, _>>()?;
    for batch in changes.chunks(2_000) {
        store.apply(batch.to_vec()).await?;
    }
    Ok(store.close().await?)
}

/// Takes every third index row away and makes every count wrong, behind the store's back.
async fn spoil(folder: &Path) -> Tested {
    let mut tries = 0;
    let database = loop {
        // Whoever held it lets go of it in a moment.
        match fjall::Database::builder(folder.join("store")).open() {
            Err(_) if tries < 1_000_000 => tries += 1,
            opened => break opened?,
        }
        tokio::task::yield_now().await;
    };
    let derived = database.keyspace("derived", Default::default)?;
    let mut rows = Vec::new();
    for row in derived.iter() {
        let (key, cell) = row.into_inner()?;
        rows.push((key.to_vec(), cell.to_vec()));
    }
    for (number, (key, mut cell)) in rows.into_iter().enumerate() {
        if key[0] == tables::COUNTS.tag {
            cell[8] ^= 7;
            derived.insert(key, cell)?;
        } else if number % 3 == 0 {
            derived.remove(key)?;
        }
    }
    database.persist(fjall::PersistMode::SyncAll)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_a_server_rebuilds_its_store_while_it_serves() -> Tested {
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir)?;
    let data = data_dir.to_str().ok_or("no path")?;
    fill(&data_dir).await?;
    let dump = || -> Result<String, BoxError> {
        let (code, dumped, told) = plyr(&["dump", "--data-dir", data])?;
        (code == Some(0)).then_some(dumped).ok_or(told.into())
    };
    let before = dump()?;
    spoil(&data_dir).await?;
    assert_ne!(dump()?, before, "nothing was spoilt");
    let arguments = NOWHERE.map(str::to_owned);
    let server = Plyr::start(BINARY, &data_dir, &arguments).await?;
    let rebuilding = tokio::process::Command::new(BINARY)
        .args(["rebuild", "all", "--data-dir", data])
        .kill_on_drop(true)
        .output();
    let rebuilding = tokio::spawn(rebuilding);
    let mut answered = 0;
    let began = Instant::now();
    while !rebuilding.is_finished() && began.elapsed() < Duration::from_secs(300) {
        server.xrpc("fm.plyr.feed.getLatest", "limit=5").await?;
        answered += 1;
    }
    let done = rebuilding.await??;
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        said.starts_with("looked at ") && !said.contains("mended 0\n"),
        "{said}"
    );
    assert!(said.ends_with(&documents()), "{said}");
    assert!(answered > 0);
    assert_eq!(server.dump().await?, before);
    let (code, said, told) = plyr(&["rebuild", "all", "--data-dir", data])?;
    assert_eq!(code, Some(0), "{told}");
    assert!(said.contains("mended 0\n"), "{said}");
    server.stop().await?;

    // With no server running the command opens the folder itself.
    spoil(&data_dir).await?;
    for what in ["indexes", "counts"] {
        let (code, said, told) = plyr(&["rebuild", what, "--data-dir", data])?;
        assert_eq!(code, Some(0), "{told}");
        assert!(!said.ends_with("mended 0\n"), "{what}: {said}");
    }
    assert_eq!(dump()?, before);
    Ok(())
}

/// What is said of an index of all the tracks.
fn documents() -> String {
    format!("the search index has {} documents\n", RECORDS / 3)
}

fn started(server: &Plyr) -> impl Future<Output = Result<f64, String>> + '_ {
    server.counted("plyr_search_builds_total", "served")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_a_server_builds_its_search_index_anew_while_it_serves() -> Tested {
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir)?;
    let data = data_dir.to_str().ok_or("no path")?;
    fill(&data_dir).await?;
    let rebuild = || -> Result<String, BoxError> {
        let (code, said, told) = plyr(&["rebuild", "search", "--data-dir", data])?;
        (code == Some(0)).then_some(said).ok_or(told.into())
    };
    // With no server running the command builds it in the folder.
    assert_eq!(rebuild()?, documents());
    let arguments = NOWHERE.map(str::to_owned);
    let server = Plyr::start(BINARY, &data_dir, &arguments).await?;
    wait_until("the index that was built serves", || async {
        let page = server.probe("/metrics").await?;
        let wanted = format!("plyr_search_documents {}\n", RECORDS / 3);
        page.contains(&wanted).then_some(()).ok_or(page)
    })
    .await?;
    assert!(
        started(&server).await.unwrap_or(0.0) < 1.0,
        "it was built again"
    );
    assert_eq!(rebuild()?, documents());
    assert!(started(&server).await? >= 1.0);
    assert_eq!(rebuild()?, documents());
    assert!(started(&server).await? >= 2.0);
    let (code, _, told) = plyr(&["serve", "--data-dir", data, "--listen", ":0"])?;
    assert_eq!(code, Some(1), "two servers in one folder: {told}");

    // What is damaged is built anew by itself, and said while it is.
    server.stop().await?;
    let search = data_dir.join("search");
    std::fs::write(search.join("current"), "nonsense")?;
    let server = Plyr::start(BINARY, &data_dir, &arguments).await?;
    wait_until("the damaged index was built anew", || async {
        let built = started(&server).await? >= 1.0;
        let ready = server.probe("/ready").await?;
        (built && !ready.contains("search index"))
            .then_some(())
            .ok_or(ready)
    })
    .await?;
    let page = server.page("/status").await?;
    assert!(
        page.contains("documents can be found; they are up to date"),
        "{page}"
    );
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}

#[test]
fn what_can_t_be_rebuilt_is_named() -> Tested {
    let (code, _, told) = plyr(&["rebuild"])?;
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("indexes") && told.contains("counts"),
        "{told}"
    );
    let folder = tempfile::tempdir()?;
    let nothing = folder.path().to_str().ok_or("no path")?;
    let (code, _, told) = plyr(&["rebuild", "all", "--data-dir", nothing])?;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("--data-dir"), "{told}");
    assert_eq!(
        std::fs::read_dir(folder.path())?.count(),
        0,
        "it made a store"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_a_cluster_is_rebuilt_from_any_process() -> Tested {
    let Some(layout) = Layout::together(BINARY, "rebuilt").await? else {
        return Ok(());
    };
    let store = layout.store().ok_or("no store")?;
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("index");
    let elsewhere = folder.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().ok_or("no path")?;
    let mut arguments: Vec<String> = NOWHERE.map(str::to_owned).to_vec();
    arguments.extend(["--store".to_owned(), store.to_owned()]);
    let indexer = Plyr::command(BINARY, "index", &data_dir, &arguments).await?;
    let options = plyr_schemas::scylla::ScyllaOptions::parse(store, "fm.plyr".parse()?)?;
    let opened = plyr_schemas::scylla::ScyllaStore::open(options).await?;
    let changes: Vec<Change> = (0..90).map(change).collect::<Result<_, _>>()?;
    opened.apply(changes).await?;
    opened.settle().await?;
    opened.close().await?;
    let (code, before, told) = plyr(&["dump", "--wait-idle", "--store", store])?;
    assert_eq!(code, Some(0), "{told}");
    // A count that its writer left to be made once more may be made by the pass; then by nobody.
    wait_until("a pass finds nothing to mend", || async {
        let (code, said, told) =
            plyr(&["rebuild", "all", "--store", store, "--data-dir", elsewhere])
                .map_err(|problem| problem.to_string())?;
        match code == Some(0) && said.contains("mended 0\n") {
            true => Ok(()),
            false => Err(format!("{code:?} {said}\n{told}")),
        }
    })
    .await?;
    let (_, after, _) = plyr(&["dump", "--store", store])?;
    assert_eq!(after, before);
    let all = ["rebuild", "all", "--store", store, "--data-dir", elsewhere];
    let (_, said, _) = plyr(&all)?;
    assert!(said.contains("AppViews keep their own"), "{said}");

    // An AppView's own index, by the AppView and without it.
    let data_dir = folder.path().join("appview");
    let data = data_dir.to_str().ok_or("no path")?;
    let appview = Plyr::command(BINARY, "appview", &data_dir, &arguments).await?;
    let search = ["rebuild", "search", "--store", store, "--data-dir", data];
    let (code, said, told) = plyr(&search)?;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(said, "the search index has 30 documents\n");
    assert!(started(&appview).await? >= 1.0);
    let held = Plyr::command(BINARY, "appview", &data_dir, &arguments).await;
    let refused = held
        .err()
        .ok_or("two AppViews keep one folder")?
        .to_string();
    assert!(refused.contains("is in use by another server"), "{refused}");
    assert_eq!(appview.stop().await?, Some(0));
    let (code, said, told) = plyr(&search)?;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(said, "the search index has 30 documents\n");
    let told = indexer.probe("/metrics").await?;
    for name in [
        "plyr_cql_connections",
        "plyr_cql_latency_seconds",
        "plyr_cql_request_timeouts",
    ] {
        assert!(told.contains(name), "{name} is missing of\n{told}");
    }
    assert_eq!(indexer.stop().await?, Some(0));
    Ok(())
}
