//! The parts of a process, made from the configuration.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use plyr_appview::{Admin, AppView, AppViewConfig, AskSources, SourceReport};
use plyr_blobstore::Blobstore;
use plyr_indexer::repos::Signed;
use plyr_indexer::search::{SearchIndex, SearchOptions};
use plyr_indexer::{
    AccountPace, Indexer, IndexerConfig, IndexerHandle, Pace, Patience, Repos, SourceStatus,
};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::embedded::EmbeddedStore;
use plyr_schemas::{CountedStore, Micros, Store, StoreError};
use plyr_search::Live;
use tokio_util::sync::CancellationToken;

use crate::admin::Acts;
use crate::config::Config;
use crate::control;
use crate::error::OpsError;
use crate::store::crash;

/// The folder of the search indexes, in the data folder.
pub const SEARCH: &str = "search";
/// Connections of the AppView at the same time.
const CONNECTIONS: usize = 2_000;
/// How often the embedded store's change log is trimmed; in a cluster entries expire.
const TRIM: Duration = Duration::from_secs(600);

/// One crypto provider for every TLS client of the process.
pub fn choose_crypto() {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a crypto provider was there already");
    }
}

/// What asks the network.
pub fn outbound(config: &Config) -> Result<Outbound, OpsError> {
    Outbound::new(OutboundConfig {
        plc_url: config.plc_url.clone(),
        handle_resolvers: config.handle_resolvers.clone(),
        dev: config.dev,
        contact: config.contact.clone(),
    })
    .map_err(|problem| OpsError::Start(problem.to_string()))
}

/// The search index in the data folder.
pub fn search(config: &Config, store: Arc<dyn Store>) -> Result<SearchOptions, OpsError> {
    Ok(SearchOptions {
        store,
        folder: config.data_dir.join(SEARCH),
        namespace: config.namespace.clone(),
        reserve_bytes: config.disk_reserve,
        fault: crash::hook()?,
    })
}

/// What keeps the search index in the data folder; it runs from now on. A command that builds it is
/// waited for, another server is not.
pub fn kept_search(
    config: &Config,
    store: Arc<dyn Store>,
    cancel: CancellationToken,
) -> Result<SearchIndex, OpsError> {
    if control::is_served(&config.data_dir) {
        return Err(OpsError::Start(format!(
            "{} is in use by another server; stop that one or choose another --data-dir",
            config.data_dir.display()
        )));
    }
    let kept = SearchIndex::start_when_free(search(config, store)?, cancel);
    kept.map_err(|problem| OpsError::Start(problem.to_string()))
}

/// What an AppView asks besides the store.
pub struct Asked {
    /// What is known of the streams, where this process follows them.
    pub sources: Option<AskSources>,
    /// The search index.
    pub search: Arc<Live>,
    /// What serves bytes.
    pub blobs: Blobstore,
    /// What the admin methods work with.
    pub admin: Option<Arc<Admin>>,
}

/// What answers people: bound, not yet answering.
pub async fn appview(
    config: &Config,
    store: Arc<dyn Store>,
    outbound: Outbound,
    asked: Asked,
) -> Result<AppView, OpsError> {
    let appview_config = AppViewConfig {
        listen: config.listen,
        public_url: config.public_url.clone(),
        namespace: config.namespace.clone(),
        connections: CONNECTIONS,
        sources: asked.sources,
        search: Some(asked.search),
        blobs: Some(asked.blobs),
        media_origins: config.media.origins.clone(),
        cdn_url: config.media.cdn_url.clone(),
        admin: asked.admin,
    };
    AppView::bind(appview_config, Arc::new(CountedStore::new(store)), outbound)
        .await
        .map_err(|problem| OpsError::Start(problem.to_string()))
}

/// What the admin methods work with; none without a password.
pub fn admin(config: &Config, acts: &Acts) -> Option<Arc<Admin>> {
    let password = config.admin_password.as_ref()?;
    Some(Arc::new(Admin::new(password.text(), acts.own.clone())))
}

