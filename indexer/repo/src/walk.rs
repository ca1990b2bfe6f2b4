//! A walk through the part of a tree that is ours, in the order of its keys.
//!
//! It proves what it tells: a node that isn't there is told, never passed over, and each node is
//! checked to be the one that its place demands (layer, order, bounds). A node's children are one
//! layer below it and layers end at 0, so that no chain is longer than the root's layer.

use std::sync::Arc;

use plyr_lexicons::{Cid, RecordKey};
use sha2::{Digest as _, Sha256};

use crate::blocks::{Blocks, Digest, cid_of, digest_of};
use crate::error::RepoError;
use crate::node::{Node, layer_of};
use crate::range::{Fingerprint, Ranges};

/// What a walk comes upon.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// A record in one of the ranges.
    Record {
        /// Which of the ranges.
        range: usize,
        /// Its key in the tree.
        key: Vec<u8>,
        /// The record.
        cid: Cid,
    },
    /// A subtree that lies in one range altogether; only a walk along the bounds leaves it closed.
    Within {
        /// Which of the ranges.
        range: usize,
        /// Its node.
        node: Digest,
        /// Keys in it, if the keys are spread as hashes are.
        about: f64,
    },
    /// A node that may hold keys of ours and isn't among the blocks. The walk goes on behind it.
    Missing {
        /// The node.
        node: Digest,
        /// Keys in it, if the keys are spread as hashes are.
        about: f64,
    },
}

/// A walk that stands somewhere in the tree. It borrows nothing: blocks may come in between.
pub struct Walk {
    ranges: Arc<Ranges>,
    open_within: bool,
    root: Option<Digest>,
    stack: Vec<Frame>,
    passed: f64,
}

struct Frame {
    node: Node,
    layer: u32,
    /// 0 is the left subtree, 2n + 1 the nth key, 2n + 2 the subtree behind it.
    next: usize,
    low: Option<Vec<u8>>,
    high: Option<Vec<u8>>,
}

impl Walk {
    /// A walk through all that the ranges hold.
    pub fn through(root: Digest, ranges: Arc<Ranges>) -> Walk {
        Walk::new(root, ranges, true)
    }

    /// A walk along the ranges' bounds, that leaves closed what lies within a range.
    pub fn along(root: Digest, ranges: Arc<Ranges>) -> Walk {
        Walk::new(root, ranges, false)
    }

    fn new(root: Digest, ranges: Arc<Ranges>, open_within: bool) -> Walk {
        Walk {
            ranges,
            open_within,
            root: Some(root),
            stack: Vec::new(),
            passed: 0.0,
        }
    }

