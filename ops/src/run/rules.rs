//! New rules over a cluster: an indexer judges every kept record again in the background, and
//! writes the rows that older programs did not derive, when no other process does or did. (The
//! embedded store is brought up before it answers anything.)

use std::sync::Arc;
use std::time::Duration;

use plyr_schemas::{Pass, Passing, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::store::rebuild::piece;

/// After an error.
const REST: Duration = Duration::from_secs(10);
/// Records judged between two lines of the log.
const TOLD_EVERY: u64 = 100_000;

/// Runs until everything is judged and has its rows, or cancelled; the next start goes on.
pub async fn run(store: Arc<dyn Store>, cancel: CancellationToken) {
    for pass in [Pass::Rules, Pass::Derivations] {
        through(store.as_ref(), pass, &cancel).await;
    }
}

async fn through(store: &dyn Store, pass: Pass, cancel: &CancellationToken) {
    let mut so_far = None;
    let mut told = 0;
    loop {
        let step = tokio::select! {
            () = cancel.cancelled() => return,
            step = piece(store, pass, so_far.as_ref()) => step,
        };
        match step {
            Ok(passing) if passing.is_done() => {
                return done(pass, &passing, so_far.is_some());
            }
            Ok(passing) => {
                if !passing.elsewhere && passing.seen >= told + TOLD_EVERY {
                    told = passing.seen;
                    match pass {
                        Pass::Rules => {
                            tracing::info!(judged = told, "judging kept records by new rules");
                        }
                        _ => tracing::info!(seen = told, "writing what kept records derive since"),
                    }
                }
                so_far = Some(passing);
            }
            Err(StoreError::Closed) => return,
            Err(problem) => {
                tracing::warn!(
                    %problem, pass = pass.name(), "kept records can't be gone over for a moment"
                );
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(REST) => {}
                }
            }
        }
    }
}

fn done(pass: Pass, passing: &Passing, was_at_it: bool) {
    let (seen, changed, unreadable) = (passing.seen, passing.mended, passing.unreadable);
    if !was_at_it || seen == 0 {
        return;
    }
    match pass {
        Pass::Rules => tracing::info!(
            judged = seen,
            changed,
            unreadable,
            "kept records were judged by new rules"
        ),
        _ => tracing::info!(
            seen,
            written = changed,
            unreadable,
            "kept records have the rows that they derive since"
        ),
    }
}
