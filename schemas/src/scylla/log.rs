//! The log: this process's stream, and reading all streams.

use plyr_lexicons::{Did, RecordUri};
use tokio::sync::{Mutex, watch};

use super::cells::corrupt;
use super::cql::{Cql, Write, all, write};
use super::statements::Statement::{ReadLog, ReadStreams};
use crate::log::LogPosition;
use crate::model::{LogEntry, LogSubject};
use crate::store::StoreError;

/// Entries of one partition.
const BUCKET: u64 = 10_000;

/// This process's stream. Registered before its first entry; one batch in flight.
pub struct LogWriter {
    pub stream: String,
    state: Mutex<State>,
    head: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    head: u64,
    registered: bool,
    /// Entries that are numbered and not acknowledged, those of one call at most: what wrote them
    /// failed, or was dropped meanwhile. They go first next time.
    unwritten: Vec<Write>,
}

/// A stream as registered.
pub struct Stream {
    pub name: String,
    /// All entries up to here are acknowledged; there may be more.
    pub head: u64,
    /// Up to here counts and sweeps have followed.
    pub settled: u64,
}

impl LogWriter {
    /// A new stream, identified at random.
    pub fn new() -> LogWriter {
        LogWriter {
            stream: format!("{:016x}", rand::random::<u64>()),
            state: Mutex::new(State::default()),
            head: watch::channel(0).0,
        }
    }

    /// Tells when this process writes.
    pub fn heads(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// The number of the newest entry.
    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// Appends entries, after those that an earlier call left; acknowledged when it returns. While
    /// those can't be written nothing new gets a number: who hands it in is told, and does again.
    pub async fn append(&self, cql: &Cql, subjects: &[LogSubject]) -> Result<(), StoreError> {
        self.append_by(|writes| cql.write(writes), subjects).await
    }

    async fn append_by<F>(
        &self,
        write: impl Fn(Vec<Write>) -> F,
        subjects: &[LogSubject],
    ) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        let mut state = self.state.lock().await;
        if state.head > self.head() {
            self.write_numbered(&write, &mut state).await?;
        }
        if subjects.is_empty() {
            return Ok(());
        }
        let now = super::now();
        let stream = self.stream.as_str();
        for subject in subjects {
            state.head += 1;
            let subject = match subject {
                LogSubject::Record(uri) => uri.to_string(),
                LogSubject::Actor(did) => did.as_str().to_owned(),
            };
            let (number, bucket) = (state.head as i64, (state.head / BUCKET) as i64);
            let entry = write!(WriteLog; stream, bucket, number, subject, now, now);
            state.unwritten.push(entry);
        }
        self.write_numbered(&write, &mut state).await
    }

    async fn write_numbered<F>(
        &self,
        write: impl Fn(Vec<Write>) -> F,
        state: &mut State,
    ) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        let stream = self.stream.as_str();
        if !state.registered {
            let register = write!(WriteStream; 0i32, stream, 0i64, 1i64);
            write(vec![register]).await?;
            state.registered = true;
        }
        write(state.unwritten.clone()).await?;
        state.unwritten.clear();
        write(vec![self.named(state.head)]).await?;
        self.head.send_replace(state.head);
        Ok(())
    }

    /// Says how far the stream goes. Stamped with its number: it can't go back.
    fn named(&self, head: u64) -> Write {
        let head = head as i64;
        write!(WriteStream; 0i32, self.stream.as_str(), head, 1 + head)
    }

    /// Names the stream again, once it has entries: as long as its process lives it doesn't expire,
    /// however long nothing is written. Who follows a log forgets a stream that is gone from it, and
    /// would miss the entries before the one with which it comes back.
    pub fn named_again(&self) -> Option<Write> {
        let head = self.head();
        (head > 0).then(|| self.named(head))
    }

    /// Writes the entries that earlier calls left: whoever wanted them may not come again.
    pub async fn write_left(&self, cql: &Cql) -> Result<(), StoreError> {
        let is_left = {
            let state = self.state.lock().await;
            state.head > self.head()
        };
        if is_left {
            self.append(cql, &[]).await?;
        }
        Ok(())
    }
}

/// The streams there are.
pub async fn streams(cql: &Cql) -> Result<Vec<Stream>, StoreError> {
    let rows: Vec<(String, Option<i64>, Option<i64>)> =
        cql.read(ReadStreams, (0i32,), usize::MAX).await?;
    let number = |number: Option<i64>| u64::try_from(number.unwrap_or(0)).unwrap_or(0);
    let stream = |(name, head, settled)| Stream {
        name,
        head: number(head),
        settled: number(settled),
    };
    Ok(rows.into_iter().map(stream).collect())
}

fn entry(
    stream: &Stream,
    (number, subject, written_at): (i64, String, i64),
) -> Result<LogEntry, StoreError> {
    let subject = match subject.parse::<RecordUri>() {
        Ok(uri) => LogSubject::Record(uri),
        Err(_) => LogSubject::Actor(Did::new(subject).map_err(|p| corrupt("LOG", p))?),
    };
    Ok(LogEntry {
        stream: stream.name.clone(),
        number: number as u64,
        subject,
        written_at,
    })
}

