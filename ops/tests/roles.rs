//! The parts as processes of their own: what they need, how they wait for a cluster, and how they
//! end when it doesn't come back.

use std::process::Command;
use std::time::Duration;

use plyr_peers::{Cluster, Plyr, migrate, wait_until};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

fn run(arguments: &[&str]) -> Result<(Option<i32>, String), std::io::Error> {
    let done = Command::new(BINARY).args(arguments).output()?;
    let told = [done.stdout, done.stderr].concat();
    Ok((
        done.status.code(),
        String::from_utf8_lossy(&told).into_owned(),
    ))
}

#[test]
fn a_part_alone_needs_a_store_that_is_shared() -> Tested {
    for part in ["index", "appview"] {
        let (code, told) = run(&[part])?;
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("scylla://host:port/keyspace"), "{told}");
        assert!(told.contains("plyr serve"), "{told}");
    }
    let (code, told) = run(&["store", "migrate"])?;
    assert_eq!(code, Some(2), "{told}");
    for (option, value, fix) in [
        ("--store", "scylla://host", "scylla://host:port"),
        ("--replication", "many", "dc1=3,dc2=2"),
        ("--tablets", "perhaps", "on or off"),
        ("--heartbeat-patience", "long", "30m"),
    ] {
        let (code, told) = run(&["index", option, value])?;
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(fix), "{option}: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_part_waits_for_its_cluster_and_ends_when_that_stays_away() -> Tested {
    let Some(cluster) = Cluster::start(1).await? else {
        return Ok(());
    };
    let url = cluster.url("parts");
    let (code, told) = run(&["index", "--metrics-listen", ":0", "--store", &url])?;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("run `plyr store migrate` first"), "{told}");
    let (code, told) = run(&["store", "plan", "--store", &url])?;
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("'replication_factor': 1}"),
        "the least of 3 and the nodes: {told}"
    );
    migrate(BINARY, &url).await?;
    let (code, told) = run(&[
        "store",
        "migrate",
        "--store",
        &url,
        "--namespace",
        "fm.plyr.dev",
    ])?;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("holds namespace fm.plyr"), "{told}");

    // Down at the start: the probes answer, and say why it isn't ready.
    cluster.kill(1).await?;
    let folder = tempfile::tempdir()?;
    // Of an address that nobody connects from, so that it stays free while Cassandra starts.
    let free = std::net::TcpListener::bind("127.0.0.77:0")?;
    let probes = free.local_addr()?.to_string();
    drop(free);
    let arguments: Vec<String> = [
        "--dev",
        "--jetstream",
        "ws://127.0.0.1:1",
        "--relay-url",
        "none",
        "--plc-url",
        "http://127.0.0.1:1",
        "--store",
        &url,
        "--heartbeat-patience",
        "45s",
        "--metrics-listen",
        &probes,
    ]
    .map(str::to_owned)
    .to_vec();
    let data = folder.path().join("appview");
    let starting = Plyr::command(BINARY, "appview", &data, &arguments);
    let address = format!("http://{probes}/ready");
    let host = cluster.nodes.first().cloned().unwrap_or_default();
    let waking = async {
        wait_until("/ready names the host and the reason", || async {
            let told = Command::new("curl").args(["-s", &address]).output();
            let told = told.map_err(|problem| problem.to_string())?;
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            let is_told = told.contains("\"ready\":false") && told.contains(&host);
            if is_told { Ok(()) } else { Err(told) }
        })
        .await?;
        cluster.start_node(1).await
    };
    let (started, woken) = tokio::join!(starting, waking);
    woken?;
    let mut appview = started?;
    wait_until("the appview answers", || async {
        let latest = appview.xrpc("fm.plyr.feed.getLatest", "").await?;
        let is_empty = latest["tracks"] == serde_json::json!([]);
        is_empty.then_some(()).ok_or(latest.to_string())
    })
    .await?;

    // An indexer beside it: its keys alone on the ready line.
    let beside = folder.path().join("index");
    let index = Plyr::command(BINARY, "index", &beside, &arguments[..9]);
    let index = index.await?;
    assert_eq!(index.appview, "");
    wait_until("the indexer is ready", || async {
        let ready = index.probe("/ready").await?;
        let is_ready = ready.contains("\"ready\":true");
        is_ready.then_some(()).ok_or(ready)
    })
    .await?;
    assert_eq!(index.stop().await?, Some(0));

    // Down for longer than it has patience for: it tells, answers 503, and ends itself.
    cluster.kill(1).await?;
    let (status, answer) = appview.get("/xrpc/fm.plyr.feed.getLatest").await?;
    assert_eq!(
        (status, answer["error"].as_str()),
        (503, Some("Overloaded"))
    );
    assert_eq!(appview.ended(Duration::from_secs(300)).await?, Some(1));
    let log = std::fs::read_to_string(data.with_extension("log"))?;
    assert!(log.contains("no heartbeat for "), "{log}");
    Ok(())
}
