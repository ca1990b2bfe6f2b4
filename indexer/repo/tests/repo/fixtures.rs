//! Repos captured from the official PDS, and the protocol's vectors.

use std::path::PathBuf;
use std::sync::Arc;

use plyr_lexicons::{Collection, Did, data};
use plyr_outbound::read_document;
use plyr_repo::{Ranges, RepoError, Step, Walk, layer_of, survey};

use crate::reading::{commit, digest, namespace, ranges, read, records};

/// Where the captured material is; none (and a word about it) where it isn't.
fn shared(path: &str) -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("PLYR_SHARED") else {
        assert!(
            std::env::var_os("PLYR_REQUIRE_PEERS").is_none(),
            "captured repos are missing: set PLYR_SHARED"
        );
        println!("skipped: captured repos need PLYR_SHARED");
        return None;
    };
    Some(PathBuf::from(shared).join(path))
}

fn car(name: &str) -> Option<Vec<u8>> {
    let folder = shared("fixtures/pds-0.5.35/cars")?;
    Some(std::fs::read(folder.join(format!("{name}.car"))).unwrap())
}

/// The account of a captured document, and its key.
fn account(name: &str) -> (Did, String) {
    let folder = shared("fixtures/pds-0.5.35/dids").unwrap();
    let json = std::fs::read(folder.join(format!("{name}.doc.json"))).unwrap();
    let id: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let did = Did::new(id["id"].as_str().unwrap().to_owned()).unwrap();
    let document = read_document(&did, &json).unwrap();
    (did, document.signing_key.unwrap())
}

/// Whole repos, whose document they go with, and how many records are ours.
const WHOLE: [(&str, &str, usize); 10] = [
    ("alice-0-empty", "alice-0", 0),
    ("alice-1-mid", "alice-0", 5),
    ("alice-2-full", "alice-9-final", 25),
    ("alice-9-final", "alice-9-final", 25),
    ("bob-1-mid", "bob-0", 7),
    ("bob-2-full", "bob-0", 6),
    ("bob-9-final", "bob-9-final", 7),
    ("carol-2-full", "carol-0", 3),
    ("dave-2-full-300", "dave-0", 300),
    ("dave-3-on-B", "dave-1-migrated", 301),
];

#[test]
fn captured_repos_are_signed_whole_and_as_large_as_they_were() {
    let mut counted = Vec::new();
    for (name, owner, _) in WHOLE {
        let Some(car) = car(name) else { return };
        let (did, key) = account(owner);
        for chunk in [1, 7, 1 << 20] {
            let (root, blocks) = read(&car, chunk, 4 << 10).unwrap();
            let commit = commit(&root, &blocks).unwrap();
            commit.check_did(&did).unwrap();
            commit.check_signature(&key).unwrap();
        }
        let records = records(&car).unwrap();
        counted.push((name, owner, records.len()));
        for (key, cid, record) in &records {
            assert_eq!(data::cid_of(record), *cid, "{key}");
        }
        assert!(records.is_sorted_by(|one, other| one.0 < other.0), "{name}");
    }
    assert_eq!(counted, WHOLE);
}

/// What the host listed is what the repo holds, but for a record that was taken down on the host.
#[test]
fn captured_listings_say_what_the_repos_prove() {
    for (name, owner, taken_down) in [("alice-9-final", "alice", 0), ("bob-9-final", "bob", 1)] {
        let Some(car) = car(name) else { return };
        let proven = records(&car).unwrap();
        let mut listed = 0;
        for collection in Collection::ALL {
            let file = format!("{owner}.{}.json", namespace().nsid(collection).as_str());
            let text = std::fs::read(shared("fixtures/pds-0.5.35/records").unwrap().join(file));
            let mut reader = serde_json::Deserializer::from_slice(text.as_ref().unwrap());
            reader.disable_recursion_limit();
            let page: serde_json::Value = serde::Deserialize::deserialize(&mut reader).unwrap();
            for record in page["records"].as_array().unwrap() {
                let (_, key) = record["uri"].as_str().unwrap().split_at("at://".len());
                let (_, key) = key.split_once('/').unwrap();
                let found = proven.iter().find(|(proven, _, _)| proven == key);
                assert_eq!(found.unwrap().1.to_string(), record["cid"], "{key}");
                listed += 1;
            }
        }
        assert_eq!(listed + taken_down, proven.len(), "{name}");
    }
}

