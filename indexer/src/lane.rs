//! A lane: the events of its repos in order, checked and judged, then written in batches. An event
//! is finished when its batch is durable.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_lexicons::{Did, Namespace, Verdict};
use plyr_schemas::{Change, DueCheck, Outcome, QuarantineEntry, Store, StoreError, Urgency};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use crate::check::{self, Checked, Operation};
use crate::progress::Progress;
use crate::repos;
use crate::source::Comparison;
use crate::suspicion::Suspicions;

/// Events of one batch at most.
const BATCH: usize = 500;
/// Repos remembered as met before; then the memory starts again.
const REMEMBERED: usize = 100_000;
const LEAST_WAIT: Duration = Duration::from_millis(200);
const MOST_WAIT: Duration = Duration::from_secs(10);

/// What a source hands to a lane.
pub enum Work {
    /// An operation on a record.
    Operation(Operation),
    /// Ask about this repo.
    Trigger(String),
    /// The commits of this repo don't follow one from another.
    Desynchronized(String),
    /// What could not even be read.
    Refused(Box<QuarantineEntry>),
}

/// One event on its way.
pub struct Event {
    pub work: Work,
    pub source: Arc<str>,
    pub received: Instant,
    pub progress: Arc<Progress>,
    pub number: u64,
    /// Its name where hosts are compared.
    pub compared: Option<u64>,
    /// Given back when the event is gone.
    pub _room: OwnedSemaphorePermit,
}

pub struct Lane {
    number: usize,
    namespace: Namespace,
    store: Arc<dyn Store>,
    due: Arc<Notify>,
    watch: Watch,
    met: HashSet<Did>,
    /// Repos that records named and that were met as wholes.
    named: HashSet<Did>,
}

/// Those who want to know what came of events.
#[derive(Clone)]
pub struct Watch {
    pub comparison: Arc<Comparison>,
    pub suspicions: Suspicions,
}

/// What an event counts as, once its changes are durable.
enum Counts {
    AsWritten,
    Quarantined,
    OutOfScope,
}

impl Lane {
    pub fn new(
        number: usize,
        namespace: Namespace,
        store: Arc<dyn Store>,
        due: Arc<Notify>,
        watch: Watch,
    ) -> Lane {
        Lane {
            number,
            namespace,
            store,
            due,
            watch,
            met: HashSet::new(),
            named: HashSet::new(),
        }
    }

