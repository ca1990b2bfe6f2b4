//! What a host might serve instead of a repo: each is refused with its reason, and none of it
//! crashes, hangs or grows.

use std::collections::BTreeMap;

use plyr_lexicons::{Cid, Did, Ipld, Rev, data};
use plyr_repo::{Blocks, CarReader, Commit, RepoError, layer_of};

use crate::forge::{
    Built, Key, RawEntry, car, cid, commit, digest_of, node, record, section, varint,
};
use crate::reading::{self, read, records};

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const REV: Rev = Rev::from_micros(1_700_000_000_000_000, 1);
/// What every forged entry links to.
const RECORD: &[u8] = b"a record";

fn some_records(count: usize) -> BTreeMap<String, Vec<u8>> {
    let record = |n: usize| (format!("fm.plyr.track/{n:05}"), record(&n.to_string(), 100));
    (0..count).map(record).collect()
}

fn repo(count: usize) -> Built {
    Built::repo(DID, REV, &Key::k256(7), &some_records(count))
}

/// A tree with a right commit on it.
fn signed(mut built: Built, root: [u8; 32]) -> Vec<u8> {
    built.put(RECORD.to_vec());
    built.sign(DID, REV, &Key::k256(7), root);
    built.car()
}

fn reason(car: &[u8]) -> &'static str {
    match records(car) {
        Ok(records) => panic!("{} records were read", records.len()),
        Err(problem) => problem.reason(),
    }
}

/// The first key of our tracks at a layer, from some number on.
fn key_at(layer: u32, from: usize) -> String {
    let mut keys = (from..).map(|n| format!("fm.plyr.track/{n:07}"));
    keys.find(|key| layer_of(key.as_bytes()) == layer).unwrap()
}

fn entry(key: &str, right: Option<[u8; 32]>) -> RawEntry {
    let value = data::cid_of(RECORD);
    RawEntry {
        shared: 0,
        suffix: key.as_bytes().to_vec(),
        value,
        right,
    }
}

#[test]
fn the_right_repo_is_read_in_any_order_and_with_anything_beside_it() {
    let built = repo(300);
    assert_eq!(records(&built.car()).unwrap().len(), 300);
    let mut turned = built.clone();
    turned.blocks.reverse();
    // The protocol tells readers to put up with duplicates and with blocks nobody links to.
    let again = turned.blocks.clone();
    turned.blocks.extend(again);
    turned.put(record("nobody links to this", 100));
    let mut car = turned.car();
    let raw = Cid::new_v1(0x55, *data::cid_of(b"raw").hash());
    section(&mut car, &[&raw.to_bytes(), b"raw"]);
    let unknown = Cid::new_v1(0x71, plyr_hash(0x1e, &[9; 32]));
    section(&mut car, &[&unknown.to_bytes(), b"of a hash we don't know"]);
    assert_eq!(records(&car).unwrap(), records(&built.car()).unwrap());
    assert!(
        records(&Built::repo(DID, REV, &Key::k256(7), &BTreeMap::new()).car())
            .unwrap()
            .is_empty()
    );
}

fn plyr_hash(code: u64, digest: &[u8]) -> ipld_core::cid::multihash::Multihash<64> {
    ipld_core::cid::multihash::Multihash::wrap(code, digest).unwrap()
}

