//! One signed repo. Its tree is brought up to date, and its commit signed, when somebody asks for
//! a proof; a flood of writes costs no signatures that nobody looks at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use atrium_repo::blockstore::{
    AsyncBlockStoreRead, AsyncBlockStoreWrite, DAG_CBOR, Error as BlockError, SHA2_256,
};
use atrium_repo::mst::Tree;
use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use plyr_lexicons::{Cid, Ipld, Rev, data};

use super::car;
use super::key::Key;

/// A record as it is kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its CID.
    pub cid: Cid,
    /// Its DAG-CBOR.
    pub bytes: Bytes,
}

/// A repo: its records, and the tree over them as of some earlier moment.
pub struct Repo {
    did: String,
    pub rev: Rev,
    /// By `collection/rkey`.
    pub records: BTreeMap<String, Record>,
    nodes: Nodes,
    root: Option<Cid>,
    /// Keys whose records are others than the tree's.
    behind: BTreeSet<String>,
    /// The signed commit of this rev.
    commit: Option<Cid>,
}

/// Blocks of the tree and the commit.
#[derive(Default)]
struct Nodes(HashMap<Cid, Vec<u8>>);

impl AsyncBlockStoreRead for Nodes {
    async fn read_block_into(&mut self, cid: Cid, out: &mut Vec<u8>) -> Result<(), BlockError> {
        out.clear();
        out.extend_from_slice(self.0.get(&cid).ok_or(BlockError::CidNotFound)?);
        Ok(())
    }
}

impl AsyncBlockStoreWrite for Nodes {
    async fn write_block(
        &mut self,
        codec: u64,
        hash: u64,
        bytes: &[u8],
    ) -> Result<Cid, BlockError> {
        if (codec, hash) != (DAG_CBOR, SHA2_256) {
            return Err(BlockError::UnsupportedHash(hash));
        }
        let cid = data::cid_of(bytes);
        self.0.insert(cid, bytes.to_vec());
        Ok(cid)
    }
}

/// Everything is in memory, so that nothing is ever waited for.
fn at_once<T, E: std::fmt::Display>(
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    let done = future.now_or_never();
    done.ok_or("the tree waits for something")?
        .map_err(|problem| problem.to_string())
}

impl Repo {
    /// An empty repo.
    pub fn new(did: String, rev: Rev) -> Repo {
        Repo {
            did,
            rev,
            records: BTreeMap::new(),
            nodes: Nodes::default(),
            root: None,
            behind: BTreeSet::new(),
            commit: None,
        }
    }

    /// Begins a new commit.
    pub fn commit(&mut self, rev: Rev) {
        self.rev = rev;
        self.commit = None;
    }

    /// Puts a record, or takes it away, within the commit begun last.
    pub fn set(&mut self, key: String, record: Option<Record>) {
        self.behind.insert(key.clone());
        match record {
            Some(record) => drop(self.records.insert(key, record)),
            None => drop(self.records.remove(&key)),
        }
    }

