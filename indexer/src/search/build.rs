//! Building a new index beside the one that serves, from the store as it is, and then from the log
//! until it has caught up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_schemas::{FaultHook, LogPosition};
use plyr_search::{Building, Document, Index, SearchError, Writer, WriterBudget};
use tokio::sync::mpsc;

use super::KeepError;
use super::keep::Keeping;
use super::parts::{Advanced, Parts};
use super::room::bytes_in;
use super::scan::Scan;
use super::{blocking, let_go, steps};

/// Pages that are read ahead of the writer.
const PAGES: usize = 8;
/// How often its progress is logged.
const TOLD_EVERY: Duration = Duration::from_secs(5);
const LEAST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_secs(5);

/// An index that was built and serves nothing yet.
pub(super) struct Built {
    building: Building,
    pub(super) keeping: Option<Keeping>,
}

impl Built {
    /// Puts it in the place of the one that served, whose writer must be gone.
    pub(super) async fn serve(self) -> Result<(Index, Option<Keeping>), KeepError> {
        let Built { building, keeping } = self;
        let served = match blocking(move || building.serve()).await {
            Ok(served) => served,
            Err(problem) => {
                let_go(keeping).await?;
                return Err(problem);
            }
        };
        if let Some(problem) = served.left {
            tracing::warn!(%problem, "an older search index stays on disk until the next is built");
        }
        Ok((served.index, keeping))
    }

    /// Gives it up and frees its disk.
    pub(super) async fn discard(self) {
        let Built { building, keeping } = self;
        let removed = blocking(move || {
            drop(keeping);
            building.discard()
        });
        if let Err(problem) = removed.await {
            tracing::warn!(%problem, "what was built of a search index stays on disk for now");
        }
    }
}

/// Builds an index of everything the store holds, as of `head` or later, and follows the log with
/// it until there is no more than is taken in one go. Nothing of an earlier build is used. What
/// fails leaves nothing on disk.
pub(super) async fn build(parts: Arc<Parts>, head: LogPosition) -> Result<Built, KeepError> {
    // About as much as the one that serves.
    let serving = parts.told.live.serving();
    let bytes = serving.and_then(|index| bytes_in(index.folder()).ok());
    room(&parts, bytes.unwrap_or_default()).await?;
    let place = parts.place.clone();
    let building = blocking(move || place.build()).await?;
    if let Some(problem) = building.left() {
        tracing::warn!(%problem, "an older search index stays on disk");
    }
    let filled = fill(&parts, building.index(), head).await;
    let mut built = Built {
        building,
        keeping: None,
    };
    let caught_up = match filled {
        Ok(keeping) => {
            built.keeping = Some(keeping);
            catch_all_up(&parts, &mut built).await
        }
        Err(problem) => Err(problem),
    };
    match caught_up {
        Ok(()) => Ok(built),
        // It ends as a process does: what is there is swept away when the place is opened next.
        Err(KeepError::Ended) => {
            let_go(built).await?;
            Err(KeepError::Ended)
        }
        Err(problem) => {
            built.discard().await;
            Err(problem)
        }
    }
}

/// Writes everything the store holds into an empty index.
async fn fill(parts: &Arc<Parts>, index: &Index, head: LogPosition) -> Result<Keeping, KeepError> {
    let began = Instant::now();
    let empty = index.clone();
    let writer = blocking(move || empty.writer(WriterBudget::BULK)).await?;
    let (pages, received) = mpsc::channel(PAGES);
    let fault = parts.fault.clone();
    let adding = tokio::task::spawn_blocking(move || add_all(writer, received, fault.as_ref()));
    let read = read_all(parts, pages).await;
    let added = adding.await;
    let writer = added.map_err(|problem| KeepError::Broken(problem.to_string()))??;
    let documents = match read {
        Ok(documents) => documents,
        Err(problem) => {
            let_go(writer).await?;
            return Err(problem);
        }
    };
    let position = head.to_string();
    blocking(move || finish(writer, &position)).await?;
    compact(parts, index).await?;
    let seconds = began.elapsed().as_secs_f64();
    tracing::info!(documents, seconds, "a search index is built");
    parts.pass(steps::BUILT)?;
    Keeping::open(index.clone(), head).await
}

