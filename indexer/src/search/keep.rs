//! An index that is kept: what its last commit covers, what was written since, and when to commit.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use plyr_lexicons::Did;
use plyr_schemas::{LogEntry, LogPosition, Micros};
use plyr_search::{Document, Index, Kind, SearchError, Writer, WriterBudget};

use super::KeepError;
use super::blocking;
use super::look::Looked;

/// Between two commits while entries keep coming.
const OFTEN: Duration = Duration::from_millis(250);
/// The same while there are more entries than are taken in one go: a commit takes its time.
const SELDOM: Duration = Duration::from_secs(2);
/// Entries that a restart reads again at most though they changed nothing.
const MOST_UNCOVERED: u64 = 10_000;
/// How long a restart would read such entries again.
const LONGEST_UNCOVERED: Duration = Duration::from_secs(60);
/// Actors of one name that are looked at again when somebody takes it.
const MOST_OF_A_NAME: usize = 1_000;

/// An index that is kept, or one that only serves: the log doesn't go on from what it covers.
pub(super) struct Keeping {
    pub(super) index: Index,
    /// None where nothing is written: the log is followed for who is hidden alone.
    writer: Option<Writer>,
    /// Everything up to here was read, and written where it changed something.
    pub(super) position: LogPosition,
    /// The position of the last commit.
    covered: LogPosition,
    /// Fingerprints written since the last commit; none for a delete.
    pending: HashMap<String, Option<u64>>,
    /// Handles looked at since the last commit, with whose they were.
    handles: HashMap<String, BTreeSet<String>>,
    /// Whether something was written since entries were passed.
    has_written: bool,
    /// Entries that were read and are looked at, and when the first of them was written.
    noted: Option<(u64, Micros)>,
    uncovered: Uncovered,
    committed_at: Option<Instant>,
    /// Whether the last read found more than it took.
    pub(super) has_more: bool,
}

/// Entries that the last commit doesn't cover.
#[derive(Default)]
struct Uncovered {
    entries: u64,
    since: Option<Instant>,
    /// When the first of them was written.
    first: Option<Micros>,
    /// When those were written that came with a change.
    written_at: Vec<Micros>,
}

impl Keeping {
    /// Goes on with an index from the position of its last commit.
    pub(super) async fn open(index: Index, position: LogPosition) -> Result<Keeping, KeepError> {
        blocking(move || {
            let writer = index.writer(WriterBudget::LIVE)?;
            Ok(Keeping::with(index, Some(writer), position))
        })
        .await
    }

    /// Only reads the log from a position, for an index that can't be kept. Its answers cover what
    /// its own last commit does, as far as known.
    pub(super) fn unwritten(
        index: Index,
        covered: Option<LogPosition>,
        position: LogPosition,
    ) -> Keeping {
        let mut keeping = Keeping::with(index, None, position);
        keeping.covered = covered.unwrap_or_default();
        keeping
    }

    fn with(index: Index, writer: Option<Writer>, position: LogPosition) -> Keeping {
        Keeping {
            index,
            writer,
            covered: position.clone(),
            position,
            pending: HashMap::new(),
            handles: HashMap::new(),
            has_written: false,
            noted: None,
            uncovered: Uncovered::default(),
            committed_at: None,
            has_more: false,
        }
    }

    /// Whether the index is written to.
    pub(super) fn is_written(&self) -> bool {
        self.writer.is_some()
    }

    /// The position that answers cover.
    pub(super) fn answers(&self) -> &LogPosition {
        match self.is_behind() {
            true => &self.covered,
            false => &self.position,
        }
    }

    /// Whether entries were passed that answers don't cover: they changed something, or nothing is
    /// written at all.
    fn is_behind(&self) -> bool {
        self.writer.is_none() || !self.pending.is_empty()
    }

    /// Entries up to a head of the log that answers don't cover, and when the first of them that
    /// was read was written.
    pub(super) fn behind(&self, head: &LogPosition) -> (u64, Option<Micros>) {
        let (passed, first) = match self.is_behind() {
            true => (self.uncovered.entries, self.uncovered.first),
            false => (0, None),
        };
        // What is noted lies below the head, if the head was asked for since.
        let noted = self.noted.map_or(0, |(entries, _)| entries);
        let first = first.or(self.noted.map(|(_, first)| first));
        (passed + noted.max(self.unread(head)), first)
    }

    /// Notes entries that were read, until they are passed: looking at them may fail.
    pub(super) fn note(&mut self, entries: &[LogEntry]) {
        let first = entries.first();
        self.noted = first.map(|first| (entries.len() as u64, first.written_at));
    }

