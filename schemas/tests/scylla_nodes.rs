//! Three nodes, three copies: a node that dies or hangs in the middle of writes by two processes
//! costs nothing that was acknowledged, and nothing needs a restart.

#![allow(clippy::unwrap_used)] // in helpers of tests

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plyr_lexicons::{Judgement, RecordUri, Rev, Verdict, data};
use plyr_peers::{Cluster, wait_until};
use plyr_schemas::conformance::Checked;
use plyr_schemas::scylla::{Replication, ScyllaOptions, ScyllaStore, migrate};
use plyr_schemas::{Body, Change, Derived, Index, Standing, Store, StoreError, Version};

/// A like of one subject by an actor of its own.
fn like(writer: usize, number: usize) -> Change {
    let uri: RecordUri = format!("at://did:plc:w{writer}n{number}/fm.plyr.like/x")
        .parse()
        .unwrap();
    let json = r#"{"$type":"fm.plyr.like","createdAt":"2026-01-01T00:00:00Z",
        "subject":{"uri":"at://did:plc:a/fm.plyr.track/one",
        "cid":"bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i"}}"#;
    let value = data::from_json(json.as_bytes()).unwrap();
    let bytes = data::to_cbor(&value).unwrap();
    let namespace: plyr_lexicons::Namespace = "fm.plyr".parse().unwrap();
    let collection = namespace.collection("fm.plyr.like").unwrap();
    Change::Version(Version {
        rev: Rev::from_micros(1_700_000_000_000_000 + number as i64, 0),
        standing: Standing::Event,
        body: Body::Record {
            cid: data::cid_of(&bytes),
            bytes,
            judgement: Judgement {
                verdict: Verdict::Valid,
                reasons: Vec::new(),
            },
            derived: Derived::of(&uri, collection, &value),
        },
        uri,
        seen_at: 5,
    })
}

/// Writes until told to stop, handing in again what failed; answers how many were acknowledged.
async fn write(
    store: Arc<ScyllaStore>,
    writer: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
) -> Result<usize, StoreError> {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let batch: Vec<Change> = (number..number + 5).map(|at| like(writer, at)).collect();
        match store.apply(batch).await {
            Ok(_) => {
                number += 5;
                acknowledged.fetch_add(5, Ordering::SeqCst);
            }
            Err(problem) if problem.is_passing() => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_a_node_that_dies_or_hangs_loses_nothing_acknowledged() -> Checked {
    let Some(cluster) = Cluster::start(3).await? else {
        return Ok(());
    };
    let mut options = ScyllaOptions::parse(&cluster.url("plyr"), "fm.plyr".parse()?)?;
    options.read_patience = Duration::from_secs(60);
    migrate(&options, &Replication::default()).await?;
    let stores = [
        Arc::new(ScyllaStore::open(options.clone()).await?),
        Arc::new(ScyllaStore::open(options.clone()).await?),
    ];
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let spawn = |writer: usize| {
        let (stop, count) = (stop.clone(), acknowledged.clone());
        tokio::spawn(write(stores[writer].clone(), writer, stop, count))
    };
    let writers = [spawn(0), spawn(1)];
    // Writes go on through each fault, and after it.
    let goes_on = async |what: &str| {
        let (before, began) = (acknowledged.load(Ordering::SeqCst), Instant::now());
        let question = || async {
            let now = acknowledged.load(Ordering::SeqCst);
            let told = format!("{} acknowledged since", now - before);
            (now > before + 50).then_some(()).ok_or(told)
        };
        wait_until(what, question).await?;
        eprintln!("{what}: 50 writes acknowledged after {:?}", began.elapsed());
        Ok::<(), plyr_peers::PeersError>(())
    };
    goes_on("all nodes are up").await?;
    cluster.kill(2).await?;
    goes_on("node 2 is dead").await?;
    cluster.start_node(2).await?;
    goes_on("node 2 is back").await?;
    cluster.pause(3).await?;
    goes_on("node 3 hangs").await?;
    cluster.resume(3).await?;
    goes_on("node 3 is back").await?;
    stop.store(true, Ordering::SeqCst);
    let mut wanted = Vec::new();
    for (writer, task) in writers.into_iter().enumerate() {
        let count = task.await??;
        let uris = (0..count).map(|number| match like(writer, number) {
            Change::Version(version) => version.uri,
            _ => unreachable!(),
        });
        wanted.extend(uris);
    }
    for store in &stores {
        store.settle().await?;
    }
    // Another node may have been away when it was written: a new reader sees all of it.
    let reader = ScyllaStore::open(options).await?;
    let snapshot = reader.snapshot().await?;
    for uris in wanted.chunks(500) {
        let records = snapshot.records(uris).await?;
        let missing = records.iter().filter(|record| record.is_none()).count();
        assert_eq!(missing, 0);
    }
    let subject = "at://did:plc:a/fm.plyr.track/one".to_owned();
    let likes = Index::SubjectLikes(subject.clone());
    let listed = snapshot.page(&likes, None, wanted.len() + 1).await?;
    assert_eq!(listed.len(), wanted.len());
    // Counts are read from one copy: they may lag on a node that was away.
    let question = || async {
        let counts = snapshot.counts(std::slice::from_ref(&subject)).await;
        let counts = counts.map_err(|problem| problem.to_string())?[0];
        let is_right = counts.likes == wanted.len() as u64;
        is_right
            .then_some(())
            .ok_or(format!("{counts:?}, wanted {}", wanted.len()))
    };
    wait_until("the likes are counted", question).await?;
    tokio::time::timeout(Duration::from_secs(60), reader.close()).await??;
    Ok(())
}
