use std::sync::Arc;

use plyr_lexicons::Namespace;
use plyr_repo::{Blocks, CarReader, Commit, Digest, Ranges, Step, Walk};

use super::*;
use crate::story::{Kind, Plot, Proportions, Story};

fn namespace() -> Namespace {
    "fm.plyr".parse().unwrap()
}

fn plot(seed: u64) -> Plot {
    let plot = Plot::of_seed(seed, namespace());
    // Much is deleted and written anew, so that trees grow and shrink.
    let proportions = Proportions::default()
        .with(Kind::Unlike, 250)
        .with(Kind::Delete, 150)
        .with(Kind::Again, 60);
    Plot {
        artists: 4,
        listeners: 4,
        tracks: 16,
        seconds: (1, 1),
        tunes: 3,
        proportions,
        ..plot
    }
}

fn digest(cid: &Cid) -> Digest {
    cid.hash().digest().try_into().unwrap()
}

/// What a strict reader finds in a CAR: whether the commit is signed, and the records of ours.
fn read(account: &Account, car: &[u8]) -> Vec<(String, Cid)> {
    let mut reader = CarReader::new(Blocks::new(1 << 20, std::env::temp_dir()), 1 << 30);
    reader.feed(car).unwrap();
    let mut car = reader.finish().unwrap();
    car.blocks.settle().unwrap();
    let block = car.blocks.get(&digest(&car.roots[0])).unwrap().unwrap();
    let commit = Commit::read(&block).unwrap();
    commit.check_signature(&account.multikey()).unwrap();
    assert_eq!(
        (commit.did.as_str(), commit.rev),
        (account.did.as_str(), account.rev())
    );
    let ranges = Arc::new(Ranges::of(&namespace()));
    let mut walk = Walk::through(digest(&commit.data), ranges);
    let mut records = Vec::new();
    while let Some(step) = walk.next(&car.blocks).unwrap() {
        let Step::Record { key, cid, .. } = step else {
            panic!("a node is missing: {step:?}");
        };
        assert!(car.blocks.get(&digest(&cid)).unwrap().is_some());
        records.push((String::from_utf8(key).unwrap(), cid));
    }
    records
}

fn ours(account: &Account) -> Vec<(String, Cid)> {
    let is_ours = |key: &str| {
        let collection = key.split('/').next().unwrap();
        namespace().collection(collection).is_some()
    };
    let records = account.records().iter();
    let records = records.filter(|(key, _)| is_ours(key));
    records
        .map(|(key, record)| (key.clone(), record.cid))
        .collect()
}

#[test]
fn repos_of_a_long_life_are_signed_and_whole() {
    let mut world = World::new();
    let mut looked = 0;
    for (number, act) in Story::new(plot(2)).unwrap().take(2_500).enumerate() {
        world.apply(&act).unwrap();
        // Now and then, so that some changes come together and some alone.
        if number % 7 != 0 {
            continue;
        }
        let account = world.account_mut(&act.did).unwrap();
        let car = account.car().unwrap();
        assert_eq!(read(account, &car), ours(account), "after {number} acts");
        looked += 1;
    }
    assert!(looked > 300);
}

#[test]
fn proofs_prove_what_is_there_and_what_is_not() {
    let mut world = World::new();
    for act in Story::new(plot(3)).unwrap().take(900) {
        world.apply(&act).unwrap();
    }
    let dids: Vec<String> = world
        .accounts()
        .map(|account| account.did.clone())
        .collect();
    for did in dids {
        let account = world.account_mut(&did).unwrap();
        if account.standing == Standing::Deleted {
            continue;
        }
        let mut keys: Vec<String> = ours(account).into_iter().map(|(key, _)| key).collect();
        keys.push("fm.plyr.like/2222222222222".to_owned());
        for key in keys {
            let car = account.proof(&key).unwrap();
            let mut reader = CarReader::new(Blocks::new(1 << 20, std::env::temp_dir()), 1 << 30);
            reader.feed(&car).unwrap();
            let car = reader.finish().unwrap();
            let block = car.blocks.get(&digest(&car.roots[0])).unwrap().unwrap();
            let root = digest(&Commit::read(&block).unwrap().data);
            let (nsid, rkey) = key.split_once('/').unwrap();
            let collection = namespace().collection(nsid).unwrap();
            let ranges = Arc::new(Ranges::one(&namespace(), collection, rkey));
            let mut walk = Walk::through(root, ranges);
            let found = walk.next(&car.blocks).unwrap();
            match account.records().get(&key) {
                Some(record) => {
                    let is_it =
                        matches!(&found, Some(Step::Record { cid, .. }) if *cid == record.cid);
                    assert!(is_it, "{key}: {found:?}");
                }
                None => assert_eq!(found, None, "{key}"),
            }
        }
    }
}

#[test]
fn the_same_acts_make_the_same_world() {
    let told = |seed| {
        let mut world = World::new();
        let mut events = Vec::new();
        for act in Story::new(plot(seed)).unwrap().take(600) {
            events.extend(world.apply(&act).unwrap());
        }
        let heads: Vec<Cid> = {
            let dids: Vec<String> = world.accounts().map(|one| one.did.clone()).collect();
            let head = |did: &String| world.account_mut(did).unwrap().head().unwrap();
            dids.iter().map(head).collect()
        };
        (events, heads, world.dump(&namespace()).unwrap())
    };
    assert!(told(4) == told(4), "signatures and all");
    assert!(told(4).2 != told(5).2);
}

#[test]
fn what_is_written_twice_is_told_once() {
    let mut world = World::new();
    let proportions = Proportions::default().with(Kind::Same, 4_000);
    let plot = Plot {
        proportions,
        ..plot(6)
    };
    let mut silent = 0;
    for act in Story::new(plot).unwrap().take(300) {
        let before = world.account(&act.did).map(Account::rev);
        let events = world.apply(&act).unwrap();
        if events.is_empty() {
            silent += 1;
            assert_eq!(world.account(&act.did).map(Account::rev), before);
        }
    }
    assert!(silent > 30, "{silent}");
}

#[test]
fn an_act_out_of_order_is_refused_with_its_time() {
    let mut acts = Story::new(plot(8)).unwrap();
    let joined = acts.next().unwrap();
    let mut world = World::new();
    world.apply(&joined).unwrap();
    let told = world.apply(&joined).err().unwrap().to_string();
    assert!(
        told.contains(&joined.at.to_string()) && told.contains("in order"),
        "{told}"
    );
}
