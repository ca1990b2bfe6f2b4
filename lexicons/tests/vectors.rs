//! The protocol's own vectors, each file of them, and the table of what came of it, `vectors.md`
//! beside this file. After a change:
//! `PLYR_WRITE_TABLE=1 cargo test -p plyr-lexicons --test vectors`

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // in helpers of tests

#[allow(dead_code)]
mod shared;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use plyr_lexicons::document::Catalog;
use plyr_lexicons::validate::{self, is_format};
use plyr_lexicons::{Ipld, data};
use shared::{json, read, shared};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.md");

/// Vectors that our parts judge otherwise (file, vector, why that is right here).
const DIFFERS: &[(&str, &str, &str)] = &[
    (
        "syntax/cid_syntax_valid.txt",
        "mBcDxtdWx0aWhhc2g+",
        "only the multibases that the protocol writes are read",
    ),
    (
        "syntax/cid_syntax_valid.txt",
        "z7x3CtScH765HvShXT",
        "only the multibases that the protocol writes are read",
    ),
    (
        "syntax/cid_syntax_valid.txt",
        "7134036155352661643226414134664076",
        "only the multibases that the protocol writes are read",
    ),
    (
        "lexicon/record-data-invalid.json",
        "blob too large",
        "`maxSize` is a note, never a refusal",
    ),
    (
        "lexicon/record-data-invalid.json",
        "blob wrong type",
        "`accept` is a note, never a refusal",
    ),
];

/// Files that say nothing of what this crate does.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "crypto/",
        "signatures and did:keys: nothing here verifies one yet",
    ),
    (
        "firehose/",
        "proofs of commits: nothing here reads commits yet",
    ),
    (
        "mst/",
        "the tree of a repository: nothing here reads repositories yet",
    ),
    (
        "lexicon/catalog/",
        "no vectors: the documents that `record-data-*` are judged by",
    ),
];

/// One vector and whether it came out as its file says.
struct Vector {
    name: String,
    agrees: bool,
    detail: String,
}

fn vector(name: impl Into<String>, agrees: bool, detail: impl Into<String>) -> Vector {
    let (name, detail) = (name.into(), detail.into());
    Vector {
        name,
        agrees,
        detail,
    }
}

/// `aturi_syntax_valid.txt`: a text a line.
fn syntax(path: &Path, file: &str) -> Vec<Vector> {
    let formats = [
        ("atidentifier", "at-identifier"),
        ("aturi", "at-uri"),
        ("recordkey", "record-key"),
    ];
    let kind = file.split('_').next().unwrap_or_default();
    let format = formats.iter().find(|(name, _)| *name == kind);
    let format = format.map_or(kind, |(_, format)| format);
    let expected = !file.contains("invalid");
    let text = read(path);
    let lines = text.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let judged = lines.map(|line| vector(line, is_format(format, line) == expected, format));
    judged.collect()
}

fn data_model(path: &Path, file: &str) -> Vec<Vector> {
    let vectors = json(path);
    let vectors = vectors.as_array().unwrap().iter();
    if file == "data-model-fixtures.json" {
        let hashed = vectors.map(|fixture| {
            let value = data::from_json(fixture["json"].to_string().as_bytes()).unwrap();
            let cbor = data::to_cbor(&value).unwrap();
            let cid = data::cid_of(&cbor).to_string();
            let agrees = fixture["cid"] == cid && data::from_cbor(&cbor).unwrap() == value;
            vector(fixture["cid"].as_str().unwrap(), agrees, cid)
        });
        return hashed.collect();
    }
    let expected = !file.contains("invalid");
    let judged = vectors.map(|fixture| {
        let value = data::from_json(fixture["json"].to_string().as_bytes());
        // A record is an object; the vectors also hold other values.
        let taken = matches!(value, Ok(Ipld::Map(_)));
        vector(
            fixture["note"].as_str().unwrap(),
            taken == expected,
            format!("{value:?}"),
        )
    });
    judged.collect()
}

