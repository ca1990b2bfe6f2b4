//! Following the change log: every entry says *look again at this*. What an AppView keeps beside
//! the store hears of changes here; the lag from an entry to its being seen is measured.

use std::sync::Arc;
use std::time::Duration;

use plyr_schemas::{LogEntry, LogPosition, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Entries taken in one go.
const AT_ONCE: usize = 1_000;
/// After an error.
const REST: Duration = Duration::from_secs(1);

/// Follows from the log's head until cancelled. The store's errors pass; it goes on where it was.
pub async fn run(store: Arc<dyn Store>, cancel: CancellationToken) {
    let mut position = None;
    loop {
        let step = step(store.as_ref(), &mut position);
        let problem = tokio::select! {
            () = cancel.cancelled() => return,
            stepped = step => match stepped {
                Ok(()) => continue,
                Err(problem) => problem,
            },
        };
        metrics::counter!("plyr_log_errors_total").increment(1);
        tracing::warn!(%problem, "the change log can't be followed for a moment");
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(REST) => {}
        }
    }
}

/// Waits for entries and sees them.
async fn step(store: &dyn Store, position: &mut Option<LogPosition>) -> Result<(), StoreError> {
    let mut at = match position.take() {
        Some(position) => position,
        None => store.log_head().await?,
    };
    let entries = async {
        store.log_changed(&at).await?;
        store.log_after(&at, AT_ONCE).await
    };
    let entries = entries.await;
    for entry in entries.iter().flatten() {
        see(entry);
        at.pass(entry);
    }
    *position = Some(at);
    entries.map(|_| ())
}

/// Nothing is kept beside the store yet: every view is made from what is durable when it is asked.
fn see(entry: &LogEntry) {
    let lag = chrono::Utc::now().timestamp_micros() - entry.written_at;
    let lag = Duration::from_micros(u64::try_from(lag).unwrap_or(0));
    metrics::histogram!("plyr_log_lag_seconds").record(lag);
    metrics::counter!("plyr_log_entries_total").increment(1);
}
