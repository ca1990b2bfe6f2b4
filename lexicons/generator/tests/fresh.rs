//! The types in the tree are those of the documents. After a change of a document:
//! `PLYR_WRITE_TYPES=1 cargo test -p plyr-lexgen`

#![allow(clippy::unwrap_used)] // in helpers of tests

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/generated")
}

fn found() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let read = entries.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    });
    read.collect()
}

#[test]
fn the_types_in_the_tree_are_those_of_the_documents() {
    let sources = plyr_lexicons::document::SOURCES.iter().copied();
    let made = plyr_lexgen::generate(sources).unwrap();
    if std::env::var_os("PLYR_WRITE_TYPES").is_some() {
        for name in found().keys().filter(|name| !made.contains_key(*name)) {
            std::fs::remove_file(folder().join(name)).unwrap();
        }
        for (name, text) in &made {
            std::fs::write(folder().join(name), text).unwrap();
        }
    }
    let in_tree = found();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&in_tree), names(&made));
    for (name, text) in made {
        assert!(
            in_tree[&name] == text,
            "{name} is stale: PLYR_WRITE_TYPES=1 cargo test -p plyr-lexgen"
        );
    }
}

#[test]
fn what_it_does_not_know_is_an_error_that_names_the_place() {
    let document = r#"{"id":"a.b.c","defs":{"main":{"type":"object",
        "properties":{"x":{"type":"float"}}}}}"#;
    let refused = plyr_lexgen::generate([("c.json", document)]).unwrap_err();
    assert!(refused.to_string().contains("a.b.c#CX: float"), "{refused}");
    let refused = plyr_lexgen::generate([("c.json", "{}")]).unwrap_err();
    assert!(refused.to_string().contains("c.json"), "{refused}");
}
