//! Blocks by their hash: in memory up to a bound, beyond it in temporary files without a name.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use ipld_core::cid::Version;
use ipld_core::cid::multihash::Multihash;
use plyr_lexicons::Cid;

use crate::error::RepoError;
use crate::runs::{Place, Runs};

/// SHA-256 of a block; with the codec dag-cbor it is the block's CID.
pub type Digest = [u8; 32];

/// What a block in memory costs beside its bytes, about.
const OVERHEAD: usize = 112;
const DAG_CBOR: u64 = 0x71;
pub(crate) const SHA2_256: u64 = 0x12;

/// The digest behind a CID of the blessed form (CIDv1, dag-cbor, SHA-256); none for any other.
pub(crate) fn digest_of(cid: &Cid) -> Option<Digest> {
    let hash = cid.hash();
    let blessed =
        cid.version() == Version::V1 && cid.codec() == DAG_CBOR && hash.code() == SHA2_256;
    if !blessed {
        return None;
    }
    hash.digest().try_into().ok()
}

/// The CID of a block with this digest.
pub(crate) fn cid_of(digest: &Digest) -> Cid {
    // 32 bytes always fit the 64 of the multihash.
    Cid::new_v1(
        DAG_CBOR,
        Multihash::wrap(SHA2_256, digest).unwrap_or_default(),
    )
}

/// A set of checked blocks. However many there are, memory holds about the bound it was made with.
pub struct Blocks {
    memory: HashMap<Digest, Bytes>,
    held: usize,
    bound: usize,
    folder: PathBuf,
    spilled: Option<Spilled>,
    count: u64,
    bytes: u64,
}

struct Spilled {
    file: File,
    end: u64,
    runs: Runs,
}

impl Blocks {
    /// An empty set that holds about `bound` bytes in memory and puts what is more into `folder`.
    pub fn new(bound: usize, folder: PathBuf) -> Blocks {
        Blocks {
            memory: HashMap::new(),
            held: 0,
            bound,
            folder,
            spilled: None,
            count: 0,
            bytes: 0,
        }
    }

    /// Adds a block whose hash was checked. One that is there already (the specification allows
    /// duplicates in a CAR) changes nothing that is read.
    pub(crate) fn add(&mut self, digest: Digest, block: Bytes) -> Result<(), RepoError> {
        if self.memory.contains_key(&digest) {
            return Ok(());
        }
        self.count += 1;
        self.bytes += block.len() as u64;
        self.held += block.len() + OVERHEAD;
        self.memory.insert(digest, block);
        if self.held > self.bound {
            self.spill().map_err(RepoError::here)?;
        }
        Ok(())
    }

    /// A block; none if it isn't there.
    pub fn get(&self, digest: &Digest) -> Result<Option<Bytes>, RepoError> {
        if let Some(block) = self.memory.get(digest) {
            return Ok(Some(block.clone()));
        }
        let Some(spilled) = &self.spilled else {
            return Ok(None);
        };
        let Some(place) = spilled.runs.find(digest).map_err(RepoError::here)? else {
            return Ok(None);
        };
        let mut block = vec![0; place.length as usize];
        let read = spilled.file.read_exact_at(&mut block, place.offset);
        read.map_err(RepoError::here)?;
        Ok(Some(block.into()))
    }

    /// Whether a block is there, without reading it.
    pub fn contains(&self, digest: &Digest) -> Result<bool, RepoError> {
        if self.memory.contains_key(digest) {
            return Ok(true);
        }
        let Some(spilled) = &self.spilled else {
            return Ok(false);
        };
        let found = spilled.runs.find(digest).map_err(RepoError::here)?;
        Ok(found.is_some())
    }

    /// Puts the index in its quickest form, once nothing more is coming for a while.
    pub fn settle(&mut self) -> Result<(), RepoError> {
        match &mut self.spilled {
            Some(spilled) => spilled.runs.merge(&self.folder).map_err(RepoError::here),
            None => Ok(()),
        }
    }

    /// How many blocks were added (one that was spilled and came again counts again).
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn spill(&mut self) -> std::io::Result<()> {
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => self.spilled.insert(Spilled {
                file: tempfile::tempfile_in(&self.folder)?,
                end: 0,
                runs: Runs::default(),
            }),
        };
        let mut blocks: Vec<(Digest, Bytes)> = self.memory.drain().collect();
        blocks.sort_unstable_by_key(|(digest, _)| *digest);
        let mut places = Vec::with_capacity(blocks.len());
        let mut out = std::io::BufWriter::with_capacity(256 << 10, &spilled.file);
        for (digest, block) in &blocks {
            out.write_all(block)?;
            // A block is far smaller than 4 GiB: the reader refuses larger ones.
            let place = Place {
                offset: spilled.end,
                length: block.len() as u32,
            };
            places.push((*digest, place));
            spilled.end += block.len() as u64;
        }
        out.flush()?;
        drop(out);
        spilled.runs.add(&self.folder, &places)?;
        self.held = 0;
        Ok(())
    }
}
