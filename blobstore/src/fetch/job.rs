//! One job: a blob whose row is due, from taking it to saying that it is kept, refused, or to be
//! tried again. Repeatable at every step: what a killed process left is done again or found there.

use std::time::Duration;

use plyr_lexicons::Cid;
use plyr_outbound::OutboundError;
use plyr_probe::{Fact, ProbeError};
use plyr_schemas::{Blob, BlobState, CrashPoint};

use super::bytes::{FetchError, Staged};
use super::holders::Role;
use super::lease::{Lease, renewing};
use super::outcome::{Ended, Outcome, micros, write_into};
use super::reason::Reason;
use super::retry::{Verdict, verdict};
use super::troubles::Part;
use super::work::Work;
use crate::error::BlobstoreError;
use crate::options::MediaPolicy;
use crate::serve::now;
use crate::steps;

/// How long a job is this process's before it says so again.
const LEASE: Duration = Duration::from_secs(120);

impl Work {
    /// Does a blob's job if it is due and nobody else's.
    pub(super) async fn job(&self, cid: &Cid) -> Result<Ended, BlobstoreError> {
        let Some(row) = self.take(cid).await? else {
            return Ok(Ended::NotOurs);
        };
        let lease = Lease::taken(row.cid, LEASE);
        if steps::ends(self.fault.as_ref(), steps::TAKEN) {
            return Ok(Ended::CutOff);
        }
        let size = row.size.unwrap_or_default();
        let outcome = match self.find_out(&row, &lease).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                if self.cancel.is_cancelled() {
                    self.give_back(cid).await?;
                }
                return Ok(Ended::CutOff);
            }
            Err(problem @ BlobstoreError::Objects(_)) => {
                Outcome::here(Reason::Store, problem.to_string(), size)
            }
            Err(problem @ BlobstoreError::Staging { .. }) => {
                Outcome::here(Reason::Disk, problem.to_string(), size)
            }
            Err(problem) => return Err(problem),
        };
        let ended = self.write_down(cid, outcome).await?;
        if ended == Ended::Kept && self.reached(steps::KEPT) {
            return Ok(Ended::CutOff);
        }
        self.blobstore.moved.notify_waiters();
        Ok(ended)
    }

    /// Whether the process ends at this step.
    fn reached(&self, step: CrashPoint) -> bool {
        steps::ends(self.fault.as_ref(), step) || self.cancel.is_cancelled()
    }

    /// Takes the job: the row says that it is ours for a while, and is due again after that.
    async fn take(&self, cid: &Cid) -> Result<Option<Blob>, BlobstoreError> {
        let at = now();
        let mine = |row: &Blob| row.leased_by == self.process;
        let row = self
            .blobstore
            .change(cid, |row| {
                let is_due = row.due_at.is_some_and(|due| due <= at);
                let is_free = row.leased_until <= at;
                if row.revision == 0 || row.state != BlobState::Wanted || !is_due || !is_free {
                    row.leased_by.clear();
                    return false;
                }
                row.leased_by.clone_from(&self.process);
                row.leased_until = at + micros(LEASE);
                row.due_at = Some(row.leased_until);
                true
            })
            .await?;
        Ok(mine(&row).then_some(row))
    }

    /// Says that the job is still ours. Answers whether it is.
    async fn renew(&self, cid: &Cid) -> Result<bool, BlobstoreError> {
        let row = self
            .blobstore
            .change(cid, |row| {
                if row.leased_by != self.process || row.state != BlobState::Wanted {
                    return false;
                }
                row.leased_until = now() + micros(LEASE);
                row.due_at = Some(row.leased_until);
                true
            })
            .await?;
        Ok(row.leased_by == self.process)
    }

    /// Gives a job back that was begun: whoever comes next need not wait for the lease to end.
    async fn give_back(&self, cid: &Cid) -> Result<(), BlobstoreError> {
        let given = self.blobstore.change(cid, |row| {
            if row.leased_by != self.process || row.state != BlobState::Wanted {
                return false;
            }
            row.leased_by.clear();
            row.leased_until = 0;
            row.due_at = Some(now());
            true
        });
        given.await.map(drop)
    }

    /// Fetches, proves and looks at a blob. None when the process is to end.
    async fn find_out(&self, row: &Blob, lease: &Lease) -> Result<Option<Outcome>, BlobstoreError> {
        let (uses, are_all) = self.holders.of(row).await?;
        let role = uses.iter().map(|one| one.role).max().unwrap_or(Role::Image);
        let largest = match role {
            Role::Audio => self.blobstore.options.largest_audio,
            Role::Image => self.blobstore.options.largest_image,
        };
        let room = async { Ok(self.has_no_room(row).await) };
        match self.keeping_the_lease(lease, room).await? {
            Ok(room) => {
                if let Some(outcome) = room? {
                    return Ok(Some(outcome));
                }
            }
            Err(_) => return Ok(None),
        }
        let staged = match self.bytes((row, lease), (&uses, are_all), largest).await? {
            Ok(staged) => staged,
            Err(FetchError::CutOff) => return Ok(None),
            Err(problem) => return Ok(Some(self.failed(&problem))),
        };
        if self.reached(steps::PROVEN) {
            return Ok(None);
        }
        let handling = async { Ok(self.look_and_put(row, &staged, role).await) };
        match self.keeping_the_lease(lease, handling).await? {
            Ok(outcome) => outcome,
            Err(_) => Ok(None),
        }
    }

    /// How a fetch that failed ends.
    fn failed(&self, problem: &FetchError) -> Outcome {
        let verdict = match problem {
            FetchError::Host(OutboundError::Crowded { url }) => {
                Verdict::NotTried(self.wait_at(url))
            }
            problem => verdict(problem),
        };
        Outcome::Failed {
            reason: Reason::of(problem),
            detail: problem.to_string(),
            size: None,
            verdict,
            is_everybodys: matches!(problem, FetchError::TooLarge { by_all: true, .. }),
        }
    }

    /// Looks at the bytes, and puts them. None when the process is to end.
    async fn look_and_put(
        &self,
        row: &Blob,
        staged: &Staged,
        role: Role,
    ) -> Result<Option<Outcome>, BlobstoreError> {
        // Closed by nobody.
        let _hand = self.hands.acquire().await.ok();
        let looked = self.look_at(staged, role).await;
        if !matches!(looked, Err(ProbeError::NotTried { .. })) {
            self.troubles.succeeded(Part::Look, &row.cid);
        }
        let (fact, images) = match looked {
            Ok(found) => found,
            // Whoever stops us may have stopped the one that looked, too.
            Err(ProbeError::Died { .. }) if self.cancel.is_cancelled() => return Ok(None),
            Err(ProbeError::Died { how }) => return Ok(Some(Outcome::Crashed(how))),
            Err(ProbeError::NotTried { detail }) => {
                let wait = self.troubles.failed(Part::Look, &row.cid);
                let outcome = Outcome::later(Reason::NotLooked, detail, staged.size, wait);
                return Ok(Some(outcome));
            }
        };
        if self.reached(steps::LOOKED_AT) {
            return Ok(None);
        }
        if let Fact::Refused(refusal) = fact {
            let size = Some(staged.size);
            return Ok(Some(Outcome::Refused { size, refusal }));
        }
        if let Some(detail) = self.make_room(staged.size).await? {
            return Ok(Some(Outcome::full(detail, staged.size)));
        }
        if let Err(problem) = self.put(&row.cid, staged, &fact, &images).await {
            let wait = self.troubles.failed(Part::Put, &row.cid);
            tracing::warn!(cid = %row.cid, %problem, "a blob can't be put");
            let detail = problem.to_string();
            let outcome = Outcome::later(Reason::Store, detail, staged.size, wait);
            return Ok(Some(outcome));
        }
        self.troubles.succeeded(Part::Put, &row.cid);
        self.usage.add(staged.size);
        if self.reached(steps::PUT) {
            return Ok(None);
        }
        let size = staged.size;
        Ok(Some(Outcome::Kept { size, fact }))
    }

    /// Why nothing is to be fetched now, where that is known before.
    async fn has_no_room(&self, row: &Blob) -> Result<Option<Outcome>, BlobstoreError> {
        let size = row.size.unwrap_or_default();
        let quota = self.blobstore.options.quota;
        if size > quota && self.blobstore.policy() != MediaPolicy::Off {
            let detail = format!("it is larger than all that may be kept here ({quota} bytes)");
            return Ok(Some(Outcome::full(detail, size)));
        }
        if let Some(detail) = self.is_short_of_room().await? {
            return Ok(Some(Outcome::here(Reason::Disk, detail, size)));
        }
        if let Some(detail) = self.has_no_room_for(size).await? {
            return Ok(Some(Outcome::full(detail, size)));
        }
        let trouble = self.troubles.hold();
        Ok(trouble.map(|reason| {
            let detail = "it failed here a while ago, and another tries".to_owned();
            Outcome::here(reason, detail, size)
        }))
    }

    /// Why so many bytes would find no room; one at a time sums up what is kept.
    async fn has_no_room_for(&self, size: u64) -> Result<Option<String>, BlobstoreError> {
        let _turn = self.summing.lock().await;
        self.is_full_for(size).await
    }

    /// Why nothing is to be fetched at all now, if so; and in words for the log.
    pub(super) async fn is_stopped(&self) -> Result<Option<(Reason, String)>, BlobstoreError> {
        let short = match self.is_short_of_room().await {
            Err(problem @ BlobstoreError::Objects(_)) => {
                return Ok(Some((Reason::Store, problem.to_string())));
            }
            Err(problem @ BlobstoreError::Staging { .. }) => {
                return Ok(Some((Reason::Disk, problem.to_string())));
            }
            short => short?,
        };
        if let Some(detail) = short {
            return Ok(Some((Reason::Disk, detail)));
        }
        if let Some(detail) = self.has_no_room_for(0).await? {
            return Ok(Some((Reason::Full, detail)));
        }
        let trouble = self.troubles.now();
        Ok(trouble.map(|reason| (reason, "it failed a while ago".to_owned())))
    }

    /// Does a part of a job, and says meanwhile that the job is still ours.
    pub(super) async fn keeping_the_lease<T>(
        &self,
        lease: &Lease,
        part: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<Result<T, FetchError>, BlobstoreError> {
        let cid = &lease.cid;
        let done = tokio::select! {
            () = self.cancel.cancelled() => return Ok(Err(FetchError::CutOff)),
            done = renewing(lease, part, || self.renew(cid)) => done?,
        };
        Ok(done.unwrap_or_else(|| {
            tracing::warn!(%cid, "another process has this blob's job");
            Err(FetchError::CutOff)
        }))
    }

    /// Writes what came of it into the row, if the job is still ours.
    async fn write_down(&self, cid: &Cid, outcome: Outcome) -> Result<Ended, BlobstoreError> {
        let at = now();
        let mut ended = Ended::NotOurs;
        let row = self
            .blobstore
            .change(cid, |row| {
                if row.leased_by != self.process || row.state != BlobState::Wanted {
                    ended = Ended::NotOurs;
                    return false;
                }
                ended = write_into(row, &outcome, at);
                row.leased_until = 0;
                row.leased_by.clear();
                true
            })
            .await?;
        let (failures, detail) = (row.failures, outcome.detail());
        match ended {
            // Thousands of one host may be.
            Ended::Later(Reason::Crowded) => {
                tracing::debug!(%cid, detail, "a blob is tried again later");
            }
            Ended::Later(reason) => {
                let reason = reason.word();
                tracing::info!(%cid, failures, reason, detail, "a blob is tried again later");
            }
            Ended::Refused(reason) => tracing::warn!(%cid, reason, detail, "a blob is refused"),
            Ended::Kept | Ended::NotOurs | Ended::CutOff => {}
        }
        Ok(ended)
    }
}