    /// Goes on to the next step; none at the end.
    pub fn next(&mut self, blocks: &Blocks) -> Result<Option<Step>, RepoError> {
        if let Some(root) = self.root.take() {
            let Some(block) = blocks.get(&root)? else {
                return Ok(Some(Step::Missing {
                    node: root,
                    about: 1.0,
                }));
            };
            self.stack.push(root_frame(&block)?);
        }
        while let Some(frame) = self.stack.last_mut() {
            let place = frame.next;
            frame.next += 1;
            if place > 2 * frame.node.entries.len() {
                self.stack.pop();
                continue;
            }
            if place % 2 == 1 {
                let entry = &mut frame.node.entries[place / 2];
                let Some(range) = self.ranges.holding(&entry.key) else {
                    self.passed += 1.0;
                    continue;
                };
                let (key, cid) = (entry.key.clone(), entry.value);
                check_record(&key, &cid)?;
                return Ok(Some(Step::Record { range, key, cid }));
            }
            if let Some(step) = self.subtree(place / 2, blocks)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// Keys outside the ranges that the walk went past, about.
    pub fn passed(&self) -> f64 {
        self.passed
    }

    /// The subtree before the nth key of the node on top.
    fn subtree(&mut self, n: usize, blocks: &Blocks) -> Result<Option<Step>, RepoError> {
        let Some(frame) = self.stack.last() else {
            return Ok(None);
        };
        let entries = &frame.node.entries;
        let before = n.checked_sub(1).map(|before| &entries[before]);
        let subtree = before.map_or(frame.node.left, |entry| entry.right);
        let Some(node) = subtree else {
            return Ok(None);
        };
        let low = before.map_or(frame.low.as_deref(), |entry| Some(&entry.key));
        let high = entries.get(n).map(|entry| &entry.key[..]);
        let high = high.or(frame.high.as_deref());
        // Of four keys of a layer or above, one is above it.
        let about = 4f64.powi(frame.layer.min(32) as i32) - 1.0;
        if !self.ranges.meet(low, high) {
            self.passed += about;
            return Ok(None);
        }
        if !self.open_within
            && let Some(range) = self.ranges.around(low, high)
        {
            return Ok(Some(Step::Within { range, node, about }));
        }
        let Some(block) = blocks.get(&node)? else {
            return Ok(Some(Step::Missing { node, about }));
        };
        let layer = frame.layer.checked_sub(1);
        let layer = layer.ok_or_else(|| {
            RepoError::TooDeep(format!("a node under {} of layer 0", cid_of(&node)))
        })?;
        let (low, high) = (low.map(<[u8]>::to_vec), high.map(<[u8]>::to_vec));
        let frame = Frame {
            node: Node::read(&block)?,
            layer,
            next: 0,
            low,
            high,
        };
        frame.check()?;
        self.stack.push(frame);
        Ok(None)
    }
}

/// A record of ours has a record key, and a CID that its bytes can be checked against.
fn check_record(key: &[u8], cid: &Cid) -> Result<(), RepoError> {
    let shown = || -> String { String::from_utf8_lossy(key).chars().take(128).collect() };
    if rkey_of(key).is_none_or(|rkey| RecordKey::new(rkey.to_owned()).is_err()) {
        return Err(RepoError::Tree(format!("{:?} is no record's key", shown())));
    }
    if digest_of(cid).is_none() {
        let told = format!("{} doesn't link to DAG-CBOR by SHA-256", shown());
        return Err(RepoError::Tree(told));
    }
    Ok(())
}

/// The record key within a key of the tree.
pub(crate) fn rkey_of(key: &[u8]) -> Option<&str> {
    let slash = key.iter().position(|byte| *byte == b'/')?;
    std::str::from_utf8(&key[slash + 1..]).ok()
}

fn root_frame(block: &[u8]) -> Result<Frame, RepoError> {
    let node = Node::read(block)?;
    let layer = match (node.entries.first(), node.left) {
        (Some(first), _) => layer_of(&first.key),
        // The empty tree.
        (None, None) => 0,
        (None, Some(_)) => return Err(RepoError::Tree("its root has no keys".to_owned())),
    };
    let is_empty = node.entries.is_empty();
    let frame = Frame {
        node,
        layer,
        next: 0,
        low: None,
        high: None,
    };
    if !is_empty {
        frame.check()?;
    }
    Ok(frame)
}

impl Frame {
    fn check(&self) -> Result<(), RepoError> {
        let wrong = |what: &str| Err(RepoError::Tree(what.to_owned()));
        let Node { left, entries } = &self.node;
        if entries.is_empty() && left.is_none() {
            return wrong("an empty node below the root");
        }
        if entries
            .iter()
            .any(|entry| layer_of(&entry.key) != self.layer)
        {
            return wrong("a key in a layer that isn't its own");
        }
        let has_subtree = left.is_some() || entries.iter().any(|entry| entry.right.is_some());
        if self.layer == 0 && has_subtree {
            return Err(RepoError::TooDeep("a subtree under layer 0".to_owned()));
        }
        let low = self.low.as_ref().zip(entries.first());
        let high = self.high.as_ref().zip(entries.last());
        if low.is_some_and(|(low, first)| first.key <= *low)
            || high.is_some_and(|(high, last)| last.key >= *high)
        {
            return wrong("a subtree with keys beyond its neighbours");
        }
        Ok(())
    }
}

/// How many records there are, judged by the nodes along the bounds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// In the ranges.
    pub ours: f64,
    /// In the whole repo.
    pub all: f64,
}

/// What the nodes along the bounds tell.
#[derive(Clone, PartialEq, Debug)]
pub struct Survey {
    /// Nodes that must be fetched before they tell it.
    pub missing: Vec<Digest>,
    /// The fingerprint, if none is missing.
    pub fingerprint: Option<Fingerprint>,
    /// About how many records there are.
    pub estimate: Estimate,
}

/// Looks along the bounds of the ranges.
///
/// Foreign records don't show in the fingerprint: a subtree within a range is made of our keys
/// alone, and which subtrees these are is settled by our keys alone, since each hangs between two
/// of them.
pub fn survey(blocks: &Blocks, root: Digest, ranges: &Arc<Ranges>) -> Result<Survey, RepoError> {
    let mut hash = Sha256::new();
    let mut add = |tag: u8, key: &[u8], value: &[u8]| {
        hash.update([tag]);
        hash.update((key.len() as u32).to_be_bytes());
        hash.update(key);
        hash.update((value.len() as u32).to_be_bytes());
        hash.update(value);
    };
    for range in ranges.all() {
        add(0, &range.from, &range.to);
    }
    let mut walk = Walk::along(root, ranges.clone());
    let (mut missing, mut ours, mut unknown) = (Vec::new(), 0.0, 0.0);
    while let Some(step) = walk.next(blocks)? {
        match step {
            Step::Record { key, cid, .. } => {
                ours += 1.0;
                add(1, &key, &cid.to_bytes());
            }
            Step::Within { range, node, about } => {
                ours += about;
                add(2, &ranges.all()[range].from, &node);
            }
            Step::Missing { node, about } => {
                unknown += about;
                missing.push(node);
            }
        }
    }
    let fingerprint = missing
        .is_empty()
        .then(|| Fingerprint(hash.finalize().into()));
    let estimate = Estimate {
        ours: ours + unknown / 2.0,
        all: ours + unknown + walk.passed(),
    };
    Ok(Survey {
        missing,
        fingerprint,
        estimate,
    })
}
