//! What reads files.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;

use super::{PATIENCE, Turns};
use crate::error::ObjectsError;
use crate::objects::{Found, PIECE, Reading, cut};

/// An open file, and what is still asked of it.
struct Rest {
    file: File,
    left: u64,
}

pub(super) fn find(path: &Path) -> io::Result<Option<Found>> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() => Ok(Some(found(&about))),
        Ok(_) => Ok(None),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The time of the last change of a file's names, and not of its bytes: those were written before
/// it was put, and what is put just now may not look old enough to be swept.
pub(super) fn found(about: &Metadata) -> Found {
    let since = Duration::from_secs(u64::try_from(about.ctime()).unwrap_or(0));
    let fraction = Duration::from_nanos(u64::try_from(about.ctime_nsec()).unwrap_or(0));
    Found {
        size: about.len(),
        put_at: SystemTime::UNIX_EPOCH + since + fraction,
    }
}

/// Opens a file and reads the first piece; the others as they are asked for. (The kernel reads
/// ahead.)
pub(super) async fn read(
    turns: &Turns,
    path: PathBuf,
    range: Option<Range<u64>>,
) -> Result<Option<Reading>, ObjectsError> {
    let opened = turns.work("read an object", PATIENCE, move || open(&path, range));
    let Some((size, first, rest)) = opened.await? else {
        return Ok(None);
    };
    let turns = turns.clone();
    let others = stream::try_unfold(rest, move |mut rest| {
        let turns = turns.clone();
        async move {
            if rest.left == 0 {
                return Ok(None);
            }
            let work = move || Ok((rest.piece()?, rest));
            turns.work("read an object", PATIENCE, work).await.map(Some)
        }
    });
    let first = stream::iter((!first.is_empty()).then_some(Ok(first)));
    Ok(Some(Reading {
        size,
        bytes: first.chain(others).boxed(),
    }))
}

fn open(path: &Path, range: Option<Range<u64>>) -> io::Result<Option<(u64, Bytes, Rest)>> {
    let Some(found) = find(path)? else {
        return Ok(None);
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let range = cut(range, found.size);
    file.seek(SeekFrom::Start(range.start))?;
    let left = range.end - range.start;
    let mut rest = Rest { file, left };
    let first = rest.piece()?;
    Ok(Some((found.size, first, rest)))
}

impl Rest {
    fn piece(&mut self) -> io::Result<Bytes> {
        let wanted = self.left.min(PIECE as u64);
        let mut piece = Vec::with_capacity(wanted as usize);
        (&self.file).take(wanted).read_to_end(&mut piece)?;
        if piece.len() as u64 != wanted {
            let detail = format!(
                "the file ends {} bytes too early",
                self.left - piece.len() as u64
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, detail));
        }
        self.left -= wanted;
        Ok(piece.into())
    }
}
