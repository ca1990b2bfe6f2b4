//! One node of the tree, read strictly: only the canonical bytes of a node are one.
//! Spec: <https://atproto.com/specs/repository#mst-structure>.

use plyr_lexicons::Cid;
use sha2::{Digest as _, Sha256};

use crate::blocks::{Digest, cid_of, digest_of};
use crate::error::RepoError;

/// Longest key, in bytes: an NSID of 317, a slash, a record key of 512, and some room.
const LONGEST_KEY: usize = 1024;

/// A node: keys in order, and the subtrees before, between and after them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// The subtree of the keys below the first one.
    pub left: Option<Digest>,
    /// The keys, in ascending order.
    pub entries: Vec<NodeEntry>,
}

/// A key, its record, and the subtree of the keys up to the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeEntry {
    /// `collection/rkey`.
    pub key: Vec<u8>,
    /// The record.
    pub value: Cid,
    /// The subtree after it.
    pub right: Option<Digest>,
}

/// The layer that a key belongs to: the leading zeros of its SHA-256, counted in pairs of bits.
pub fn layer_of(key: &[u8]) -> u32 {
    let mut zeros = 0;
    for byte in Sha256::digest(key) {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    zeros / 2
}

impl Node {
    /// Reads a node's block: fields, prefixes and order. What its neighbours and its layer must be,
    /// only a walk can tell.
    pub fn read(block: &[u8]) -> Result<Node, RepoError> {
        let mut reader = Reader { rest: block };
        reader.expect(&[0xa2, 0x61, b'e'])?;
        let count = reader.head(ARRAY)?;
        // An entry has 50 bytes at least: no count makes us reserve more than the block is worth.
        let room = (count as usize).min(block.len() / 50);
        let mut entries: Vec<NodeEntry> = Vec::with_capacity(room);
        for _ in 0..count {
            let previous = entries.last().map_or(&[][..], |entry| &entry.key);
            let entry = reader.entry(previous)?;
            entries.push(entry);
        }
        reader.expect(&[0x61, b'l'])?;
        let left = reader.subtree()?;
        if !reader.rest.is_empty() {
            return Err(malformed("bytes after its end"));
        }
        Ok(Node { left, entries })
    }
}

const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const ARRAY: u8 = 4;
const NULL: u8 = 0xf6;
/// Tag 42: a CID.
const LINK: [u8; 2] = [0xd8, 0x2a];

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn entry(&mut self, previous: &[u8]) -> Result<NodeEntry, RepoError> {
        self.expect(&[0xa4, 0x61, b'k'])?;
        let suffix = self.bytes()?;
        self.expect(&[0x61, b'p'])?;
        let shared = self.head(UNSIGNED)? as usize;
        self.expect(&[0x61, b't'])?;
        let right = self.subtree()?;
        self.expect(&[0x61, b'v'])?;
        let value = self.link()?;
        let Some(prefix) = previous.get(..shared) else {
            return Err(malformed("a prefix longer than the key before it"));
        };
        if shared + suffix.len() > LONGEST_KEY {
            let (what, limit) = ("a key of the tree", LONGEST_KEY as u64);
            return Err(RepoError::TooLarge { what, limit });
        }
        match (previous.get(shared), suffix.first()) {
            (Some(before), Some(after)) if before == after => {
                return Err(malformed("a prefix shorter than what the keys share"));
            }
            (Some(before), Some(after)) if before < after => {}
            (None, Some(_)) => {}
            _ => return Err(malformed("keys that don't ascend")),
        }
        let key = [prefix, suffix].concat();
        Ok(NodeEntry { key, value, right })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], RepoError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(malformed("it ends too early"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn expect(&mut self, bytes: &[u8]) -> Result<(), RepoError> {
        if self.take(bytes.len())? != bytes {
            return Err(malformed("not the fields of a node"));
        }
        Ok(())
    }

    /// A number of this major type in its shortest form.
    fn head(&mut self, major: u8) -> Result<u64, RepoError> {
        let first = self.take(1)?[0];
        if first >> 5 != major {
            return Err(malformed("not the fields of a node"));
        }
        let (value, least) = match first & 31 {
            small @ 0..24 => (u64::from(small), 0),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 1 << 8),
            26 => (self.number(4)?, 1 << 16),
            _ => return Err(malformed("a number of more than 32 bits")),
        };
        if value < least {
            return Err(malformed("a number that isn't in its shortest form"));
        }
        Ok(value)
    }

    fn number(&mut self, count: usize) -> Result<u64, RepoError> {
        let bytes = self.take(count)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn bytes(&mut self) -> Result<&'a [u8], RepoError> {
        let length = self.head(BYTES)?;
        self.take(length as usize)
    }

    fn link(&mut self) -> Result<Cid, RepoError> {
        self.expect(&LINK)?;
        // The binary form of a CID in DAG-CBOR begins with a zero.
        let bytes = self.bytes()?.strip_prefix(&[0]);
        let mut bytes = bytes.ok_or_else(|| malformed("a link that is no CID"))?;
        if let Some(digest) = bytes.strip_prefix(&[0x01, 0x71, 0x12, 0x20])
            && let Ok(digest) = digest.try_into()
        {
            return Ok(cid_of(&digest));
        }
        match Cid::read_bytes(&mut bytes) {
            Ok(cid) if bytes.is_empty() => Ok(cid),
            _ => Err(malformed("a link that is no CID")),
        }
    }

    fn subtree(&mut self) -> Result<Option<Digest>, RepoError> {
        if let Some((&NULL, rest)) = self.rest.split_first() {
            self.rest = rest;
            return Ok(None);
        }
        let digest = digest_of(&self.link()?);
        let blessed = digest.ok_or_else(|| malformed("a subtree whose CID is not a node's"))?;
        Ok(Some(blessed))
    }
}

fn malformed(what: &str) -> RepoError {
    RepoError::Tree(format!("a node: {what}"))
}
