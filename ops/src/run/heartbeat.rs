//! The heartbeat of a process over a cluster: a small durable write every few seconds. A process
//! whose store takes none for too long, or that stood still for longer than a write may take, ends
//! itself: what it still holds would come too late, and a supervisor starts a fresh one.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plyr_schemas::{Change, Store, StreamCursor};
use tokio_util::sync::CancellationToken;

use crate::error::OpsError;

/// Between beats.
const EVERY: Duration = Duration::from_secs(3);
/// One beat; the store tries again within it.
const LONGEST_BEAT: Duration = Duration::from_secs(10);
/// Without a beat for this long the process isn't ready.
const MISSED: Duration = Duration::from_secs(15);
/// How often the watch looks.
const LOOK: Duration = Duration::from_secs(1);
/// The longest a write may take. Who stood still for longer may hold one that others have long
/// counted as lost.
const STOOD_STILL: Duration = Duration::from_secs(60);
/// The name its row has among the cursors; every process of the store writes the same one.
const ROW: &str = "heartbeat";

/// A process's heart.
pub struct Heart {
    began: Instant,
    /// Milliseconds from the beginning to the last beat that was taken.
    taken: AtomicU64,
    /// The same to the last time the runtime came round to it.
    came_round: AtomicU64,
    problem: Mutex<Option<String>>,
}

impl Heart {
    /// Starts beating until cancelled. The watch is a thread of its own: a runtime that hangs is
    /// noticed too.
    pub fn start(
        store: Arc<dyn Store>,
        patience: Duration,
        cancel: &CancellationToken,
    ) -> Result<Arc<Heart>, OpsError> {
        let heart = Arc::new(Heart {
            began: Instant::now(),
            taken: AtomicU64::new(0),
            came_round: AtomicU64::new(0),
            problem: Mutex::new(None),
        });
        tokio::spawn(heart.clone().beat(store, cancel.clone()));
        let (watched, stopped) = (heart.clone(), cancel.clone());
        std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || watched.watch(patience, &stopped))
            .map_err(|detail| {
                OpsError::Start(format!("the heartbeat's watch can't start: {detail}"))
            })?;
        Ok(heart)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn since(&self, mark: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(mark.load(Ordering::Acquire)))
    }

    /// Whether the store took one lately.
    pub fn beats(&self) -> bool {
        self.since(&self.taken) < MISSED
    }

    /// Why the last one was not taken.
    pub fn problem(&self) -> Option<String> {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = self.since(&self.taken).as_secs();
        let said = |problem: &String| format!("no heartbeat for {seconds} s: {problem}");
        problem.as_ref().map(said)
    }

    async fn beat(self: Arc<Heart>, store: Arc<dyn Store>, cancel: CancellationToken) {
        loop {
            self.came_round.store(self.now(), Ordering::Release);
            let beat = StreamCursor {
                source: ROW.to_owned(),
                position: u64::try_from(chrono::Utc::now().timestamp_micros()).unwrap_or(0),
                recent: Vec::new(),
            };
            let write = store.apply(vec![Change::Cursor(beat)]);
            let problem = match tokio::time::timeout(LONGEST_BEAT, write).await {
                Ok(Ok(_)) => None,
                Ok(Err(problem)) => Some(problem.to_string()),
                Err(_) => Some(format!(
                    "the store did not answer within {} s",
                    LONGEST_BEAT.as_secs()
                )),
            };
            if let Some(problem) = &problem {
                metrics::counter!("plyr_heartbeat_failures_total").increment(1);
                tracing::warn!(%problem, "the store took no heartbeat");
            } else {
                self.taken.store(self.now(), Ordering::Release);
            }
            *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    fn watch(&self, patience: Duration, cancel: &CancellationToken) {
        let mut looked = Instant::now();
        while !cancel.is_cancelled() {
            std::thread::sleep(LOOK);
            let (slept, silent) = (looked.elapsed(), self.since(&self.taken));
            looked = Instant::now();
            metrics::gauge!("plyr_heartbeat_age_seconds").set(silent.as_secs_f64());
            if cancel.is_cancelled() {
                return;
            }
            if slept > STOOD_STILL {
                let seconds = slept.as_secs();
                end(&format!("this process stood still for {seconds} s"));
            }
            let hung = self.since(&self.came_round);
            if hung > STOOD_STILL + LONGEST_BEAT {
                let seconds = hung.as_secs();
                end(&format!("this process hung for {seconds} s"));
            }
            if silent > patience {
                let why = self.problem().unwrap_or_default();
                let most = patience.as_secs();
                end(&format!("{why} (heartbeat-patience is {most} s)"));
            }
        }
    }
}

/// Ends the process at once: nothing it holds may be written any more. A closed stderr leaves
/// nothing to be done.
fn end(why: &str) {
    tracing::error!(why, "ending, so that a fresh process takes over");
    let told = writeln!(
        std::io::stderr(),
        "plyr: {why}; ending, so that a fresh process takes over"
    );
    debug_assert!(told.is_ok());
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};

    use super::*;

    /// A store whose disk is full takes no beat, and the reason is told.
    #[tokio::test]
    async fn a_beat_that_was_not_taken_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let namespace = "fm.plyr".parse().unwrap();
        let mut options = EmbeddedOptions::new(folder.path().to_owned(), namespace);
        options.reserve_bytes = 1;
        options.probe = Some(Arc::new(|_| Ok(0)));
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        let heart = Arc::new(Heart {
            began: Instant::now(),
            taken: AtomicU64::new(u64::MAX),
            came_round: AtomicU64::new(u64::MAX),
            problem: Mutex::new(None),
        });
        let cancel = CancellationToken::new();
        let beating = tokio::spawn(heart.clone().beat(store, cancel.clone()));
        let mut look = tokio::time::interval(Duration::from_millis(10));
        let came_round = async {
            while heart.came_round.load(Ordering::Acquire) == u64::MAX {
                look.tick().await;
            }
        };
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, came_round).await.unwrap();
        // The first beat is tried to its end.
        cancel.cancel();
        beating.await.unwrap();
        assert!(heart.problem().is_some_and(|told| told.contains("disk")));
        assert_eq!(heart.taken.load(Ordering::Acquire), u64::MAX);
    }
}
