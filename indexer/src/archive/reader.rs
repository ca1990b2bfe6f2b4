//! Follows what a host says its archive holds, block by block: for ever and gently, from where it
//! was read to; and at once where the stream had a gap, for the repos with rows in it.

use std::collections::HashSet;
use std::time::Duration;

use plyr_lexicons::{Did, Nsid};
use plyr_outbound::{ArchiveSegment, MOST_ARCHIVE_BLOCKS, Outbound, OutboundError};
use plyr_schemas::StoreError;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::News;
use super::block::{Block, BlockError, Row};
use crate::repos::{Pace, Repos};

/// Pages of one plan; beyond it a host repeats itself.
const MOST_PAGES: usize = 100_000;
const LEAST_WAIT: Duration = Duration::from_secs(10);
/// A host that offers no archive may do so one day.
const ASKED_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// Largest segment, in bytes as sent; Jetstream seals one at 256 MiB.
const LARGEST_SEGMENT: usize = 2 << 30;
/// Blocks that are remembered as unreadable.
const MOST_BROKEN: usize = 1_000;
/// Repos that are hurried for one gap; beyond it all others come in their turn, as they are due.
const MOST_TOLD: usize = 100_000;
/// Why a repo is due that was found in an archive.
const CAUSE: &str = "archive";

/// Who reads the archive of one host.
pub struct Archive {
    /// Where the host listens to streams.
    pub stream: Url,
    /// The host's name in logs and metrics.
    pub host: String,
    pub news: News,
    pub collections: Vec<Nsid>,
    pub pace: Pace,
    pub outbound: Outbound,
    pub repos: Repos,
}

/// What repos are read for.
pub(super) enum Purpose {
    /// To be met, if they never were.
    Discovery,
    /// To be visited at once, known or not; with those that were told already.
    Gap(HashSet<Did>),
}

/// How far an archive was read.
#[derive(Default)]
pub(super) struct Place {
    /// The row up to which it was.
    pub after: u64,
    /// Failures since the last row.
    failures: u32,
    /// Blocks that could not be read once.
    broken: HashSet<(String, u64)>,
    /// Whether the host has answered with a plan before.
    has_answered: bool,
}

impl Place {
    /// After a row.
    pub fn after(after: u64) -> Place {
        Place {
            after,
            ..Place::default()
        }
    }

    fn move_to(&mut self, row: u64) {
        if row > self.after {
            (self.after, self.failures) = (row, 0);
        }
    }
}

