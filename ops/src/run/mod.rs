//! The long-running commands: parts started in order over one store, stopped in reverse.

pub mod heartbeat;
pub mod parts;
mod ready;
mod rules;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use plyr_indexer::IndexerHandle;
use plyr_indexer::search::SearchIndex;
use plyr_schemas::Store;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Acts;
use crate::config::{Config, StoreChoice};
use crate::control::{Control, Served};
use crate::error::OpsError;
use crate::media;
use crate::probes::{self, Probes};
use crate::store::open::{self, Opened};
use heartbeat::Heart;
pub use ready::ReadyLine;
use ready::State;

/// How long open requests and the lanes may take to finish once asked to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Which parts one process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// All of them.
    Serve,
    /// The indexer.
    Index,
    /// The AppView.
    AppView,
    /// What fetches and keeps bytes.
    Media,
}

impl Role {
    /// The role of a command; none for the other commands.
    pub fn of(command: &str) -> Option<Role> {
        match command {
            "serve" => Some(Role::Serve),
            "index" => Some(Role::Index),
            "appview" => Some(Role::AppView),
            "media" => Some(Role::Media),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Role::Serve => "serve",
            Role::Index => "index",
            Role::AppView => "appview",
            Role::Media => "media",
        }
    }

    fn indexes(self) -> bool {
        matches!(self, Role::Serve | Role::Index)
    }

    fn answers(self) -> bool {
        matches!(self, Role::Serve | Role::AppView)
    }

    fn fetches(self) -> bool {
        matches!(self, Role::Serve | Role::Media)
    }

    /// A part alone is of use only over a store that other processes can open too.
    fn check(self, config: &Config) -> Result<(), OpsError> {
        if self == Role::Serve || config.store != StoreChoice::Embedded {
            return Ok(());
        }
        Err(OpsError::Config(vec![format!(
            "  store = \"embedded\" with `plyr {}`: one process holds the embedded store, its \
             parts can't be apart; write store = \"scylla://host:port/keyspace\" (`plyr store \
             migrate` makes the keyspace), or run `plyr serve`",
            self.name()
        )]))
    }
}

/// Runs the parts of a role until SIGTERM or SIGINT, then drains.
pub async fn run(role: Role, config: Config) -> Result<ExitCode, OpsError> {
    run_and(role, config, |_| {}).await
}

