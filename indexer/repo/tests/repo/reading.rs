//! A repo read from the bytes of a CAR.

use std::sync::Arc;

use bytes::Bytes;
use plyr_lexicons::{Cid, Namespace};
use plyr_repo::{Blocks, CarReader, Commit, Digest, Ranges, RepoError, Step, Walk};

/// Bytes of blocks in memory: small, so that every test also spills.
pub const MEMORY: usize = 32 << 10;

pub fn namespace() -> Namespace {
    "fm.plyr".parse().unwrap()
}

pub fn ranges() -> Arc<Ranges> {
    Arc::new(Ranges::of(&namespace()))
}

pub fn digest(cid: &Cid) -> Digest {
    cid.hash().digest().try_into().unwrap()
}

/// Reads a CAR in chunks of some size, with all of it in memory or nearly nothing.
pub fn read(car: &[u8], chunk: usize, memory: usize) -> Result<(Cid, Blocks), RepoError> {
    let blocks = Blocks::new(memory, std::env::temp_dir());
    let mut reader = CarReader::new(blocks, 1 << 30);
    for chunk in car.chunks(chunk) {
        reader.feed(chunk)?;
    }
    let mut car = reader.finish()?;
    car.blocks.settle()?;
    Ok((car.roots[0], car.blocks))
}

/// The commit that a CAR's root is.
pub fn commit(root: &Cid, blocks: &Blocks) -> Result<Commit, RepoError> {
    if *root != crate::forge::cid(&digest(root)) {
        return Err(RepoError::Malformed("no commit".to_owned()));
    }
    let block = blocks.get(&digest(root))?;
    Commit::read(&block.ok_or(RepoError::MissingBlock(*root))?)
}

/// Keys, CIDs and bytes of all records of ours; every missing node and record is an error.
pub fn records(car: &[u8]) -> Result<Vec<(String, Cid, Bytes)>, RepoError> {
    let (root, blocks) = read(car, 64 << 10, MEMORY)?;
    let commit = commit(&root, &blocks)?;
    let mut walk = Walk::through(digest(&commit.data), ranges());
    let mut records = Vec::new();
    while let Some(step) = walk.next(&blocks)? {
        let Step::Record { key, cid, .. } = step else {
            return Err(RepoError::MissingBlock(commit.data));
        };
        let record = blocks.get(&digest(&cid))?;
        let record = record.ok_or(RepoError::MissingBlock(cid))?;
        records.push((String::from_utf8(key).unwrap(), cid, record));
    }
    Ok(records)
}