    /// The signed commit's CID.
    pub fn head(&mut self, key: &Key) -> Result<Cid, String> {
        let root = self.settle()?;
        if let Some(commit) = self.commit {
            return Ok(commit);
        }
        let fields = [
            ("did", Ipld::String(self.did.clone())),
            ("version", Ipld::Integer(3)),
            ("data", Ipld::Link(root)),
            ("rev", Ipld::String(self.rev.to_string())),
            ("prev", Ipld::Null),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let mut fields: BTreeMap<String, Ipld> = fields.into_iter().collect();
        let told = |problem: data::DataError| problem.to_string();
        let unsigned = data::to_cbor(&Ipld::Map(fields.clone())).map_err(told)?;
        fields.insert("sig".to_owned(), Ipld::Bytes(key.sign(&unsigned)?));
        let block = data::to_cbor(&Ipld::Map(fields)).map_err(told)?;
        let cid = data::cid_of(&block);
        self.nodes.0.insert(cid, block);
        self.commit = Some(cid);
        Ok(cid)
    }

    /// Brings the tree up to date; answers its root.
    fn settle(&mut self) -> Result<Cid, String> {
        let mut tree = match self.root {
            Some(root) => Tree::open(&mut self.nodes, root),
            None => at_once(Tree::create(&mut self.nodes))?,
        };
        for key in std::mem::take(&mut self.behind) {
            let there = at_once(tree.get(&key))?;
            match (there, self.records.get(&key)) {
                (None, Some(record)) => at_once(tree.add(&key, record.cid))?,
                (Some(cid), Some(record)) if cid != record.cid => {
                    at_once(tree.update(&key, record.cid))?;
                }
                (Some(_), None) => at_once(tree.delete(&key))?,
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        let root = tree.root();
        self.root = Some(root);
        self.sweep(root)?;
        Ok(root)
    }

    /// Old blocks are gone, as on a real host; not after every commit, as that takes time.
    fn sweep(&mut self, root: Cid) -> Result<(), String> {
        if self.nodes.0.len() < self.records.len() + 64 {
            return Ok(());
        }
        let mut tree = Tree::open(&mut self.nodes, root);
        let all: Vec<Cid> = at_once(tree.export().try_collect())?;
        let live: std::collections::HashSet<Cid> = all.into_iter().chain(self.commit).collect();
        self.nodes.0.retain(|cid, _| live.contains(cid));
        Ok(())
    }

    /// The commit, the nodes down to a key, and its record if there is one.
    pub fn proof(&mut self, key: &str, signing: &Key) -> Result<Vec<u8>, String> {
        let head = self.head(signing)?;
        let root = self.root.ok_or("the repo has no tree")?;
        let mut tree = Tree::open(&mut self.nodes, root);
        let path: Vec<Cid> = at_once(tree.extract_path(key))?.collect();
        let mut blocks = vec![(head, self.block(&head)?)];
        for cid in path {
            if !blocks.iter().any(|(known, _)| *known == cid) {
                blocks.push((cid, self.block(&cid)?));
            }
        }
        Ok(car::of(&[head], &blocks))
    }

    /// Everything.
    pub fn whole(&mut self, signing: &Key) -> Result<Vec<u8>, String> {
        let head = self.head(signing)?;
        let root = self.root.ok_or("the repo has no tree")?;
        let mut tree = Tree::open(&mut self.nodes, root);
        let all: Vec<Cid> = at_once(tree.export().try_collect())?;
        let by_cid: HashMap<Cid, &Bytes> = self
            .records
            .values()
            .map(|record| (record.cid, &record.bytes))
            .collect();
        let mut seen = std::collections::HashSet::new();
        let mut blocks: Vec<(Cid, &[u8])> = Vec::with_capacity(all.len() + 1);
        for cid in std::iter::once(head).chain(all) {
            if !seen.insert(cid) {
                continue;
            }
            let block = match by_cid.get(&cid) {
                Some(record) => &record[..],
                None => self.nodes.0.get(&cid).ok_or("a node is missing")?,
            };
            blocks.push((cid, block));
        }
        Ok(car::of(&[head], &blocks))
    }

    /// Some blocks; none if one of them isn't there.
    pub fn blocks(&mut self, cids: &[Cid], signing: &Key) -> Result<Option<Vec<u8>>, String> {
        self.head(signing)?;
        let records: HashMap<Cid, &Bytes> = self
            .records
            .values()
            .map(|record| (record.cid, &record.bytes))
            .collect();
        let block = |cid: &Cid| match records.get(cid) {
            Some(record) => Some(&record[..]),
            None => self.nodes.0.get(cid).map(Vec::as_slice),
        };
        let blocks: Vec<(Cid, &[u8])> = cids
            .iter()
            .map_while(|cid| Some((*cid, block(cid)?)))
            .collect();
        Ok((blocks.len() == cids.len()).then(|| car::of(&[], &blocks)))
    }

    fn block(&self, cid: &Cid) -> Result<&[u8], String> {
        if let Some(node) = self.nodes.0.get(cid) {
            return Ok(node);
        }
        let mut records = self.records.values();
        let record = records.find(|record| record.cid == *cid);
        let record = record.ok_or_else(|| format!("there is no block {cid}"))?;
        Ok(&record.bytes)
    }
}
