//! Captures of real peers, and documents of others that ours have to agree with.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // in helpers of tests

#[allow(dead_code)]
mod shared;

use std::collections::BTreeMap;

use plyr_lexicons::{Namespace, Verdict, data, validate};
use serde_json::Value;
use shared::{json, read, shared};

/// What the official validators said of captured records: too long is tolerated here.
#[test]
fn captured_records_are_judged_as_the_official_validators_do() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("fixtures/pds-0.5.35");
    let mut records = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join("records")).unwrap() {
        for record in json(&entry.unwrap().path())["records"].as_array().unwrap() {
            records.insert(
                record["uri"].as_str().unwrap().to_owned(),
                record["value"].clone(),
            );
        }
    }
    let namespace: Namespace = "fm.plyr".parse().unwrap();
    let mut compared = 0;
    for line in read(&folder.join("lexicon-verdicts.jsonl")).lines() {
        let official: Value = serde_json::from_str(line).unwrap();
        let record = &records[official["id"].as_str().unwrap()];
        let collection = namespace
            .collection(official["collection"].as_str().unwrap())
            .unwrap();
        let value = data::from_json(record.to_string().as_bytes()).unwrap();
        let judgement = validate::judge(&namespace, collection, &value);
        let said = official["lex"].as_str().unwrap();
        let expected = match said {
            "ok" => Verdict::Valid,
            _ if said.contains("too big") => Verdict::Tolerated,
            _ => Verdict::Invalid,
        };
        assert_eq!(judgement.verdict, expected, "{official} {judgement:?}");
        compared += 1;
    }
    assert_eq!(compared, 34);
}

#[test]
fn i09_every_captured_record_hashes_to_its_cid_and_survives_the_round_trip() {
    let Some(shared) = shared() else { return };
    let mut checked = 0;
    for capture in ["live.jsonl", "live-direct-from-pds-0.4.217.jsonl"] {
        for line in read(&shared.join("fixtures/jetstream-v1").join(capture)).lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let (record, cid) = (&event["commit"]["record"], &event["commit"]["cid"]);
            if record.is_null() {
                continue;
            }
            let value = data::from_json(record.to_string().as_bytes()).unwrap();
            let cbor = data::to_cbor(&value).unwrap();
            assert_eq!(*cid, data::cid_of(&cbor).to_string(), "{line}");
            let again = data::from_cbor(&cbor).unwrap();
            assert_eq!(data::to_json(&again), *record);
            checked += 1;
        }
    }
    assert!(checked > 600, "only {checked} records were captured");
}

/// Our minimal com.atproto documents constrain as the official ones do.
#[test]
fn our_com_atproto_documents_agree_with_the_official_ones() {
    let Some(shared) = shared() else { return };
    let official = shared.join("interop/com-atproto-lexicons");
    let mut compared = 0;
    for (path, text) in plyr_lexicons::document::SOURCES {
        if !path.starts_with("com/atproto") {
            continue;
        }
        let theirs = json(&official.join(path));
        let ours: Value = serde_json::from_str(text).unwrap();
        for (name, definition) in ours["defs"].as_object().unwrap() {
            agree(definition, &theirs["defs"][name], &format!("{path}#{name}"));
            compared += 1;
        }
    }
    assert!(compared >= 6, "{compared}");
}

fn agree(ours: &Value, theirs: &Value, at: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let words = |map: &serde_json::Map<String, Value>| -> Vec<String> {
                map.keys()
                    .filter(|key| *key != "description")
                    .cloned()
                    .collect()
            };
            let (mut mine, mut official) = (words(ours), words(theirs));
            mine.sort();
            official.sort();
            assert_eq!(mine, official, "{at}");
            for key in mine {
                agree(&ours[&key], &theirs[&key], &format!("{at}/{key}"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{at}");
            ours.iter()
                .zip(theirs)
                .for_each(|(ours, theirs)| agree(ours, theirs, at));
        }
        _ => assert_eq!(ours, theirs, "{at}"),
    }
}
