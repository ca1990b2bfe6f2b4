//! The tree over a repo's records, made as a whole from its keys in order.
//! Spec: <https://atproto.com/specs/repository#mst-structure>.

use std::collections::HashMap;

use plyr_lexicons::{Cid, Ipld, data};
use sha2::{Digest, Sha256};

/// A tree.
#[derive(Default)]
pub struct Tree {
    nodes: Vec<Node>,
    by_cid: HashMap<Cid, usize>,
    root: usize,
}

struct Node {
    cid: Cid,
    block: Vec<u8>,
    /// The subtree before the first key.
    left: Option<usize>,
    /// Each key, and the subtree behind it.
    entries: Vec<(String, Option<usize>)>,
}

/// A key, the layer that it belongs to, and its record.
type Item<'a> = (&'a str, u32, Cid);

impl Tree {
    /// The tree of keys in ascending order, each once.
    pub fn of<'a>(records: impl Iterator<Item = (&'a str, Cid)>) -> Result<Tree, String> {
        let items: Vec<Item<'_>> = records
            .map(|(key, cid)| (key, layer_of(key), cid))
            .collect();
        let top = items.iter().map(|(_, layer, _)| *layer).max().unwrap_or(0);
        let mut tree = Tree::default();
        tree.root = match tree.subtree(&items, top)? {
            Some(root) => root,
            None => tree.put(None, &[])?,
        };
        Ok(tree)
    }

    /// The node of some keys at a layer; none for no keys.
    fn subtree(&mut self, items: &[Item<'_>], layer: u32) -> Result<Option<usize>, String> {
        if items.is_empty() {
            return Ok(None);
        }
        let mut gaps = items.split(|(_, own, _)| *own == layer);
        let mut below = |tree: &mut Tree| match (gaps.next(), layer.checked_sub(1)) {
            (Some(gap), Some(layer)) => tree.subtree(gap, layer),
            _ => Ok(None),
        };
        let left = below(self)?;
        let mut entries = Vec::new();
        for (key, _, record) in items.iter().filter(|(_, own, _)| *own == layer) {
            entries.push((*key, *record, below(self)?));
        }
        self.put(left, &entries).map(Some)
    }

    fn put(
        &mut self,
        left: Option<usize>,
        entries: &[(&str, Cid, Option<usize>)],
    ) -> Result<usize, String> {
        let link = |node: Option<usize>| match node {
            Some(node) => Ipld::Link(self.nodes[node].cid),
            None => Ipld::Null,
        };
        let mut previous = "";
        let mut rows = Vec::new();
        for (key, record, right) in entries {
            let pairs = previous.bytes().zip(key.bytes());
            let shared = pairs.take_while(|(one, other)| one == other).count();
            rows.push(map([
                ("k", Ipld::Bytes(key.as_bytes()[shared..].to_vec())),
                ("p", Ipld::Integer(shared as i128)),
                ("t", link(*right)),
                ("v", Ipld::Link(*record)),
            ]));
            previous = key;
        }
        let node = map([("e", Ipld::List(rows)), ("l", link(left))]);
        let block = data::to_cbor(&node).map_err(|problem| problem.to_string())?;
        let cid = data::cid_of(&block);
        let entries = entries.iter();
        self.nodes.push(Node {
            cid,
            block,
            left,
            entries: entries
                .map(|(key, _, right)| ((*key).to_owned(), *right))
                .collect(),
        });
        self.by_cid.insert(cid, self.nodes.len() - 1);
        Ok(self.nodes.len() - 1)
    }

    /// The root's CID; none for a tree that was never made.
    pub fn root(&self) -> Option<Cid> {
        self.nodes.get(self.root).map(|node| node.cid)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (Cid, &[u8])> {
        self.nodes.iter().map(|node| (node.cid, &node.block[..]))
    }

    /// A node.
    pub fn node(&self, cid: &Cid) -> Option<&[u8]> {
        Some(&self.nodes[*self.by_cid.get(cid)?].block)
    }

    /// The nodes from the root down to a key, or to where it would be.
    pub fn path(&self, key: &str) -> Vec<(Cid, &[u8])> {
        let mut path = Vec::new();
        let mut next = Some(self.root);
        while let Some(node) = next.and_then(|place| self.nodes.get(place)) {
            path.push((node.cid, &node.block[..]));
            let behind = node.entries.partition_point(|(own, _)| own.as_str() <= key);
            next = match behind.checked_sub(1).map(|at| &node.entries[at]) {
                Some((own, _)) if own == key => None,
                Some((_, right)) => *right,
                None => node.left,
            };
        }
        path
    }
}

fn map<const N: usize>(fields: [(&str, Ipld); N]) -> Ipld {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Ipld::Map(fields.into_iter().collect())
}

/// The leading zeros of the key's SHA-256, in pairs of bits.
fn layer_of(key: &str) -> u32 {
    let mut zeros = 0;
    for byte in Sha256::digest(key) {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    zeros / 2
}

#[cfg(test)]
mod tests {
    use atrium_repo::blockstore::MemoryBlockStore;
    use futures_util::FutureExt;

    use super::*;
    use crate::dice::Dice;

    /// A second mind, which is asked in ascending order alone: `atrium-repo` 0.2.0 loses records
    /// where a key is added between others.
    fn second_mind(keys: &[String]) -> Cid {
        let adding = async {
            let mut store = MemoryBlockStore::new();
            let mut tree = atrium_repo::mst::Tree::create(&mut store).await.unwrap();
            for key in keys {
                let record = data::cid_of(key.as_bytes());
                tree.add(key, record).await.unwrap();
            }
            tree.root()
        };
        adding.now_or_never().unwrap()
    }

    #[test]
    fn a_second_mind_makes_the_same_trees() {
        for seed in 0..200 {
            let mut dice = Dice::new(seed);
            let count = dice.below(120);
            let key =
                |dice: &mut Dice| format!("fm.plyr.{}/{:x}", dice.below(3), dice.below(1 << 30));
            let mut keys: Vec<String> = (0..count).map(|_| key(&mut dice)).collect();
            keys.sort();
            keys.dedup();
            let records = keys
                .iter()
                .map(|key| (key.as_str(), data::cid_of(key.as_bytes())));
            let tree = Tree::of(records).unwrap();
            assert_eq!(tree.root(), Some(second_mind(&keys)), "seed {seed}");
        }
    }
}
