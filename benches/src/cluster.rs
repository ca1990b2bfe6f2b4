//! The two engines beside one another over the same records, growing: writes, reads over HTTP, and
//! what a request asks of the cluster. A real CQL cluster on loopback, by turns with the embedded
//! store in one run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plyr_peers::Cluster;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::scylla::{Replication, ScyllaOptions, ScyllaStore, migrate};
use plyr_schemas::{Change, CountedStore, Store, StoreError};

use crate::corpus::{self, Corpus};
use crate::load::{CLIENTS, measure};
use crate::report::Report;
use crate::served::Served;
use crate::{Arguments, Outcome};

type Failure = Box<dyn std::error::Error>;

/// As the indexer hands them in.
const BATCH: usize = 500;
const LANES: usize = 4;
/// Likes written to tracks that are popular, each by an actor of its own.
const LIKES: usize = 5_000;
const LIKED: usize = 50;
/// Requests over which statements are averaged: the engine's own rounds go on meanwhile.
const COUNTED: usize = 50;
/// How long counts may take to follow.
const SETTLE: Duration = Duration::from_secs(600);

/// A store under measurement, with an AppView over it.
struct Side {
    store: Arc<dyn Store>,
    rounds: Arc<AtomicUsize>,
    served: Served,
}

impl Side {
    async fn over(store: Arc<dyn Store>) -> Result<Side, Failure> {
        let rounds = Arc::new(AtomicUsize::new(0));
        let told = rounds.clone();
        let tell = move |number: usize| {
            told.fetch_add(number, Ordering::Relaxed);
        };
        let counted = CountedStore::telling(store.clone(), Arc::new(tell));
        let served = Served::start(Arc::new(counted)).await?;
        Ok(Side {
            store,
            rounds,
            served,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.served.address)
    }

    async fn end(self) -> Outcome {
        self.served.stop().await?;
        Ok(self.store.close().await?)
    }
}

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let Some(cluster) = Cluster::start(arguments.nodes).await? else {
        report.add("the two engines", "skipped: no cluster".to_owned(), "");
        return Ok(());
    };
    let options = ScyllaOptions::parse(&cluster.url("bench"), "fm.plyr".parse()?)?;
    migrate(
        &options,
        &Replication {
            factor: arguments.nodes,
            ..Replication::default()
        },
    )
    .await?;
    let scylla = Arc::new(ScyllaStore::open(options).await?);
    let folder = tempfile::tempdir()?;
    let options = EmbeddedOptions::new(folder.path().to_owned(), "fm.plyr".parse()?);
    let embedded = Side::over(Arc::new(EmbeddedStore::open(options)?)).await?;
    let distributed = Side::over(scylla.clone()).await?;

    let mut corpus = Corpus::new(arguments.seed)?;
    let mut filled = 0;
    for size in &arguments.cluster_sizes {
        let place = format!("{size} tracks, {} node(s)", arguments.nodes);
        grow(
            &mut corpus,
            *size - filled,
            [&embedded, &distributed],
            report,
            &place,
        )
        .await?;
        filled = *size;
        ask(arguments, *size, [&embedded, &distributed], report, &place).await?;
        statements(arguments, *size, &distributed, &scylla, report, &place).await?;
    }
    likes(arguments, [&embedded, &distributed], report).await?;
    embedded.end().await?;
    distributed.end().await
}

/// Applies batches through as many lanes as the indexer has; seconds until all is durable, and
/// until counts have followed.
async fn apply(store: &Arc<dyn Store>, changes: &[Change]) -> Result<(f64, f64), Failure> {
    let began = Instant::now();
    let mut lanes = Vec::new();
    for lane in 0..LANES {
        let batches = changes.chunks(BATCH).skip(lane).step_by(LANES);
        let batches: Vec<Vec<Change>> = batches.map(<[Change]>::to_vec).collect();
        let store = store.clone();
        lanes.push(tokio::spawn(async move {
            for batch in batches {
                persist(&store, batch).await?;
            }
            Ok::<(), StoreError>(())
        }));
    }
    for lane in lanes {
        lane.await??;
    }
    let durable = began.elapsed().as_secs_f64();
    tokio::time::timeout(SETTLE, store.settle()).await??;
    Ok((durable, began.elapsed().as_secs_f64()))
}

/// As a lane does: an overloaded store is asked again.
async fn persist(store: &Arc<dyn Store>, batch: Vec<Change>) -> Result<(), StoreError> {
    loop {
        match store.apply(batch.clone()).await {
            Err(problem) if problem.is_passing() => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            done => return done.map(drop),
        }
    }
}