/// Why an archive was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error("it offers no archive ({0})")]
    NotOffered(OutboundError),
    #[error(transparent)]
    Host(#[from] OutboundError),
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error("its plan stands still at row {0}")]
    StandsStill(u64),
    #[error("its segment {0} is larger than a segment may be")]
    TooLarge(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Stopped {
    /// Whether the block itself can't be read, now or later.
    fn is_the_blocks(&self) -> bool {
        matches!(
            self,
            Stopped::Block(_) | Stopped::Host(OutboundError::Malformed { .. })
        )
    }
}

impl Archive {
    /// Runs until cancelled; asks nothing of a host whose stream is not v2.
    pub async fn run(self, cancel: CancellationToken) {
        let Some(base) = base(&self.stream) else {
            tracing::warn!(host = self.host, "a stream's address is none of an archive");
            return;
        };
        let reading = async { tokio::join!(self.discover(&base), self.mend(&base)) };
        tokio::select! {
            () = cancel.cancelled() => {}
            _ = reading => {}
        }
    }

    /// Meets all repos that have rows of ours, and looks for new rows again and again; from the
    /// beginning where another instance may answer.
    async fn discover(&self, base: &Url) {
        self.news.offered().await;
        let (mut place, mut elsewhere) = (Place::default(), self.news.times_elsewhere());
        loop {
            let times = self.news.times_elsewhere();
            if times != elsewhere {
                (place, elsewhere) = (Place::default(), times);
            }
            let read = self.read(base, &mut place, &mut Purpose::Discovery).await;
            let wait = match read {
                Ok(()) => {
                    place.failures = 0;
                    let every = self.pace.discover_every;
                    every.mul_f64(rand::random_range(0.8..1.0))
                }
                Err(problem) => self.wait_after(&problem, &mut place),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes the repos due at once that have rows in a gap of the stream; all others follow in
    /// their time.
    async fn mend(&self, base: &Url) {
        loop {
            let mut place = Place::after(self.news.next_gap().await);
            let mut purpose = Purpose::Gap(HashSet::new());
            while let Err(problem) = self.read(base, &mut place, &mut purpose).await {
                let wait = self.wait_after(&problem, &mut place);
                if matches!(problem, Stopped::NotOffered(_)) {
                    break;
                }
                tokio::time::sleep(wait).await;
            }
        }
    }

    fn wait_after(&self, problem: &Stopped, place: &mut Place) -> Duration {
        if matches!(problem, Stopped::NotOffered(_)) {
            tracing::info!(host = self.host, %problem, "the host has no archive for us");
            return ASKED_AGAIN;
        }
        let least = LEAST_WAIT.min(self.pace.discover_every);
        let mut wait = crate::backoff(place.failures, least, self.pace.discover_every);
        match problem {
            // It said when to come again.
            Stopped::Host(OutboundError::Resting { wait: rest, .. }) => wait = wait.max(*rest),
            _ => place.failures += 1,
        }
        metrics::counter!("plyr_archive_failures_total", "source" => self.host.clone())
            .increment(1);
        tracing::warn!(
            host = self.host, %problem, wait_seconds = wait.as_secs(),
            "an archive can't be read to its end"
        );
        wait
    }

    /// Reads what is archived above a place, which moves with what was read.
    pub(super) async fn read(
        &self,
        base: &Url,
        place: &mut Place,
        purpose: &mut Purpose,
    ) -> Result<(), Stopped> {
        let mut tip = None;
        for _ in 0..MOST_PAGES {
            let asked = self
                .outbound
                .plan_archive(base, &self.collections, place.after, tip);
            let plan = asked.await.map_err(|problem| match place.has_answered {
                // A passing refusal of a host that has an archive.
                true => Stopped::Host(problem),
                false => refusal(problem),
            })?;
            place.has_answered = true;
            if plan.sealed_tip < place.after {
                tracing::info!(
                    host = self.host,
                    "an archive ends before what was read of it: another instance answers"
                );
                *place = Place::default();
                return Ok(());
            }
            let tip = *tip.get_or_insert(plan.sealed_tip);
            let began = place.after;
            for segment in &plan.segments {
                let end = segment.last_row.min(plan.planned_through);
                self.read_segment(base, segment, place, end, purpose)
                    .await?;
                place.move_to(end);
            }
            place.move_to(plan.planned_through);
            if place.after >= tip {
                return Ok(());
            }
            if place.after == began {
                return Err(Stopped::StandsStill(began));
            }
            tokio::time::sleep(self.pace.page_pause).await;
        }
        Err(Stopped::StandsStill(place.after))
    }

    /// Reads a segment's blocks one by one, so that memory doesn't grow with segments; the place
    /// moves with each, up to `end`.
    async fn read_segment(
        &self,
        base: &Url,
        segment: &ArchiveSegment,
        place: &mut Place,
        end: u64,
        purpose: &mut Purpose,
    ) -> Result<(), Stopped> {
        let whole = [(0, MOST_ARCHIVE_BLOCKS - 1)];
        let ranges = segment.blocks.as_deref().unwrap_or(&whole);
        // Blocks overlap the rows that are asked for: those before are known.
        let (floor, mut bytes_read) = (place.after, 0);
        for number in ranges.iter().flat_map(|(first, last)| *first..=*last) {
            let asked = self.outbound.archive_block(base, &segment.name, number);
            let bytes = match asked.await {
                Err(problem) if is_past_the_last(&problem) => return Ok(()),
                bytes => bytes,
            };
            bytes_read += bytes.as_ref().map_or(0, Vec::len);
            let mut last = 0;
            match self.read_block(bytes) {
                Ok(block) => {
                    self.take(self.repos_of(&block, floor), purpose).await?;
                    last = block.rows().map(|row| row.number).max().unwrap_or(0);
                    place.move_to(last.min(end));
                }
                Err(problem) if problem.is_the_blocks() => {
                    self.pass_over(place, segment, number, problem)?;
                }
                Err(problem) => return Err(problem),
            }
            if last >= segment.last_row {
                return Ok(());
            }
            if bytes_read > LARGEST_SEGMENT {
                return Err(Stopped::TooLarge(segment.name.clone()));
            }
            tokio::time::sleep(self.pace.page_pause).await;
        }
        Ok(())
    }

    fn read_block(&self, bytes: Result<Vec<u8>, OutboundError>) -> Result<Block, Stopped> {
        let bytes = bytes?;
        metrics::counter!("plyr_archive_read_bytes_total", "source" => self.host.clone())
            .increment(bytes.len() as u64);
        Ok(Block::read(&bytes)?)
    }

    /// One block that nobody can read hides no other: its repos are left to the other ways. But it
    /// is asked for once more first, after a while: something on the way may have answered.
    fn pass_over(
        &self,
        place: &mut Place,
        segment: &ArchiveSegment,
        number: u64,
        problem: Stopped,
    ) -> Result<(), Stopped> {
        let is_known = place.broken.contains(&(segment.name.clone(), number));
        if !is_known && place.broken.len() < MOST_BROKEN {
            place.broken.insert((segment.name.clone(), number));
            return Err(problem);
        }
        metrics::counter!("plyr_archive_failures_total", "source" => self.host.clone())
            .increment(1);
        tracing::warn!(
            host = self.host, segment = segment.name, block = number, %problem,
            "a block of an archive is passed over"
        );
        Ok(())
    }

    fn repos_of(&self, block: &Block, floor: u64) -> Vec<Did> {
        let is_ours = |row: &Row<'_>| {
            let mut ours = self.collections.iter();
            row.is_record
                && row.number > floor
                && ours.any(|nsid| nsid.as_str().as_bytes() == row.collection)
        };
        let dids: HashSet<&[u8]> = block.rows().filter(is_ours).map(|row| row.did).collect();
        let read = |did: &[u8]| {
            let did: Option<Did> = std::str::from_utf8(did)
                .ok()
                .and_then(|did| did.parse().ok());
            if did.is_none() {
                tracing::debug!(host = self.host, "an archive has a row of what is no DID");
            }
            did
        };
        dids.into_iter().filter_map(read).collect()
    }

    async fn take(&self, dids: Vec<Did>, purpose: &mut Purpose) -> Result<(), StoreError> {
        let Purpose::Gap(told) = purpose else {
            return self.repos.meet(&dids, CAUSE).await.map(drop);
        };
        // Once a gap, however many blocks a repo has rows in.
        let new = |did: &Did| told.len() < MOST_TOLD && told.insert(did.clone());
        let new: Vec<Did> = dids.into_iter().filter(new).collect();
        self.repos.hurry(&new, CAUSE).await
    }
}

/// Where a host answers questions, from where it listens to streams.
fn base(stream: &Url) -> Option<Url> {
    let mut base = stream.clone();
    let scheme = match stream.scheme() {
        "wss" | "https" => "https",
        _ => "http",
    };
    base.set_scheme(scheme).ok()?;
    base.set_path("/");
    base.set_query(None);
    Some(base)
}

/// A refusal to plan says that there is no archive, or none for us.
fn refusal(problem: OutboundError) -> Stopped {
    match &problem {
        OutboundError::Status { status, detail, .. }
            if matches!(status, 401 | 403 | 404 | 405 | 501)
                || detail == "MethodNotImplemented" =>
        {
            Stopped::NotOffered(problem)
        }
        _ => Stopped::Host(problem),
    }
}

fn is_past_the_last(problem: &OutboundError) -> bool {
    match problem {
        OutboundError::Status { status, detail, .. } => *status == 404 && detail == "BlockNotFound",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_asked_where_its_stream_is() {
        for (stream, expected) in [
            ("wss://jetstream.example", "https://jetstream.example/"),
            ("ws://localhost:6008/some/path", "http://localhost:6008/"),
        ] {
            let base = base(&stream.parse().unwrap());
            assert_eq!(base.as_ref().map(Url::as_str), Some(expected));
        }
    }

    #[test]
    fn who_refuses_to_plan_has_no_archive_and_who_fails_is_asked_again() {
        let refused = |status, detail: &str| {
            refusal(OutboundError::Status {
                url: String::new(),
                status,
                detail: detail.to_owned(),
            })
        };
        for status in [401, 403, 404, 405, 501] {
            assert!(matches!(refused(status, ""), Stopped::NotOffered(_)));
        }
        assert!(matches!(
            refused(400, "MethodNotImplemented"),
            Stopped::NotOffered(_)
        ));
        for (status, detail) in [(400, "InvalidRequest"), (429, ""), (500, ""), (503, "")] {
            assert!(matches!(refused(status, detail), Stopped::Host(_)));
        }
    }
}
