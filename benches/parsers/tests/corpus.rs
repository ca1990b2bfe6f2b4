//! The corpus of the fuzzer, and mutations of it out of a seed, through every parser.

#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod mutations;

use std::path::Path;

use mutations::Mutations;
use plyr_parsers::TARGETS;

/// Mutations of each corpus; a fuzzer makes millions.
const MUTATIONS: usize = 2_000;
/// Largest input that is mutated, in bytes: larger ones are read as they are.
const LARGEST: usize = 4 << 10;

/// The inputs of a parser, in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = std::fs::read_dir(folder.join(target)).unwrap();
    let mut inputs: Vec<(String, Vec<u8>)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{target} has hardly a corpus");
    inputs
}

/// Gives a parser an input; a property that doesn't hold is told with the input.
fn give(target: &str, parse: fn(&[u8]), name: &str, input: &[u8]) {
    let heard = std::panic::catch_unwind(|| parse(input));
    if heard.is_err() {
        let shown = String::from_utf8_lossy(input);
        panic!("{target}: {name}, {} bytes: {shown:?}", input.len());
    }
}

#[test]
fn what_was_found_before_holds() {
    for (target, parse) in TARGETS {
        for (name, input) in corpus(target) {
            give(target, *parse, &name, &input);
        }
    }
}

#[test]
fn mutations_of_it_hold() {
    let seed = std::env::var("PLYR_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(7);
    for (target, parse) in TARGETS {
        let mut inputs = corpus(target);
        inputs.retain(|(_, input)| input.len() <= LARGEST);
        let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(_, input)| input).collect();
        let mut mutations = Mutations::new(seed);
        for number in 0..MUTATIONS {
            let input = mutations.of(&inputs);
            give(
                target,
                *parse,
                &format!("mutation {number} of seed {seed}"),
                &input,
            );
        }
    }
}

/// The corpus is text and bytes of the protocol, and small.
#[test]
fn the_corpus_is_small() {
    let inputs = TARGETS.iter().flat_map(|(target, _)| corpus(target));
    let bytes: usize = inputs.map(|(_, input)| input.len()).sum();
    assert!(bytes < 2 << 20, "{bytes} bytes");
}
