//! The types in the tree are those of the documents. After a change of a document:
//! `PLYR_WRITE_TYPES=1 cargo test -p plyr-lexgen`

#![allow(clippy::unwrap_used)] // in helpers of tests

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

// Not through the crate: it doesn't compile while its generated types are wrong.
#[allow(dead_code)]
#[path = "../../src/own_fields.rs"]
mod own_fields;

fn lexicons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files below a folder: path from the crate's root → text.
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

fn in_tree() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    texts("src/generated", &mut found);
    found
}

#[test]
fn the_types_in_the_tree_are_those_of_the_documents() {
    let mut documents = BTreeMap::new();
    texts("com", &mut documents);
    texts("fm", &mut documents);
    assert!(documents.len() > 20, "{}", documents.len());
    let sources = documents
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()));
    let made: BTreeMap<String, String> = plyr_lexgen::generate(sources, own_fields::OWN_FIELDS)
        .unwrap()
        .into_iter()
        .map(|(name, text)| (format!("src/generated/{name}"), text))
        .collect();
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
    let again = "PLYR_WRITE_TYPES=1 cargo test -p plyr-lexgen";
    assert_eq!(paths(&found), paths(&made), "stale: {again}");
    for (path, text) in made {
        assert!(found[&path] == text, "{path} is stale: {again}");
    }
}
