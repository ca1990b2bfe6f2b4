//! Bytes, wired: where they are kept, what fetches them, and the commands about them.

pub mod ask;
pub mod commands;
mod copy;

use std::sync::Arc;
use std::time::Duration;

use plyr_blobstore::{
    Blobstore, Fetching, FetchingParts, Follower, Holders, MediaOptions, Staging, Sweep,
    SweepOptions, Usage, sweep,
};
use plyr_objects::{DEFAULT_REGION, Disk, Objects, S3, S3Credentials, S3Options, S3Patience};
use plyr_outbound::Outbound;
use plyr_probe::{Prober, ProberOptions};
use plyr_schemas::{BlobRows, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{BlobsChoice, Config, StoreChoice};
use crate::error::OpsError;
use crate::store::crash;

pub use ask::Ask;

/// The folder of bytes, in the data folder.
const BLOBS: &str = "blobs";
/// The folder that fetches are staged in, in the data folder.
const STAGING: &str = "staging";
/// Largest blob of audio, in bytes: two hours of WAV, as plyr.fm takes them.
const LARGEST_AUDIO: u64 = 1_536 << 20;
/// Largest image, in bytes, as plyr.fm takes them.
const LARGEST_IMAGE: u64 = 20 << 20;
/// Fetches at the same time, for each core.
const FETCHES_A_CORE: usize = 2;
/// What one that looks at bytes may take.
const MEMORY: u64 = 768 << 20;
const PROCESSOR: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two sweeps, and before the first.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3600);
const FIRST_SWEEP: Duration = Duration::from_secs(3600);
/// How long a bucket is waited for at the start.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// How long what nobody names stays.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);

/// Where the configuration keeps bytes.
pub async fn objects(config: &Config) -> Result<Arc<dyn Objects>, OpsError> {
    let start = |problem: plyr_objects::ObjectsError| OpsError::Start(problem.to_string());
    match &config.media.blobs {
        BlobsChoice::Disk(folder) => {
            let folder = folder
                .clone()
                .unwrap_or_else(|| config.data_dir.join(BLOBS));
            Ok(Arc::new(Disk::open(&folder).map_err(start)?))
        }
        BlobsChoice::S3 {
            bucket: name,
            prefix,
        } => bucket(config, name, prefix).await,
    }
}

/// A bucket, with the credentials of the environment; whether they open it is tried at once.
async fn bucket(config: &Config, name: &str, prefix: &str) -> Result<Arc<dyn Objects>, OpsError> {
    let start = |problem: plyr_objects::ObjectsError| OpsError::Start(problem.to_string());
    let secret = |variable: &str| {
        std::env::var(variable).map_err(|_| {
            OpsError::Config(vec![format!(
                "  s3://{name} needs {variable} in the environment; set it to the bucket's"
            )])
        })
    };
    let usual = || std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION"));
    let region = config.media.s3_region.clone().or_else(|| usual().ok());
    let s3 = S3::new(S3Options {
        bucket: name.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: config.media.s3_endpoint.clone(),
        links: config.media.s3_links.clone(),
        region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        credentials: S3Credentials {
            access_key: secret("AWS_ACCESS_KEY_ID")?,
            secret_key: secret("AWS_SECRET_ACCESS_KEY")?,
            session_token: std::env::var("AWS_SESSION_TOKEN").ok(),
        },
        patience: S3Patience::default(),
    });
    let s3 = s3.map_err(start)?;
    // A service that is down for a while is waited for where bytes are asked for; nothing else
    // stands still for that.
    match tokio::time::timeout(FIRST_ANSWER, s3.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(problem)) if problem.is_passing() => {
            tracing::warn!(%problem, "the bucket does not answer yet; bytes wait for it");
        }
        Ok(Err(problem)) => return Err(start(problem)),
        Err(_) => tracing::warn!(
            bucket = name,
            "the bucket is slow to answer; bytes wait for it"
        ),
    }
    Ok(Arc::new(s3))
}

/// What serves bytes.
pub async fn blobstore(config: &Config, rows: Arc<dyn BlobRows>) -> Result<Blobstore, OpsError> {
    if config.store != StoreChoice::Embedded && config.media.blobs == BlobsChoice::Disk(None) {
        tracing::warn!(
            "bytes are kept in this data folder alone: over a cluster write blobs = \
             \"s3://bucket/prefix\", or one disk:/folder that all parts share"
        );
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let options = MediaOptions {
        policy: config.media.policy,
        quota: config.media.quota,
        namespace: config.namespace.clone(),
        largest_audio: LARGEST_AUDIO,
        largest_image: LARGEST_IMAGE,
        at_once: cores * FETCHES_A_CORE,
        reserve: config.disk_reserve,
        is_public: config.media.cdn_url.is_some(),
    };
    Ok(Blobstore::new(options, rows, objects(config).await?))
}

/// Starts what fetches, follows and sweeps; all of it ends with `cancel`.
pub fn start(
    config: &Config,
    blobstore: &Blobstore,
    store: &Arc<dyn Store>,
    outbound: Outbound,
    tasks: &TaskTracker,
    cancel: &CancellationToken,
) -> Result<(), OpsError> {
    let follower = Follower::new(blobstore.clone(), store.clone());
    let following = cancel.clone();
    tasks.spawn(async move { follower.run(following).await });
    tasks.spawn(sweep_daily(
        blobstore.clone(),
        store.clone(),
        cancel.clone(),
    ));
    let staging = Staging::take(&config.data_dir.join(STAGING));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let prober = Prober::new(ProberOptions {
        // Whatever becomes of the file that this process was started from.
        program: "/proc/self/exe".into(),
        at_once: cores,
        memory: MEMORY,
        cpu: PROCESSOR,
        wall: PATIENCE,
    });
    let fetching = Fetching::new(FetchingParts {
        blobstore: blobstore.clone(),
        outbound,
        prober,
        holders: Holders::new(store.clone(), config.namespace.clone()),
        is_alone: config.store == StoreChoice::Embedded,
        staging: staging.map_err(|problem| OpsError::Start(problem.to_string()))?,
        process: format!("{:016x}", rand::random::<u64>()),
        fault: crash::hook()?,
        cancel: cancel.clone(),
        usage: Usage::default(),
    });
    tasks.spawn(async move { fetching.run().await });
    Ok(())
}

/// What nobody names goes, once a day.
async fn sweep_daily(blobstore: Blobstore, store: Arc<dyn Store>, cancel: CancellationToken) {
    let mut wait = FIRST_SWEEP;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = SWEEP_EVERY;
        let options = SweepOptions {
            grace: GRACE,
            is_dry: false,
            spares_unknown: true,
        };
        let go_on = |_: &Sweep| !cancel.is_cancelled();
        match sweep(&blobstore, store.as_ref(), &options, go_on).await {
            Ok(swept) => {
                let (named, gone) = (swept.named, swept.gone);
                tracing::info!(named, gone, "blobs were swept");
                if swept.unknown > 0 {
                    tracing::warn!(
                        blobs = swept.unknown,
                        "neither a row nor a record knows these: they stay; once all records \
                         are here, `plyr blobs sweep` notes them, and a later one lets them go"
                    );
                }
            }
            Err(problem) => tracing::warn!(%problem, "blobs could not be swept"),
        }
    }
}
