//! i14: reading a repo takes the same memory whatever its size. A program of its own, since it
//! looks at the process's memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests

#[allow(dead_code)]
#[path = "repo/forge.rs"]
mod forge;

use std::sync::Arc;

use plyr_lexicons::data;
use plyr_repo::{Blocks, CarReader, Ranges, Step, Walk, layer_of};

use forge::{RawEntry, cid, digest_of, node};

/// Bytes of blocks in memory.
const BOUND: usize = 4 << 20;
/// Records of the repo: about 160 MB.
const RECORDS: u64 = 75_000;

/// Memory of the process now, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

fn key(n: u64) -> String {
    format!("fm.plyr.track/{n:010}")
}

fn record(n: u64) -> Vec<u8> {
    forge::record(&n.to_string(), 2_000)
}

/// Makes a tree from the keys in order, and hands out its blocks; memory holds one open node a
/// layer.
struct Grower<F: FnMut(&[u8])> {
    /// Of each layer the left subtree and the entries so far.
    open: Vec<(Option<[u8; 32]>, Vec<RawEntry>, String)>,
    out: F,
}

impl<F: FnMut(&[u8])> Grower<F> {
    fn add(&mut self, key: &str, value: [u8; 32]) {
        let layer = layer_of(key.as_bytes()) as usize;
        self.open
            .resize_with(self.open.len().max(layer + 1), Default::default);
        let below = self.close(layer);
        let (left, entries, last) = &mut self.open[layer];
        match entries.last_mut() {
            Some(entry) => entry.right = below,
            None => *left = below,
        }
        let shared = last
            .bytes()
            .zip(key.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let suffix = key.as_bytes()[shared..].to_vec();
        entries.push(RawEntry {
            shared,
            suffix,
            value: cid(&value),
            right: None,
        });
        key.clone_into(last);
    }

    /// Ends the nodes below a layer and gives the topmost of them.
    fn close(&mut self, layer: usize) -> Option<[u8; 32]> {
        let mut below = None;
        for (mut left, mut entries, _) in self.open[..layer].iter_mut().map(std::mem::take) {
            match entries.last_mut() {
                Some(entry) => entry.right = below,
                None => left = below,
            }
            if !entries.is_empty() || left.is_some() {
                let block = node(left, &entries);
                (self.out)(&block);
                below = Some(digest_of(&block));
            }
        }
        below
    }
}

#[test]
fn i14_a_repo_is_read_in_the_same_memory_whatever_its_size() {
    let namespace = "fm.plyr".parse().unwrap();
    let before = resident();
    let mut reader = CarReader::new(Blocks::new(BOUND, std::env::temp_dir()), 1 << 40);
    reader.feed(&forge::car(&[data::cid_of(b"")], [])).unwrap();
    let (mut bytes, mut most) = (0, 0);
    let mut feed = |block: &[u8]| {
        let mut part = Vec::new();
        forge::section(&mut part, &[&data::cid_of(block).to_bytes(), block]);
        bytes += part.len() as u64;
        reader.feed(&part).unwrap();
    };
    let mut grower = Grower {
        open: Vec::new(),
        out: &mut feed,
    };
    for n in 0..RECORDS {
        let record = record(n);
        (grower.out)(&record);
        grower.add(&key(n), digest_of(&record));
        if n % 1_000 == 0 {
            most = most.max(resident());
        }
    }
    let layers = grower.open.len();
    let root = grower.close(layers).unwrap();
    let mut blocks = reader.finish().unwrap().blocks;
    blocks.settle().unwrap();
    let ranges = Arc::new(Ranges::of(&namespace));
    let mut walk = Walk::through(root, ranges);
    let mut found = 0;
    while let Some(step) = walk.next(&blocks).unwrap() {
        let Step::Record {
            key: own,
            cid: value,
            ..
        } = step
        else {
            panic!("{step:?}")
        };
        assert_eq!(own, key(found).as_bytes());
        let digest = value.hash().digest().try_into().unwrap();
        let block = blocks.get(&digest).unwrap().unwrap();
        if found % 1_000 == 0 {
            assert_eq!(block[..], record(found)[..]);
            most = most.max(resident());
        }
        found += 1;
    }
    assert_eq!(found, RECORDS);
    let grown = (most - before) >> 20;
    println!("{} MiB read, memory grew by {grown} MiB", bytes >> 20);
    assert!(bytes > 140 << 20, "{bytes}");
    assert!(grown < 24, "memory grew by {grown} MiB");
}