/// The same, with something to be done once it is ready.
pub async fn run_and(
    role: Role,
    config: Config,
    once_ready: impl FnOnce(&ReadyLine),
) -> Result<ExitCode, OpsError> {
    role.check(&config)?;
    let recorder = probes::record()?;
    parts::choose_crypto();
    let mut stop = StopSignal::listen()?;
    let early = match config.store {
        StoreChoice::Embedded => Some(open::embedded(&config).await?),
        StoreChoice::Cluster(_) => None,
    };
    let state = Arc::new(State::default());
    let probes = Probes::bind(config.metrics_listen, recorder, state.asked()).await?;
    let metrics = probes.address();
    let tasks = TaskTracker::new();
    let answering = CancellationToken::new();
    tasks.spawn(probes.serve(answering.clone()));

    let opened = match (early, open::cluster_options(&config)?) {
        (Some(opened), _) => opened,
        (None, Some(options)) => tokio::select! {
            opened = open::patiently(options, |why| state.waits_for(why)) => opened?,
            () = stop.wait() => {
                tracing::info!("stopped before the store was reached");
                return Ok(ExitCode::SUCCESS);
            }
        },
        (None, None) => return Err(OpsError::Start("no store is configured".to_owned())),
    };
    let running = Running::start(role, &config, &opened, &state, &tasks, &answering).await?;
    state.runs();
    let line = ReadyLine {
        appview: running.appview,
        metrics,
    };
    line.say()?;
    once_ready(&line);

    let broken = tokio::select! {
        () = stop.wait() => None,
        // Whoever starts it again opens the store anew.
        problem = opened.broken() => Some(problem),
    };
    match &broken {
        None => tracing::info!("stopping: open requests finish, the cursor is made durable"),
        Some(problem) => tracing::error!(%problem, "stopping: open requests finish"),
    }
    state.stops();
    running.indexing.cancel();
    answering.cancel();
    tasks.close();
    let drained = tokio::time::timeout(DRAIN, async {
        if let Some(indexer) = &running.indexer {
            indexer.stopped().await;
        }
        tasks.wait().await;
        let settled = opened.store.settle().await;
        // Last: what it does with the disk can't always be stopped in the midst.
        if let Some(search) = &running.search {
            search.stopped().await;
        }
        settled
    });
    let drained = drained.await;
    if let Some(problem) = broken {
        return Err(problem.into());
    }
    match drained {
        Ok(settled) => settled?,
        Err(_) => tracing::warn!(seconds = DRAIN.as_secs(), "not everything finished in time"),
    }
    opened.store.close().await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What a role has started.
struct Running {
    indexing: CancellationToken,
    indexer: Option<Arc<IndexerHandle>>,
    search: Option<Arc<SearchIndex>>,
    appview: Option<std::net::SocketAddr>,
}

impl Running {
    async fn start(
        role: Role,
        config: &Config,
        opened: &Opened,
        state: &Arc<State>,
        tasks: &TaskTracker,
        answering: &CancellationToken,
    ) -> Result<Running, OpsError> {
        let store: Arc<dyn Store> = opened.store.clone();
        let acts = Acts::over(opened, config);
        // Before anything is served: what was taken down while the store wasn't there, or isn't the
        // one that was told.
        match acts.own.tell_what_is_missing().await {
            Ok(0) => {}
            Ok(told) => tracing::info!(
                told,
                "the store was told of takedowns and restores that it did not know"
            ),
            // What the store was told before holds; the rest is no reason to serve nothing.
            Err(problem) if problem.is_passing() => {
                tracing::warn!(
                    %problem,
                    "the store can't be told of every takedown and restore now; it is told as \
                     soon as it can take them"
                );
                acts.own.tell_later();
            }
            Err(problem) => return Err(problem.into()),
        }
        let indexing = CancellationToken::new();
        let outbound = parts::outbound(config)?;
        let followed = Arc::new(OnceLock::new());
        let (mut appview, mut search) = (None, None);
        let mut blobs = None;
        if role.answers() || role.fetches() {
            blobs = Some(media::blobstore(config, opened.blobs.clone()).await?);
        }
        if let Some(blobs) = blobs.as_ref().filter(|_| role.fetches()) {
            media::start(config, blobs, &store, outbound.clone(), tasks, &indexing)?;
        }
        if let Some(blobs) = blobs.filter(|_| role.answers()) {
            let kept = parts::kept_search(config, store.clone(), answering.clone())?;
            // At once: who comes next takes the folder for held by a server.
            let control = Control::bind(&config.data_dir)?;
            let kept = Arc::new(kept);
            state.searches(kept.clone());
            let sources = role.indexes().then(|| parts::ask_sources(followed.clone()));
            let (store, live) = (store.clone(), kept.live().clone());
            let admin = parts::admin(config, &acts);
            let asked = parts::Asked {
                sources,
                search: live,
                blobs: blobs.clone(),
                admin,
            };
            let bound = parts::appview(config, store.clone(), outbound.clone(), asked).await?;
            appview = Some(bound.address());
            tasks.spawn(bound.serve(answering.clone()));
            let served = Served {
                store,
                data_dir: config.data_dir.clone(),
                outbound: outbound.clone(),
                indexer: role.indexes().then(|| followed.clone()),
                acts,
                search: kept.clone(),
                blobs,
            };
            tasks.spawn(control.serve(served, answering.clone()));
            search = Some(kept);
        }
        state.watches(opened.store.clone());
        match &opened.embedded {
            Some(embedded) => {
                let keep = config.changes_keep;
                tasks.spawn(parts::trim(embedded.clone(), keep, indexing.clone()));
            }
            None => {
                let heart = Heart::start(store.clone(), config.heartbeat_patience, answering)?;
                state.listens_to(heart);
                if role.indexes() {
                    tasks.spawn(rules::run(store.clone(), indexing.clone()));
                }
            }
        }
        let indexer = role
            .indexes()
            .then(|| Arc::new(parts::indexer(config, store, outbound, indexing.clone())));
        if let Some(indexer) = &indexer {
            state.asks(indexer.clone());
            followed.get_or_init(|| indexer.clone());
        }
        Ok(Running {
            indexing,
            indexer,
            search,
            appview,
        })
    }
}

/// SIGTERM and SIGINT, heard from the start.
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    fn listen() -> Result<StopSignal, OpsError> {
        let problem =
            |detail: std::io::Error| OpsError::Start(format!("signals can't be heard: {detail}"));
        Ok(StopSignal {
            terminate: signal(SignalKind::terminate()).map_err(problem)?,
            interrupt: signal(SignalKind::interrupt()).map_err(problem)?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
