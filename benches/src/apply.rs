//! Records applied durably through the store, beside the bare engine writing the same rows with
//! the same durability, batch by batch, in one run.

use std::time::Instant;

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Body, Change, Store};

use crate::report::Report;
use crate::{Arguments, corpus};

const BATCH: usize = 500;
const LANES: usize = 2;

/// Runs the campaign.
pub async fn run(
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let entries = corpus::tracks(arguments.seed, arguments.records)?;
    let changes: Vec<Change> = entries
        .iter()
        .map(corpus::version)
        .collect::<Result<_, _>>()?;

    let bare = bare_engine(&changes)?;
    let folder = tempfile::tempdir()?;
    let options = EmbeddedOptions::new(folder.path().to_owned(), "fm.plyr".parse()?);
    let store = std::sync::Arc::new(EmbeddedStore::open(options)?);
    let began = Instant::now();
    let mut lanes = Vec::new();
    for lane in 0..LANES {
        let batches: Vec<Vec<Change>> = changes
            .chunks(BATCH)
            .skip(lane)
            .step_by(LANES)
            .map(<[Change]>::to_vec)
            .collect();
        let store = store.clone();
        lanes.push(tokio::spawn(async move {
            for batch in batches {
                store.apply(batch).await?;
            }
            Ok::<(), plyr_schemas::StoreError>(())
        }));
    }
    for lane in lanes {
        lane.await??;
    }
    let ours = changes.len() as f64 / began.elapsed().as_secs_f64();
    store.close().await?;

    report.add(
        "bare engine, the same rows, synced",
        format!("{bare:.0} records/s"),
        "compared",
    );
    report.add("applied durably", format!("{ours:.0} records/s"), "50,000");
    report.add(
        "ratio applied ÷ bare engine",
        format!("{:.2}", ours / bare),
        "≥ 0.4",
    );
    Ok(())
}

/// Writes what the store writes for a new track (the version, its index rows, a log entry) with
/// plain batches of the engine.
fn bare_engine(changes: &[Change]) -> Result<f64, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let database = Database::builder(folder.path())
        .cache_size(64 << 20)
        .open()?;
    let options = || KeyspaceCreateOptions::default().max_memtable_size(8 << 20);
    let truth = database.keyspace("truth", options)?;
    let indexes = database.keyspace("derived", options)?;
    let log = database.keyspace("log", options)?;
    let began = Instant::now();
    let mut number = 0u64;
    for chunk in changes.chunks(BATCH * LANES) {
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        for change in chunk {
            let Change::Version(version) = change else {
                continue;
            };
            let Body::Record { bytes, derived, .. } = &version.body else {
                continue;
            };
            let uri = version.uri.to_string();
            batch.insert(&truth, format!("{uri}\0{}", version.rev), bytes.as_slice());
            for row in &derived.rows {
                let position = &row.position;
                let key = format!("{:?}\0{:020}\0{}", row.index, position.major, position.uri);
                batch.insert(&indexes, key, version.rev.as_u64().to_be_bytes().as_slice());
            }
            number += 1;
            batch.insert(&log, number.to_be_bytes().as_slice(), uri.as_bytes());
        }
        batch.commit()?;
    }
    Ok(changes.len() as f64 / began.elapsed().as_secs_f64())
}
