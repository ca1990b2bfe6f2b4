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

/// What a repo is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be met, if it never was.
    Discovery,
    /// To be visited at once, known or not.
    Gap,
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

    /// Meets all repos that have rows of ours, and looks for new rows again and again.
    async fn discover(&self, base: &Url) {
        self.news.offered().await;
        let (mut after, mut failures) = (0, 0);
        loop {
            let read = self.read(base, &mut after, Purpose::Discovery).await;
            let wait = match read {
                Ok(()) => {
                    failures = 0;
                    let every = self.pace.discover_every;
                    every.mul_f64(rand::random_range(0.8..1.0))
                }
                Err(problem) => self.wait_after(&problem, &mut failures),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes the repos due at once that have rows in a gap of the stream; all others follow in
    /// their time.
    async fn mend(&self, base: &Url) {
        loop {
            let mut after = self.news.next_gap().await;
            let mut failures = 0;
            while let Err(problem) = self.read(base, &mut after, Purpose::Gap).await {
                let wait = self.wait_after(&problem, &mut failures);
                if matches!(problem, Stopped::NotOffered(_)) {
                    break;
                }
                tokio::time::sleep(wait).await;
            }
        }
    }

    fn wait_after(&self, problem: &Stopped, failures: &mut u32) -> Duration {
        if matches!(problem, Stopped::NotOffered(_)) {
            tracing::info!(host = self.host, %problem, "the host has no archive for us");
            return ASKED_AGAIN;
        }
        let least = LEAST_WAIT.min(self.pace.discover_every);
        let wait = crate::backoff(*failures, least, self.pace.discover_every);
        *failures += 1;
        metrics::counter!("plyr_archive_failures_total", "source" => self.host.clone())
            .increment(1);
        tracing::warn!(
            host = self.host, %problem, wait_seconds = wait.as_secs(),
            "an archive can't be read to its end"
        );
        wait
    }

    /// Reads what is archived above row `after`, which moves with what was read.
    pub(super) async fn read(
        &self,
        base: &Url,
        after: &mut u64,
        purpose: Purpose,
    ) -> Result<(), Stopped> {
        let mut tip = None;
        for _ in 0..MOST_PAGES {
            let asked = self
                .outbound
                .plan_archive(base, &self.collections, *after, tip);
            let plan = asked.await.map_err(refusal)?;
            if plan.sealed_tip < *after {
                tracing::info!(
                    host = self.host,
                    "an archive ends before what was read of it: another instance answers"
                );
                *after = 0;
                return Ok(());
            }
            let tip = *tip.get_or_insert(plan.sealed_tip);
            let began = *after;
            for segment in &plan.segments {
                let end = segment.last_row.min(plan.planned_through);
                self.read_segment(base, segment, after, end, purpose)
                    .await?;
                *after = end.max(*after);
            }
            *after = plan.planned_through.max(*after);
            if *after >= tip {
                return Ok(());
            }
            if *after == began {
                return Err(Stopped::StandsStill(began));
            }
            tokio::time::sleep(self.pace.page_pause).await;
        }
        Err(Stopped::StandsStill(*after))
    }

    /// Reads a segment's blocks one by one, so that memory doesn't grow with segments; `after`
    /// moves with each, up to `end`.
    async fn read_segment(
        &self,
        base: &Url,
        segment: &ArchiveSegment,
        after: &mut u64,
        end: u64,
        purpose: Purpose,
    ) -> Result<(), Stopped> {
        let whole = [(0, MOST_ARCHIVE_BLOCKS - 1)];
        let ranges = segment.blocks.as_deref().unwrap_or(&whole);
        // Blocks overlap the rows that are asked for: those before are known.
        let floor = *after;
        for number in ranges.iter().flat_map(|(first, last)| *first..=*last) {
            let asked = self.outbound.archive_block(base, &segment.name, number);
            let bytes = match asked.await {
                Err(problem) if is_past_the_last(&problem) => return Ok(()),
                bytes => bytes,
            };
            match self.read_block(bytes) {
                Ok(block) => {
                    self.take(self.repos_of(&block, floor), purpose).await?;
                    let last = block.rows().map(|row| row.number).max();
                    *after = last.unwrap_or(0).min(end).max(*after);
                }
                Err(problem) if problem.is_the_blocks() => {
                    self.pass_over(segment, number, &problem);
                }
                Err(problem) => return Err(problem),
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

    /// One block that nobody can read hides no other: its repos are left to the other ways.
    fn pass_over(&self, segment: &ArchiveSegment, number: u64, problem: &Stopped) {
        metrics::counter!("plyr_archive_failures_total", "source" => self.host.clone())
            .increment(1);
        tracing::warn!(
            host = self.host, segment = segment.name, block = number, %problem,
            "a block of an archive is passed over"
        );
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

    async fn take(&self, dids: Vec<Did>, purpose: Purpose) -> Result<(), StoreError> {
        match purpose {
            Purpose::Discovery => self.repos.meet(dids, CAUSE).await,
            Purpose::Gap => self.repos.hurry(&dids, CAUSE).await,
        }
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
