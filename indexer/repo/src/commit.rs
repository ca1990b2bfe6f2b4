//! The signed root of a repo. Spec: <https://atproto.com/specs/repository#commit-objects>.

use std::collections::BTreeMap;

use atrium_crypto::verify::verify_signature;
use plyr_lexicons::{Cid, Did, Ipld, Rev, data};

use crate::blocks::digest_of;
use crate::error::RepoError;

/// The version of the repo format.
const VERSION: Ipld = Ipld::Integer(3);
/// Largest commit, in bytes: a DID of 2 KiB and some.
const LARGEST: usize = 8 << 10;
/// Characters of a key's text. (The library panics on some that are shorter.)
const MULTIKEY: std::ops::RangeInclusive<usize> = 40..=64;

/// A commit that was read; whose it is and who signed it must still be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Whose repo, as the commit says.
    pub did: String,
    /// The repo's revision.
    pub rev: Rev,
    /// The root of the tree.
    pub data: Cid,
    /// What was signed.
    unsigned: Vec<u8>,
    signature: Vec<u8>,
}

impl Commit {
    /// Reads a commit's block.
    pub fn read(block: &[u8]) -> Result<Commit, RepoError> {
        if block.len() > LARGEST {
            let (what, limit) = ("the commit", LARGEST as u64);
            return Err(RepoError::TooLarge { what, limit });
        }
        let value = data::from_canonical(block);
        let value = value.map_err(|problem| malformed(&problem.to_string()))?;
        let Ipld::Map(mut fields) = value else {
            return Err(malformed("no map"));
        };
        if fields.get("version") != Some(&VERSION) {
            return Err(malformed("not one of version 3"));
        }
        let Some(Ipld::Bytes(signature)) = fields.remove("sig") else {
            return Err(malformed("no signature"));
        };
        let rev =
            Rev::parse(text(&fields, "rev")?).ok_or_else(|| malformed("its rev is no TID"))?;
        let did = text(&fields, "did")?.to_owned();
        let data = match fields.get("data") {
            Some(Ipld::Link(cid)) if digest_of(cid).is_some() => *cid,
            _ => return Err(malformed("no tree")),
        };
        let unsigned = data::to_cbor(&Ipld::Map(fields));
        let unsigned = unsigned.map_err(|problem| malformed(&problem.to_string()))?;
        Ok(Commit {
            did,
            rev,
            data,
            unsigned,
            signature,
        })
    }

    /// Whether it is this account's.
    pub fn check_did(&self, asked: &Did) -> Result<(), RepoError> {
        if self.did == asked.as_str() {
            return Ok(());
        }
        let served = self.did.chars().take(128).collect();
        let asked = asked.clone();
        Err(RepoError::WrongRepo { asked, served })
    }

    /// Whether this key signed it. The key is a multikey (`z…`, K-256 or P-256), what follows
    /// `did:key:`. A signature in the upper half of the curve's order is refused.
    /// Spec: <https://atproto.com/specs/cryptography>.
    pub fn check_signature(&self, multikey: &str) -> Result<(), RepoError> {
        if !MULTIKEY.contains(&multikey.len()) {
            return Err(RepoError::NoKey("a key of an impossible length".to_owned()));
        }
        let key = format!("did:key:{multikey}");
        verify_signature(&key, &self.unsigned, &self.signature)
            .map_err(|problem| RepoError::Signature(problem.to_string()))
    }
}

fn text<'a>(fields: &'a BTreeMap<String, Ipld>, name: &str) -> Result<&'a str, RepoError> {
    match fields.get(name) {
        Some(Ipld::String(text)) => Ok(text),
        _ => Err(malformed(&format!("no {name}"))),
    }
}

fn malformed(what: &str) -> RepoError {
    RepoError::Malformed(format!("the commit: {what}"))
}