    /// When the next commit is due; none while there is nothing to commit.
    pub(super) fn commit_at(&self) -> Option<Instant> {
        let since = self.uncovered.since?;
        if !self.pending.is_empty() {
            let between = if self.has_more { SELDOM } else { OFTEN };
            return Some(self.committed_at.map_or(since, |last| last + between));
        }
        let is_much = self.uncovered.entries >= MOST_UNCOVERED;
        Some(if is_much {
            since
        } else {
            since + LONGEST_UNCOVERED
        })
    }

    /// Writes what was looked at, where it is another than the index holds. Answers also who else
    /// goes by the handle of an actor that was looked at: whose it was before is told by no entry.
    /// What goes wrong takes the writer with it.
    pub(super) async fn written(
        mut self,
        looked: Vec<Looked>,
    ) -> Result<(Keeping, Vec<Did>), KeepError> {
        if self.writer.is_none() {
            return Ok((self, Vec::new()));
        }
        blocking(move || {
            let others = self.write(looked)?;
            Ok((self, others))
        })
        .await
    }

    fn write(&mut self, looked: Vec<Looked>) -> Result<Vec<Did>, SearchError> {
        let Some(writer) = &mut self.writer else {
            return Ok(Vec::new());
        };
        let searcher = self.index.searcher();
        let mut others = Vec::new();
        for (subject, document) in looked {
            if let Some(handle) = document.as_ref().and_then(handle_of) {
                let pending = self.handles.entry(handle.to_owned()).or_default();
                others.extend(searcher.actors_called(handle, MOST_OF_A_NAME)?);
                others.extend(pending.iter().cloned());
                others.retain(|did| *did != subject);
                pending.insert(subject.clone());
            }
            let now = document.as_ref().map(Document::fingerprint);
            let held = match self.pending.get(&subject) {
                Some(held) => *held,
                None => searcher.fingerprint(&subject)?,
            };
            if held == now {
                continue;
            }
            match &document {
                Some(document) => writer.put(document)?,
                None => writer.delete(&subject),
            }
            self.has_written = true;
            self.pending.insert(subject, now);
        }
        Ok(others
            .into_iter()
            .filter_map(|did| Did::new(did).ok())
            .collect())
    }

    /// Moves on past entries whose subjects were written. `has_more` says whether more entries
    /// wait.
    pub(super) fn pass(&mut self, entries: &[LogEntry], has_more: bool) {
        self.has_more = has_more;
        self.noted = None;
        let Some(first) = entries.first() else { return };
        for entry in entries {
            self.position.pass(entry);
        }
        let uncovered = &mut self.uncovered;
        uncovered.entries += entries.len() as u64;
        uncovered.first.get_or_insert(first.written_at);
        if self.writer.is_none() {
            return;
        }
        uncovered.since.get_or_insert_with(Instant::now);
        if std::mem::take(&mut self.has_written) {
            let written_at = entries.iter().map(|entry| entry.written_at);
            uncovered.written_at.extend(written_at);
        }
    }

    /// Commits what was written, with the position it covers. What goes wrong takes the writer with
    /// it; what was not committed is read again then.
    pub(super) async fn committed(mut self) -> Result<Keeping, KeepError> {
        if self.writer.is_none() || self.uncovered.since.is_none() {
            return Ok(self);
        }
        let keeping = blocking(move || {
            if let Some(writer) = &mut self.writer {
                writer.commit(&self.position.to_string())?;
            }
            Ok(self)
        });
        let mut keeping = keeping.await?;
        keeping.covered = keeping.position.clone();
        keeping.committed_at = Some(Instant::now());
        keeping.pending.clear();
        keeping.handles.clear();
        let now = crate::now();
        for written_at in std::mem::take(&mut keeping.uncovered).written_at {
            let waited = u64::try_from(now - written_at).unwrap_or(0);
            metrics::histogram!("plyr_searchable_latency_seconds")
                .record(Duration::from_micros(waited));
        }
        Ok(keeping)
    }

    /// Forgets streams that the log has no more, once everything up to its head was read.
    pub(super) fn forget(&mut self, head: &LogPosition) {
        if self.position.covers(head) {
            self.position.retain(|stream| head.of(stream) > 0);
        }
    }

    /// Entries up to a head of the log that weren't read yet.
    fn unread(&self, head: &LogPosition) -> u64 {
        let unread = head
            .iter()
            .map(|(stream, number)| number.saturating_sub(self.position.of(stream)));
        unread.sum()
    }
}

fn handle_of(document: &Document) -> Option<&str> {
    match document.kind {
        Kind::Artist => document.handle.as_deref(),
        _ => None,
    }
}
