//! What the streams give reason to doubt, on its way to those who ask the repos. Bounded, and
//! nothing is lost: what finds no room becomes coarser, from one event to its repo to all repos.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plyr_lexicons::{Did, RecordUri, Rev};
use tokio::sync::Notify;

/// Events that wait to be proven; beyond it their repos wait in their place.
const MOST_DOUBTS: usize = 1_000;
/// Repos that wait; beyond it all repos do.
const MOST_REPOS: usize = 10_000;
/// Words about hosts that wait.
const MOST_ABOUT_HOSTS: usize = 100;

/// An event that was applied, and that only one of several hosts carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Doubt {
    /// What was written.
    pub uri: RecordUri,
    /// At which rev.
    pub rev: Rev,
    /// Whether it was a delete.
    pub is_delete: bool,
    /// The host that carried it.
    pub source: Arc<str>,
    /// When we took it in, in microseconds since 1970.
    pub seen_at: i64,
    /// Its name where hosts are compared.
    pub(crate) key: u64,
}

/// A host whose stream can't be relied on, or can be again: what it may have kept from us is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Distrust {
    /// A resumed stream did not go on where it stopped.
    Gap {
        /// The host.
        source: Arc<str>,
    },
    /// It carries next to nothing of a collection that others carry.
    Blind {
        /// The host.
        source: Arc<str>,
        /// The collection's NSID.
        collection: String,
        /// The first event known to be missing, in microseconds since 1970.
        since: i64,
    },
    /// It carries the collection again.
    Recovered {
        /// The host.
        source: Arc<str>,
        /// The collection's NSID.
        collection: String,
    },
    /// The canary did not arrive.
    Canary {
        /// The host.
        source: Arc<str>,
    },
}

/// One reason to ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Suspicion {
    /// Prove this event.
    Doubt(Doubt),
    /// Reconcile this repo.
    Repo(Did),
    /// About a host; all repos are due.
    Host(Distrust),
    /// More was doubted than could wait: all repos are due.
    Everything,
}

#[derive(Default)]
struct Waiting {
    deletes: VecDeque<Doubt>,
    others: VecDeque<Doubt>,
    repos: VecDeque<Did>,
    /// The same, to find them by.
    waits: HashSet<Did>,
    hosts: VecDeque<Distrust>,
    everything: bool,
}

/// Where suspicions are handed in. Never waits.
#[derive(Clone, Default)]
pub struct Suspicions {
    waiting: Arc<Mutex<Waiting>>,
    arrived: Arc<Notify>,
}

/// Where they come out.
pub struct Suspected(Suspicions);

/// A way in and a way out.
pub fn channel() -> (Suspicions, Suspected) {
    let suspicions = Suspicions::default();
    (suspicions.clone(), Suspected(suspicions))
}

