//! A server that kills itself between two steps of the store's write path, of keeping the search
//! index or of fetching a blob, so that a campaign need not hit that moment by chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plyr_schemas::{CrashPoint, FaultHook};
use rustix::process::{Signal, getpid, kill_process};

use crate::error::OpsError;

/// `POINT:N`: dies when it comes to the crash point for the N-th time. No option of the
/// configuration: nobody shall find it in a file.
const VARIABLE: &str = "PLYR_CRASH_AT";

/// What the environment asks for; none without it.
pub fn hook() -> Result<Option<FaultHook>, OpsError> {
    let Ok(asked) = std::env::var(VARIABLE) else {
        return Ok(None);
    };
    let (point, number) = read(&asked).ok_or_else(|| {
        OpsError::Config(vec![format!(
            "  {VARIABLE} = {asked}: not POINT:N, such as `after commit:3`; leave it unset outside \
             of campaigns"
        )])
    })?;
    tracing::warn!(point, number, "the environment asks for a crash");
    let passed = AtomicU64::new(0);
    Ok(Some(Arc::new(move |reached: CrashPoint| {
        if reached.0 != point || passed.fetch_add(1, Ordering::SeqCst) + 1 != number {
            return false;
        }
        // As `kill -9`: nothing is flushed and nobody is told.
        if let Err(problem) = kill_process(getpid(), Signal::KILL) {
            tracing::error!(%problem, "the crash that was asked for did not come about");
        }
        true
    })))
}

fn read(asked: &str) -> Option<(String, u64)> {
    let (point, number) = asked.rsplit_once(':')?;
    let number = number.parse().ok().filter(|number| *number > 0)?;
    let mut points = plyr_schemas::CRASH_POINTS
        .iter()
        .chain(&plyr_indexer::search::SEARCH_CRASH_POINTS)
        .chain(&plyr_blobstore::BLOB_CRASH_POINTS);
    let is_known = points.any(|known| known.0 == point);
    is_known.then(|| (point.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_points_that_there_are_and_numbers_from_one_on_are_taken() {
        assert_eq!(read("after commit:3"), Some(("after commit".to_owned(), 3)));
        let of_search = plyr_indexer::search::COMMITTED.0;
        assert_eq!(
            read(&format!("{of_search}:1")),
            Some((of_search.to_owned(), 1))
        );
        let of_blobs = plyr_blobstore::PUT.0;
        assert_eq!(
            read(&format!("{of_blobs}:2")),
            Some((of_blobs.to_owned(), 2))
        );
        for wrong in ["after commit", "after commit:0", "after lunch:1", ":1", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