    /// Runs until the sources are gone, or the store stays shut after `cancel`.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, cancel: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while events.recv_many(&mut batch, BATCH).await > 0 {
            metrics::gauge!("plyr_queue_depth", "queue" => format!("lane-{}", self.number))
                .set(events.len() as f64);
            if !self.write(&mut batch, &cancel).await {
                return;
            }
        }
    }

    /// Writes a batch, however long the store takes to be able to. `false` when it was given up
    /// (then nothing of it is finished, and the cursor stays before it).
    async fn write(&mut self, batch: &mut Vec<Event>, cancel: &CancellationToken) -> bool {
        let mut failures = 0;
        let (changes, shares) = loop {
            match self.prepare(batch).await {
                Ok(prepared) => break prepared,
                Err(problem) => {
                    // Who was met in what came to nothing is to be met again.
                    self.met.clear();
                    self.named.clear();
                    if !self.wait(&problem, &mut failures, cancel).await {
                        return false;
                    }
                }
            }
        };
        let outcomes = loop {
            match self.store.apply(changes.clone()).await {
                Ok(outcomes) => break outcomes,
                Err(problem) => {
                    if !self.wait(&problem, &mut failures, cancel).await {
                        return false;
                    }
                }
            }
        };
        if changes
            .iter()
            .any(|change| matches!(change, Change::Due(_)))
        {
            self.due.notify_one();
        }
        let mut outcomes = outcomes.into_iter();
        for (event, (counts, share)) in batch.drain(..).zip(shares) {
            let mut written = outcomes.by_ref().take(share);
            // An event's own change comes first; a check made due by the way comes after it.
            let first = written.next();
            written.for_each(drop);
            self.tell(&event, first);
            let outcome = match (counts, first) {
                (Counts::OutOfScope, _) => "out_of_scope",
                (Counts::Quarantined, _) => "quarantined",
                (Counts::AsWritten, Some(Outcome::Superseded | Outcome::Overtaken)) => "superseded",
                (Counts::AsWritten, _) => "applied",
            };
            metrics::counter!(
                "plyr_events_total", "source" => event.source.to_string(), "outcome" => outcome
            )
            .increment(1);
            metrics::histogram!("plyr_indexed_latency_seconds").record(event.received.elapsed());
            event.progress.finish(event.number);
        }
        true
    }

    /// Tells what came of an event.
    fn tell(&self, event: &Event, outcome: Option<Outcome>) {
        let Work::Operation(operation) = &event.work else {
            return;
        };
        match (outcome, event.compared) {
            (Some(Outcome::Applied), Some(key)) => self.watch.comparison.applied(key),
            // Another writer's merge may not have seen it.
            (Some(Outcome::Overtaken), _) => {
                if let Ok(did) = Did::new(operation.did.clone()) {
                    self.watch.suspicions.repo(did);
                }
            }
            _ => {}
        }
    }

    /// The changes of a batch, and for each event what it counts as and how many are its own.
    async fn prepare(
        &mut self,
        batch: &[Event],
    ) -> Result<(Vec<Change>, Vec<(Counts, usize)>), StoreError> {
        let now = crate::now();
        let mut changes = Vec::with_capacity(batch.len());
        let mut shares = Vec::with_capacity(batch.len());
        let mut named = HashSet::new();
        for event in batch {
            let before = changes.len();
            let counts = match &event.work {
                Work::Operation(operation) => {
                    match check::check(&self.namespace, &event.source, operation, now) {
                        Checked::Version(version, verdict) => {
                            let did = version.uri.did.clone();
                            named.extend(repos::named_by(&version));
                            changes.push(Change::Version(*version));
                            if self.is_new(&did).await? {
                                changes.push(due(did.clone(), now));
                                changes.extend(repos::wanted(did, Urgency::Now, "new", now));
                            }
                            match verdict {
                                Verdict::Invalid => Counts::Quarantined,
                                Verdict::Valid | Verdict::Tolerated => Counts::AsWritten,
                            }
                        }
                        Checked::OutOfScope => Counts::OutOfScope,
                        Checked::Quarantined(entry) => {
                            tracing::debug!(
                                reason = entry.reason,
                                detail = entry.detail,
                                "event quarantined"
                            );
                            // The repo says what the stream could not.
                            if let Some(did) = &entry.did
                                && matches!(entry.reason.as_str(), "cid-mismatch" | "data-model")
                                && self.is_held(did).await?
                            {
                                self.watch.suspicions.repo(did.clone());
                            }
                            changes.push(Change::Quarantine(*entry));
                            Counts::Quarantined
                        }
                    }
                }
                Work::Refused(entry) => {
                    changes.push(Change::Quarantine((**entry).clone()));
                    Counts::Quarantined
                }
                Work::Trigger(did) | Work::Desynchronized(did) => match Did::new(did.clone()) {
                    Ok(did) if self.is_held(&did).await? => {
                        if matches!(event.work, Work::Desynchronized(_)) {
                            self.watch.suspicions.repo(did.clone());
                        }
                        changes.push(due(did, now));
                        Counts::AsWritten
                    }
                    _ => Counts::OutOfScope,
                },
            };
            shares.push((counts, changes.len() - before));
        }
        // After what belongs to events.
        changes.extend(self.first_named(named, now).await?);
        Ok((changes, shares))
    }

    /// Repos that were named for the first time are due too.
    async fn first_named(
        &mut self,
        named: HashSet<Did>,
        now: i64,
    ) -> Result<Vec<Change>, StoreError> {
        let new = named.into_iter().filter(|did| !self.named.contains(did));
        let new: Vec<Did> = new.collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        if self.named.len() >= REMEMBERED {
            self.named.clear();
        }
        self.named.extend(new.iter().cloned());
        let snapshot = self.store.snapshot().await?;
        let unmet = repos::unmet(snapshot.as_ref(), new).await?.into_iter();
        let wanted = unmet.flat_map(|did| repos::wanted(did, Urgency::Soon, "named", now));
        Ok(wanted.collect())
    }

    /// Whether a repo is met for the first time: nobody has ever been asked about it. Records of it
    /// alone say nothing: who wrote them may have died before the repo was wanted.
    async fn is_new(&mut self, did: &Did) -> Result<bool, StoreError> {
        if self.met.contains(did) {
            return Ok(false);
        }
        let snapshot = self.store.snapshot().await?;
        let unmet = repos::unmet(snapshot.as_ref(), vec![did.clone()]).await?;
        let known = unmet.is_empty() && self.is_held(did).await?;
        if self.met.len() >= REMEMBERED {
            self.met.clear();
        }
        self.met.insert(did.clone());
        Ok(!known)
    }

    /// Whether we hold anything of a repo. The network's other accounts are none of our business.
    async fn is_held(&self, did: &Did) -> Result<bool, StoreError> {
        if self.met.contains(did) {
            return Ok(true);
        }
        let snapshot = self.store.snapshot().await?;
        if snapshot.is_known(did).await? {
            return Ok(true);
        }
        Ok(false)
    }

    async fn wait(
        &self,
        problem: &StoreError,
        failures: &mut u32,
        cancel: &CancellationToken,
    ) -> bool {
        let wait = crate::backoff(*failures, LEAST_WAIT, MOST_WAIT);
        *failures += 1;
        tracing::warn!(%problem, lane = self.number, wait_seconds = wait.as_secs_f64(),
            "the store takes nothing; the lane waits");
        tokio::select! {
            () = cancel.cancelled() => false,
            () = tokio::time::sleep(wait) => !matches!(problem, StoreError::Closed),
        }
    }
}

