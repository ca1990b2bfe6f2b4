//! A block of a Jetstream archive: thousands of rows, a column after the other, in one zstd frame
//! (the format is Jetstream's `docs/README.md` §3.2). What is asked here, whose row it is and of
//! which collection, stands before the records: those are never unpacked.

use std::io::Read;

/// Rows of a block at most; Jetstream writes 4,096.
const MOST_ROWS: usize = 1 << 16;
/// Largest column of texts, in bytes. Thousands of DIDs are some hundred thousand.
const LARGEST_TEXTS: usize = 16 << 20;
/// How far back a frame may refer, as a power of two: what unpacking it takes in memory. The
/// greatest that Jetstream's compressor knows.
const LONGEST_WINDOW: u32 = 25;
/// What a row may be: created, updated, deleted, of an identity, an account, a sync, and created
/// again by a repair.
const KINDS: std::ops::RangeInclusive<u8> = 1..=7;
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
    /// A row is of a kind that isn't known: the layout may be another one, too.
    #[error("it has a row of the unknown kind {0}; a newer version may know it")]
    Kind(u8),
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
    /// Whose.
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
        if let Some(kind) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
            return Err(BlockError::Kind(*kind));
        }
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
        let (numbers, _) = self.numbers.as_chunks::<8>();
        let lengths = shorts(&self.did_lengths).zip(&self.collection_lengths);
        let (mut dids, mut collections) = (self.dids.as_slice(), self.collections.as_slice());
        numbers.iter().zip(&self.kinds).zip(lengths).map(
            move |((number, kind), (did, collection))| Row {
                number: u64::from_le_bytes(*number),
                // Created, updated, deleted, and created again by a repair.
                is_record: matches!(kind, 1 | 2 | 3 | 7),
                did: taken(&mut dids, did),
                collection: taken(&mut collections, usize::from(*collection)),
            },
        )
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
    let (shorts, _) = column.as_chunks::<2>();
    shorts
        .iter()
        .map(|one| usize::from(u16::from_le_bytes(*one)))
}

