//! The watch over open bodies: what no record that shows names any more ends within a second.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::open::{OpenBodies, OpenBody};
use super::still::{Remembered, still_named};
use super::which::Named;
use crate::App;

/// Between two looks at what is open. What no longer shows ends within a second.
const LOOK: Duration = Duration::from_millis(250);
/// One look.
const PATIENCE: Duration = Duration::from_secs(2);
/// A store that can't tell for so long what shows lets nothing out any more.
const BLIND: Duration = Duration::from_secs(10);

/// Looks at what is open again and again until cancelled.
pub async fn watch(app: Arc<App>, cancel: CancellationToken) {
    let look_and_rest = async {
        let mut blind_since: Option<Instant> = None;
        let mut remembered = Remembered::default();
        loop {
            let open = app.open.all();
            metrics::gauge!("plyr_media_open_bodies").set(open.len() as f64);
            if open.is_empty() {
                blind_since = None;
                app.open.opened.notified().await;
            }
            tokio::time::sleep(LOOK).await;
            let open = app.open.all();
            OpenBodies::cut_stalled(&open, app.open.now());
            match guarded(look(&app, &open, &mut remembered)).await {
                Ok(()) => blind_since = None,
                Err(problem) => {
                    let since = *blind_since.get_or_insert_with(Instant::now);
                    tracing::warn!(%problem, "it can't be told whether what is sent still shows");
                    if since.elapsed() >= BLIND {
                        open.iter().for_each(|body| body.cut("blind"));
                    }
                }
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = look_and_rest => {}
    }
}

/// A look that panics is one that could not tell: the watch goes on.
async fn guarded(look: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let looked = AssertUnwindSafe(look).catch_unwind().await;
    looked.unwrap_or_else(|_| Err("a look broke off".to_owned()))
}

/// Cuts what no record that shows names any more.
async fn look(
    app: &App,
    open: &[Arc<OpenBody>],
    remembered: &mut Remembered,
) -> Result<(), String> {
    if open.is_empty() {
        return Ok(());
    }
    let mut distinct: HashMap<&Named, Vec<&Arc<OpenBody>>> = HashMap::new();
    for body in open {
        distinct.entry(&body.named).or_default().push(body);
    }
    let named: Vec<Named> = distinct.keys().map(|named| (*named).clone()).collect();
    let still = match tokio::time::timeout(PATIENCE, still_named(app, &named, remembered)).await {
        Ok(Ok(still)) => still,
        Ok(Err(problem)) => return Err(problem.message),
        Err(_) => return Err("the store did not answer in time".to_owned()),
    };
    for (named, _) in named.iter().zip(still).filter(|(_, still)| !still) {
        for body in distinct.get(named).into_iter().flatten() {
            body.cut("gone");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn i08_a_look_that_panics_counts_as_one_that_could_not_tell() {
        let told = guarded(async { panic!("of a test") }).await;
        assert_eq!(told, Err("a look broke off".to_owned()));
        assert_eq!(guarded(async { Ok(()) }).await, Ok(()));
    }
}