/// What the AppView asks of the indexer of this process, which starts after it.
pub fn ask_sources(indexer: Arc<OnceLock<Arc<IndexerHandle>>>) -> AskSources {
    let report = |status: SourceStatus| SourceReport {
        source: status.host,
        protocol: status.protocol.map(str::to_owned),
        connected: status.connected,
        problem: status.problem,
        time: status.time,
        gaps: status.gaps,
        invented: status.invented,
        blind: status.blind,
    };
    Arc::new(move || match indexer.get() {
        Some(indexer) => indexer.sources().into_iter().map(report).collect(),
        None => Vec::new(),
    })
}

fn pace(config: &Config) -> Pace {
    Pace {
        verify_every: config.verify_every,
        ..Pace::default()
    }
}

/// What asks and merges repos, at rest.
pub fn repos(config: &Config, store: Arc<dyn Store>, outbound: Outbound) -> Repos {
    let (namespace, pace) = (config.namespace.clone(), pace(config));
    let network = Signed::new(outbound, namespace.clone(), store.clone(), &pace);
    Repos::new(namespace, pace, store, Arc::new(network))
}

/// What follows the network; it runs from now on.
pub fn indexer(
    config: &Config,
    store: Arc<dyn Store>,
    outbound: Outbound,
    cancel: CancellationToken,
) -> IndexerHandle {
    let indexer_config = IndexerConfig {
        namespace: config.namespace.clone(),
        jetstreams: config.jetstreams.clone(),
        bluesky_hints: true,
        patience: Patience::default(),
        comparison: config.comparison.clone(),
        accounts: AccountPace::erasing_after(config.erase_after),
        relays: config.relays.clone(),
        pace: pace(config),
    };
    Indexer::start(indexer_config, store, outbound, cancel)
}

/// Keeps the embedded store's change log as long as configured.
pub async fn trim(store: Arc<EmbeddedStore>, keep: Duration, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(TRIM);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        let before = chrono::Utc::now().timestamp_micros().saturating_sub(keep);
        match trim_all(&store, before, &cancel).await {
            Ok(trimmed) => tracing::debug!(trimmed, "change log trimmed"),
            Err(problem) => tracing::warn!(%problem, "the change log could not be trimmed"),
        }
    }
}

/// Trims until nothing older is left: a call takes some thousands, so that writes come in between,
/// and a busy network writes more than that within one tick.
async fn trim_all(
    store: &EmbeddedStore,
    before: Micros,
    cancel: &CancellationToken,
) -> Result<usize, StoreError> {
    let mut trimmed = 0;
    while !cancel.is_cancelled() {
        match store.trim_log(before).await? {
            0 => break,
            more => trimmed += more,
        }
    }
    Ok(trimmed)
}

#[cfg(test)]
mod tests {
    use plyr_lexicons::Did;
    use plyr_schemas::embedded::EmbeddedOptions;
    use plyr_schemas::{Account, AccountState, Change, LogPosition};

    use super::*;

    /// More than one call trims.
    const ENTRIES: i64 = 10_500;

    fn account(number: i64) -> Change {
        Change::Account(Account {
            did: Did::new(format!("did:plc:account{number}")).unwrap(),
            state: AccountState::Active,
            since: 1 + number,
            asked_at: 1 + number,
        })
    }

    #[tokio::test]
    async fn i11_a_log_of_any_length_shrinks_to_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.path().to_owned(), namespace);
        let store = EmbeddedStore::open(options).unwrap();
        let changes: Vec<Change> = (0..ENTRIES).map(account).collect();
        for changes in changes.chunks(2_000) {
            store.apply(changes.to_vec()).await.unwrap();
        }
        let before = chrono::Utc::now().timestamp_micros() + 1;
        let cancel = CancellationToken::new();
        let trimmed = trim_all(&store, before, &cancel).await.unwrap();
        // The newest stays.
        assert_eq!(trimmed, ENTRIES as usize - 1);
        let left = store.log_after(&LogPosition::default(), 10).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(trim_all(&store, before, &cancel).await.unwrap(), 0);
    }
}