#[test]
fn a_key_signs_its_own_repo_alone() {
    let Some(car) = car("dave-3-on-B") else {
        return;
    };
    let (root, blocks) = read(&car, 1 << 20, 1 << 20).unwrap();
    let commit = commit(&root, &blocks).unwrap();
    // Before the migration another key signed.
    let (did, old_key) = account("dave-0");
    commit.check_did(&did).unwrap();
    let refused = commit.check_signature(&old_key);
    assert!(
        matches!(refused, Err(RepoError::Signature(_))),
        "{refused:?}"
    );
    let (alice, _) = account("alice-0");
    let refused = commit.check_did(&alice);
    assert!(
        matches!(refused, Err(RepoError::WrongRepo { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_proof_says_present_absent_or_not_proven() {
    let Some(full) = car("alice-2-full") else {
        return;
    };
    let all = records(&full).unwrap();
    let (_, alice) = account("alice-9-final");
    for name in ["alice-proof-track1", "alice-proof-nonexistence"] {
        let car = car(name).unwrap();
        let (root, blocks) = read(&car, 1 << 20, 1 << 20).unwrap();
        let commit = commit(&root, &blocks).unwrap();
        commit.check_signature(&alice).unwrap();
        let look = |rkey: &str| {
            let ranges = Ranges::one(&namespace(), Collection::Track, rkey);
            let mut walk = Walk::through(digest(&commit.data), Arc::new(ranges));
            let first = walk.next(&blocks).unwrap();
            assert!(first.is_none() || walk.next(&blocks).unwrap().is_none());
            first
        };
        let mut answers = [0; 3];
        let tracks = all
            .iter()
            .filter_map(|(key, cid, _)| Some((key.strip_prefix("fm.plyr.track/")?, cid)));
        for (rkey, cid) in tracks {
            match look(rkey) {
                Some(Step::Record { cid: found, .. }) => {
                    assert_eq!(found, *cid);
                    answers[0] += 1;
                }
                None => panic!("{rkey} is there and was proven absent"),
                Some(_) => answers[1] += 1,
            }
            // A neighbour that isn't there is never said to be.
            match look(&format!("{rkey}-")) {
                None => answers[2] += 1,
                Some(Step::Missing { .. }) => {}
                Some(other) => panic!("{other:?}"),
            }
        }
        println!("{name} {answers:?}");
        assert!(answers.iter().all(|count| *count > 0), "{name} {answers:?}");
    }
}

#[test]
fn a_diff_lacks_nodes_and_says_so() {
    let Some(diff) = car("alice-2-since-mid") else {
        return;
    };
    let (root, blocks) = read(&diff, 1 << 20, 1 << 20).unwrap();
    let commit = commit(&root, &blocks).unwrap();
    let told = survey(&blocks, digest(&commit.data), &ranges());
    println!("{told:?}");
    let refused = records(&diff);
    assert!(
        matches!(refused, Err(RepoError::MissingBlock(_))),
        "{refused:?}"
    );
}

#[test]
fn layers_are_those_of_the_vectors() {
    let Some(folder) = shared("interop/atproto-interop-tests/mst") else {
        return;
    };
    let text = std::fs::read(folder.join("key_heights.json")).unwrap();
    let vectors: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    for vector in vectors {
        let key = vector["key"].as_str().unwrap();
        assert_eq!(
            u64::from(layer_of(key.as_bytes())),
            vector["height"],
            "{key}"
        );
    }
    let keys = std::fs::read_to_string(folder.join("example_keys.txt")).unwrap();
    for key in keys.lines() {
        assert_eq!(layer_of(key.as_bytes()).to_string(), key[1..2], "{key}");
    }
}
