//! `plyr serve`: the rooms wired together, started in order and stopped in reverse.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use plyr_appview::{AppView, AppViewConfig};
use plyr_indexer::{Indexer, IndexerConfig, IndexerHandle, Patience};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{CountedStore, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::control::Control;
use crate::error::OpsError;
use crate::probes::{self, Probes, Readiness};

/// How long open requests and the lanes may take to finish once asked to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// Connections of the AppView at the same time.
const CONNECTIONS: usize = 2_000;
/// Block cache of the store, in bytes.
const CACHE: u64 = 32 << 20;
/// Records judged again between two lines of the log.
const TOLD_EVERY: u64 = 100_000;
/// How often the change log is trimmed.
const TRIM: Duration = Duration::from_secs(600);

/// Opens the embedded store of the configuration, judged by the rules of this version.
pub async fn open_store(config: &Config) -> Result<Arc<EmbeddedStore>, OpsError> {
    std::fs::create_dir_all(&config.data_dir).map_err(|detail| {
        OpsError::Start(format!(
            "data-dir = {}: {detail}; name a folder that this user can write",
            config.data_dir.display()
        ))
    })?;
    let mut options = EmbeddedOptions::new(config.data_dir.clone(), config.namespace.clone());
    options.reserve_bytes = config.disk_reserve;
    options.cache_bytes = CACHE;
    let store = EmbeddedStore::open(options)?;
    let mut told = 0;
    let rejudged = store.rejudge(|progress| {
        if progress.judged >= told + TOLD_EVERY {
            told = progress.judged;
            tracing::info!(judged = told, "judging kept records by new rules");
        }
    });
    let rejudged = rejudged.await?;
    if rejudged.judged > 0 {
        let (judged, changed) = (rejudged.judged, rejudged.changed);
        tracing::info!(judged, changed, "kept records were judged by new rules");
    }
    Ok(Arc::new(store))
}

/// Runs until SIGTERM or SIGINT, then drains.
pub async fn serve(config: Config) -> Result<ExitCode, OpsError> {
    let recorder = probes::record()?;
    // One crypto provider for every TLS client of the process.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a crypto provider was there already");
    }
    let embedded = open_store(&config).await?;
    let store: Arc<dyn Store> = embedded.clone();
    let outbound = outbound(&config)?;
    let appview_config = AppViewConfig {
        listen: config.listen,
        public_url: config.public_url.clone(),
        namespace: config.namespace.clone(),
        connections: CONNECTIONS,
    };
    let counted = Arc::new(CountedStore::new(store.clone()));
    let appview = AppView::bind(appview_config, counted, outbound.clone())
        .await
        .map_err(|problem| OpsError::Start(problem.to_string()))?;
    let control = Control::bind(&config.data_dir)?;

    let answering = CancellationToken::new();
    let indexing = CancellationToken::new();
    let tasks = TaskTracker::new();
    let indexer_config = IndexerConfig {
        namespace: config.namespace.clone(),
        jetstreams: config.jetstreams.clone(),
        bluesky_hints: !config.dev,
        patience: Patience::default(),
    };
    let indexer = Arc::new(Indexer::start(
        indexer_config,
        store.clone(),
        outbound,
        indexing.clone(),
    ));
    let ready = readiness(store.clone(), indexer.clone(), answering.clone());
    let probes = Probes::bind(config.metrics_listen, recorder, ready).await?;

    // Heard from before the ready line on: who reads it may stop us at once.
    let stop = stop_signal()?;
    say_ready(&appview, &probes)?;
    tasks.spawn(probes.serve(answering.clone()));
    tasks.spawn(control.serve(store.clone(), config.data_dir.clone(), answering.clone()));
    tasks.spawn(trim(embedded, config.changes_keep, indexing.clone()));
    tasks.spawn(appview.serve(answering.clone()));

    stop.await;
    tracing::info!("stopping: open requests finish, the cursor is made durable");
    indexing.cancel();
    answering.cancel();
    tasks.close();
    let drained = tokio::time::timeout(DRAIN, async {
        indexer.stopped().await;
        tasks.wait().await;
    });
    if drained.await.is_err() {
        tracing::warn!(seconds = DRAIN.as_secs(), "not everything finished in time");
    }
    store.close().await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn outbound(config: &Config) -> Result<Outbound, OpsError> {
    Outbound::new(OutboundConfig {
        plc_url: config.plc_url.clone(),
        handle_resolvers: config.handle_resolvers.clone(),
        dev: config.dev,
        contact: config.contact.clone(),
    })
    .map_err(|problem| OpsError::Start(problem.to_string()))
}

/// The one line on stdout.
fn say_ready(appview: &AppView, probes: &Probes) -> Result<(), OpsError> {
    let line = serde_json::json!({
        "event": "ready",
        "appview": format!("http://{}", appview.address()),
        "metrics": format!("http://{}", probes.address()),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut out = std::io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|detail| OpsError::Start(format!("stdout can't be written: {detail}")))
}

/// Requests can be answered from the start; what limps is named.
fn readiness(
    store: Arc<dyn Store>,
    indexer: Arc<IndexerHandle>,
    answering: CancellationToken,
) -> probes::AskReadiness {
    Arc::new(move || {
        let mut missing = Vec::new();
        if let Err(problem) = store.writable() {
            missing.push(problem.to_string());
        }
        missing.extend(indexer.missing());
        let ready = !answering.is_cancelled();
        if !ready {
            missing.push("the server is stopping".to_owned());
        }
        Readiness { ready, missing }
    })
}

async fn trim(store: Arc<EmbeddedStore>, keep: Duration, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(TRIM);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        let before = chrono::Utc::now().timestamp_micros().saturating_sub(keep);
        match store.trim_log(before).await {
            Ok(trimmed) => tracing::debug!(trimmed, "change log trimmed"),
            Err(problem) => tracing::warn!(%problem, "the change log could not be trimmed"),
        }
    }
}

fn stop_signal() -> Result<impl Future<Output = ()>, OpsError> {
    let problem =
        |detail: std::io::Error| OpsError::Start(format!("signals can't be heard: {detail}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(problem)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(problem)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
