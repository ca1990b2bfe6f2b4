//! Politeness per host: few questions at the same time, and none for a while where a host says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::future::Cache;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests to one host at the same time.
const AT_ONCE: usize = 4;
/// Hosts whose politeness is tracked.
const HOSTS: u64 = 10_000;
/// How long a question waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a host may send us away at once.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// How long a host is left alone that says "too many" and not how long.
const REST: Duration = Duration::from_secs(10);

struct Host {
    places: Arc<Semaphore>,
    rests_until: Mutex<Option<Instant>>,
}

/// All hosts that were asked lately.
#[derive(Clone)]
pub struct Hosts(Cache<String, Arc<Host>>);

/// A place at a host; holding it counts as asking.
pub struct Place {
    host: Arc<Host>,
    _permit: OwnedSemaphorePermit,
}

impl Hosts {
    pub fn new() -> Hosts {
        Hosts(Cache::new(HOSTS))
    }

    /// Waits for a place at an origin (`https://host:port`); says why there is none.
    pub async fn place(&self, origin: String) -> Result<Place, String> {
        let new = async {
            Arc::new(Host {
                places: Arc::new(Semaphore::new(AT_ONCE)),
                rests_until: Mutex::new(None),
            })
        };
        let host = self.0.get_with(origin, new).await;
        host.rest()?;
        let permit = tokio::time::timeout(PATIENCE, host.places.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err("too many questions wait for this host".to_owned());
        };
        // Whoever was asked before us may have been sent away.
        host.rest()?;
        Ok(Place {
            host,
            _permit: permit,
        })
    }
}

impl Host {
    fn rest(&self) -> Result<(), String> {
        let until = *self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = until.and_then(|until| until.checked_duration_since(Instant::now()));
        match left {
            Some(left) => Err(format!(
                "it asked to be left alone for another {} s",
                left.as_secs() + 1
            )),
            None => Ok(()),
        }
    }
}

impl Place {
    /// Heeds a 429, or a 503 that says when to come again.
    pub fn heed(&self, status: u16, headers: &HeaderMap) {
        let told = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok())
            .map(Duration::from_secs);
        let rest = match (status, told) {
            (429 | 503, Some(told)) => told.min(LONGEST_REST),
            (429, None) => REST,
            _ => return,
        };
        let mut until = self
            .host
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + rest);
    }
}
