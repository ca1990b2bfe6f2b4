//! One signed repo. Its tree is made, and its commit signed, when somebody asks for a proof; a
//! flood of writes costs no signatures that nobody looks at.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use plyr_lexicons::{Cid, Ipld, Rev, data};

use super::car;
use super::key::Key;
use super::tree::Tree;

/// A record as it is kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its CID.
    pub cid: Cid,
    /// Its DAG-CBOR.
    pub bytes: Bytes,
}

/// A repo: its records, and what was signed of them.
pub struct Repo {
    did: String,
    pub rev: Rev,
    /// By `collection/rkey`.
    pub records: BTreeMap<String, Record>,
    /// The tree over these very records.
    tree: Option<Tree>,
    /// The signed commit of this rev, and its CID.
    commit: Option<(Cid, Vec<u8>)>,
}

impl Repo {
    /// An empty repo.
    pub fn new(did: String, rev: Rev) -> Repo {
        Repo {
            did,
            rev,
            records: BTreeMap::new(),
            tree: None,
            commit: None,
        }
    }

    /// Begins a new commit.
    pub fn commit(&mut self, rev: Rev) {
        self.rev = rev;
        self.commit = None;
    }

    /// Puts a record, or takes it away, within the commit begun next.
    pub fn set(&mut self, key: String, record: Option<Record>) {
        self.tree = None;
        match record {
            Some(record) => drop(self.records.insert(key, record)),
            None => drop(self.records.remove(&key)),
        }
    }

    /// The signed commit's CID.
    pub fn head(&mut self, key: &Key) -> Result<Cid, String> {
        self.signed(key).map(|(_, (cid, _), _)| *cid)
    }

    /// The tree, the commit and the records, as of now.
    #[allow(clippy::type_complexity)] // all that a proof is made of
    fn signed(
        &mut self,
        key: &Key,
    ) -> Result<(&Tree, &(Cid, Vec<u8>), &BTreeMap<String, Record>), String> {
        let tree = match self.tree.take() {
            Some(tree) => tree,
            None => {
                let records = self.records.iter();
                Tree::of(records.map(|(key, record)| (key.as_str(), record.cid)))?
            }
        };
        let tree = &*self.tree.insert(tree);
        let commit = match self.commit.take() {
            Some(commit) => commit,
            None => sign(&self.did, self.rev, tree, key)?,
        };
        Ok((tree, self.commit.insert(commit), &self.records))
    }

    /// The commit, the nodes down to a key, and its record if there is one.
    pub fn proof(&mut self, key: &str, signing: &Key) -> Result<Vec<u8>, String> {
        let (tree, (head, commit), records) = self.signed(signing)?;
        let mut blocks = vec![(*head, &commit[..])];
        blocks.extend(tree.path(key));
        if let Some(record) = records.get(key) {
            blocks.push((record.cid, &record.bytes));
        }
        Ok(car::of(&[*head], &blocks))
    }

    /// Everything.
    pub fn whole(&mut self, signing: &Key) -> Result<Vec<u8>, String> {
        let (tree, (head, commit), records) = self.signed(signing)?;
        let mut blocks = vec![(*head, &commit[..])];
        blocks.extend(tree.nodes());
        let mut seen = HashSet::new();
        let records = records.values().filter(|record| seen.insert(record.cid));
        blocks.extend(records.map(|record| (record.cid, &record.bytes[..])));
        Ok(car::of(&[*head], &blocks))
    }

    /// Some blocks; none if one of them isn't there. Old ones are gone, as on a real host.
    pub fn blocks(&mut self, cids: &[Cid], signing: &Key) -> Result<Option<Vec<u8>>, String> {
        let (tree, (head, commit), records) = self.signed(signing)?;
        let records = records.values();
        let records: HashMap<Cid, &[u8]> = records
            .map(|record| (record.cid, &record.bytes[..]))
            .collect();
        let block = |cid: &Cid| match records.get(cid) {
            Some(record) => Some(*record),
            None if cid == head => Some(&commit[..]),
            None => tree.node(cid),
        };
        let found = cids.iter().map_while(|cid| Some((*cid, block(cid)?)));
        let blocks: Vec<(Cid, &[u8])> = found.collect();
        Ok((blocks.len() == cids.len()).then(|| car::of(&[], &blocks)))
    }
}

/// A signed commit.
fn sign(did: &str, rev: Rev, tree: &Tree, key: &Key) -> Result<(Cid, Vec<u8>), String> {
    let root = tree.root().ok_or("the repo has no tree")?;
    let fields = [
        ("did", Ipld::String(did.to_owned())),
        ("version", Ipld::Integer(3)),
        ("data", Ipld::Link(root)),
        ("rev", Ipld::String(rev.to_string())),
        ("prev", Ipld::Null),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let mut fields: BTreeMap<String, Ipld> = fields.into_iter().collect();
    let told = |problem: data::DataError| problem.to_string();
    let unsigned = data::to_cbor(&Ipld::Map(fields.clone())).map_err(told)?;
    fields.insert("sig".to_owned(), Ipld::Bytes(key.sign(&unsigned)?));
    let block = data::to_cbor(&Ipld::Map(fields)).map_err(told)?;
    Ok((data::cid_of(&block), block))
}
