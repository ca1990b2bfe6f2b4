//! A CAR (version 1), read as it arrives. Spec: <https://ipld.io/specs/transport/car/carv1/>.
//!
//! Every block's hash is checked. Order and duplicates mean nothing, as the protocol says; a block
//! whose CID has a hash function we don't know can't be checked and is left out.

use bytes::Bytes;
use plyr_lexicons::{Cid, Ipld, data};
use sha2::{Digest as _, Sha256};

use crate::blocks::{Blocks, Digest, SHA2_256, digest_of};
use crate::commit::Commit;
use crate::error::RepoError;

/// Largest header, in bytes.
const LARGEST_HEADER: u64 = 16 << 10;
/// Largest section (a CID and its block), in bytes. Records are far below; a node is as large as
/// this only if somebody chose its keys.
pub(crate) const LARGEST_SECTION: u64 = 2 << 20;
/// What the CID of the blessed form begins with.
const BLESSED: [u8; 4] = [0x01, 0x71, 0x12, 0x20];

/// A CAR that was read to its end.
pub struct Car {
    /// What the header names; the first one is a repo's commit.
    pub roots: Vec<Cid>,
    /// What was read, and what was there before.
    pub blocks: Blocks,
}

impl Car {
    /// The commit that the first root names, its CID, and the root of its tree. Nothing says yet
    /// whose it is and whether that account signed it.
    pub fn commit(&self) -> Result<(Cid, Commit, Digest), RepoError> {
        let cid = self.roots.first().copied();
        let cid = cid.ok_or_else(|| RepoError::Malformed("the CAR names no commit".to_owned()))?;
        let digest = digest_of(&cid);
        let digest =
            digest.ok_or_else(|| RepoError::Malformed("its root is no commit's CID".to_owned()))?;
        let block = self.blocks.get(&digest)?;
        let commit = Commit::read(&block.ok_or(RepoError::MissingBlock(cid))?)?;
        // The commit was refused if this is no node's CID.
        let root = digest_of(&commit.data).ok_or(RepoError::MissingBlock(commit.data))?;
        Ok((cid, commit, root))
    }
}

/// Reads a CAR in chunks of any size.
pub struct CarReader {
    blocks: Blocks,
    roots: Option<Vec<Cid>>,
    /// The beginning of a section that isn't whole yet.
    rest: Vec<u8>,
    bytes_left: u64,
    largest: u64,
}

impl CarReader {
    /// A reader that adds to `blocks` and reads at most `largest` bytes.
    pub fn new(blocks: Blocks, largest: u64) -> CarReader {
        CarReader {
            blocks,
            roots: None,
            rest: Vec::new(),
            bytes_left: largest,
            largest,
        }
    }

    /// Takes the next bytes. After an error the reader is of no more use.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), RepoError> {
        let Some(left) = self.bytes_left.checked_sub(chunk.len() as u64) else {
            let (what, limit) = ("the CAR", self.largest);
            return Err(RepoError::TooLarge { what, limit });
        };
        self.bytes_left = left;
        if self.rest.is_empty() {
            let taken = self.sections(chunk)?;
            self.rest.extend_from_slice(&chunk[taken..]);
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(chunk);
        let taken = self.sections(&rest)?;
        rest.drain(..taken);
        self.rest = rest;
        Ok(())
    }

    /// There is no more.
    pub fn finish(self) -> Result<Car, RepoError> {
        if !self.rest.is_empty() {
            let left = self.rest.len();
            let told = format!("its last section is cut after {left} bytes");
            return Err(RepoError::Truncated(told));
        }
        let Some(roots) = self.roots else {
            return Err(RepoError::Truncated("it has no header".to_owned()));
        };
        let blocks = self.blocks;
        Ok(Car { roots, blocks })
    }

    /// Reads whole sections and says how many bytes they took.
    fn sections(&mut self, bytes: &[u8]) -> Result<usize, RepoError> {
        let mut at = 0;
        while let Some((length, head)) = varint(&bytes[at..])? {
            let (what, limit) = match &self.roots {
                None => ("the CAR's header", LARGEST_HEADER),
                Some(_) => ("a block", LARGEST_SECTION),
            };
            if length > limit {
                return Err(RepoError::TooLarge { what, limit });
            }
            if length == 0 {
                return Err(malformed("a section of length 0"));
            }
            let (begin, end) = (at + head, at + head + length as usize);
            let Some(section) = bytes.get(begin..end) else {
                break;
            };
            match &self.roots {
                None => self.roots = Some(header(section)?),
                Some(_) => self.block(section)?,
            }
            at = end;
        }
        Ok(at)
    }

    fn block(&mut self, section: &[u8]) -> Result<(), RepoError> {
        if let Some(rest) = section.strip_prefix(&BLESSED)
            && let Some((named, block)) = rest.split_first_chunk::<32>()
        {
            let digest: Digest = Sha256::digest(block).into();
            if digest != *named {
                return Err(RepoError::WrongCid(crate::blocks::cid_of(named)));
            }
            return self.blocks.add(digest, Bytes::copy_from_slice(block));
        }
        let mut block = section;
        let cid = Cid::read_bytes(&mut block)
            .map_err(|problem| malformed(&format!("a block's CID: {problem}")))?;
        if cid.hash().code() != SHA2_256 {
            return Ok(());
        }
        let digest: Digest = Sha256::digest(block).into();
        if cid.hash().digest() != digest {
            return Err(RepoError::WrongCid(cid));
        }
        // Only what the tree can name is kept.
        match digest_of(&cid) {
            Some(_) => self.blocks.add(digest, Bytes::copy_from_slice(block)),
            None => Ok(()),
        }
    }
}

fn malformed(what: &str) -> RepoError {
    RepoError::Malformed(format!("the CAR: {what}"))
}

fn header(bytes: &[u8]) -> Result<Vec<Cid>, RepoError> {
    let value = data::from_cbor(bytes).map_err(|problem| malformed(&problem.to_string()))?;
    let Ipld::Map(fields) = value else {
        return Err(malformed("its header is no map"));
    };
    if fields.get("version") != Some(&Ipld::Integer(1)) || fields.len() != 2 {
        return Err(malformed("its header is not one of version 1"));
    }
    let Some(Ipld::List(roots)) = fields.get("roots") else {
        return Err(malformed("its header names no roots"));
    };
    let cids = roots.iter().map(|root| match root {
        Ipld::Link(cid) => Ok(*cid),
        _ => Err(malformed("a root is no CID")),
    });
    cids.collect()
}

/// An unsigned LEB128 number in its shortest form and how long it is; none if it isn't whole.
fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, RepoError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            if *byte == 0 && at > 0 {
                return Err(malformed("a length that isn't in its shortest form"));
            }
            return Ok(Some((value, at + 1)));
        }
    }
    match bytes.len() {
        0..9 => Ok(None),
        _ => Err(malformed("a length of more than 63 bits")),
    }
}