impl Suspicions {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event to be proven.
    pub fn doubt(&self, doubt: Doubt) {
        let kind = if doubt.is_delete { "delete" } else { "record" };
        let source = doubt.source.to_string();
        metrics::counter!("plyr_doubts_total", "source" => source, "kind" => kind).increment(1);
        let mut waiting = self.waiting();
        if waiting.deletes.len() + waiting.others.len() >= MOST_DOUBTS {
            metrics::counter!("plyr_doubts_coarsened_total").increment(1);
            add_repo(&mut waiting, doubt.uri.did);
        } else if doubt.is_delete {
            waiting.deletes.push_back(doubt);
        } else {
            waiting.others.push_back(doubt);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// A repo whose state is not known any more.
    pub fn repo(&self, did: Did) {
        add_repo(&mut self.waiting(), did);
        self.arrived.notify_one();
    }

    /// A host that lost its trust, or has it again.
    pub fn host(&self, distrust: Distrust) {
        let mut waiting = self.waiting();
        if waiting.hosts.len() < MOST_ABOUT_HOSTS {
            waiting.hosts.push_back(distrust);
        } else {
            waiting.everything = true;
        }
        drop(waiting);
        self.arrived.notify_one();
    }
}

fn add_repo(waiting: &mut Waiting, did: Did) {
    if waiting.waits.contains(&did) {
        return;
    }
    if waiting.repos.len() >= MOST_REPOS {
        waiting.everything = true;
        return;
    }
    waiting.waits.insert(did.clone());
    waiting.repos.push_back(did);
}

impl Suspected {
    /// The next one, deletes first: what was invented there is missing from the views. Nothing is
    /// lost when this is dropped while it waits.
    pub async fn next(&self) -> Suspicion {
        loop {
            let arrived = self.0.arrived.notified();
            if let Some(suspicion) = self.take() {
                return suspicion;
            }
            arrived.await;
        }
    }

    /// All that wait.
    #[cfg(test)]
    pub(crate) fn drain(&self) -> Vec<Suspicion> {
        std::iter::from_fn(|| self.take()).collect()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        let waiting = self.0.waiting();
        let about_repos = waiting.repos.len() + usize::from(waiting.everything);
        waiting.deletes.len() + waiting.others.len() + waiting.hosts.len() + about_repos
    }

    fn take(&self) -> Option<Suspicion> {
        let mut waiting = self.0.waiting();
        if let Some(doubt) = waiting.deletes.pop_front() {
            return Some(Suspicion::Doubt(doubt));
        }
        if let Some(distrust) = waiting.hosts.pop_front() {
            return Some(Suspicion::Host(distrust));
        }
        if let Some(doubt) = waiting.others.pop_front() {
            return Some(Suspicion::Doubt(doubt));
        }
        if let Some(did) = waiting.repos.pop_front() {
            waiting.waits.remove(&did);
            return Some(Suspicion::Repo(did));
        }
        std::mem::take(&mut waiting.everything).then_some(Suspicion::Everything)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(number: usize, is_delete: bool) -> Doubt {
        let did = format!("did:plc:{number:a>24}").replace(['0', '1', '8', '9'], "b");
        Doubt {
            uri: format!("at://{did}/fm.plyr.track/r{number}")
                .parse()
                .unwrap(),
            rev: Rev::parse("3lfvhszifvc2c").unwrap(),
            is_delete,
            source: "host".into(),
            seen_at: 0,
            key: 0,
        }
    }

    #[tokio::test]
    async fn deletes_come_first_and_what_finds_no_room_becomes_its_repo() {
        let (suspicions, suspected) = channel();
        for number in 0..MOST_DOUBTS {
            suspicions.doubt(doubt(number, false));
        }
        suspicions.doubt(doubt(5, true));
        suspicions.host(Distrust::Gap { source: "h".into() });
        assert_eq!(suspected.waiting(), MOST_DOUBTS + 2);
        let expected = Suspicion::Host(Distrust::Gap { source: "h".into() });
        assert_eq!(suspected.next().await, expected);
        for number in 0..MOST_DOUBTS {
            let expected = Suspicion::Doubt(doubt(number, false));
            assert_eq!(suspected.next().await, expected);
        }
        assert_eq!(
            suspected.next().await,
            Suspicion::Repo(doubt(5, true).uri.did)
        );
        suspicions.doubt(doubt(1, false));
        suspicions.doubt(doubt(2, true));
        assert_eq!(suspected.next().await, Suspicion::Doubt(doubt(2, true)));
        suspicions.repo(doubt(7, false).uri.did);
        suspicions.repo(doubt(7, false).uri.did);
        assert_eq!(suspected.waiting(), 2);
    }

    #[tokio::test]
    async fn too_many_repos_are_all_repos() {
        let (suspicions, suspected) = channel();
        for number in 0..=MOST_REPOS {
            suspicions.repo(format!("did:web:h{number}.example").parse().unwrap());
        }
        for _ in 0..MOST_REPOS {
            assert!(matches!(suspected.next().await, Suspicion::Repo(_)));
        }
        assert_eq!(suspected.next().await, Suspicion::Everything);
        assert_eq!(suspected.waiting(), 0);
    }
}