/// Makes one segment of an index that is built, where there is room: it is whole without that, and
/// only slower.
async fn compact(parts: &Parts, index: &Index) -> Result<(), KeepError> {
    if parts.cancel.is_cancelled() {
        return Err(KeepError::Ended);
    }
    let bytes = bytes_in(index.folder()).unwrap_or_default();
    if let Some(reason) = parts.room.lacks(bytes) {
        tracing::warn!(
            reason,
            "the search index stays in parts; searches take longer"
        );
        return Ok(());
    }
    let built = index.clone();
    if let Err(problem) = blocking(move || built.compact()).await {
        tracing::warn!(%problem, "the search index stays in parts; searches take longer");
    }
    Ok(())
}

async fn catch_all_up(parts: &Parts, built: &mut Built) -> Result<(), KeepError> {
    loop {
        catch_up(parts, built).await?;
        let keeping = built.keeping.as_ref();
        if keeping.is_none_or(|keeping| !keeping.has_more) {
            return Ok(());
        }
    }
}

/// Waits until the store would write, and the disk has room: one that is full isn't filled further.
async fn room(parts: &Parts, bytes: u64) -> Result<(), KeepError> {
    let mut failures = 0;
    loop {
        let refused = parts.store.writable().err();
        let refused = refused.map(|problem| problem.to_string());
        let Some(problem) = refused.or_else(|| parts.room.lacks(bytes)) else {
            break;
        };
        wait(parts, problem, &mut failures).await?;
    }
    if failures > 0 {
        parts.told.build_goes_on();
    }
    Ok(())
}

/// Takes the next entries of the log into what was built, and commits them; answers how many.
pub(super) async fn catch_up(parts: &Parts, built: &mut Built) -> Result<usize, KeepError> {
    let mut failures = 0;
    loop {
        match parts.advance(&mut built.keeping).await {
            Ok(Advanced::By(entries, _)) => {
                parts.told.build_goes_on();
                parts.commit(&mut built.keeping).await?;
                return Ok(entries);
            }
            Ok(Advanced::Gone) => return Err(KeepError::Overtaken),
            Err(KeepError::Store(problem)) if problem.is_passing() => {
                wait(parts, problem.to_string(), &mut failures).await?;
            }
            Err(problem) => return Err(problem),
        }
    }
}

fn finish(mut writer: Writer, position: &str) -> Result<(), SearchError> {
    writer.commit(position)?;
    writer.finish()
}

/// Reads the whole store into a channel; answers how many documents it has. Errors of the store
/// that pass are waited for: a scan of a cluster may take an hour.
async fn read_all(parts: &Parts, pages: mpsc::Sender<Vec<Document>>) -> Result<u64, KeepError> {
    let whole = parts.ask(parts.store.whole()).await?;
    let mut scan = Scan::new();
    let (mut documents, mut failures, mut told) = (0, 0, Instant::now());
    loop {
        // What is built may be what fills the disk: then it goes, so that the store can write.
        if documents > 0
            && let Some(reason) = parts.room.lacks(0)
        {
            return Err(KeepError::NoRoom(reason));
        }
        room(parts, 0).await?;
        let page = scan.next(&parts.looker, whole.as_ref());
        let page = match parts.ask(page).await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(documents),
            Err(KeepError::Store(problem)) if problem.is_passing() => {
                wait(parts, problem.to_string(), &mut failures).await?;
                continue;
            }
            Err(problem) => return Err(problem),
        };
        failures = 0;
        documents += page.len() as u64;
        // Whoever adds has ended with an error of its own.
        if pages.send(page).await.is_err() {
            return Ok(documents);
        }
        parts.told.has_built(documents);
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            tracing::info!(documents, "building a search index");
        }
        // The embedded engine answers without ever waiting: others want to run too.
        tokio::task::yield_now().await;
    }
}

async fn wait(parts: &Parts, problem: String, failures: &mut u32) -> Result<(), KeepError> {
    parts.told.build_waits(problem);
    let wait = crate::backoff(*failures, LEAST_WAIT, MOST_WAIT);
    *failures += 1;
    tokio::select! {
        () = parts.cancel.cancelled() => Err(KeepError::Ended),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}

fn add_all(
    mut writer: Writer,
    mut pages: mpsc::Receiver<Vec<Document>>,
    fault: Option<&FaultHook>,
) -> Result<Writer, KeepError> {
    while let Some(page) = pages.blocking_recv() {
        for document in &page {
            writer.add(document)?;
        }
        steps::pass(fault, steps::ADDED)?;
    }
    Ok(writer)
}
