//! CARs: read in chunks, then from the commit down the tree to the records.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use plyr_lexicons::{Cid, Namespace, data};
use plyr_repo::{
    Blocks, Car, CarReader, Commit, Digest, Node, Ranges, RepoError, Step, Walk, survey,
};

/// Bytes that a CAR may have here.
const LARGEST: u64 = 4 << 20;
/// Bytes that blocks may take in memory, where none are to be written to files; and where nearly
/// all are.
const MUCH: usize = 64 << 20;
const LITTLE: usize = 300;
/// One input in so many is read with little memory as well: files take time.
const SELDOM: usize = 61;
/// What the CID of a node, a commit or a record begins with: version 1, DAG-CBOR, SHA-256.
const BLESSED: [u8; 4] = [0x01, 0x71, 0x12, 0x20];
/// Keys of either curve.
const KEYS: [&str; 2] = [
    "zQ3shszez9bgVeQngHsEZQeZXLnCCbWUk3GHt3UbhmmUFxLsp",
    "zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo",
];

static RANGES: LazyLock<Arc<Ranges>> = LazyLock::new(|| {
    let namespace: Namespace = "fm.plyr".parse().expect("a namespace");
    Arc::new(Ranges::of(&namespace))
});

/// Reads the bytes as a CAR, as they are and with the names of its blocks made to fit, and as a
/// block alone. However a CAR arrives it is read as the same; no block is there under a name that
/// isn't its hash; the walk tells ascending keys, in a number that the bytes bound; and a node or a
/// commit that is taken is in its one canonical form.
pub fn cars(bytes: &[u8]) {
    block(bytes);
    whole(bytes);
    whole(&renamed(bytes));
}

fn block(bytes: &[u8]) {
    if let Ok(node) = Node::read(bytes) {
        assert!(
            data::from_canonical(bytes).is_ok(),
            "a node in another form"
        );
        let keys = node.entries.windows(2);
        assert!(keys.into_iter().all(|pair| pair[0].key < pair[1].key));
    }
    if let Ok(commit) = Commit::read(bytes) {
        assert!(
            data::from_canonical(bytes).is_ok(),
            "a commit in another form"
        );
        // Nobody signed it by these keys; that it is heard without a panic is all.
        for key in KEYS {
            drop(commit.check_signature(key));
        }
    }
}

fn whole(bytes: &[u8]) {
    let at_once = read(bytes, bytes.len().max(1), MUCH);
    let in_pieces = read(bytes, 1 + bytes.len() % 97, MUCH);
    let (Ok(car), Ok(pieces)) = (&at_once, &in_pieces) else {
        assert!(
            at_once.is_err() && in_pieces.is_err(),
            "only in pieces, or only at once"
        );
        return;
    };
    assert_eq!(car.roots, pieces.roots);
    let (count, size) = (car.blocks.count(), car.blocks.bytes());
    assert_eq!(
        (count, size),
        (pieces.blocks.count(), pieces.blocks.bytes())
    );
    assert!(size <= bytes.len() as u64);
    let told = walked(car, bytes.len());
    if bytes.len().is_multiple_of(SELDOM) {
        let mut from_files = read(bytes, 1 + bytes.len() % 97, LITTLE).expect("it was read before");
        assert_eq!(
            told,
            walked(&from_files, bytes.len()),
            "from files it is another"
        );
        from_files.blocks.settle().expect("files of our own");
        assert_eq!(
            told,
            walked(&from_files, bytes.len()),
            "settled it is another"
        );
    }
}

fn read(bytes: &[u8], piece: usize, memory: usize) -> Result<Car, RepoError> {
    let blocks = Blocks::new(memory, std::env::temp_dir());
    let mut reader = CarReader::new(blocks, LARGEST);
    for piece in bytes.chunks(piece) {
        reader.feed(piece)?;
    }
    reader.finish()
}

/// Keys and the CIDs of their records.
type Keys = Vec<(Vec<u8>, Cid)>;

