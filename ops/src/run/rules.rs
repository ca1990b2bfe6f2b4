//! New rules over a cluster: an indexer judges every kept record again in the background, when no
//! other process does or did. (The embedded store is judged before it answers anything.)

use std::sync::Arc;
use std::time::Duration;

use plyr_schemas::{Pass, Passing, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::store::rebuild::piece;

/// After an error.
const REST: Duration = Duration::from_secs(10);
/// Records judged between two lines of the log.
const TOLD_EVERY: u64 = 100_000;

/// Runs until everything is judged, or cancelled; the next start goes on.
pub async fn run(store: Arc<dyn Store>, cancel: CancellationToken) {
    let mut so_far = None;
    let mut told = 0;
    loop {
        let step = tokio::select! {
            () = cancel.cancelled() => return,
            step = piece(store.as_ref(), Pass::Rules, so_far.as_ref()) => step,
        };
        match step {
            Ok(passing) if passing.is_done() => return done(&passing, so_far.is_some()),
            Ok(passing) => {
                if !passing.elsewhere && passing.seen >= told + TOLD_EVERY {
                    told = passing.seen;
                    tracing::info!(judged = told, "judging kept records by new rules");
                }
                so_far = Some(passing);
            }
            Err(StoreError::Closed) => return,
            Err(problem) => {
                tracing::warn!(%problem, "new rules can't be applied for a moment");
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(REST) => {}
                }
            }
        }
    }
}

fn done(passing: &Passing, was_at_it: bool) {
    let (judged, changed, unreadable) = (passing.seen, passing.mended, passing.unreadable);
    if was_at_it && judged > 0 {
        tracing::info!(
            judged,
            changed,
            unreadable,
            "kept records were judged by new rules"
        );
    }
}
