//! The protocol's own vectors, and captures of real peers. They lie beside the checkout; where
//! they are missing the tests say so and pass, unless `PLYR_REQUIRE_PEERS` is 1.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // in helpers of tests

use std::collections::BTreeMap;
use std::path::PathBuf;

use plyr_lexicons::document::Catalog;
use plyr_lexicons::validate::{self, is_format};
use plyr_lexicons::{Namespace, Verdict, data};
use serde_json::Value;

/// The folder of vectors and captures.
fn shared() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let folder = std::env::var_os("PLYR_SHARED").map_or_else(|| beside.into(), PathBuf::from);
    if folder.join("interop").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("PLYR_REQUIRE_PEERS").as_deref() == Ok("1");
    assert!(
        !required,
        "PLYR_REQUIRE_PEERS is 1, but PLYR_SHARED leads to no vectors"
    );
    println!("skipped: PLYR_SHARED leads to no vectors");
    None
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

/// Vectors that our parts judge otherwise, and why that is right here.
const DIFFERS: &[(&str, &str, &str)] = &[
    (
        "cid",
        "mBcDxtdWx0aWhhc2g+",
        "only the multibases that the protocol writes are read",
    ),
    (
        "cid",
        "z7x3CtScH765HvShXT",
        "only the multibases that the protocol writes are read",
    ),
    (
        "cid",
        "7134036155352661643226414134664076",
        "only the multibases that are written are read",
    ),
    (
        "record",
        "blob too large",
        "maxSize is a note, never a refusal",
    ),
    (
        "record",
        "blob wrong type",
        "accept is a note, never a refusal",
    ),
];

#[test]
fn syntax_vectors_are_judged_as_they_say() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("interop/atproto-interop-tests/syntax");
    let formats = [
        ("atidentifier", "at-identifier"),
        ("aturi", "at-uri"),
        ("cid", "cid"),
        ("datetime", "datetime"),
        ("did", "did"),
        ("handle", "handle"),
        ("language", "language"),
        ("nsid", "nsid"),
        ("recordkey", "record-key"),
        ("tid", "tid"),
        ("uri", "uri"),
    ];
    let mut wrong = Vec::new();
    for (name, format) in formats {
        for (kind, expected) in [("valid", true), ("invalid", false)] {
            let text = read(folder.join(format!("{name}_syntax_{kind}.txt")));
            let lines = text
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            for line in lines {
                let known = DIFFERS
                    .iter()
                    .any(|(of, text, _)| *of == format && *text == line);
                if is_format(format, line) != expected && !known {
                    wrong.push(format!("{format} {kind}: {line:?}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} vectors:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn data_model_vectors_are_judged_as_they_say() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("interop/atproto-interop-tests/data-model");
    let mut wrong = Vec::new();
    for (kind, expected) in [("valid", true), ("invalid", false)] {
        let vectors = json(folder.join(format!("data-model-{kind}.json")));
        for vector in vectors.as_array().unwrap() {
            let text = vector["json"].to_string();
            // A record is an object; the vectors also hold other values.
            let value = data::from_json(text.as_bytes());
            let taken = value.is_ok_and(|value| matches!(value, plyr_lexicons::Ipld::Map(_)));
            if taken != expected {
                wrong.push(format!("{kind}: {} {text}", vector["note"]));
            }
        }
    }
    for vector in json(folder.join("data-model-fixtures.json"))
        .as_array()
        .unwrap()
    {
        let value = data::from_json(vector["json"].to_string().as_bytes()).unwrap();
        let cid = data::cid_of(&data::to_cbor(&value).unwrap());
        if vector["cid"] != cid.to_string() {
            wrong.push(format!("{} hashes to {cid}", vector["json"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lexicon_vectors_are_judged_as_they_say() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("interop/atproto-interop-tests/lexicon");
    let texts: Vec<String> = std::fs::read_dir(folder.join("catalog"))
        .unwrap()
        .map(|entry| read(entry.unwrap().path()))
        .collect();
    let readable: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|text| Catalog::read([*text]).is_ok())
        .collect();
    let catalog = Catalog::read(readable).unwrap();
    let mut wrong = Vec::new();
    for (kind, expected) in [("valid", true), ("invalid", false)] {
        for vector in json(folder.join(format!("record-data-{kind}.json")))
            .as_array()
            .unwrap()
        {
            let text = vector["data"].to_string();
            let reasons = match data::from_json(text.as_bytes()) {
                Ok(value) => validate::check_in(&catalog, "example.lexicon.record", &value),
                Err(_) if !expected => continue,
                Err(problem) => {
                    wrong.push(format!("{}: {problem}", vector["name"]));
                    continue;
                }
            };
            let named = vector["name"].as_str().unwrap();
            let known = DIFFERS
                .iter()
                .any(|(of, text, _)| *of == "record" && *text == named);
            if reasons.is_empty() != expected && !known {
                wrong.push(format!("{kind} {}: {reasons:?}", vector["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the official validators said of captured records: too long is tolerated here.
#[test]
fn captured_records_are_judged_as_the_official_validators_do() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("fixtures/pds-0.5.35");
    let mut records = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join("records")).unwrap() {
        for record in json(entry.unwrap().path())["records"].as_array().unwrap() {
            records.insert(
                record["uri"].as_str().unwrap().to_owned(),
                record["value"].clone(),
            );
        }
    }
    let namespace: Namespace = "fm.plyr".parse().unwrap();
    let mut compared = 0;
    for line in read(folder.join("lexicon-verdicts.jsonl")).lines() {
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
        for line in read(shared.join("fixtures/jetstream-v1").join(capture)).lines() {
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
        let theirs = json(official.join(path));
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
