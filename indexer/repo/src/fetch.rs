//! Fetching what is signed, the cheapest way that the host offers.
//!
//! 1. The proof of one key in our range gives the commit and the way down to us. Nodes along our
//!    bounds that it lacks are asked for by CID; then the range's fingerprint tells whether
//!    anything of ours has changed.
//! 2. If so: the nodes of our range, then the records, by CID too.
//! 3. Where we are most of the repo, or the host doesn't offer blocks: the whole repo, as a stream.
//! 4. Last, and never called verified: a listing of records.

mod listing;
mod network;
mod records;
mod ways;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use plyr_lexicons::{Cid, Collection, Did, Namespace, Rev};
use plyr_outbound::{Outbound, OutboundError};

use crate::blocks::digest_of;
use crate::error::RepoError;
use crate::range::{Fingerprint, Ranges};
use crate::walk::{Step, Walk};

use network::Asked;
pub use records::Records;

/// What a fetch may take. Memory is about `memory` plus one page, whatever the repo's size.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes of blocks in memory; what is more lies in `folder`.
    pub memory: usize,
    /// Where temporary files (without a name) are made.
    pub folder: PathBuf,
    /// Largest repo, in bytes.
    pub repo: u64,
    /// Records in our collections that a repo may have (I17).
    pub records: u64,
    /// Records of a page.
    pub page_records: usize,
    /// Bytes of a page, beyond which it ends.
    pub page_bytes: usize,
    /// How long a host that asks to be left alone is waited for, each time.
    pub patience: Duration,
    /// How long a fetch may take as a whole.
    pub longest: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            memory: 8 << 20,
            folder: std::env::temp_dir(),
            repo: 4 << 30,
            records: 250_000,
            page_records: 500,
            page_bytes: 4 << 20,
            patience: Duration::from_secs(60),
            longest: Duration::from_secs(3600),
        }
    }
}

/// Whose repo is asked for, and what is known of it.
#[derive(Clone)]
pub struct Ask {
    /// Whose.
    pub did: Did,
    /// The PDS that the DID document names.
    pub pds: String,
    /// The key that the DID document names (a multikey); the document is asked again if it isn't
    /// the one that signed.
    pub signing_key: Option<String>,
    /// The fingerprint of what is held already: if the range still has it, nothing else is fetched.
    pub known: Option<Fingerprint>,
    /// Tells which records are held already, so that they needn't be fetched again.
    pub held: Option<Arc<dyn Held>>,
}

/// Knows which records are held already.
#[async_trait]
pub trait Held: Send + Sync {
    /// For each entry (its `record` is none) whether the caller has the record of that CID at hand.
    /// Of those it says yes to, the record may stay out of the pages. Must answer in the entries'
    /// order; what is missing at the end counts as no.
    async fn held(&self, did: &Did, entries: &[Entry]) -> Vec<bool>;
}

/// A repo's head as its host tells it; not proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The rev.
    pub rev: Rev,
    /// The commit's CID.
    pub commit: Cid,
}

/// How a state was fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// By proof and blocks.
    Blocks,
    /// The whole repo.
    Repo,
    /// A listing, which proves nothing.
    Listing,
}

/// What a repo says in our collections, at a rev.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedState {
    /// Whose repo.
    pub did: Did,
    /// The commit's rev.
    pub rev: Rev,
    /// The commit's CID.
    pub commit: Cid,
    /// The root of the tree; none for a listing.
    pub data: Option<Cid>,
    /// What our range holds, in short; none for a listing.
    pub range: Option<Fingerprint>,
    /// The key that signed; none for a listing.
    pub signing_key: Option<String>,
    /// Whether all of it was proven down to the signature.
    pub verified: bool,
    /// How it was fetched.
    pub way: Way,
    /// Records in our collections; none if the range is the one that was known.
    pub records: Option<u64>,
    /// Requests it took.
    pub requests: u32,
    /// Bytes of answers it took, decompressed.
    pub bytes: u64,
}

