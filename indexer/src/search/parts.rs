//! What following and building share: the store, the place of the indexes, and one step from the
//! log into an index.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use plyr_lexicons::Did;
use plyr_schemas::{CrashPoint, FaultHook, LogEntry, LogPosition, Store, StoreError};
use plyr_search::Place;
use tokio_util::sync::CancellationToken;

use super::KeepError;
use super::keep::Keeping;
use super::look::{Looked, Looker, Subjects};
use super::room::Room;
use super::steps;
use super::told::Told;

/// Entries taken in one go.
const AT_ONCE: usize = 1_000;

/// What following and building share.
pub(super) struct Parts {
    pub(super) store: Arc<dyn Store>,
    pub(super) place: Place,
    pub(super) room: Room,
    pub(super) looker: Looker,
    pub(super) told: Told,
    pub(super) fault: Option<FaultHook>,
    pub(super) cancel: CancellationToken,
}

/// What a step came to.
pub(super) enum Advanced {
    /// So many entries were taken in; with the head of the log, where it was asked for.
    By(usize, Option<LogPosition>),
    /// The log doesn't go on from where the index is.
    Gone,
}

/// What was read of the log.
enum Read {
    Entries(Vec<LogEntry>, Option<LogPosition>),
    Gone,
}

impl Parts {
    /// Passes a step at which a test may end the follower.
    pub(super) fn pass(&self, step: CrashPoint) -> Result<(), KeepError> {
        steps::pass(self.fault.as_ref(), step)
    }

    /// Waits for the store, unless the follower is to end.
    pub(super) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, KeepError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(KeepError::Ended),
            answer = question => Ok(answer?),
        }
    }

    /// Whether the log goes on from a position: nothing behind it was trimmed, and it was given out
    /// by this log.
    pub(super) async fn goes_on(&self, position: &LogPosition) -> Result<bool, KeepError> {
        let head = self.ask(self.store.log_head()).await?;
        if !head.covers(position) {
            return Ok(false);
        }
        Ok(matches!(self.read(position).await?, Read::Entries(..)))
    }

    async fn read(&self, position: &LogPosition) -> Result<Read, KeepError> {
        let entries = self.ask(self.store.log_after(position, AT_ONCE)).await?;
        if !follow(position, &entries) {
            return Ok(Read::Gone);
        }
        if !entries.is_empty() && entries.len() < AT_ONCE {
            return Ok(Read::Entries(entries, None));
        }
        let head = self.ask(self.store.log_head()).await?;
        if !entries.is_empty() || position.covers(&head) {
            return Ok(Read::Entries(entries, Some(head)));
        }
        // Below the head nothing is missing that hasn't expired.
        let entries = self.ask(self.store.log_after(position, AT_ONCE)).await?;
        let is_gone = entries.is_empty() || !follow(position, &entries);
        Ok(match is_gone {
            true => Read::Gone,
            false => Read::Entries(entries, Some(head)),
        })
    }

    /// Takes the next entries of the log into an index. Where the store fails the index stays as it
    /// was, or has documents that are newer than its position; where the index fails none is left.
    pub(super) async fn advance(&self, slot: &mut Option<Keeping>) -> Result<Advanced, KeepError> {
        let Some(keeping) = slot.as_mut() else {
            return Ok(Advanced::By(0, None));
        };
        let (entries, head) = match self.read(&keeping.position).await? {
            Read::Gone => return Ok(Advanced::Gone),
            Read::Entries(entries, head) => (entries, head),
        };
        if entries.is_empty() {
            if let Some(head) = &head {
                keeping.forget(head);
            }
            keeping.pass(&entries, false);
            return Ok(Advanced::By(0, head));
        }
        keeping.note(&entries);
        let subjects = Subjects::of(&self.looker.namespace, &entries);
        let mut seen = HashSet::new();
        let mut looked = self.ask(self.looker.look(subjects)).await?;
        self.pass(steps::READ)?;
        loop {
            seen.extend(looked.iter().map(|(subject, _)| subject.clone()));
            let others = self.write(slot, looked).await?;
            let others = others
                .into_iter()
                .filter(|did| !seen.contains(did.as_str()));
            let others: HashSet<Did> = others.collect();
            if others.is_empty() {
                break;
            }
            let mut subjects = Subjects::default();
            others.into_iter().for_each(|did| subjects.add_actor(did));
            looked = self.ask(self.looker.look(subjects)).await?;
        }
        if let Some(keeping) = slot {
            keeping.pass(&entries, entries.len() >= AT_ONCE);
        }
        self.pass(steps::WRITTEN)?;
        Ok(Advanced::By(entries.len(), head))
    }

    async fn write(
        &self,
        slot: &mut Option<Keeping>,
        looked: Vec<Looked>,
    ) -> Result<Vec<Did>, KeepError> {
        let Some(keeping) = slot.take() else {
            return Ok(Vec::new());
        };
        let (keeping, others) = keeping.written(looked).await?;
        *slot = Some(keeping);
        Ok(others)
    }

    /// Forgets streams that the log has no more, before a commit: after a restart their expiry
    /// would be taken for a loss.
    pub(super) async fn forget(&self, slot: &mut Option<Keeping>) -> Result<(), KeepError> {
        let Some(keeping) = slot.as_mut() else {
            return Ok(());
        };
        let head = self.ask(self.store.log_head()).await?;
        keeping.forget(&head);
        Ok(())
    }

    /// Commits an index.
    pub(super) async fn commit(&self, slot: &mut Option<Keeping>) -> Result<(), KeepError> {
        let Some(keeping) = slot.take() else {
            return Ok(());
        };
        *slot = Some(keeping.committed().await?);
        self.pass(steps::COMMITTED)
    }
}

/// Whether entries are the very next ones: of each stream the number after the last one seen.
fn follow(position: &LogPosition, entries: &[LogEntry]) -> bool {
    let mut position = position.clone();
    entries.iter().all(|entry| {
        let is_next = entry.number == position.of(&entry.stream) + 1;
        position.pass(entry);
        is_next
    })
}

#[cfg(test)]
mod tests {
    use plyr_schemas::LogSubject;

    use super::*;

    fn entry(stream: &str, number: u64) -> LogEntry {
        LogEntry {
            stream: stream.to_owned(),
            number,
            subject: LogSubject::Actor("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap()),
            written_at: 1,
        }
    }

    #[test]
    fn what_was_trimmed_shows_as_a_gap() {
        let position: LogPosition = "a.3_b.7".parse().unwrap();
        let whole = [entry("a", 4), entry("b", 8), entry("c", 1), entry("a", 5)];
        assert!(follow(&position, &whole));
        assert!(follow(&position, &[]));
        for gap in [entry("a", 5), entry("b", 9), entry("c", 2)] {
            assert!(!follow(&position, &[gap]));
        }
    }
}
