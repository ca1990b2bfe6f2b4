//! Trees of random keys, against a second mind's (atrium-repo): the same roots, the same records,
//! and whatever is missing, nothing is said to be absent that is there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use atrium_repo::blockstore::MemoryBlockStore;
use atrium_repo::mst::Tree;
use plyr_lexicons::{Collection, Rev};
use plyr_repo::{Blocks, CarReader, Digest, Ranges, Step, Walk, survey};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::forge::{Built, Key, car, cid, record};
use crate::reading::{digest, namespace, ranges, read, records};

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const REV: Rev = Rev::from_micros(1_700_000_000_000_000, 1);
const OURS: [&str; 5] = [
    "fm.plyr.actor.profile",
    "fm.plyr.comment",
    "fm.plyr.like",
    "fm.plyr.list",
    "fm.plyr.track",
];
/// Names that lie before, between, just beside and behind ours.
const FOREIGN: [&str; 9] = [
    "app.bsky.feed.post",
    "fm.plyr",
    "fm.plyr.actor.profile.more",
    "fm.plyr.dev.track",
    "fm.plyr.likes",
    "fm.plyr.stg.like",
    "fm.plyr.track.more",
    "fm.plyr.tracks",
    "zz.last.one",
];

fn rng() -> (StdRng, u64) {
    let seed = std::env::var("PLYR_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    println!("PLYR_SEED={seed}");
    (StdRng::seed_from_u64(seed), seed)
}

fn add(records: &mut BTreeMap<String, Vec<u8>>, random: &mut StdRng, from: &[&str], count: usize) {
    for _ in 0..count {
        let collection = from.choose(random).unwrap();
        let bits = random.random_range(4..40);
        let rkey: u64 = random.random_range(0..1 << bits);
        let key = format!("{collection}/{rkey:x}");
        records.insert(key, record(&random.random::<u32>().to_string(), 60));
    }
}

fn is_ours(key: &str) -> bool {
    OURS.iter()
        .any(|collection| key.starts_with(&format!("{collection}/")))
}

fn repo(records: &BTreeMap<String, Vec<u8>>) -> Built {
    Built::repo(DID, REV, &Key::k256(7), records)
}

fn fingerprint(built: &Built) -> plyr_repo::Fingerprint {
    let (_, blocks) = read(&built.car(), 64 << 10, 1 << 20).unwrap();
    let survey = survey(&blocks, digest(&built.data.unwrap()), &ranges()).unwrap();
    survey.fingerprint.unwrap()
}

fn only(blocks: &[(Digest, Vec<u8>)]) -> Blocks {
    let car = car(
        &[],
        blocks
            .iter()
            .map(|(digest, block)| (cid(digest), &block[..])),
    );
    let mut reader = CarReader::new(Blocks::new(1 << 20, std::env::temp_dir()), 1 << 30);
    reader.feed(&car).unwrap();
    reader.finish().unwrap().blocks
}

#[tokio::test]
async fn a_second_mind_makes_the_same_trees_and_reads_the_same_records() {
    let (mut random, seed) = rng();
    for round in 0..60 {
        let mut all = BTreeMap::new();
        let (ours, foreign) = (random.random_range(0..60), random.random_range(0..200));
        add(&mut all, &mut random, &OURS, ours);
        add(&mut all, &mut random, &FOREIGN, foreign);
        let mut store = MemoryBlockStore::new();
        let mut tree = Tree::create(&mut store).await.unwrap();
        for (key, record) in &all {
            let value = plyr_lexicons::data::cid_of(record);
            tree.add(key, value).await.unwrap();
        }
        let root = tree.root();
        let built = repo(&all);
        assert_eq!(built.data, Some(root), "seed {seed} round {round}");
        let read = records(&built.car()).unwrap();
        let read: Vec<(&str, &[u8])> = read
            .iter()
            .map(|(key, _, record)| (key.as_str(), &record[..]))
            .collect();
        let expected = all.iter().filter(|(key, _)| is_ours(key));
        let expected: Vec<(&str, &[u8])> = expected
            .map(|(key, record)| (key.as_str(), &record[..]))
            .collect();
        assert_eq!(read, expected, "seed {seed} round {round}");
    }
}

#[test]
fn i04_absence_is_proven_never_assumed() {
    let (mut random, seed) = rng();
    for round in 0..200 {
        let mut all = BTreeMap::new();
        let (ours, foreign) = (random.random_range(1..80), random.random_range(0..200));
        add(&mut all, &mut random, &OURS, ours);
        add(&mut all, &mut random, &FOREIGN, foreign);
        let built = repo(&all);
        let keep: f64 = random.random_range(0.2..1.0);
        let mut kept = built.blocks.clone();
        kept.retain(|_| random.random_bool(keep));
        let (blocks, root) = (only(&kept), digest(&built.data.unwrap()));
        let ours: BTreeMap<&String, _> = all.iter().filter(|(key, _)| is_ours(key)).collect();
        let mut walk = Walk::through(root, ranges());
        let (mut found, mut missing) = (HashMap::new(), 0);
        while let Some(step) = walk.next(&blocks).unwrap() {
            match step {
                Step::Record { key, cid, .. } => {
                    found.insert(String::from_utf8(key).unwrap(), cid);
                }
                Step::Missing { node, .. } => {
                    assert!(!kept.iter().any(|(digest, _)| *digest == node));
                    missing += 1;
                }
                Step::Within { .. } => panic!("a walk through leaves nothing closed"),
            }
        }
        assert!(
            found.len() == ours.len() || missing > 0,
            "seed {seed} round {round}"
        );
        // One key at a time, there or not.
        for (key, there) in ours
            .keys()
            .map(|key| ((*key).clone(), true))
            .chain((0..20).map(|n| (format!("fm.plyr.track/not-{n}"), false)))
        {
            let (collection, rkey) = key.split_once('/').unwrap();
            let collection = namespace().collection(collection).unwrap();
            let one = Arc::new(Ranges::one(&namespace(), collection, rkey));
            let mut walk = Walk::through(root, one);
            match walk.next(&blocks).unwrap() {
                None => assert!(!there, "seed {seed} round {round}: {key} is there"),
                Some(Step::Record { .. }) => assert!(there, "seed {seed} round {round}: {key}"),
                Some(_) => assert!(missing > 0 || !there),
            }
        }
    }
    assert!(Collection::ALL.len() == OURS.len());
}

#[test]
fn the_fingerprint_is_of_our_records_alone() {
    let (mut random, seed) = rng();
    for round in 0..150 {
        let mut all = BTreeMap::new();
        let (ours, foreign) = (random.random_range(0..50), random.random_range(0..200));
        add(&mut all, &mut random, &OURS, ours);
        add(&mut all, &mut random, &FOREIGN, foreign);
        let before = fingerprint(&repo(&all));
        // Whatever else comes, goes or changes.
        let mut other = all.clone();
        add(&mut other, &mut random, &FOREIGN, foreign);
        other.retain(|key, _| is_ours(key) || random.random_bool(0.7));
        assert_eq!(
            fingerprint(&repo(&other)),
            before,
            "seed {seed} round {round}"
        );
        // One of ours.
        let mut changed = all.clone();
        let keys: Vec<String> = all.keys().filter(|key| is_ours(key)).cloned().collect();
        match keys.choose(&mut random) {
            Some(key) if round % 3 == 0 => drop(changed.remove(key)),
            Some(key) if round % 3 == 1 => drop(changed.insert(key.clone(), record("else", 9))),
            _ => drop(changed.insert("fm.plyr.like/new".to_owned(), record("new", 9))),
        }
        assert_ne!(
            fingerprint(&repo(&changed)),
            before,
            "seed {seed} round {round}"
        );
        // It needs nothing but the nodes along the bounds, each asked for when it is missed.
        let built = repo(&all);
        let store: HashMap<Digest, Vec<u8>> = built.blocks.iter().cloned().collect();
        let mut have = Vec::new();
        let root = digest(&built.data.unwrap());
        let told = loop {
            let told = survey(&only(&have), root, &ranges()).unwrap();
            if let Some(fingerprint) = told.fingerprint {
                assert!(told.missing.is_empty());
                break fingerprint;
            }
            have.extend(
                told.missing
                    .iter()
                    .map(|digest| (*digest, store[digest].clone())),
            );
        };
        assert_eq!(told, before, "seed {seed} round {round}");
    }
}
