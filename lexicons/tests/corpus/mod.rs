//! Records to judge and to read: those of every age, captured ones, and seeded mutations of good
//! ones. JSON as a PDS would send it.

mod mutations;

use plyr_lexicons::{Collection, Namespace};
use serde_json::Value;

use crate::shared::{json, shared};

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it comes from, for messages.
    pub id: String,
    /// The collection it is written to.
    pub collection: Collection,
    /// The record.
    pub value: Value,
}

/// The namespace all of them are in.
pub fn namespace() -> Namespace {
    "fm.plyr".parse().unwrap()
}

fn record(id: String, nsid: &str, value: Value) -> Record {
    let collection = namespace().collection(nsid).unwrap();
    Record {
        id,
        collection,
        value,
    }
}

/// Records of every age, with the verdict each is to have.
pub fn of_every_age() -> Vec<(Record, String)> {
    let ages: Value = serde_json::from_str(include_str!("../ages.json")).unwrap();
    let read = ages.as_array().unwrap().iter().map(|age| {
        let text = |name: &str| age[name].as_str().unwrap();
        let found = record(
            text("age").to_owned(),
            text("collection"),
            age["record"].clone(),
        );
        (found, text("verdict").to_owned())
    });
    read.collect()
}

/// Records that real PDSs held or sent; none where the captures are missing.
pub fn captured() -> Vec<Record> {
    let Some(shared) = shared() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let held = shared.join("fixtures/pds-0.5.35/records");
    for entry in std::fs::read_dir(held).unwrap() {
        for held in json(&entry.unwrap().path())["records"].as_array().unwrap() {
            let uri = held["uri"].as_str().unwrap();
            let nsid = uri.split('/').nth(3).unwrap();
            found.push(record(uri.to_owned(), nsid, held["value"].clone()));
        }
    }
    let streams = [
        "jetstream-v1/live.jsonl",
        "jetstream-v1/live-direct-from-pds-0.4.217.jsonl",
        "jetstream-v2/subscribe-live.jsonl",
        "pds-0.5.35/jetstream-v1-pdsA.jsonl",
    ];
    for stream in streams {
        let text = crate::shared::read(&shared.join("fixtures").join(stream));
        for (place, line) in text.lines().enumerate() {
            let event: Value = serde_json::from_str(line).unwrap();
            let commit = &event["commit"];
            let nsid = commit["collection"].as_str().unwrap_or_default();
            if namespace().collection(nsid).is_some() && !commit["record"].is_null() {
                let id = format!("{stream}:{}", place + 1);
                found.push(record(id, nsid, commit["record"].clone()));
            }
        }
    }
    found
}

/// Mutations of the good records of every age, the same for the same seed.
pub fn mutated(seed: u64, of_each: usize) -> Vec<Record> {
    let ages = of_every_age();
    let good = ages.iter().filter(|(_, verdict)| verdict == "valid");
    let mut chance = mutations::Chance::new(seed);
    let mut found = Vec::new();
    for (good, _) in good {
        for value in mutations::systematic(&good.value) {
            let id = format!("{} / {}", good.id, value.0);
            found.push(Record {
                id,
                value: value.1,
                ..good.clone()
            });
        }
        for number in 0..of_each {
            let mut value = good.value.clone();
            for _ in 0..1 + chance.below(2) {
                mutations::mutate(&mut value, &mut chance);
            }
            let id = format!("{} / seed {seed} number {number}", good.id);
            found.push(Record {
                id,
                value,
                ..good.clone()
            });
        }
    }
    found
}
