//! What the jobs of one process share beside their parts: what couldn't be done lately, whom it
//! asked, what is coming.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plyr_lexicons::{Cid, Did};
use plyr_schemas::{Blob, Micros};
use tokio::sync::Semaphore;

use super::runner::FetchingParts;
use super::troubles::Troubles;
use crate::serve::now;

/// Hosts and DIDs that are remembered before those of old are forgotten.
const REMEMBERED: usize = 1_000;
/// A host that just sent us away is counted that long.
const COUNTED: Duration = Duration::from_secs(60);
/// How long one that finds no place at its host waits at least, and at most.
const LEAST_WAIT: f64 = 1.0;
const MOST_WAIT: f64 = 120.0;
/// Seconds that each of those who found no place in the last minute makes the next one wait.
const FOR_EACH: f64 = 0.05;
/// How long a DID's address that was asked for anew is believed.
const BELIEVED: Duration = Duration::from_secs(600);
/// A download that is older and slower, in bytes a second, gives its place up to who waits.
const PATIENCE: Duration = Duration::from_secs(20);
const SLOW: u64 = 256 << 10;
/// What was asked for since, in microseconds, somebody may wait for; rows hold the hour.
const LATELY: Micros = 2 * 3_600_000_000;
/// Downloads younger than that aren't told about.
const YOUNG: Duration = Duration::from_secs(5);

/// What the jobs work with.
pub(super) struct Work {
    parts: FetchingParts,
    /// What couldn't be done here lately.
    pub troubles: Troubles,
    /// Who may look at bytes and put them at the same time: they take memory, downloads don't.
    pub hands: Semaphore,
    /// Held by who sums up what is kept.
    pub summing: tokio::sync::Mutex<()>,
    /// Jobs that are due and find no place, and how many of them somebody waits for.
    pub waiting: AtomicUsize,
    pub waited_for: AtomicUsize,
    /// What is being downloaded.
    pub coming: Coming,
    /// By host, how many found no place in the last minute, about, and when that was reckoned.
    crowds: Mutex<HashMap<String, (f64, Instant)>>,
    asked_anew: Mutex<HashMap<Did, Instant>>,
}

impl std::ops::Deref for Work {
    type Target = FetchingParts;

    fn deref(&self) -> &FetchingParts {
        &self.parts
    }
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes place for one more; what is of old goes.
fn forget<K: Eq + Hash, V>(all: &mut HashMap<K, V>, is_old: impl Fn(&V) -> bool) {
    if all.len() >= REMEMBERED {
        all.retain(|_, one| !is_old(one));
    }
    if all.len() >= REMEMBERED {
        all.clear();
    }
}

impl Work {
    pub fn new(parts: FetchingParts) -> Work {
        Work {
            troubles: Troubles::default(),
            hands: Semaphore::new(parts.blobstore.options.at_once.max(1)),
            summing: tokio::sync::Mutex::new(()),
            waiting: AtomicUsize::new(0),
            waited_for: AtomicUsize::new(0),
            coming: Coming::default(),
            crowds: Mutex::default(),
            asked_anew: Mutex::default(),
            parts,
        }
    }

    /// How long a blob waits whose host has no place: the more of them there are the longer, so
    /// that a thousand of one host don't ask all the time, and a few come in turn soon.
    pub fn wait_at(&self, url: &str) -> Duration {
        let parsed = url::Url::parse(url).ok();
        let host = parsed.as_ref().and_then(url::Url::host_str);
        let now = Instant::now();
        let mut crowds = locked(&self.crowds);
        forget(&mut crowds, |(_, at)| now - *at > COUNTED);
        let (crowd, at) = crowds
            .entry(host.unwrap_or_default().to_owned())
            .or_insert((0.0, now));
        *crowd = *crowd * (-(now - *at).as_secs_f64() / COUNTED.as_secs_f64()).exp() + 1.0;
        *at = now;
        let wait = (*crowd * FOR_EACH).clamp(LEAST_WAIT, MOST_WAIT);
        Duration::from_secs_f64(wait * (1.0 + rand::random::<f64>()))
    }

    /// Whether a DID's address may be asked for past the cache: once in ten minutes.
    pub fn may_ask_anew(&self, did: &Did) -> bool {
        let now = Instant::now();
        let is_old = |at: &Instant| now - *at >= BELIEVED;
        let mut asked = locked(&self.asked_anew);
        if asked.get(did).is_some_and(|at| !is_old(at)) {
            return false;
        }
        forget(&mut asked, is_old);
        asked.insert(did.clone(), now);
        true
    }

    /// Whether a download of that age ends so that one that waits has its place. One that somebody
    /// waits for ends for another such alone.
    pub fn gives_way(&self, row: &Blob, bytes: u64, age: Duration) -> bool {
        if age < PATIENCE || bytes / age.as_secs().max(1) >= SLOW {
            return false;
        }
        let lately = now() - LATELY;
        let is_waited_for = row.played_at.is_some_and(|played| played > lately);
        let waiting = match is_waited_for {
            true => &self.waited_for,
            false => &self.waiting,
        };
        let one_less = |waiting: usize| waiting.checked_sub(1);
        let taken = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        taken.is_ok()
    }
}

/// A download.
pub(super) struct Download {
    from: String,
    began: Instant,
    bytes: AtomicU64,
}

/// What is being downloaded.
#[derive(Default)]
pub(super) struct Coming(Mutex<HashMap<Cid, Arc<Download>>>);

/// A download that is told about until this is dropped.
pub(super) struct Watched<'a> {
    coming: &'a Coming,
    cid: Cid,
    download: Arc<Download>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        locked(&self.coming.0).remove(&self.cid);
    }
}

impl Watched<'_> {
    /// So many bytes are there.
    pub fn has(&self, bytes: u64) {
        let before = self.download.bytes.swap(bytes, Ordering::Relaxed);
        let more = bytes.saturating_sub(before);
        metrics::counter!("plyr_media_fetched_bytes_total").increment(more);
    }

    /// How long it has been coming.
    pub fn age(&self) -> Duration {
        self.download.began.elapsed()
    }
}

impl Coming {
    /// Begins a download.
    pub fn watch(&self, cid: &Cid, from: &str) -> Watched<'_> {
        let download = Arc::new(Download {
            from: from.to_owned(),
            began: Instant::now(),
            bytes: AtomicU64::new(0),
        });
        locked(&self.0).insert(*cid, download.clone());
        Watched {
            coming: self,
            cid: *cid,
            download,
        }
    }

    /// Tells how far all are.
    pub fn tell(&self) {
        let mut all = 0;
        for (cid, download) in locked(&self.0).iter() {
            let bytes = download.bytes.load(Ordering::Relaxed);
            all += bytes;
            let age = download.began.elapsed();
            if age >= YOUNG {
                let (from, seconds) = (&download.from, age.as_secs());
                tracing::info!(%cid, from, bytes, seconds, "a blob is on its way");
            }
        }
        metrics::gauge!("plyr_media_coming_bytes").set(all as f64);
    }
}