#[test]
fn every_cut_and_every_flipped_byte_is_noticed() {
    let car = repo(12).car();
    for end in 0..car.len() {
        let told = records(&car[..end]).unwrap_err();
        let expected = matches!(told, RepoError::Truncated(_) | RepoError::MissingBlock(_));
        assert!(expected, "{end}: {told}");
    }
    for at in 0..car.len() {
        for bit in [1, 0x80] {
            let mut car = car.clone();
            car[at] ^= bit;
            assert!(records(&car).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_repo_that_lacks_any_block_is_refused() {
    let built = repo(60);
    for without in 0..built.blocks.len() {
        let mut built = built.clone();
        built.blocks.remove(without);
        assert_eq!(reason(&built.car()), "missing-block", "{without}");
    }
}

#[test]
fn cars_that_are_none_are_refused() {
    let right = repo(3);
    let car_with = |tail: &[u8]| [&right.car()[..], tail].concat();
    let header_of = |length: u64| {
        let mut car = Vec::new();
        varint(&mut car, length);
        car
    };
    let header = |fields: &[(&str, Ipld)]| {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let mut car = Vec::new();
        section(
            &mut car,
            &[&data::to_cbor(&Ipld::Map(fields.collect())).unwrap()],
        );
        car
    };
    let root = Ipld::List(vec![Ipld::Link(right.commit.unwrap())]);
    for (what, car, expected) in [
        ("nothing", Vec::new(), "truncated"),
        ("a header of 2^40", header_of(1 << 40), "too-large"),
        ("a header of 2^62", header_of(1 << 62), "too-large"),
        ("a length without end", vec![0xff; 12], "malformed"),
        (
            "a length not in its shortest form",
            vec![0x80, 0x00],
            "malformed",
        ),
        ("a header of length 0", vec![0], "malformed"),
        (
            "text",
            b"<!doctype html><html></html>".to_vec(),
            "truncated",
        ),
        (
            "version 2",
            header(&[("roots", root.clone()), ("version", Ipld::Integer(2))]),
            "malformed",
        ),
        (
            "no version",
            header(&[("roots", root.clone())]),
            "malformed",
        ),
        (
            "no roots",
            header(&[("version", Ipld::Integer(1))]),
            "malformed",
        ),
        (
            "more fields",
            header(&[
                ("roots", root),
                ("version", Ipld::Integer(1)),
                ("x", Ipld::Null),
            ]),
            "malformed",
        ),
        ("trailing zeros", car_with(&[0, 0]), "malformed"),
        ("trailing text", car_with(b"trailing"), "truncated"),
        (
            "a block shorter than a CID",
            car_with(&[5, 1, 0x71, 0x12, 0x20, 9]),
            "malformed",
        ),
        (
            "a block of 2^40",
            car_with(&header_of(1 << 40)),
            "too-large",
        ),
        (
            "a block over the bound",
            car_with(&header_of((2 << 20) + 1)),
            "too-large",
        ),
    ] {
        assert_eq!(reason(&car), expected, "{what}");
    }
    let told = records(&car_with(&[0, 0])).unwrap_err();
    assert!(told.to_string().contains("length 0"), "{told}");
    // What getBlocks answers names no roots.
    let mut reader = CarReader::new(Blocks::new(1, std::env::temp_dir()), 100);
    reader.feed(&car(&[], [])).unwrap();
    assert!(reader.finish().unwrap().roots.is_empty());
    let mut reader = CarReader::new(Blocks::new(1, std::env::temp_dir()), 100);
    assert_eq!(reader.feed(&right.car()).unwrap_err().reason(), "too-large");
}

#[test]
fn a_block_that_isnt_its_cid_is_named() {
    let mut built = repo(3);
    built.blocks[0].1.push(0);
    let named = cid(&built.blocks[0].0);
    assert_eq!(
        records(&built.car()).unwrap_err(),
        RepoError::WrongCid(named)
    );
    // A cycle would need a node that holds its own hash: it comes as a node that isn't its CID.
    let mut cycle = Built::default();
    let own = digest_of(b"whatever");
    cycle
        .blocks
        .push((own, node(Some(own), &[entry(&key_at(1, 0), None)])));
    assert_eq!(reason(&signed(cycle, own)), "wrong-cid");
}

#[test]
fn chains_and_wrong_layers_are_refused_however_deep() {
    // A hundred thousand nodes, each the left subtree of the next.
    let mut chain = Built::default();
    let mut below = chain.put(node(None, &[entry(&key_at(0, 0), None)]));
    for _ in 0..100_000 {
        below = chain.put(node(Some(below), &[]));
    }
    assert_eq!(reason(&signed(chain.clone(), below)), "tree");
    // The same under a key that makes its layer look right.
    let top = chain.put(node(Some(below), &[entry(&key_at(3, 5_000), None)]));
    assert_eq!(reason(&signed(chain, top)), "too-deep");
    // A key in a layer that isn't its own.
    let mut wrong = Built::default();
    let below = wrong.put(node(None, &[entry(&key_at(1, 0), None)]));
    let root = wrong.put(node(Some(below), &[entry(&key_at(1, 5_000), None)]));
    assert_eq!(reason(&signed(wrong, root)), "tree");
    // Of two keys of a node one is of another layer.
    let mut mixed = Built::default();
    let keys = [key_at(1, 0), key_at(0, 9_000)];
    let shared = keys[0]
        .bytes()
        .zip(keys[1].bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let mut second = entry(&keys[1][shared..], None);
    second.shared = shared;
    let root = mixed.put(node(None, &[entry(&keys[0], None), second]));
    assert_eq!(reason(&signed(mixed, root)), "tree");
    // An empty node, and a root that only leads on.
    let mut hollow = Built::default();
    let empty = hollow.put(node(None, &[]));
    let root = hollow.put(node(Some(empty), &[entry(&key_at(1, 0), None)]));
    assert_eq!(reason(&signed(hollow, root)), "tree");
    let mut idle = Built::default();
    let below = idle.put(node(None, &[entry(&key_at(0, 0), None)]));
    let root = idle.put(node(Some(below), &[]));
    assert_eq!(reason(&signed(idle, root)), "tree");
}

#[test]
fn keys_out_of_order_are_refused() {
    let (low, high) = (key_at(0, 10), key_at(0, 500));
    let pair = |first: &str, second: RawEntry| {
        let mut built = Built::default();
        let root = built.put(node(None, &[entry(first, None), second]));
        reason(&signed(built, root))
    };
    let shared = low
        .bytes()
        .zip(high.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let with = |shared: usize, suffix: &str| RawEntry {
        shared,
        ..entry(suffix, None)
    };
    assert_eq!(
        pair(&high, with(shared, &low[shared..])),
        "tree",
        "descending"
    );
    assert_eq!(pair(&low, with(low.len(), "")), "tree", "twice the same");
    assert_eq!(
        pair(&low, with(low.len() - 1, "")),
        "tree",
        "its own beginning"
    );
    assert_eq!(
        pair(&low, with(shared - 1, &high[shared - 1..])),
        "tree",
        "prefix too short"
    );
    assert_eq!(
        pair(&low, with(low.len() + 1, "x")),
        "tree",
        "prefix too long"
    );
    let mut first = Built::default();
    let root = first.put(node(None, &[with(3, &low)]));
    assert_eq!(reason(&signed(first, root)), "tree", "a prefix of nothing");
    // A subtree that holds keys beyond its neighbours.
    for (below, place) in [(key_at(0, 9_000), "left"), (key_at(0, 0), "right")] {
        let mut built = Built::default();
        let below = built.put(node(None, &[entry(&below, None)]));
        let top = key_at(1, 500);
        let root = match place {
            "left" => built.put(node(Some(below), &[entry(&top, None)])),
            _ => built.put(node(None, &[entry(&top, Some(below))])),
        };
        assert_eq!(reason(&signed(built, root)), "tree", "{place}");
    }
}

#[test]
fn nodes_in_other_words_are_refused() {
    let right = node(None, &[entry(&key_at(0, 0), None)]);
    let replace = |from: &[u8], to: &[u8]| {
        let at = right
            .windows(from.len())
            .position(|part| part == from)
            .unwrap();
        [&right[..at], to, &right[at + from.len()..]].concat()
    };
    let long_key = format!("fm.plyr.track/{}", "x".repeat(2_000));
    for (what, block, expected) in [
        ("no bytes", Vec::new(), "tree"),
        ("more bytes", [&right[..], &[0]].concat(), "tree"),
        (
            "a longer number",
            replace(&[0x61, b'p', 0], &[0x61, b'p', 0x18, 0]),
            "tree",
        ),
        (
            "other fields",
            replace(&[0x61, b'p'], &[0x61, b'q']),
            "tree",
        ),
        (
            "more entries than bytes",
            replace(&[b'e', 0x81], &[b'e', 0x9a, 0xff, 0xff, 0xff, 0xff]),
            "tree",
        ),
        (
            "entries without end",
            replace(&[b'e', 0x81], &[b'e', 0x9f]),
            "tree",
        ),
        (
            "a raw link",
            replace(&[0x58, 0x25, 0, 1, 0x71], &[0x58, 0x25, 0, 1, 0x55]),
            "tree",
        ),
        (
            "a key too long",
            node(None, &[entry(&long_key, None)]),
            "too-large",
        ),
        (
            "a key written out that shares its beginning",
            node(
                None,
                &[entry(&key_at(0, 0), None), entry(&key_at(0, 500), None)],
            ),
            "tree",
        ),
        (
            "a key that is none",
            node(None, &[entry("fm.plyr.track/a/b", None)]),
            "tree",
        ),
    ] {
        let mut built = Built::default();
        let root = built.put(block);
        assert_eq!(reason(&signed(built, root)), expected, "{what}");
    }
}

#[test]
fn commits_that_are_none_are_refused() {
    let built = repo(3);
    let data = built.data.unwrap();
    let key = Key::k256(7);
    let sealed = |fields: BTreeMap<String, Ipld>| {
        let mut fields = fields;
        let signature = key.sign(&data::to_cbor(&Ipld::Map(fields.clone())).unwrap());
        fields.insert("sig".to_owned(), Ipld::Bytes(signature));
        data::to_cbor(&Ipld::Map(fields)).unwrap()
    };
    let right = commit(DID, REV, data);
    let with = |name: &str, value: Ipld| {
        let mut fields = right.clone();
        fields.insert(name.to_owned(), value);
        Commit::read(&sealed(fields))
    };
    let read = Commit::read(&sealed(right.clone())).unwrap();
    read.check_signature(&key.multikey()).unwrap();
    assert_eq!((read.rev, read.data), (REV, data));
    // What we don't know is signed too.
    let more = with("more", Ipld::Bool(true)).unwrap();
    more.check_signature(&key.multikey()).unwrap();
    for (name, value) in [
        ("version", Ipld::Integer(2)),
        ("rev", Ipld::String("yesterday".to_owned())),
        ("rev", Ipld::Null),
        ("did", Ipld::Null),
        ("data", Ipld::String(data.to_string())),
        ("data", Ipld::Link(Cid::new_v1(0x55, *data.hash()))),
    ] {
        let told = with(name, value.clone()).unwrap_err();
        assert_eq!(told.reason(), "malformed", "{name} {value:?}");
    }
    for name in ["sig", "did", "rev", "data", "version"] {
        let mut fields = right.clone();
        fields.insert("sig".to_owned(), Ipld::Bytes(vec![0; 64]));
        fields.remove(name);
        let told = Commit::read(&data::to_cbor(&Ipld::Map(fields)).unwrap()).unwrap_err();
        assert_eq!(told.reason(), "malformed", "without {name}");
    }
    // The same fields in another order are other bytes, though they say the same.
    let one = |(name, value): (&String, &Ipld)| {
        let fields = [(name.clone(), value.clone())].into_iter().collect();
        data::to_cbor(&Ipld::Map(fields)).unwrap()[1..].to_vec()
    };
    let mut fields = right.clone();
    fields.insert("sig".to_owned(), Ipld::Bytes(vec![0; 64]));
    let turned: Vec<Vec<u8>> = fields.iter().rev().map(one).collect();
    let turned = [&[0xa0 | fields.len() as u8], &turned.concat()[..]].concat();
    assert!(data::from_cbor(&turned).is_ok());
    assert_eq!(Commit::read(&turned).unwrap_err().reason(), "malformed");
    let large = with("more", Ipld::String("x".repeat(10_000))).unwrap_err();
    assert_eq!(large.reason(), "too-large");
    assert_eq!(Commit::read(b"\xa0\xa0").unwrap_err().reason(), "malformed");
}

#[test]
fn signatures_of_either_curve_are_checked_and_only_in_the_lower_half() {
    for key in [Key::k256(7), Key::p256(7)] {
        let built = Built::repo(DID, REV, &key, &some_records(3));
        let (root, blocks) = read(&built.car(), 64, 1 << 20).unwrap();
        let commit = reading::commit(&root, &blocks).unwrap();
        commit.check_signature(&key.multikey()).unwrap();
        commit
            .check_did(&Did::new(DID.to_owned()).unwrap())
            .unwrap();
        for other in [Key::k256(8), Key::p256(8)] {
            let told = commit.check_signature(&other.multikey()).unwrap_err();
            assert_eq!(told.reason(), "signature");
        }
        for nonsense in ["", "z", "did:key:z", "zQ3sh", "\u{1f3b5}"] {
            assert!(commit.check_signature(nonsense).is_err(), "{nonsense}");
        }
        let block = blocks.get(&reading::digest(&root)).unwrap().unwrap();
        let Ipld::Map(mut fields) = data::from_cbor(&block).unwrap() else {
            panic!("a commit is a map")
        };
        let Some(Ipld::Bytes(signature)) = fields.get_mut("sig") else {
            panic!("it is signed")
        };
        let order = match key {
            Key::K256(_) => K256_ORDER,
            Key::P256(_) => P256_ORDER,
        };
        let upper = minus(order, &signature[32..]);
        signature.splice(32.., upper);
        let upper = Commit::read(&data::to_cbor(&Ipld::Map(fields)).unwrap()).unwrap();
        let told = upper.check_signature(&key.multikey()).unwrap_err();
        assert!(told.to_string().to_lowercase().contains("low"), "{told}");
    }
}

const K256_ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// The order of a curve less a number.
fn minus(order: &str, number: &[u8]) -> Vec<u8> {
    let mut result = vec![0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let digit = i16::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap();
        let difference = digit - i16::from(number[at]) - borrow;
        borrow = i16::from(difference < 0);
        result[at] = difference.rem_euclid(256) as u8;
    }
    result
}
