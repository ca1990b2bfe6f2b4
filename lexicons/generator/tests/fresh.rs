//! The types in the tree are those of the documents: ours, and the sample's. After a change of a
//! document or of the generator: `PLYR_WRITE_TYPES=1 cargo test -p plyr-lexgen --test fresh`

#![allow(clippy::unwrap_used)] // in helpers of tests

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

// Not through the crate: it doesn't compile while its generated types are wrong.
#[allow(dead_code)]
#[path = "../../src/own_fields.rs"]
mod own_fields;

const AGAIN: &str = "PLYR_WRITE_TYPES=1 cargo test -p plyr-lexgen --test fresh";

fn lexicons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files below a folder: path from `lexicons/` → text.
fn texts(folder: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(lexicons().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            texts(&path, found);
        } else {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            found.insert(path, text);
        }
    }
}

fn is_fresh(documents: &[&str], own_fields: &[(&str, &[&str])], generated: &str) {
    let mut sources = BTreeMap::new();
    for folder in documents {
        texts(folder, &mut sources);
    }
    assert!(sources.len() > 2, "{}", sources.len());
    let sources = sources.iter();
    let sources = sources.map(|(path, text)| (path.as_str(), text.as_str()));
    let made: BTreeMap<String, String> = plyr_lexgen::generate(sources, own_fields)
        .unwrap()
        .into_iter()
        .map(|(name, text)| (format!("{generated}/{name}"), text))
        .collect();
    let in_tree = || {
        let mut found = BTreeMap::new();
        texts(generated, &mut found);
        found
    };
    if std::env::var_os("PLYR_WRITE_TYPES").is_some() {
        for stale in in_tree().keys().filter(|path| !made.contains_key(*path)) {
            std::fs::remove_file(lexicons().join(stale)).unwrap();
        }
        for (path, text) in &made {
            std::fs::write(lexicons().join(path), text).unwrap();
        }
    }
    let found = in_tree();
    let paths = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&found), paths(&made), "stale: {AGAIN}");
    for (path, text) in made {
        assert!(found[&path] == text, "{path} is stale: {AGAIN}");
    }
}

#[test]
fn the_types_in_the_tree_are_those_of_the_documents() {
    let documents = ["com", "fm", "parts"];
    is_fresh(&documents, own_fields::OWN_FIELDS, "src/generated");
}

#[test]
fn the_samples_types_are_those_of_its_documents() {
    let own: &[(&str, &[&str])] = &[("test.sample.thing", &["ours"])];
    is_fresh(
        &["generator/tests/sample"],
        own,
        "generator/tests/generated",
    );
}
