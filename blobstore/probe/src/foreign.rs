//! Bytes of others, read from where they lie: as many independent readers as are wanted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use symphonia::core::io::MediaSource;

use crate::prober::ProbeError;

/// A file, or bytes in memory (what a fuzzer gives). It remembers when reading failed: parsers take
/// that for the end of the bytes, and a disk's error is nothing that may be said of the content.
#[derive(Clone, Debug)]
pub struct ForeignBytes {
    source: Source,
    length: u64,
    failed: Arc<AtomicBool>,
}

#[derive(Clone, Debug)]
enum Source {
    File(Arc<File>),
    Memory(Arc<[u8]>),
}

impl ForeignBytes {
    /// Those of an open file, as many as it has now. A folder, a pipe and the like have none.
    pub fn of_file(file: File) -> io::Result<ForeignBytes> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let other = "it is a folder, a pipe or a device, not a file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, other));
        }
        Ok(ForeignBytes::new(
            Source::File(Arc::new(file)),
            metadata.len(),
        ))
    }

    /// Those in memory.
    pub fn of_memory(bytes: &[u8]) -> ForeignBytes {
        ForeignBytes::new(Source::Memory(Arc::from(bytes)), bytes.len() as u64)
    }

    fn new(source: Source, length: u64) -> ForeignBytes {
        ForeignBytes {
            source,
            length,
            failed: Arc::default(),
        }
    }

    /// How many they are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// A reader that begins with the first.
    pub fn reader(&self) -> ForeignReader {
        ForeignReader {
            bytes: self.clone(),
            position: 0,
        }
    }

    /// Bytes from a position on, at most so many; fewer at the end.
    pub(crate) fn piece(&self, position: u64, most: usize) -> Result<Vec<u8>, ProbeError> {
        let mut reader = self.reader();
        reader.position = position;
        let mut piece = Vec::new();
        let read = reader.take(most as u64).read_to_end(&mut piece);
        read.map_err(unreadable)?;
        Ok(piece)
    }

    /// Fails where any of the readers met an error that isn't the content's.
    pub(crate) fn were_readable(&self) -> Result<(), ProbeError> {
        match self.failed.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(unreadable("the disk gave an error")),
        }
    }
}

fn unreadable(problem: impl std::fmt::Display) -> ProbeError {
    ProbeError::NotTried {
        detail: format!("it can't be read: {problem}"),
    }
}

/// Reads [`ForeignBytes`].
#[derive(Debug)]
pub struct ForeignReader {
    bytes: ForeignBytes,
    position: u64,
}

impl Read for ForeignReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What a file gains meanwhile isn't looked at.
        let left = self.bytes.length.saturating_sub(self.position);
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        // Nothing is asked of the disk beyond the end: to it some positions are an error, and here
        // they are only a foreign number.
        if most == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..most];
        let read = match &self.bytes.source {
            Source::Memory(bytes) => {
                let from = usize::try_from(self.position).unwrap_or(usize::MAX);
                let left = bytes.get(from..).unwrap_or_default();
                buffer.copy_from_slice(&left[..most]);
                most
            }
            Source::File(file) => {
                let read = file.read_at(buffer, self.position);
                if let Err(problem) = &read
                    && problem.kind() != io::ErrorKind::Interrupted
                {
                    self.bytes.failed.store(true, Ordering::Relaxed);
                }
                read?
            }
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for ForeignReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.bytes.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let before = "a position before the first byte, or beyond all";
        self.position =
            position.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, before))?;
        Ok(self.position)
    }
}

impl MediaSource for ForeignReader {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.bytes.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_disk_is_remembered_and_the_end_is_none() {
        let whole = ForeignBytes::of_memory(b"bytes");
        assert_eq!(whole.piece(3, 100), Ok(b"es".to_vec()));
        assert_eq!(whole.piece(9, 100), Ok(Vec::new()));
        assert_eq!(whole.were_readable(), Ok(()));
        // Positions that a system takes for negative are foreign numbers, and no fault of the disk.
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"bytes").unwrap();
        let whole = ForeignBytes::of_file(file.reopen().unwrap()).unwrap();
        let mut reader = whole.reader();
        for position in [5, 1 << 62, 1 << 63, u64::MAX] {
            reader.seek(SeekFrom::Start(position)).unwrap();
            assert_eq!(reader.read(&mut [0; 4]).unwrap(), 0, "{position}");
        }
        assert_eq!(whole.were_readable(), Ok(()));
        // A folder can be opened, and every reading of it fails.
        let folder = Arc::new(File::open("/").unwrap());
        let failing = ForeignBytes::new(Source::File(folder), 10);
        let mut read = [0; 4];
        assert!(failing.reader().read(&mut read).is_err());
        assert!(failing.were_readable().is_err());
    }

    #[test]
    fn readers_are_independent() {
        let whole = ForeignBytes::of_memory(b"bytes");
        let (mut first, mut second) = (whole.reader(), whole.reader());
        assert_eq!(first.seek(SeekFrom::End(-2)).unwrap(), 3);
        assert!(first.seek(SeekFrom::Current(-4)).is_err());
        let mut read = Vec::new();
        second.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"bytes");
        assert_eq!(first.stream_position().unwrap(), 3);
    }
}
