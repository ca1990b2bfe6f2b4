//! A block of a Jetstream archive: thousands of rows, a column after the other, in one zstd frame
//! (the format is Jetstream's `docs/README.md` §3.2). What is asked here, whose row it is and of
//! which collection, stands before the records: those are never unpacked.

use std::io::Read;

/// Rows of a block at most: what Jetstream itself puts up with.
const MOST_ROWS: usize = 1 << 18;
/// Largest column of texts, in bytes. Thousands of DIDs are some hundred thousand.
const LARGEST_TEXTS: usize = 16 << 20;
/// How far back a frame may refer, as a power of two: what unpacking it takes in memory. The
/// greatest that Jetstream's compressor knows.
const LONGEST_WINDOW: u32 = 25;
/// In each row: the times of witnessing and indexing, which are not asked for here …
const TIMES: usize = 8 + 8;
/// … and the lengths of the record key, the rev and the record.
const OTHER_LENGTHS: usize = 1 + 1 + 4;

/// Why a block can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It is no zstd frame, is cut, or has fewer columns than it says.
    #[error("it can't be unpacked: {0}")]
    Unpacked(#[from] std::io::Error),
    /// It says that it is larger than a block may be.
    #[error("it says that it has {said} {of}, more than a block may have")]
    TooLarge {
        /// How many.
        said: usize,
        /// Of what.
        of: &'static str,
    },
}

/// Whose row it is, and of which collection; both as they stand in the block, to be checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row<'a> {
    /// The host's number.
    pub number: u64,
    /// Whether it is a record's; else an account's.
    pub is_record: bool,
    pub did: &'a [u8],
    /// Empty for an account's row.
    pub collection: &'a [u8],
}

/// The columns of a block that are asked for.
pub struct Block {
    numbers: Vec<u8>,
    kinds: Vec<u8>,
    collection_lengths: Vec<u8>,
    did_lengths: Vec<u8>,
    collections: Vec<u8>,
    dids: Vec<u8>,
}

impl Block {
    /// Reads a block as it was sent. Memory is bounded by what is really there, and by 40 MiB.
    pub fn read(bytes: &[u8]) -> Result<Block, BlockError> {
        let mut frame = zstd::stream::read::Decoder::with_buffer(bytes)?.single_frame();
        frame.window_log_max(LONGEST_WINDOW)?;
        let frame = &mut frame;
        let mut count = [0; 4];
        frame.read_exact(&mut count)?;
        let rows = at_most(u32::from_le_bytes(count) as usize, MOST_ROWS, "rows")?;
        let numbers = column(frame, rows * 8)?;
        pass(frame, rows * TIMES)?;
        let kinds = column(frame, rows)?;
        let collection_lengths = column(frame, rows)?;
        let did_lengths = column(frame, rows * 2)?;
        pass(frame, rows * OTHER_LENGTHS)?;
        let collections: usize = collection_lengths.iter().map(|one| usize::from(*one)).sum();
        let dids: usize = shorts(&did_lengths).sum();
        let collections = at_most(collections, LARGEST_TEXTS, "bytes of collections")?;
        let dids = at_most(dids, LARGEST_TEXTS, "bytes of DIDs")?;
        Ok(Block {
            collections: column(frame, collections)?,
            dids: column(frame, dids)?,
            numbers,
            kinds,
            collection_lengths,
            did_lengths,
        })
    }

    /// Its rows, in the order of their numbers if the host keeps to its format.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let (numbers, _) = self.numbers.as_chunks();
        let lengths = shorts(&self.did_lengths).zip(&self.collection_lengths);
        let (mut dids, mut collections) = (self.dids.as_slice(), self.collections.as_slice());
        numbers
            .iter()
            .zip(&self.kinds)
            .zip(lengths)
            .map(move |((number, kind), (did, collection))| Row {
                number: u64::from_le_bytes(*number),
                // Created, updated, deleted, and created again by a repair.
                is_record: matches!(kind, 1 | 2 | 3 | 7),
                did: taken(&mut dids, did),
                collection: taken(&mut collections, usize::from(*collection)),
            })
    }
}

fn at_most(said: usize, most: usize, of: &'static str) -> Result<usize, BlockError> {
    match said <= most {
        true => Ok(said),
        false => Err(BlockError::TooLarge { said, of }),
    }
}

/// Reads so many bytes; room is made as they come.
fn column(frame: &mut impl Read, bytes: usize) -> Result<Vec<u8>, BlockError> {
    let mut column = Vec::new();
    let read = frame.take(bytes as u64).read_to_end(&mut column)?;
    whole(read, bytes).map(|()| column)
}

fn pass(frame: &mut impl Read, bytes: usize) -> Result<(), BlockError> {
    let passed = std::io::copy(&mut frame.take(bytes as u64), &mut std::io::sink())?;
    whole(passed as usize, bytes)
}

fn whole(read: usize, wanted: usize) -> Result<(), BlockError> {
    match read == wanted {
        true => Ok(()),
        false => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
    }
}

fn shorts(column: &[u8]) -> impl Iterator<Item = usize> {
    let (shorts, _) = column.as_chunks();
    shorts.iter().map(|one| usize::from(u16::from_le_bytes(*one)))
}

/// The next bytes of a column, whose length is the sum of all that is taken.
fn taken<'a>(column: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, rest) = column.split_at_checked(bytes).unwrap_or((column, &[]));
    *column = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that Jetstream 0.2.0 sealed when it began over a test network of ours.
    const REAL: &[u8] = include_bytes!("block.zst");

    fn packed(body: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(body, 3).unwrap()
    }

    fn unpacked() -> Vec<u8> {
        zstd::stream::decode_all(REAL).unwrap()
    }
}