fn lexicon(path: &Path, file: &str) -> Vec<Vector> {
    let expected = !file.contains("invalid");
    let vectors = json(path);
    let vectors = vectors.as_array().unwrap().iter();
    if file.starts_with("lexicon-") {
        let judged = vectors.map(|case| {
            let found = Catalog::read([case["lexicon"].to_string().as_str()]);
            let agrees = found.is_ok() == expected;
            vector(case["name"].as_str().unwrap(), agrees, format!("{found:?}"))
        });
        return judged.collect();
    }
    let entries = std::fs::read_dir(path.with_file_name("catalog")).unwrap();
    let texts: Vec<String> = entries.map(|entry| read(&entry.unwrap().path())).collect();
    let catalog = Catalog::read(texts.iter().map(String::as_str)).unwrap();
    let judged = vectors.map(|case| {
        let found = match data::from_json(case["data"].to_string().as_bytes()) {
            Ok(value) => validate::check_in(&catalog, "example.lexicon.record", &value)
                .first()
                .map(|reason| format!("{reason:?}")),
            Err(problem) => Some(problem.to_string()),
        };
        let agrees = found.is_none() == expected;
        vector(case["name"].as_str().unwrap(), agrees, format!("{found:?}"))
    });
    judged.collect()
}

/// Every file below a folder, by its path there.
fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            files(folder, &format!("{path}/"), found);
        } else if below.is_empty() {
            // The licence and a page about the folder.
        } else {
            found.insert(path);
        }
    }
}

#[test]
fn every_vector_is_judged_as_it_says_or_stands_in_the_table_with_a_reason() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("interop/atproto-interop-tests");
    let mut found = BTreeSet::new();
    files(&folder, "", &mut found);
    let mut table = String::from(
        "# The protocol's vectors\n\nWritten by `vectors.rs` beside this file, from what it saw of \
         [atproto-interop-tests](https://github.com/bluesky-social/atproto-interop-tests).\n\n\
         | file | vectors | judged as they say | differ |\n|---|---:|---:|---:|\n",
    );
    let (mut differing, mut unexplained) = (Vec::new(), Vec::new());
    let (mut all, mut agreeing) = (0, 0);
    for file in &found {
        let path = folder.join(file);
        let judged = match file.split_once('/').unwrap() {
            _ if ELSEWHERE.iter().any(|(prefix, _)| file.starts_with(prefix)) => continue,
            ("syntax", name) => syntax(&path, name),
            ("data-model", name) => data_model(&path, name),
            ("lexicon", name) => lexicon(&path, name),
            _ => panic!("{file} is new: judge it or say in ELSEWHERE why not"),
        };
        assert!(!judged.is_empty(), "{file} holds no vectors");
        let agree = judged.iter().filter(|vector| vector.agrees).count();
        let differ = judged.len() - agree;
        writeln!(table, "| {file} | {} | {agree} | {differ} |", judged.len()).unwrap();
        (all, agreeing) = (all + judged.len(), agreeing + agree);
        for vector in judged.into_iter().filter(|vector| !vector.agrees) {
            let known = DIFFERS
                .iter()
                .find(|(of, name, _)| *of == file && *name == vector.name);
            match known {
                Some((_, _, why)) => differing.push((file.clone(), vector.name, *why)),
                None => unexplained.push(format!("{file}: {}: {}", vector.name, vector.detail)),
            }
        }
    }
    let differ = all - agreeing;
    writeln!(
        table,
        "| **all** | **{all}** | **{agreeing}** | **{differ}** |"
    )
    .unwrap();
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert_eq!(
        differing.len(),
        DIFFERS.len(),
        "a reason has no vector: {differing:?}"
    );
    table.push_str("\n## Judged otherwise, and why\n\n| file | vector | why |\n|---|---|---|\n");
    for (file, name, why) in differing {
        writeln!(table, "| {file} | `{name}` | {why} |").unwrap();
    }
    table.push_str("\n## Files that don't apply\n\n| files | why |\n|---|---|\n");
    for (prefix, why) in ELSEWHERE {
        assert!(
            found.iter().any(|file| file.starts_with(prefix)),
            "{prefix}"
        );
        writeln!(table, "| {prefix}* | {why} |").unwrap();
    }
    if std::env::var_os("PLYR_WRITE_TABLE").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let kept = std::fs::read_to_string(TABLE).unwrap_or_default();
    assert!(
        kept == table,
        "vectors.md is stale: see the head of this file"
    );
}
