//! Repos made by hand: what the right rules make, and what no right rule would.

use std::collections::BTreeMap;

use atrium_crypto::keypair::{Did as _, P256Keypair, Secp256k1Keypair};
use plyr_lexicons::{Cid, Ipld, Rev, data};
use plyr_repo::{Digest, layer_of};

/// A signing key of either curve.
pub enum Key {
    K256(Secp256k1Keypair),
    P256(P256Keypair),
}

impl Key {
    pub fn k256(seed: u8) -> Key {
        Key::K256(Secp256k1Keypair::import(&[seed; 32]).unwrap())
    }

    pub fn p256(seed: u8) -> Key {
        Key::P256(P256Keypair::import(&[seed; 32]).unwrap())
    }

    pub fn multikey(&self) -> String {
        let did = match self {
            Key::K256(pair) => pair.did(),
            Key::P256(pair) => pair.did(),
        };
        did.strip_prefix("did:key:").unwrap().to_owned()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Key::K256(pair) => pair.sign(message).unwrap(),
            Key::P256(pair) => pair.sign(message).unwrap(),
        }
    }
}

/// A repo's blocks, in the order in which they were made.
#[derive(Clone, Default)]
pub struct Built {
    pub blocks: Vec<(Digest, Vec<u8>)>,
    pub commit: Option<Cid>,
    pub data: Option<Cid>,
}

/// One entry of a node, prefix and all.
pub struct RawEntry {
    pub shared: usize,
    pub suffix: Vec<u8>,
    pub value: Cid,
    pub right: Option<Digest>,
}

pub fn cid(digest: &Digest) -> Cid {
    let bytes = [&[0x01, 0x71, 0x12, 0x20], &digest[..]].concat();
    Cid::try_from(&bytes[..]).unwrap()
}

pub fn digest_of(bytes: &[u8]) -> Digest {
    data::cid_of(bytes).hash().digest().try_into().unwrap()
}

/// A record of about `size` bytes.
pub fn record(text: &str, size: usize) -> Vec<u8> {
    let filler = "x".repeat(size.saturating_sub(text.len()));
    let fields = [("text", text.to_owned()), ("filler", filler)];
    let fields = fields.map(|(name, text)| (name.to_owned(), Ipld::String(text)));
    data::to_cbor(&Ipld::Map(fields.into_iter().collect())).unwrap()
}

impl Built {
    pub fn put(&mut self, block: Vec<u8>) -> Digest {
        let digest = digest_of(&block);
        self.blocks.push((digest, block));
        digest
    }

    /// A repo as the rules make it.
    pub fn repo(did: &str, rev: Rev, key: &Key, records: &BTreeMap<String, Vec<u8>>) -> Built {
        let mut built = Built::default();
        let data = built.tree(records);
        built.sign(did, rev, key, data);
        let mut seen = std::collections::HashSet::new();
        built.blocks.retain(|(digest, _)| seen.insert(*digest));
        built
    }

    /// The tree of some records, and the records.
    pub fn tree(&mut self, records: &BTreeMap<String, Vec<u8>>) -> Digest {
        let mut items = Vec::new();
        for (key, record) in records {
            let value = cid(&self.put(record.clone()));
            items.push((key.as_str(), value, layer_of(key.as_bytes())));
        }
        let top = items.iter().map(|(_, _, layer)| *layer).max().unwrap_or(0);
        match self.subtree(&items, top) {
            Some(root) => root,
            None => self.put(node(None, &[])),
        }
    }

