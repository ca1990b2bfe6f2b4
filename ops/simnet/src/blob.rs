//! Blobs: made anew from what they are made of whenever somebody asks, so that thousands of tracks
//! take no memory.

use ipld_core::cid::Cid;
use ipld_core::cid::multihash::Multihash;
use plyr_lexicons::Ipld;
use sha2::{Digest, Sha256};

use crate::picture;
use crate::sound::Tune;

const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;

/// What a blob is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recipe {
    /// A tune, as WAV.
    Tune(Tune),
    /// A cover, as PNG, by its seed.
    Cover(u64),
}

impl Recipe {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Recipe::Tune(tune) => tune.wav(),
            Recipe::Cover(seed) => picture::cover(*seed),
        }
    }

    /// Their media type.
    pub const fn mime_type(&self) -> &'static str {
        match self {
            Recipe::Tune(_) => "audio/wav",
            Recipe::Cover(_) => "image/png",
        }
    }
}

/// A blob as a record names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob {
    /// What it is made of.
    pub recipe: Recipe,
    /// Its CID: version 1, raw, sha2-256.
    pub cid: Cid,
    /// Its size in bytes.
    pub size: u64,
}

impl Blob {
    /// Makes the bytes once, to know their hash.
    pub fn new(recipe: Recipe) -> Blob {
        let bytes = recipe.bytes();
        // 32 bytes always fit the 64 of the multihash.
        let hash = Multihash::<64>::wrap(SHA2_256, &Sha256::digest(&bytes)).unwrap_or_default();
        Blob {
            recipe,
            cid: Cid::new_v1(RAW, hash),
            size: bytes.len() as u64,
        }
    }

    /// What stands in a record.
    pub fn reference(&self) -> Ipld {
        let fields = [
            ("$type", Ipld::String("blob".to_owned())),
            ("ref", Ipld::Link(self.cid)),
            ("mimeType", Ipld::String(self.recipe.mime_type().to_owned())),
            ("size", Ipld::Integer(self.size.into())),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        Ipld::Map(fields.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blobs_cid_is_of_its_bytes() {
        let blob = Blob::new(Recipe::Cover(1));
        assert!(blob.cid.to_string().starts_with("bafkrei"), "{}", blob.cid);
        assert_eq!(blob.size, blob.recipe.bytes().len() as u64);
        assert_eq!(blob, Blob::new(Recipe::Cover(1)));
    }
}
