//! Places to search in: as many as there are cores and a few more, on threads that may be busy. Who
//! finds none waits in a line that has an end, so that it takes nothing from those who ask for
//! something else; whose caller goes away stops working.

use std::sync::Arc;
use std::time::Duration;

use plyr_search::Cancel;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warp::http::StatusCode;

use crate::error::XrpcError;

/// Places to search in beyond one a core: for those whose pages wait for the disk.
const SPARE: usize = 2;
/// Who may wait, for each place to search in. A search takes half a second at most, so that the
/// last one waits about two.
const SEARCHES_IN_LINE: usize = 4;
/// Who may wait, for each place to write in, where a tenth of a second is the most.
const WRITERS_IN_LINE: usize = 16;

/// The places of one process, and the line for them.
pub struct Places {
    places: Arc<Semaphore>,
    line: Semaphore,
}

/// One of them, taken for one piece of work.
pub struct Place {
    _held: OwnedSemaphorePermit,
}

impl Places {
    /// To search in.
    pub fn for_searches() -> Places {
        let places = cores() + SPARE;
        Places::of(places, places * SEARCHES_IN_LINE)
    }

    /// To write what was found, highlighted. They are others than those to search in, which new
    /// searches fill: what was found is written first.
    pub fn for_writers() -> Places {
        let places = cores();
        Places::of(places, places * WRITERS_IN_LINE)
    }

    fn of(places: usize, line: usize) -> Places {
        Places {
            places: Arc::new(Semaphore::new(places)),
            line: Semaphore::new(line),
        }
    }

    /// Takes a place, or waits in line for one.
    ///
    /// # Errors
    /// `Overloaded` when that takes too long, and at once when the line is full.
    pub async fn take(&self, patience: Duration) -> Result<Place, XrpcError> {
        // Places that come free go to who waits: nobody gets past the line.
        if let Ok(_held) = self.places.clone().try_acquire_owned() {
            return Ok(Place { _held });
        }
        let Ok(_waits) = self.line.try_acquire() else {
            return Err(XrpcError::overloaded());
        };
        match tokio::time::timeout(patience, self.places.clone().acquire_owned()).await {
            Ok(Ok(_held)) => Ok(Place { _held }),
            Ok(Err(_)) | Err(_) => Err(XrpcError::overloaded()),
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Place {
    /// Does work that keeps a core busy; the place is free once it has ended. When the caller goes
    /// away the work is told so.
    pub async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(&Cancel) -> T + Send + 'static,
    ) -> Result<T, XrpcError> {
        let cancel = Cancel::default();
        let _waiting = Waiting(cancel.clone());
        let worked = tokio::task::spawn_blocking(move || {
            let made = work(&cancel);
            drop(self);
            made
        });
        worked.await.map_err(|problem| {
            tracing::error!(%problem, "a search broke off");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            XrpcError::new(status, "InternalServerError", "something went wrong here")
        })
    }
}

/// Somebody who waits; when they are gone the work is cancelled.
struct Waiting(Cancel);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn who_finds_no_place_waits_in_line_and_not_for_ever() {
        let places = Places::of(1, 1);
        let place = places.take(LONG).await.unwrap();
        let refused = places.take(Duration::ZERO).await.err().unwrap();
        assert_eq!((refused.status.as_u16(), refused.name), (503, "Overloaded"));
        assert_eq!(place.work(|_| 7).await, Ok(7));
        assert!(places.take(LONG).await.is_ok(), "the work has ended");
    }

    #[tokio::test]
    async fn who_finds_a_full_line_is_told_so_at_once() {
        let places = Places::of(1, 2);
        let place = places.take(LONG).await.unwrap();
        let wait = || {
            let mut waiting = Box::pin(places.take(LONG));
            assert!((&mut waiting).now_or_never().is_none());
            waiting
        };
        let (first, second) = (wait(), wait());
        let refused = places.take(LONG).now_or_never().expect("it waits");
        assert_eq!(refused.err().unwrap().name, "Overloaded");
        // Who goes away leaves the line; who came first is served first.
        drop(second);
        let third = wait();
        drop(place);
        assert!(
            places
                .take(LONG)
                .now_or_never()
                .is_none_or(|one| one.is_err())
        );
        let place = first.await.unwrap();
        drop(place);
        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_told_so_and_frees_its_place() {
        let places = Places::of(1, 1);
        let place = places.take(LONG).await.unwrap();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        // Ends with the test, too, should that fail.
        let (_test, goes_on) = std::sync::mpsc::channel::<()>();
        let working = place.work(move |cancel| {
            begun.send(()).unwrap();
            let still = Err(std::sync::mpsc::TryRecvError::Empty);
            while !cancel.is_cancelled() && goes_on.try_recv() == still {
                std::thread::yield_now();
            }
        });
        tokio::select! {
            _ = working => unreachable!("it goes on until it is cancelled"),
            begun = has_begun => begun.unwrap(),
        }
        // The request is gone; its place comes back.
        assert!(places.take(LONG).await.is_ok());
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_frees_its_place() {
        let places = Places::of(1, 1);
        let place = places.take(LONG).await.unwrap();
        let broken = place.work(|cancel| assert!(cancel.is_cancelled())).await;
        assert_eq!(broken.err().unwrap().status.as_u16(), 500);
        assert!(places.take(LONG).await.is_ok());
    }
}