    fn subtree(&mut self, items: &[(&str, Cid, u32)], layer: u32) -> Option<Digest> {
        if items.is_empty() {
            return None;
        }
        let mut gaps = items.split(|(_, _, own)| *own == layer);
        let below = |gap: &[(&str, Cid, u32)], built: &mut Built| match layer {
            0 => None,
            _ => built.subtree(gap, layer - 1),
        };
        let left = gaps.next().and_then(|gap| below(gap, self));
        let mut entries = Vec::new();
        let mut previous = "";
        let here = items.iter().filter(|(_, _, own)| *own == layer);
        for ((key, value, _), gap) in here.zip(gaps) {
            let shared = previous
                .bytes()
                .zip(key.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            entries.push(RawEntry {
                shared,
                suffix: key.as_bytes()[shared..].to_vec(),
                value: *value,
                right: below(gap, self),
            });
            previous = key;
        }
        Some(self.put(node(left, &entries)))
    }

    /// Puts a signed commit on a tree.
    pub fn sign(&mut self, did: &str, rev: Rev, key: &Key, data: Digest) {
        let mut fields = commit(did, rev, cid(&data));
        let signature = key.sign(&data::to_cbor(&Ipld::Map(fields.clone())).unwrap());
        fields.insert("sig".to_owned(), Ipld::Bytes(signature));
        let block = data::to_cbor(&Ipld::Map(fields)).unwrap();
        self.data = Some(cid(&data));
        self.commit = Some(cid(&self.put(block)));
    }

    /// All of it as a CAR.
    pub fn car(&self) -> Vec<u8> {
        car(
            self.commit.as_slice(),
            self.blocks
                .iter()
                .map(|(digest, block)| (cid(digest), &block[..])),
        )
    }
}

/// The fields of a commit that isn't signed yet.
pub fn commit(did: &str, rev: Rev, data: Cid) -> BTreeMap<String, Ipld> {
    let fields = [
        ("did", Ipld::String(did.to_owned())),
        ("version", Ipld::Integer(3)),
        ("data", Ipld::Link(data)),
        ("rev", Ipld::String(rev.to_string())),
        ("prev", Ipld::Null),
    ];
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// A node's canonical bytes, if its entries are.
pub fn node(left: Option<Digest>, entries: &[RawEntry]) -> Vec<u8> {
    let mut out = vec![0xa2, 0x61, b'e'];
    head(&mut out, 4, entries.len());
    for entry in entries {
        out.extend_from_slice(&[0xa4, 0x61, b'k']);
        head(&mut out, 2, entry.suffix.len());
        out.extend_from_slice(&entry.suffix);
        out.extend_from_slice(&[0x61, b'p']);
        head(&mut out, 0, entry.shared);
        out.extend_from_slice(&[0x61, b't']);
        link(&mut out, entry.right.map(|digest| cid(&digest)));
        out.extend_from_slice(&[0x61, b'v']);
        link(&mut out, Some(entry.value));
    }
    out.extend_from_slice(&[0x61, b'l']);
    link(&mut out, left.map(|digest| cid(&digest)));
    out
}

fn head(out: &mut Vec<u8>, major: u8, value: usize) {
    match value {
        0..24 => out.push(major << 5 | value as u8),
        24..256 => out.extend_from_slice(&[major << 5 | 24, value as u8]),
        256..65536 => {
            out.push(major << 5 | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        _ => {
            out.push(major << 5 | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
    }
}

fn link(out: &mut Vec<u8>, cid: Option<Cid>) {
    let Some(cid) = cid else {
        out.push(0xf6);
        return;
    };
    let bytes = cid.to_bytes();
    out.extend_from_slice(&[0xd8, 0x2a]);
    head(out, 2, bytes.len() + 1);
    out.push(0);
    out.extend_from_slice(&bytes);
}

/// A CAR of these roots and blocks.
pub fn car<'a>(roots: &[Cid], blocks: impl IntoIterator<Item = (Cid, &'a [u8])>) -> Vec<u8> {
    let roots = roots.iter().map(|root| Ipld::Link(*root)).collect();
    let fields = [("roots", Ipld::List(roots)), ("version", Ipld::Integer(1))];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let header = data::to_cbor(&Ipld::Map(fields.into_iter().collect())).unwrap();
    let mut out = Vec::new();
    section(&mut out, &[&header]);
    for (cid, block) in blocks {
        section(&mut out, &[&cid.to_bytes(), block]);
    }
    out
}

pub fn section(out: &mut Vec<u8>, parts: &[&[u8]]) {
    varint(out, parts.iter().map(|part| part.len() as u64).sum());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