fn due(did: Did, now: i64) -> Change {
    Change::Due(DueCheck::triggered(did, now))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::source::ComparisonOptions;

    fn watch(namespace: &Namespace, suspicions: Suspicions) -> Watch {
        let comparison = Comparison::new(
            std::iter::empty(),
            namespace.clone(),
            ComparisonOptions::default(),
            suspicions.clone(),
        );
        Watch {
            comparison: Arc::new(comparison),
            suspicions,
        }
    }

    /// A store whose disk is full takes nothing: then no event is finished, and none is given up.
    #[tokio::test]
    async fn i03_nothing_is_finished_before_it_is_durable() {
        let folder = tempfile::tempdir().unwrap();
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let (free, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut options = EmbeddedOptions::new(folder.path().to_owned(), namespace.clone());
        options.reserve_bytes = 1;
        let (room, times) = (free.clone(), asked.clone());
        options.probe = Some(Arc::new(move |_| {
            times.fetch_add(1, Ordering::SeqCst);
            Ok(room.load(Ordering::SeqCst))
        }));
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        let (suspicions, _suspected) = crate::suspicion::channel();
        let watch = watch(&namespace, suspicions);
        let lane = Lane::new(0, namespace, store.clone(), Arc::default(), watch);
        let progress = Arc::new(Progress::default());
        let places = Arc::new(Semaphore::new(1));
        let refused = check::malformed("test", b"{", "it is none", 1);
        let event = Event {
            work: Work::Refused(Box::new(refused.clone())),
            source: "test".into(),
            received: Instant::now(),
            progress: progress.clone(),
            number: progress.begin(7, None, None),
            compared: None,
            _room: places.acquire_owned().await.unwrap(),
        };
        let (events, inbox) = mpsc::channel(1);
        assert!(events.send(event).await.is_ok());
        let running = tokio::spawn(lane.run(inbox, CancellationToken::new()));
        // Refused, and tried again.
        let mut look = tokio::time::interval(Duration::from_millis(10));
        let tried_again = async {
            while asked.load(Ordering::SeqCst) < 2 {
                look.tick().await;
            }
        };
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, tried_again).await.unwrap();
        assert_eq!((progress.position(), progress.unfinished()), (None, 1));
        free.store(1, Ordering::SeqCst);
        drop(events);
        tokio::time::timeout(patience, running)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(progress.position(), Some((7, Vec::new())));
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.quarantine(None, 2).await.unwrap(), [refused]);
    }

    /// Over a cluster a version may be there, and what was to follow it not: its writer died.
    #[tokio::test]
    async fn i03_a_repo_whose_first_writer_died_is_wanted_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.path().to_owned(), namespace.clone());
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(options).unwrap());
        let did = Did::new("did:plc:first".to_owned()).unwrap();
        let operation = Operation {
            did: did.as_str().to_owned(),
            rev: "3mbks4tqbfk22".to_owned(),
            collection: "fm.plyr.like".to_owned(),
            rkey: "3mbks4tqbfk22".to_owned(),
            cid: None,
            record: None,
            is_delete: true,
        };
        let Checked::Version(version, _) =
            check::check(&namespace, "test", &operation, crate::now())
        else {
            panic!("a delete is a version");
        };
        store.apply(vec![Change::Version(*version)]).await.unwrap();

        let (suspicions, _suspected) = crate::suspicion::channel();
        let watch = watch(&namespace, suspicions);
        let mut lane = Lane::new(0, namespace.clone(), store.clone(), Arc::default(), watch);
        let progress = Arc::new(Progress::default());
        let event = Event {
            work: Work::Operation(operation),
            source: "test".into(),
            received: Instant::now(),
            number: progress.begin(7, None, None),
            progress,
            compared: None,
            _room: Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap(),
        };
        let (changes, _) = lane.prepare(&[event]).await.unwrap();
        // The repo's row is the last of them.
        let last = changes.last();
        assert!(
            matches!(last, Some(Change::Repo(repo)) if repo.did == did),
            "{last:?}"
        );
        store.apply(changes).await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        let due = snapshot.due_of(std::slice::from_ref(&did)).await.unwrap();
        assert_eq!(due[0].as_ref().unwrap().cause, "new");
        assert!(!snapshot.due_checks(i64::MAX, 9).await.unwrap().is_empty());
    }
}
