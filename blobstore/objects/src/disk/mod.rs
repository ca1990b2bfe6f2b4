//! Objects on a local disk: a file for each, under the path that its key is.

mod read;
mod root;
mod walk;
mod write;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use crate::error::ObjectsError;
use crate::key::ObjectKey;
use crate::objects::{About, Found, Listed, Objects, Put, Reading};
use root::Root;

/// How long a call that moves no bytes, or one piece, may take, its waiting for a turn included.
const PATIENCE: Duration = Duration::from_secs(30);
/// A page of a listing reads up to a folder for each object.
const PATIENCE_OF_LISTS: Duration = Duration::from_secs(120);
/// The slowest disk that puts are waited for, in bytes a second.
const SLOWEST: u64 = 1 << 20;
/// Calls that may be with the disk at the same time; others wait for their turn.
const AT_ONCE: usize = 64;

/// Objects in a folder. A name is given by linking, which fails where the name is there: of two
/// that put one key at once, in whatever processes, one creates it. Files and folders are synced
/// before a call answers.
pub struct Disk {
    root: Arc<Root>,
    turns: Turns,
}

/// Whose turn it is with the disk, for one store: a disk that hangs holds so many threads and no
/// more.
#[derive(Clone)]
struct Turns {
    name: Arc<str>,
    at_once: Arc<Semaphore>,
}

/// Says when it is dropped that what was begun is wanted no more: a thread can't be cut off.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Disk {
    /// Opens a folder, and makes it where it isn't there. Blocks the thread; for the start.
    ///
    /// # Errors
    /// [`ObjectsError::Unusable`] where it can't be made, written or read, and where it holds
    /// files that aren't ours: what is swept is taken for ours.
    pub fn open(folder: &Path) -> Result<Disk, ObjectsError> {
        let root = Root::open(folder)?;
        let turns = Turns {
            name: root.name.as_str().into(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        };
        Ok(Disk {
            root: Arc::new(root),
            turns,
        })
    }
}

impl Turns {
    /// Waits for a turn and does something blocking on a thread for that.
    async fn work<T: Send + 'static>(
        &self,
        doing: &'static str,
        patience: Duration,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, ObjectsError> {
        let at_once = self.at_once.clone();
        let done = timeout(patience, async move {
            let turn = at_once.acquire_owned().await.map_err(io::Error::other)?;
            let thread = tokio::task::spawn_blocking(move || {
                let done = work();
                drop(turn);
                done
            });
            thread.await.map_err(io::Error::other)?
        });
        match done.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(problem)) => Err(self.failed(doing, &problem)),
            Err(_) => {
                let seconds = patience.as_secs();
                let detail = format!("not done after {seconds} s; see whether the disk hangs");
                Err(self.failed(doing, &io::Error::other(detail)))
            }
        }
    }

    fn failed(&self, doing: &'static str, problem: &io::Error) -> ObjectsError {
        let store = self.name.to_string();
        let detail = problem.to_string();
        match is_full(problem) {
            true => ObjectsError::Full { store, detail },
            false => ObjectsError::Failed {
                store,
                doing,
                detail,
            },
        }
    }
}

fn is_full(problem: &io::Error) -> bool {
    let full = [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT];
    full.iter()
        .any(|errno| problem.raw_os_error() == Some(errno.raw_os_error()))
}

#[async_trait]
impl Objects for Disk {
    fn name(&self) -> &str {
        &self.root.name
    }

    async fn put(&self, key: &ObjectKey, file: &Path, _: &About) -> Result<Put, ObjectsError> {
        let is_wanted = Arc::new(AtomicBool::new(true));
        let _wanted = Wanted(is_wanted.clone());
        let (root, key, file) = (self.root.clone(), key.clone(), file.to_owned());
        let looked_at = file.clone();
        let looking = move || std::fs::metadata(looked_at);
        let about = self
            .turns
            .work("look at the file to put", PATIENCE, looking);
        let patience = PATIENCE + Duration::from_secs(about.await?.len() / SLOWEST);
        self.turns
            .work("put an object", patience, move || {
                write::put(&root, &key, &file, &is_wanted)
            })
            .await
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>, ObjectsError> {
        let path = self.root.path(key);
        self.turns
            .work("find an object", PATIENCE, move || read::find(&path))
            .await
    }

    async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<Reading>, ObjectsError> {
        read::read(&self.turns, self.root.path(key), range).await
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<bool, ObjectsError> {
        let is_wanted = Arc::new(AtomicBool::new(true));
        let _wanted = Wanted(is_wanted.clone());
        let Some(found) = self.find(from).await? else {
            return Ok(false);
        };
        let patience = PATIENCE + Duration::from_secs(found.size / SLOWEST);
        let (root, from, to) = (self.root.clone(), from.clone(), to.clone());
        self.turns
            .work("copy an object", patience, move || {
                write::copy(&root, &from, &to, &is_wanted)
            })
            .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        let path = self.root.path(key);
        self.turns
            .work("delete an object", PATIENCE, move || write::delete(&path))
            .await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, ObjectsError> {
        let root = self.root.clone();
        let after = after.map(|key| key.as_str().to_owned());
        let page = walk::Page::new(prefix.to_owned(), after, limit);
        self.turns
            .work("list objects", PATIENCE_OF_LISTS, move || page.walk(&root))
            .await
    }

    async fn direct(
        &self,
        _: &ObjectKey,
        _: Duration,
        _: &About,
        _: Option<&str>,
    ) -> Result<Option<Url>, ObjectsError> {
        Ok(None)
    }

    async fn tidy(&self, older_than: Duration) -> Result<usize, ObjectsError> {
        let root = self.root.clone();
        self.turns
            .work("take unfinished files away", PATIENCE_OF_LISTS, move || {
                write::tidy(&root, older_than)
            })
            .await
    }

    async fn room(&self) -> Result<Option<u64>, ObjectsError> {
        let root = self.root.clone();
        self.turns
            .work("ask for the room left", PATIENCE, move || {
                let about = rustix::fs::statvfs(&root.folder)?;
                Ok(Some(about.f_bavail.saturating_mul(about.f_frsize)))
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_used_up_quota_are_full() {
        let turns = Turns {
            name: "disk:/full".into(),
            at_once: Arc::new(Semaphore::new(1)),
        };
        // ENOSPC, EDQUOT, EIO.
        for (errno, full) in [(28, true), (122, true), (5, false)] {
            let problem = turns.failed("put", &io::Error::from_raw_os_error(errno));
            assert!(problem.is_passing(), "{problem}");
            let is_full = matches!(problem, ObjectsError::Full { .. });
            assert_eq!(is_full, full, "{problem}");
        }
    }

    #[tokio::test]
    async fn i11_what_hangs_is_not_waited_for_and_holds_its_turn() {
        let turns = Turns {
            name: "disk:/hangs".into(),
            at_once: Arc::new(Semaphore::new(1)),
        };
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let hangs = move || held.recv().map_err(io::Error::other);
        let short = Duration::from_millis(50);
        let problem = turns.work("hang", short, hangs).await.unwrap_err();
        assert!(problem.to_string().contains("not done after"), "{problem}");
        let problem = turns.work("wait", short, || Ok(())).await.unwrap_err();
        assert!(problem.is_passing(), "{problem}");
        let_go.send(()).unwrap();
        turns.work("go on", PATIENCE, || Ok(())).await.unwrap();
    }
}
