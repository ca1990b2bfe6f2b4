//! The follower that keeps the search index: it reads the change log from where the index's last
//! commit is, looks at the store for what each entry names, and writes the documents that have
//! changed. What is missing, damaged, of another version or too far behind is built anew, beside what
//! serves.
//!
//! How many like a subject is followed as far as the log tells: of a like that is taken back, or whose
//! author is hidden, and on engines that count behind their writes, it names no subject yet, and the
//! popularity of a document stays as it was until its subject is named again.

mod build;
mod check;
mod error;
mod follow;
mod held;
mod keep;
mod look;
mod parts;
mod scan;
mod steps;
mod told;

use std::path::PathBuf;
use std::sync::Arc;

use plyr_lexicons::Namespace;
use plyr_schemas::{FaultHook, LogPosition, Store};
use plyr_search::{Live, Place, SearchError, Standing};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use check::{Differences, check};
pub use error::KeepError;
pub use steps::{ADDED, BUILT, COMMITTED, READ, SEARCH_CRASH_POINTS, SWAPPED, WRITTEN};

use follow::Follower;
use look::Looker;
use parts::Parts;
use told::Told;

/// What is followed into which index.
#[derive(Clone)]
pub struct SearchOptions {
    /// The store whose log is followed.
    pub store: Arc<dyn Store>,
    /// The folder of the indexes (`search/` in the data folder). One process at a time keeps it.
    pub folder: PathBuf,
    /// Whose collections.
    pub namespace: Namespace,
    /// Ends the follower at a step, as if its process were killed; for tests.
    pub fault: Option<FaultHook>,
}

/// A search index that is kept. It is kept until the token given to [`SearchIndex::start`] is
/// cancelled.
pub struct SearchIndex {
    parts: Arc<Parts>,
    asked: Arc<Notify>,
    standing: watch::Receiver<Standing>,
    tasks: TaskTracker,
}

impl SearchIndex {
    /// Takes the folder and begins to keep the index in it. After `cancel` what was written is
    /// committed and the task ends.
    ///
    /// # Errors
    /// When the folder can't be made, or another process keeps it. Whatever goes wrong later is told
    /// ([`Standing::problem`]) and tried again.
    pub fn start(
        options: SearchOptions,
        cancel: CancellationToken,
    ) -> Result<SearchIndex, KeepError> {
        let SearchOptions {
            store,
            folder,
            namespace,
            fault,
        } = options;
        let held = held::hold(&folder)?;
        let live = Arc::new(Live::default());
        let parts = Arc::new(Parts {
            looker: Looker::new(store.clone(), namespace, live.clone()),
            store,
            place: Place::new(&folder),
            told: Told::new(live),
            fault,
            cancel,
        });
        let (asked, tasks) = (Arc::new(Notify::new()), TaskTracker::new());
        let standing = parts.told.subscribe();
        let follower = Follower::new(parts.clone(), asked.clone(), held);
        let ticking = parts.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = follower.run() => {}
                () = ticking.told.measured() => {}
            }
        });
        tasks.close();
        Ok(SearchIndex {
            parts,
            asked,
            standing,
            tasks,
        })
    }

    /// What whoever answers queries needs.
    pub fn live(&self) -> &Arc<Live> {
        &self.parts.told.live
    }

    /// How the index stands, now and whenever it changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Builds the index anew, beside the one that serves and is kept meanwhile. Answers at once;
    /// [`Standing::builds`] rises when it has taken the place. While one is being built nothing more
    /// is begun.
    pub fn rebuild(&self) {
        self.asked.notify_one();
    }

    /// Waits until answers cover a position of the change log, such as its head.
    ///
    /// # Errors
    /// When the follower has ended before.
    pub async fn caught_up(&self, position: &LogPosition) -> Result<(), KeepError> {
        let covers = |standing: &Standing| {
            let serving = standing.serving.as_ref().filter(|one| !one.is_outdated);
            let covered = serving.map(|serving| serving.position.parse::<LogPosition>());
            matches!(covered, Some(Ok(covered)) if covered.covers(position))
        };
        let mut standing = self.standing.clone();
        let mut wait = std::pin::pin!(standing.wait_for(covers));
        tokio::select! {
            biased;
            _ = &mut wait => Ok(()),
            () = self.tasks.wait() => Err(KeepError::Ended),
        }
    }

    /// Waits until the follower has ended, with its index committed and its folder given up.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Does what waits for the disk where waiting holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
) -> Result<T, KeepError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|problem| KeepError::Broken(problem.to_string()))??)
}

/// Lets go of a writer, or of who has one, where waiting for its threads holds up nobody.
async fn let_go(held: impl Send + 'static) -> Result<(), KeepError> {
    blocking(move || {
        drop(held);
        Ok(())
    })
    .await
}
