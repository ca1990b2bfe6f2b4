//! Running jobs: a few at the same time, the soonest due first, across any number of processes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use plyr_lexicons::Cid;
use plyr_outbound::Outbound;
use plyr_probe::Prober;
use plyr_schemas::FaultHook;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::holders::Holders;
use super::outcome::Ended;
use super::staging::Staging;
use super::work::Work;
use crate::error::BlobstoreError;
use crate::keep::Usage;
use crate::serve::{Blobstore, is_before_all, now};

/// How often the queue is looked at when nobody says that something is due.
const LOOK: Duration = Duration::from_millis(500);
/// After the queue could not be read.
const REST: Duration = Duration::from_secs(5);
/// Rows read at once.
const PAGE: usize = 500;
/// Jobs at the same time, for each that may look at bytes and put them: downloads wait for the
/// network, and take little memory.
const PLACES: usize = 4;
/// Jobs read from the queue at once, for each that may run.
const AHEAD: usize = 2;
/// How often the queue is looked at while there is no place: those that come slowly give way to
/// those that wait.
const LOOK_WHEN_FULL: Duration = Duration::from_secs(2);
/// How long nothing is started where nothing can be kept.
const STOPPED: Duration = Duration::from_secs(60);
/// How long the answer is believed that something can.
const GOES: Duration = Duration::from_secs(1);
/// How often it is told what is coming.
const TELL: Duration = Duration::from_secs(10);

/// What jobs work with.
pub struct FetchingParts {
    /// Rows and objects.
    pub blobstore: Blobstore,
    /// The client.
    pub outbound: Outbound,
    /// What looks at bytes.
    pub prober: Prober,
    /// Who names blobs.
    pub holders: Holders,
    /// Whether no other process works over these rows: what one leased that is gone is free then.
    pub is_alone: bool,
    /// Where bytes are staged.
    pub staging: Staging,
    /// This process, at random.
    pub process: String,
    /// Ends the process at a step; for tests.
    pub fault: Option<FaultHook>,
    /// Cancelled when it is to stop.
    pub cancel: CancellationToken,
    /// What is kept in all, about.
    pub usage: Usage,
}

/// What runs the jobs.
pub struct Fetching {
    work: Arc<Work>,
}

/// What is under way, and when what was last looked at.
struct Round {
    jobs: JoinSet<()>,
    running: HashMap<Id, Cid>,
    /// When the queue was last read.
    read: Option<Instant>,
    /// Until when it isn't asked again whether anything can be kept.
    asked_until: Instant,
    /// Whether nothing could.
    is_stopped: bool,
    told: Instant,
}

impl Fetching {
    /// Over those parts.
    pub fn new(parts: FetchingParts) -> Fetching {
        Fetching {
            work: Arc::new(Work::new(parts)),
        }
    }

    /// Runs jobs until cancelled; those that are under way are cut off then, and done again later.
    /// Where nothing is fetched they look at what is here alone.
    pub async fn run(&self) {
        if self.work.is_alone {
            self.take_over().await;
        }
        let mut round = Round {
            jobs: JoinSet::new(),
            running: HashMap::new(),
            read: None,
            asked_until: Instant::now(),
            is_stopped: false,
            told: Instant::now(),
        };
        while !self.work.cancel.is_cancelled() {
            let told = self.work.blobstore.moved.notified();
            let started = tokio::select! {
                () = self.work.cancel.cancelled() => break,
                started = self.start_due(&mut round) => started,
            };
            let wait = match started {
                Ok(()) => LOOK,
                Err(problem) => {
                    tracing::warn!(%problem, "the queue of blobs can't be read");
                    REST
                }
            };
            metrics::gauge!("plyr_media_running").set(round.running.len() as f64);
            if round.told.elapsed() >= TELL {
                round.told = Instant::now();
                self.work.coming.tell();
            }
            tokio::select! {
                () = self.work.cancel.cancelled() => break,
                () = told => {}
                () = tokio::time::sleep(wait) => {}
                Some(done) = round.jobs.join_next_with_id() => match done {
                    Ok((id, ())) => { round.running.remove(&id); }
                    Err(problem) => {
                        // Its row is due again when its lease ends.
                        tracing::error!(%problem, "a blob's job broke off");
                        round.running.remove(&problem.id());
                    }
                },
            }
        }
        while round.jobs.join_next().await.is_some() {}
    }

