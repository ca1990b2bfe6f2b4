//! The follower that keeps the search index: it reads the change log from where the index's last
//! commit is, looks at the store for what each entry names, and writes the documents that have
//! changed. What is missing, damaged, of another version or too far behind is built anew, beside
//! what serves.
//!
//! How many like a record is followed by entries of the record: the log names it once the count is
//! there, whoever likes it, takes that back, is hidden or returns.

mod build;
mod check;
mod error;
mod follow;
mod held;
mod keep;
mod look;
mod parts;
mod room;
mod scan;
mod steps;
mod told;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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
use held::Held;
use look::Looker;
use parts::Parts;
use room::Room;
use told::Told;

/// Between two looks at whether a folder was given up.
const LOOK: Duration = Duration::from_secs(1);

/// What is followed into which index.
#[derive(Clone)]
pub struct SearchOptions {
    /// The store whose log is followed.
    pub store: Arc<dyn Store>,
    /// The folder of the indexes (`search/` in the data folder). One process at a time keeps it.
    pub folder: PathBuf,
    /// Whose collections.
    pub namespace: Namespace,
    /// Free bytes of the folder's disk below which nothing is built.
    pub reserve_bytes: u64,
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
    /// When the folder can't be made, or another process keeps it. Whatever goes wrong later is
    /// told ([`Standing::problem`]) and tried again.
    pub fn start(
        options: SearchOptions,
        cancel: CancellationToken,
    ) -> Result<SearchIndex, KeepError> {
        let held = held::hold(&options.folder)?;
        Ok(SearchIndex::begin(options, Some(held), cancel))
    }

    /// The same where another process may keep the folder for a while, such as one that builds the
    /// index: nothing answers until it gives it up, and the standing says so.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn start_when_free(
        options: SearchOptions,
        cancel: CancellationToken,
    ) -> Result<SearchIndex, KeepError> {
        let held = match held::hold(&options.folder) {
            Ok(held) => Some(held),
            Err(KeepError::Held { .. }) => None,
            Err(problem) => return Err(problem),
        };
        Ok(SearchIndex::begin(options, held, cancel))
    }

    fn begin(options: SearchOptions, held: Option<Held>, cancel: CancellationToken) -> SearchIndex {
        let SearchOptions {
            store,
            folder,
            namespace,
            reserve_bytes,
            fault,
        } = options;
        let live = Arc::new(Live::default());
        let parts = Arc::new(Parts {
            looker: Looker::new(store.clone(), namespace, live.clone()),
            store,
            place: Place::new(&folder),
            room: Room::new(&folder, reserve_bytes),
            told: Told::new(live),
            fault,
            cancel,
        });
        let (asked, tasks) = (Arc::new(Notify::new()), TaskTracker::new());
        let standing = parts.told.subscribe();
        let (following, ticking, wakes) = (parts.clone(), parts.clone(), asked.clone());
        let followed = async move {
            let held = match held {
                Some(held) => Some(held),
                None => until_free(&following, &folder).await,
            };
            if let Some(held) = held {
                Follower::new(following, wakes, held).run().await;
            }
        };
        tasks.spawn(async move {
            tokio::select! {
                () = followed => {}
                () = ticking.told.measured() => {}
            }
        });
        tasks.close();
        SearchIndex {
            parts,
            asked,
            standing,
            tasks,
        }
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
    /// [`Standing::builds`] rises when it has taken the place. While one is being built nothing
    /// more is begun.
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

    /// Whether the follower has ended, asked to or not.
    pub fn has_ended(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until the follower has ended, with its index committed and its folder given up.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Takes a folder once whoever keeps it gives it up; none when cancelled before.
async fn until_free(parts: &Parts, folder: &Path) -> Option<Held> {
    loop {
        match held::hold(folder) {
            Ok(held) => {
                parts.told.problem(None);
                return Some(held);
            }
            Err(problem) => parts.told.problem(Some(problem.to_string())),
        }
        tokio::select! {
            () = parts.cancel.cancelled() => return None,
            () = tokio::time::sleep(LOOK) => {}
        }
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
