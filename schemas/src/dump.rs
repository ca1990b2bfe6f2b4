//! The dump: what the network determines of a store, as canonical NDJSON. Two stores that know the
//! same network give the same bytes. Sorted on disk, so that memory stays flat.

use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use plyr_lexicons::{SortAt, data};
use serde_json::json;

use crate::model::Record;
use crate::store::{Snapshot, StoreError};
use crate::unhidden::Unhidden;

/// Rows read at a time.
const PAGE: usize = 500;
/// Bytes of lines that are sorted in memory.
const RUN: usize = 32 << 20;

/// Why a dump could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output, or the scratch files beside the store.
    #[error("the dump can't be written: {0}; make room or choose another place")]
    Io(#[from] std::io::Error),
    /// A kept record can't be read.
    #[error("{uri} can't be read: {detail}")]
    Record {
        /// Which.
        uri: String,
        /// Why.
        detail: String,
    },
}

/// Writes every record that isn't deleted, of accounts that show, and every subject's counts; one
/// JSON object a line, keys sorted, lines sorted. Answers how many lines.
pub async fn dump(
    snapshot: &dyn Snapshot,
    out: &mut (dyn Write + Send),
    scratch: &Path,
) -> Result<u64, DumpError> {
    let mut lines = Lines::new(scratch);
    add_shown(snapshot, &mut lines).await?;
    Ok(lines.write(out)?)
}

/// The lines of a dump. The operator's hides are no part of the network: what is hidden is in it,
/// and counted.
pub(crate) async fn add_shown<S: Snapshot + ?Sized>(
    snapshot: &S,
    lines: &mut Lines<'_>,
) -> Result<(), DumpError> {
    let mut unhidden = Unhidden::read(snapshot).await?;
    let mut after = None;
    loop {
        let records = snapshot.all_records(after.as_ref(), PAGE).await?;
        let dids: Vec<_> = records
            .iter()
            .map(|record| record.uri.did.clone())
            .collect();
        let are_visible = unhidden.are_visible(snapshot, &dids).await?;
        let shown = records.iter().zip(are_visible);
        let shown: Vec<&Record> = shown
            .filter_map(|(record, is_visible)| is_visible.then_some(record))
            .collect();
        for record in &shown {
            lines.add(line(record)?)?;
        }
        unhidden.count(snapshot, &shown).await?;
        match records.last() {
            Some(last) if records.len() == PAGE => after = Some(last.uri.clone()),
            _ => break,
        }
    }
    let mut after: Option<String> = None;
    loop {
        let counts = snapshot.all_counts(after.as_deref(), PAGE).await?;
        for (subject, counts) in &counts {
            let (likes, comments) = unhidden.counts.remove(subject).unwrap_or_default();
            add_counts(
                lines,
                subject,
                counts.likes + likes,
                counts.comments + comments,
            )?;
        }
        match counts.last() {
            Some((subject, _)) if counts.len() == PAGE => after = Some(subject.clone()),
            _ => break,
        }
    }
    for (subject, (likes, comments)) in unhidden.counts {
        add_counts(lines, &subject, likes, comments)?;
    }
    Ok(())
}

fn add_counts(
    lines: &mut Lines<'_>,
    subject: &str,
    likes: u64,
    comments: u64,
) -> Result<(), DumpError> {
    if likes + comments > 0 {
        let row = json!({ "commentCount": comments, "likeCount": likes, "subject": subject });
        lines.add(row.to_string())?;
    }
    Ok(())
}

/// The line of a record. `serde_json` keeps an object's keys sorted.
fn line(record: &Record) -> Result<String, DumpError> {
    let uri = record.uri.to_string();
    let value = data::from_cbor(&record.bytes).map_err(|problem| DumpError::Record {
        uri: uri.clone(),
        detail: problem.to_string(),
    })?;
    let row = json!({
        "cid": record.cid.to_string(),
        "sortAt": SortAt::of(&value, record.uri.rkey.as_str()).to_string(),
        "uri": uri,
        "value": data::to_json(&value),
        "verdict": record.judgement.verdict.as_str(),
    });
    Ok(row.to_string())
}

/// Lines sorted in runs, the runs merged.
pub(crate) struct Lines<'a> {
    scratch: &'a Path,
    buffer: Vec<String>,
    bytes: usize,
    runs: Vec<std::fs::File>,
}

impl Lines<'_> {
    pub(crate) fn new(scratch: &Path) -> Lines<'_> {
        Lines {
            scratch,
            buffer: Vec::new(),
            bytes: 0,
            runs: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, line: String) -> std::io::Result<()> {
        self.bytes += line.len();
        self.buffer.push(line);
        if self.bytes < RUN {
            return Ok(());
        }
        self.buffer.sort_unstable();
        let mut run = BufWriter::new(tempfile::tempfile_in(self.scratch)?);
        for line in self.buffer.drain(..) {
            writeln!(run, "{line}")?;
        }
        let mut run = run
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        run.rewind()?;
        self.runs.push(run);
        self.bytes = 0;
        Ok(())
    }

    pub(crate) fn write(mut self, out: &mut (dyn Write + Send)) -> std::io::Result<u64> {
        self.buffer.sort_unstable();
        let mut out = BufWriter::with_capacity(256 << 10, out);
        let rest = self.buffer.into_iter().map(Ok);
        let mut sources: Vec<Box<dyn Iterator<Item = std::io::Result<String>>>> =
            vec![Box::new(rest)];
        for run in self.runs {
            sources.push(Box::new(BufReader::new(run).lines()));
        }
        let mut heads = Vec::new();
        for source in &mut sources {
            heads.push(source.next().transpose()?);
        }
        let mut written = 0;
        loop {
            let least = heads
                .iter()
                .enumerate()
                .filter_map(|(place, head)| head.as_ref().map(|line| (line, place)))
                .min()
                .map(|(_, place)| place);
            let Some(place) = least else { break };
            let next = sources[place].next().transpose()?;
            if let Some(line) = std::mem::replace(&mut heads[place], next) {
                writeln!(out, "{line}")?;
                written += 1;
            }
        }
        out.flush()?;
        Ok(written)
    }
}