    /// Frees what a process leased that was killed. What can't be freed is free when its lease
    /// ends.
    async fn take_over(&self) {
        let rows = &self.work.blobstore.rows;
        let mut after: Option<Cid> = None;
        loop {
            let page = match rows.all_blobs(after.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(problem) => {
                    tracing::warn!(%problem, "the rows of blobs can't be read");
                    return;
                }
            };
            let Some(last) = page.last() else { return };
            after = Some(last.cid);
            for mut row in page.into_iter().filter(|row| row.leased_until > 0) {
                row.leased_until = 0;
                row.leased_by.clear();
                row.due_at = Some(now());
                if let Err(problem) = rows.replace_blob(row).await {
                    tracing::warn!(%problem, "a blob's job is free when its lease ends");
                }
            }
        }
    }

    /// Starts what is due, as far as there are places.
    async fn start_due(&self, round: &mut Round) -> Result<(), BlobstoreError> {
        let blobstore = &self.work.blobstore;
        let places = blobstore.options.at_once.max(1) * PLACES;
        let is_full = round.jobs.len() >= places;
        let is_read = |read: Instant| read.elapsed() < LOOK_WHEN_FULL;
        if is_full && round.read.is_some_and(is_read) {
            return Ok(());
        }
        let is_believed = Instant::now() < round.asked_until;
        if round.is_stopped && is_believed {
            return Ok(());
        }
        let mut due = blobstore.rows.due_blobs(now(), places * AHEAD).await?;
        round.read = Some(Instant::now());
        due.retain(|cid| !round.running.values().any(|other| other == cid));
        metrics::gauge!("plyr_queue_depth", "queue" => "blobs").set(due.len() as f64);
        if !is_full && !is_believed && (round.is_stopped || !due.is_empty()) {
            self.look_whether_stopped(round).await?;
            if round.is_stopped {
                return Ok(());
            }
        }
        let free = places.saturating_sub(round.jobs.len());
        let mut waiting = due.split_off(free.min(due.len()));
        self.work.waiting.store(waiting.len(), Ordering::Relaxed);
        // Those that somebody waits for come first.
        waiting.truncate(places);
        let first = match waiting.is_empty() {
            true => 0,
            false => {
                let rows = blobstore.rows.blobs(&waiting).await?;
                rows.iter()
                    .flatten()
                    .filter(|row| is_before_all(row))
                    .count()
            }
        };
        self.work.waited_for.store(first, Ordering::Relaxed);
        for cid in due {
            let work = self.work.clone();
            let job = round.jobs.spawn(async move { one(&work, &cid).await });
            round.running.insert(job.id(), cid);
        }
        Ok(())
    }

    /// Asks whether anything can be kept now: where nothing can, no job is begun to find that out.
    async fn look_whether_stopped(&self, round: &mut Round) -> Result<(), BlobstoreError> {
        let was_stopped = round.is_stopped;
        let stopped = self.work.is_stopped().await?;
        round.is_stopped = stopped.is_some();
        round.asked_until = Instant::now() + if round.is_stopped { STOPPED } else { GOES };
        metrics::gauge!("plyr_media_stopped").set(f64::from(u8::from(round.is_stopped)));
        let told = stopped.as_ref().map(|(reason, _)| reason.sentence());
        self.work.blobstore.is_stopped_by(told);
        match stopped {
            Some((reason, detail)) if !was_stopped => {
                let reason = reason.word();
                tracing::warn!(
                    reason,
                    detail,
                    "no blob is fetched until something can be kept"
                );
            }
            None if was_stopped => tracing::info!("blobs are fetched again"),
            Some(_) | None => {}
        }
        Ok(())
    }
}

async fn one(work: &Work, cid: &Cid) {
    match work.job(cid).await {
        Ok(ended) => {
            if let Some((outcome, reason)) = ended.name() {
                let labels = [("outcome", outcome), ("reason", reason)];
                metrics::counter!("plyr_media_jobs_total", &labels).increment(1);
            }
            if ended == Ended::NotOurs {
                // A hint that lags behind its row: not asked about at once again.
                tokio::time::sleep(LOOK).await;
            }
        }
        Err(problem) => {
            tracing::warn!(%cid, %problem, "a blob's job failed; it is due again soon");
            tokio::time::sleep(REST).await;
        }
    }
}
