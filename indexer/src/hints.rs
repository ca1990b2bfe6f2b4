//! Bluesky profile changes of actors we hold, as hints to ask their PDS again. A supervised task
//! whose loss costs nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jetstream_oxide::events::JetstreamEvent;
use jetstream_oxide::events::commit::CommitEvent;
use jetstream_oxide::exports::Nsid;
use jetstream_oxide::{JetstreamCompression, JetstreamConfig, JetstreamConnector};
use plyr_lexicons::Did;
use plyr_schemas::{Change, DueCheck, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

const LEAST_WAIT: Duration = Duration::from_secs(30);
const MOST_WAIT: Duration = Duration::from_secs(600);
/// All of Bluesky's profile changes come by here: it is never quiet for long.
const SILENCE: Duration = Duration::from_secs(300);
/// Hints that may wait; then all are dropped.
const MOST_WAITING: usize = 10_000;

/// Follows one of the hosts until cancelled, and the next after a failure.
pub async fn run(
    hosts: Vec<Url>,
    store: Arc<dyn Store>,
    due: Arc<Notify>,
    cancel: CancellationToken,
) {
    let mut failures = 0;
    for host in hosts.iter().cycle() {
        let began = Instant::now();
        let task = tokio::spawn(follow(host.clone(), store.clone(), due.clone()));
        let stop = task.abort_handle();
        let ended = tokio::select! {
            () = cancel.cancelled() => {
                stop.abort();
                return;
            }
            ended = task => ended,
        };
        let problem = match ended {
            Ok(problem) => problem,
            Err(broken) => broken.to_string(),
        };
        if began.elapsed() >= MOST_WAIT {
            failures = 0;
        }
        let wait = crate::backoff(failures, LEAST_WAIT, MOST_WAIT);
        failures += 1;
        tracing::info!(
            %host,
            problem,
            wait_seconds = wait.as_secs(),
            "profile hints are not followed"
        );
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Follows until something fails; answers what.
async fn follow(host: Url, store: Arc<dyn Store>, due: Arc<Notify>) -> String {
    let collection = match Nsid::new("app.bsky.actor.profile".to_owned()) {
        Ok(collection) => collection,
        Err(problem) => return problem.to_string(),
    };
    let mut endpoint = host;
    endpoint.set_path("/subscribe");
    let connector = JetstreamConnector::new(JetstreamConfig {
        endpoint: endpoint.into(),
        wanted_collections: vec![collection],
        wanted_dids: Vec::new(),
        compression: JetstreamCompression::None,
        cursor: None,
        ..JetstreamConfig::default()
    });
    let events = match connector {
        Ok(connector) => match connector.connect().await {
            Ok(events) => events,
            Err(problem) => return problem.to_string(),
        },
        Err(problem) => return problem.to_string(),
    };
    loop {
        // The library's own queue has no bound.
        if events.len() > MOST_WAITING {
            return format!("more than {MOST_WAITING} hints wait for the store");
        }
        let event = match tokio::time::timeout(SILENCE, events.recv_async()).await {
            Ok(Ok(event)) => event,
            Ok(Err(_)) => return "the connection ended".to_owned(),
            Err(_) => return format!("silent for {} s", SILENCE.as_secs()),
        };
        let JetstreamEvent::Commit(commit) = event else {
            continue;
        };
        let info = match commit {
            CommitEvent::Create { info, .. }
            | CommitEvent::Update { info, .. }
            | CommitEvent::Delete { info, .. } => info,
        };
        let Ok(did) = Did::new(info.did.as_str().to_owned()) else {
            continue;
        };
        let known = match store.snapshot().await {
            Ok(snapshot) => snapshot.is_known(&did).await,
            Err(problem) => Err(problem),
        };
        let told = match known {
            Ok(true) => {
                let now = crate::now();
                let check = DueCheck {
                    did,
                    triggered_at: now,
                    answered: 0,
                    due_at: now,
                };
                store
                    .apply(vec![Change::Due(check)])
                    .await
                    .map(|_| due.notify_one())
            }
            Ok(false) => Ok(()),
            Err(problem) => Err(problem),
        };
        if let Err(problem) = told {
            return problem.to_string();
        }
    }
}