/// A fetched state and, unless the range is the one that was known, its records.
pub struct Fetched {
    /// The state.
    pub state: SignedState,
    /// All records in our collections, to be read page by page. Everything was fetched and checked
    /// before the first page.
    pub records: Option<Records>,
}

/// A record in our collections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its collection.
    pub collection: Collection,
    /// Its record key (valid).
    pub rkey: String,
    /// Its CID.
    pub cid: Cid,
    /// Its DAG-CBOR, which hashes to the CID; none if [`Held`] said that the caller has it.
    pub record: Option<Bytes>,
}

/// What the repo proves about one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The commit's rev.
    pub rev: Rev,
    /// The commit's CID.
    pub commit: Cid,
    /// The root of the tree.
    pub data: Cid,
    /// The record; none if it is proven that there is none.
    pub record: Option<ProvenRecord>,
}

/// A record that the repo has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvenRecord {
    /// Its CID.
    pub cid: Cid,
    /// Its DAG-CBOR, which hashes to the CID.
    pub record: Bytes,
}

/// Fetches and proves. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    outbound: Outbound,
    namespace: Arc<Namespace>,
    ranges: Arc<Ranges>,
    bounds: Arc<Bounds>,
}

impl Fetcher {
    /// A fetcher of one namespace's collections.
    pub fn new(outbound: Outbound, namespace: Namespace, bounds: Bounds) -> Fetcher {
        Fetcher {
            outbound,
            ranges: Arc::new(Ranges::of(&namespace)),
            namespace: Arc::new(namespace),
            bounds: Arc::new(bounds),
        }
    }

    /// A repo's head: one small request, nothing proven.
    pub async fn head(&self, pds: &str, did: &Did) -> Result<Head, RepoError> {
        let latest = self.outbound.latest_commit(pds, did).await;
        let latest = latest.map_err(network::told)?;
        Ok(Head {
            rev: latest.rev,
            commit: latest.cid,
        })
    }

    /// What the repo says in our collections. An error means that nothing was learned: no page is
    /// handed out of a state that isn't whole.
    pub async fn fetch(&self, ask: &Ask) -> Result<Fetched, RepoError> {
        let mut asked = Asked::new(self, ask);
        let longest = self.bounds.longest;
        let fetched = tokio::time::timeout(longest, ways::fetch(&mut asked)).await;
        fetched.unwrap_or_else(|_| {
            let url = ask.pds.clone();
            let detail = format!("its repo was not read within {} s", longest.as_secs());
            Err(OutboundError::Unreachable { url, detail }.into())
        })
    }

    /// Whether the repo has a record, and which: one request.
    pub async fn prove_record(
        &self,
        ask: &Ask,
        collection: Collection,
        rkey: &str,
    ) -> Result<Proof, RepoError> {
        let mut asked = Asked::new(self, ask);
        let nsid = self.namespace.nsid(collection);
        let blocks = asked.empty();
        let signed = asked.proof(nsid, rkey, blocks).await?;
        let ranges = Arc::new(Ranges::one(&self.namespace, collection, rkey));
        let mut walk = Walk::through(signed.root, ranges);
        let mut proof = Proof {
            rev: signed.commit.rev,
            commit: signed.cid,
            data: signed.commit.data,
            record: None,
        };
        while let Some(step) = walk.next(&signed.blocks)? {
            let cid = match step {
                Step::Record { cid, .. } => cid,
                Step::Within { node, .. } | Step::Missing { node, .. } => {
                    return Err(RepoError::MissingBlock(crate::blocks::cid_of(&node)));
                }
            };
            let digest = digest_of(&cid);
            let record = digest
                .map(|digest| signed.blocks.get(&digest))
                .transpose()?;
            let record = record.flatten().ok_or(RepoError::MissingBlock(cid))?;
            proof.record = Some(ProvenRecord { cid, record });
        }
        Ok(proof)
    }
}