/// Piece by piece, so that the corpus never lies in memory as a whole.
const PIECE: usize = 20_000;

async fn grow(
    corpus: &mut Corpus,
    count: usize,
    sides: [&Side; 2],
    report: &mut Report,
    place: &str,
) -> Outcome {
    let mut seconds = [(0.0, 0.0); 2];
    let mut left = count;
    while left > 0 {
        let piece = corpus.by_ref().take(left.min(PIECE));
        let changes: Vec<Change> = piece
            .map(|entry| corpus::version(&entry?))
            .collect::<Result<_, _>>()?;
        left -= changes.len();
        for (side, seconds) in sides.iter().zip(&mut seconds) {
            let (durable, settled) = apply(&side.store, &changes).await?;
            seconds.0 += durable;
            seconds.1 += settled;
        }
    }
    let rates = seconds.map(|(durable, settled)| (count as f64 / durable, count as f64 / settled));
    report.add(
        &format!("applied durably, up to {place}: embedded"),
        format!("{:.0} records/s", rates[0].0),
        "compared",
    );
    report.add(
        "the same: cluster (with its counts)",
        format!("{:.0} records/s ({:.0})", rates[1].0, rates[1].1),
        "given",
    );
    Ok(())
}

fn middle(seed: u64, size: usize) -> Result<String, Failure> {
    let entry = Corpus::new(seed)?.nth(size / 2).ok_or("no record")??;
    Ok(entry.uri.to_string())
}

const TRACK: &str = "/xrpc/fm.plyr.feed.getTrack?uri=";
const PAGE: &str = "/xrpc/fm.plyr.feed.getLatest?limit=50";

async fn ask(
    arguments: &Arguments,
    size: usize,
    [embedded, distributed]: [&Side; 2],
    report: &mut Report,
    place: &str,
) -> Outcome {
    let track = format!("{TRACK}{}", middle(arguments.seed, size)?);
    let urls = [
        embedded.url(&track),
        distributed.url(&track),
        embedded.url(PAGE),
        distributed.url(PAGE),
    ];
    let [one, two, three, four] = &urls;
    let measured = measure([one, two, three, four], arguments.run()).await?;
    let names = [
        "getTrack: embedded",
        "getTrack: cluster",
        "getLatest of 50: embedded",
        "getLatest of 50: cluster",
    ];
    for (name, measured) in names.iter().zip(&measured) {
        let what = format!("{name}, {place}, {CLIENTS} connections");
        report.add(&what, measured.to_string(), "given");
    }
    Ok(())
}

/// Rounds and statements of one request, with nobody else asking.
async fn statements(
    arguments: &Arguments,
    size: usize,
    side: &Side,
    store: &ScyllaStore,
    report: &mut Report,
    place: &str,
) -> Outcome {
    let track = format!("{TRACK}{}", middle(arguments.seed, size)?);
    let client = reqwest::Client::new();
    for (name, path) in [("getTrack", track.as_str()), ("getLatest of 50", PAGE)] {
        let (rounds, sent) = (side.rounds.load(Ordering::Relaxed), store.statements());
        for _ in 0..COUNTED {
            let answer = client.get(side.url(path)).send().await?;
            answer.error_for_status()?.bytes().await?;
        }
        let each = |number: u64| number as f64 / COUNTED as f64;
        let rounds = (side.rounds.load(Ordering::Relaxed) - rounds) as u64;
        let sent = store.statements() - sent;
        report.add(
            &format!("{name}: rounds, CQL statements of a request, {place}"),
            format!("{:.1}, {:.1}", each(rounds), each(sent)),
            "rounds ≤ 3",
        );
    }
    Ok(())
}

/// Popular tracks: each like touches a set that has to be counted.
async fn likes(arguments: &Arguments, sides: [&Side; 2], report: &mut Report) -> Outcome {
    let subjects = corpus::tracks(arguments.seed, LIKED)?;
    let changes: Vec<Change> = (0..LIKES)
        .map(|number| corpus::like(number, &subjects[number % LIKED]))
        .collect::<Result<_, _>>()?;
    for (side, name) in sides.iter().zip(["embedded", "cluster"]) {
        let (durable, settled) = apply(&side.store, &changes).await?;
        report.add(
            &format!("{LIKES} likes of {LIKED} tracks by as many actors: {name}"),
            format!("durable after {durable:.1} s, counted after {settled:.1} s"),
            "given",
        );
    }
    Ok(())
}