/// Entries of one stream after a number, in order and without gaps above the stream's head: what
/// stands behind a gap was never acknowledged. Below the head a gap is what has expired.
pub async fn entries(
    cql: &Cql,
    stream: &Stream,
    after: u64,
    limit: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let (mut entries, mut last) = (Vec::new(), after);
    let mut bucket = (after + 1) / BUCKET;
    loop {
        let key = (stream.name.as_str(), bucket as i64, last as i64);
        let rows = cql.read(ReadLog, key, limit - entries.len()).await?;
        let mut whole = true;
        for row in rows {
            let entry = entry(stream, row)?;
            if entry.number != last + 1 && entry.number > stream.head {
                whole = false;
                break;
            }
            last = entry.number;
            entries.push(entry);
        }
        bucket += 1;
        let more = bucket <= stream.head / BUCKET || (last + 1) / BUCKET == bucket;
        if !whole || entries.len() >= limit || !more {
            return Ok(entries);
        }
    }
}

/// Entries of all streams that a position hasn't seen.
pub async fn after(
    cql: &Cql,
    position: &LogPosition,
    limit: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let streams = streams(cql).await?;
    let entries = all(streams
        .iter()
        .map(|stream| entries(cql, stream, position.of(&stream.name), limit)))
    .await?;
    let mut entries: Vec<LogEntry> = entries.into_iter().flatten().collect();
    // Roughly as they were written; each stream stays in order.
    entries.sort_by(|one, two| {
        (one.written_at, &one.stream, one.number).cmp(&(two.written_at, &two.stream, two.number))
    });
    in_order(&mut entries);
    entries.truncate(limit);
    Ok(entries)
}

/// A writer's clock may have gone back between two entries: their order is that of their numbers.
fn in_order(entries: &mut [LogEntry]) {
    let mut numbers = std::collections::HashMap::<String, Vec<(u64, LogEntry)>>::new();
    for entry in entries.iter() {
        let of_stream = numbers.entry(entry.stream.clone()).or_default();
        of_stream.push((entry.number, entry.clone()));
    }
    for of_stream in numbers.values_mut() {
        of_stream.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    }
    for entry in entries {
        if let Some((_, next)) = numbers.get_mut(&entry.stream).and_then(Vec::pop) {
            *entry = next;
        }
    }
}

/// The position past the newest entries of all streams.
pub async fn head(cql: &Cql) -> Result<LogPosition, StoreError> {
    let streams = streams(cql).await?;
    let newest = all(streams.iter().map(|stream| async {
        let above = entries(cql, stream, stream.head, usize::MAX).await?;
        Ok(above.last().map_or(stream.head, |entry| entry.number))
    }))
    .await?;
    let mut position = LogPosition::default();
    for (stream, newest) in streams.iter().zip(newest) {
        position.advance(&stream.name, newest);
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use scylla::value::CqlValue;

    use super::*;
    use crate::scylla::statements::Statement::WriteLog;

    fn number(write: &Write) -> Option<&CqlValue> {
        write.values.get(2).filter(|_| write.statement == WriteLog)
    }

    #[tokio::test]
    async fn a_stream_is_named_again_with_the_number_of_its_newest_entry() -> Result<(), StoreError>
    {
        let log = LogWriter::new();
        assert!(log.named_again().is_none());
        let subject = "at://did:plc:a/fm.plyr.track/one";
        let subjects: Vec<LogSubject> = LogSubject::liked(subject).into_iter().collect();
        let last = RefCell::new(None);
        let write = |writes: Vec<Write>| {
            last.replace(writes.into_iter().next_back());
            std::future::ready(Ok(()))
        };
        for _ in 0..2 {
            log.append_by(write, &subjects).await?;
        }
        let again = log
            .named_again()
            .map(|write| (write.statement, write.values));
        let told = last.take().map(|write| (write.statement, write.values));
        assert_eq!(again, told);
        let values = again.map(|(_, values)| values).unwrap_or_default();
        assert_eq!(
            values.get(2..),
            Some(&[CqlValue::BigInt(2), CqlValue::BigInt(3)][..])
        );
        Ok(())
    }

    #[tokio::test]
    async fn while_entries_cannot_be_written_no_more_are_numbered() -> Result<(), StoreError> {
        let (log, fails) = (LogWriter::new(), Cell::new(true));
        let (written, most) = (RefCell::new(Vec::new()), Cell::new(0));
        let write = |writes: Vec<Write>| {
            most.set(most.get().max(writes.len()));
            let is_entry = writes.iter().any(|write| number(write).is_some());
            let answer = match is_entry && fails.get() {
                true => Err(StoreError::Closed),
                false => Ok(()),
            };
            if answer.is_ok() {
                let numbers = writes.iter().filter_map(number).cloned();
                written.borrow_mut().extend(numbers);
            }
            std::future::ready(answer)
        };
        let subject = "at://did:plc:a/fm.plyr.track/one";
        let subjects: Vec<LogSubject> = LogSubject::liked(subject).into_iter().collect();
        for _ in 0..10 {
            assert!(log.append_by(write, &subjects).await.is_err());
        }
        assert_eq!(log.head(), 0);
        fails.set(false);
        log.append_by(write, &subjects).await?;
        assert_eq!(log.head(), 2);
        let expected = [CqlValue::BigInt(1), CqlValue::BigInt(2)];
        assert_eq!(*written.borrow(), expected);
        assert_eq!(most.get(), 1);
        Ok(())
    }
}