/// The next bytes of a column, whose length is the sum of all that is taken.
fn taken<'a>(column: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let left = *column;
    let (taken, rest) = left.split_at_checked(bytes).unwrap_or((left, &[]));
    *column = rest;
    taken
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Sealed by Jetstream 0.2.0 over a test network of our own (`ops/peers`), asked for by
    /// `getBlock`.
    const REAL: &[u8] = include_bytes!("block.zst");

    type Told = (u64, bool, String, String);

    fn told(bytes: &[u8]) -> Result<Vec<Told>, BlockError> {
        let block = Block::read(bytes)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let rows = block.rows();
        let rows = rows.map(|row| {
            (
                row.number,
                row.is_record,
                text(row.did),
                text(row.collection),
            )
        });
        Ok(rows.collect())
    }

    fn packed(body: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(body, 3).unwrap()
    }

    fn body() -> Vec<u8> {
        zstd::stream::decode_all(REAL).unwrap()
    }

    /// Where the columns of lengths begin, of collections and of DIDs.
    fn lengths(rows: usize) -> (usize, usize) {
        let collections = 4 + rows * (8 + TIMES + 1);
        (collections, collections + rows)
    }

    #[test]
    fn a_real_block_is_read() {
        let posts = "app.bsky.feed.post";
        let expected = [
            (1, "did:plc:ifp35erxijahlbqsguvrle56", posts),
            (2, "did:plc:ifp35erxijahlbqsguvrle56", "fm.plyr.track"),
            (3, "did:plc:44mr5sbl3crjvgv7yk64brdw", posts),
            (
                4,
                "did:plc:ig7ayvcgd42dzcgqxzlpez7x",
                "fm.plyr.actor.profile",
            ),
        ];
        let expected = expected
            .map(|(number, did, collection)| (number, true, did.to_owned(), collection.to_owned()));
        assert_eq!(told(REAL).unwrap(), expected);
    }

    #[test]
    fn a_cut_block_is_an_error_or_whole_in_what_is_asked() {
        let (whole, body) = (told(REAL).unwrap(), body());
        let mut errors = 0;
        let cut_frames = (0..REAL.len()).map(|end| REAL[..end].to_vec());
        let cut_bodies = (0..body.len()).map(|end| packed(&body[..end]));
        for cut in cut_frames.chain(cut_bodies) {
            match told(&cut) {
                Ok(rows) => assert_eq!(rows, whole),
                Err(BlockError::Unpacked(_)) => errors += 1,
                Err(problem) => panic!("{problem}"),
            }
        }
        assert!(errors > REAL.len());
    }

    #[test]
    fn no_byte_of_a_block_is_trusted() {
        let (body, most) = (body(), told(REAL).unwrap().len());
        for place in 0..body.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = body.clone();
                changed[place] = value;
                // Any answer will do, as long as there is one.
                let rows = told(&packed(&changed)).map(|rows| rows.len());
                assert!(rows.unwrap_or(0) <= most);
            }
        }
        for place in 0..REAL.len() {
            let mut changed = REAL.to_vec();
            changed[place] ^= 0xff;
            assert!(told(&changed).map_or(0, |rows| rows.len()) <= MOST_ROWS);
        }
    }

    #[test]
    fn what_a_block_says_of_its_size_makes_no_room() {
        let rows = told(REAL).unwrap().len();
        let with = |place: usize, bytes: &[u8]| {
            let mut changed = body();
            changed[place..place + bytes.len()].copy_from_slice(bytes);
            told(&packed(&changed))
        };
        let too_many = (MOST_ROWS as u32 + 1).to_le_bytes();
        for count in [u32::MAX.to_le_bytes(), too_many] {
            let problem = with(0, &count).unwrap_err();
            assert!(matches!(problem, BlockError::TooLarge { of: "rows", .. }));
        }
        let most = (MOST_ROWS as u32).to_le_bytes();
        assert!(matches!(with(0, &most), Err(BlockError::Unpacked(_))));
        let (collections, dids) = lengths(rows);
        for (place, bytes) in [
            (collections, vec![0xff; rows]),
            (dids, vec![0xff; rows * 2]),
        ] {
            assert!(matches!(with(place, &bytes), Err(BlockError::Unpacked(_))));
        }
        // The lengths of records, which are never unpacked.
        let records = dids + rows * 4;
        assert_eq!(
            with(records, &vec![0xff; rows * 4]).unwrap(),
            told(REAL).unwrap()
        );
    }

    #[test]
    fn a_bomb_is_an_error_before_it_is_unpacked() {
        let mut bomb = (MOST_ROWS as u32).to_le_bytes().to_vec();
        bomb.resize(64 << 20, 1);
        let bomb = packed(&bomb);
        assert!(bomb.len() < 16 << 10, "{}", bomb.len());
        let problem = told(&bomb).unwrap_err();
        assert!(matches!(problem, BlockError::TooLarge { .. }), "{problem}");
        // One of zeros has no rows, however much follows.
        assert!(told(&packed(&vec![0; 64 << 20])).unwrap().is_empty());
    }

    #[test]
    fn a_frame_that_takes_too_much_memory_is_an_error() {
        let frame = |window| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window).unwrap();
            encoder.write_all(&body()).unwrap();
            encoder.flush().unwrap();
            encoder.finish().unwrap()
        };
        assert!(told(&frame(LONGEST_WINDOW)).is_ok());
        assert!(matches!(
            told(&frame(LONGEST_WINDOW + 1)),
            Err(BlockError::Unpacked(_))
        ));
    }

    #[test]
    fn what_is_no_block_is_an_error() {
        for bytes in [&b""[..], b"<html>", &[0x28, 0xb5, 0x2f, 0xfd], &[0; 100]] {
            assert!(matches!(told(bytes), Err(BlockError::Unpacked(_))));
        }
        assert!(told(&packed(&[0; 4])).unwrap().is_empty());
    }
}