/// The records that the walk tells of, and the nodes it misses; none where the repo is refused.
fn walked(car: &Car, bytes: usize) -> Option<(Keys, Vec<Digest>)> {
    let (cid, commit, root) = car.commit().ok()?;
    checked_block(car, &cid);
    for key in KEYS {
        drop(commit.check_signature(key));
    }
    let (mut records, mut missing) = (Vec::<(Vec<u8>, Cid)>::new(), Vec::new());
    let mut walk = Walk::through(root, RANGES.clone());
    loop {
        assert!(
            records.len() + missing.len() <= bytes,
            "more steps than bytes"
        );
        match walk.next(&car.blocks) {
            Ok(None) => break,
            Ok(Some(Step::Record { key, cid, .. })) => {
                assert!(
                    records.last().is_none_or(|(before, _)| *before < key),
                    "not ascending"
                );
                checked_block(car, &cid);
                records.push((key, cid));
            }
            Ok(Some(Step::Missing { node, .. } | Step::Within { node, .. })) => missing.push(node),
            Err(_) => return None,
        }
    }
    // Along the bounds there is less to be seen, but nothing else.
    let seen = survey(&car.blocks, root, &RANGES).expect("the walk came through");
    assert_eq!(seen.fingerprint.is_some(), seen.missing.is_empty());
    assert!(seen.missing.iter().all(|node| missing.contains(node)));
    Some((records, missing))
}

fn checked_block(car: &Car, cid: &Cid) {
    let digest: Digest = cid.hash().digest().try_into().expect("a blessed CID");
    if let Some(block) = car.blocks.get(&digest).expect("files of our own") {
        assert_eq!(data::cid_of(&block), *cid, "a block under another's name");
    }
}

/// A CAR whose blocks' names are their hashes, made of one whose names are only labels: so that
/// bytes can be changed at random and the CAR is still one. Blocks are named from the last to the
/// first, since in the order of a repo a block stands before those it names.
fn renamed(bytes: &[u8]) -> Vec<u8> {
    let mut sections = sections(bytes);
    let mut names = HashMap::new();
    for section in sections.iter_mut().rev() {
        let own = section
            .strip_prefix(&BLESSED)
            .and_then(|rest| rest.first_chunk::<32>())
            .copied();
        let from = own.map_or(0, |_| BLESSED.len() + 32);
        relabel(&mut section[from..], &names);
        if let Some(own) = own {
            let name = data::cid_of(&section[from..]).to_bytes();
            section[..from].copy_from_slice(&name);
            names.insert(own, name);
        }
    }
    let mut renamed = Vec::with_capacity(bytes.len());
    for section in sections {
        let mut length = section.len();
        while length >= 0x80 {
            renamed.push(length as u8 | 0x80);
            length >>= 7;
        }
        renamed.push(length as u8);
        renamed.extend(section);
    }
    renamed
}

fn relabel(block: &mut [u8], names: &HashMap<[u8; 32], Vec<u8>>) {
    let length = BLESSED.len() + 32;
    for at in 0..block.len().saturating_sub(length - 1) {
        let link = &mut block[at..at + length];
        let label = link
            .strip_prefix(&BLESSED)
            .and_then(|rest| rest.first_chunk::<32>());
        if let Some(name) = label.and_then(|label| names.get(label)) {
            link.copy_from_slice(name);
        }
    }
}

/// The sections behind their lengths; what is cut ends at the end.
fn sections(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut sections = Vec::new();
    while let Some(end) = bytes.iter().position(|byte| byte & 0x80 == 0) {
        let length = bytes[..=end].iter().rev().fold(0usize, |length, byte| {
            length.wrapping_shl(7) | usize::from(byte & 0x7f)
        });
        let rest = &bytes[end + 1..];
        let (section, after) = rest.split_at(length.min(rest.len()));
        sections.push(section.to_vec());
        bytes = after;
    }
    sections
}
