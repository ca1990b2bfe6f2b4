//! Signed repos made by hand and served on loopback: a directory, hosts and a relay's list in one,
//! which counts what it is asked. It shares the machine with what is measured.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plyr_lexicons::{Cid, Did, Rev};
use plyr_repo::{Digest, Node};
use serde_json::json;
use warp::Filter;

/// Repos made by hand, as the crate's tests make them.
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../../indexer/repo/tests/repo/forge.rs"]
pub mod forge;

use forge::{Built, Key, car, cid};

pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

pub const REV: Rev = Rev::from_micros(1_750_000_000_000_000, 1);

/// The key of every repo.
pub fn key() -> Key {
    Key::k256(7)
}

pub fn digest(cid: &Cid) -> Result<Digest, std::array::TryFromSliceError> {
    cid.hash().digest().try_into()
}

/// A repo as a host serves it: whole, by proof, by blocks.
pub struct Hosted {
    did: Did,
    blocks: HashMap<Digest, Vec<u8>>,
    order: Vec<Digest>,
    commit: Digest,
    root: Digest,
    /// Bytes of the whole.
    pub whole: usize,
}

impl Hosted {
    /// A repo of these records (their paths and DAG-CBOR), signed at [`REV`].
    pub fn new(did: Did, records: &BTreeMap<String, Vec<u8>>) -> Result<Hosted, AnyError> {
        let built = Built::repo(did.as_str(), REV, &key(), records);
        Ok(Hosted {
            did,
            whole: built.blocks.iter().map(|(_, block)| block.len() + 38).sum(),
            commit: digest(&built.commit.ok_or("no commit")?)?,
            root: digest(&built.data.ok_or("no tree")?)?,
            order: built.blocks.iter().map(|(digest, _)| *digest).collect(),
            blocks: built.blocks.into_iter().collect(),
        })
    }

    fn car(&self, roots: &[Cid], digests: &[Digest]) -> Option<Vec<u8>> {
        let blocks = digests
            .iter()
            .map(|digest| Some((cid(digest), &self.blocks.get(digest)?[..])));
        Some(car(roots, blocks.collect::<Option<Vec<_>>>()?))
    }

    /// All of it.
    pub fn export(&self) -> Option<Vec<u8>> {
        self.car(&[cid(&self.commit)], &self.order)
    }

    fn proof(&self, key: &str) -> Option<Vec<u8>> {
        let mut path = vec![self.commit];
        let mut next = Some(self.root);
        while let Some(node) = next {
            path.push(node);
            let node = Node::read(self.blocks.get(&node)?).ok()?;
            let behind = node
                .entries
                .partition_point(|entry| entry.key[..] <= *key.as_bytes());
            next = match behind.checked_sub(1) {
                Some(at) => node.entries[at].right,
                None => node.left,
            };
        }
        self.car(&[cid(&self.commit)], &path)
    }

    fn answer(&self, method: &str, query: &HashMap<String, String>, raw: &str) -> Option<Vec<u8>> {
        match method {
            "com.atproto.sync.getLatestCommit" => {
                let head = json!({ "cid": cid(&self.commit).to_string(), "rev": REV.to_string() });
                Some(head.to_string().into_bytes())
            }
            "com.atproto.sync.getRepoStatus" => {
                let status = json!({ "did": self.did.as_str(), "active": true,
                    "rev": REV.to_string() });
                Some(status.to_string().into_bytes())
            }
            "com.atproto.sync.getRecord" => {
                let (collection, rkey) = (query.get("collection")?, query.get("rkey")?);
                self.proof(&format!("{collection}/{rkey}"))
            }
            "com.atproto.sync.getBlocks" => {
                let cids = raw.split('&').filter_map(|pair| pair.strip_prefix("cids="));
                let digests = cids.map(|text| digest(&Cid::try_from(text).ok()?).ok());
                self.car(&[], &digests.collect::<Option<Vec<_>>>()?)
            }
            "com.atproto.sync.getRepo" => self.export(),
            _ => None,
        }
    }
}

/// What was asked.
#[derive(Default)]
pub struct Asked {
    /// Requests answered for repos.
    pub requests: AtomicU64,
    /// Bytes of these answers.
    pub bytes: AtomicU64,
}

impl Asked {
    /// Requests and bytes until now.
    pub fn so_far(&self) -> (u64, u64) {
        let requests = self.requests.load(Ordering::Relaxed);
        (requests, self.bytes.load(Ordering::Relaxed))
    }
}

struct World {
    repos: HashMap<String, Hosted>,
    /// The host of each repo.
    homes: HashMap<String, String>,
    asked: Arc<Asked>,
}

impl World {
    fn document(&self, did: &str) -> Option<Vec<u8>> {
        let document = json!({
            "id": did, "alsoKnownAs": [],
            "verificationMethod": [{ "id": format!("{did}#atproto"), "type": "Multikey",
                "controller": did, "publicKeyMultibase": key().multikey() }],
            "service": [{ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": self.homes.get(did)? }],
        });
        Some(document.to_string().into_bytes())
    }

    fn answer(&self, path: &str, raw: &str) -> Option<Vec<u8>> {
        let Some(method) = path.strip_prefix("/xrpc/") else {
            return self.document(path.strip_prefix('/')?);
        };
        let pairs = raw.split('&').filter_map(|pair| pair.split_once('='));
        let plain = |value: &str| value.replace("%3A", ":");
        let query: HashMap<String, String> = pairs
            .map(|(name, value)| (name.to_owned(), plain(value)))
            .collect();
        if method == "com.atproto.sync.listReposByCollection" {
            let dids = self.repos.keys().map(|did| json!({ "did": did }));
            let listed = json!({ "repos": dids.collect::<Vec<_>>() });
            return Some(listed.to_string().into_bytes());
        }
        let body = self
            .repos
            .get(query.get("did")?)?
            .answer(method, &query, raw)?;
        self.asked.requests.fetch_add(1, Ordering::Relaxed);
        self.asked
            .bytes
            .fetch_add(body.len() as u64, Ordering::Relaxed);
        Some(body)
    }
}

/// Serves repos spread over this many hosts, each an origin of its own; the first is the directory
/// and the relay too. Answers the origins and what will be asked.
pub async fn serve(
    repos: Vec<Hosted>,
    hosts: usize,
) -> Result<(Vec<String>, Arc<Asked>), AnyError> {
    let mut listeners = Vec::new();
    for _ in 0..hosts {
        listeners.push(tokio::net::TcpListener::bind("127.0.0.1:0").await?);
    }
    let origins = listeners
        .iter()
        .map(|listener| Ok(format!("http://{}", listener.local_addr()?)));
    let origins: Vec<String> = origins.collect::<Result<_, std::io::Error>>()?;
    let homes = repos.iter().zip(origins.iter().cycle());
    let homes = homes.map(|(repo, origin)| (repo.did.to_string(), origin.clone()));
    let asked = Arc::new(Asked::default());
    let world = Arc::new(World {
        homes: homes.collect(),
        repos: repos
            .into_iter()
            .map(|repo| (repo.did.to_string(), repo))
            .collect(),
        asked: asked.clone(),
    });
    for listener in listeners {
        let world = world.clone();
        let raw = warp::query::raw().or(warp::any().map(String::new)).unify();
        let routes =
            warp::path::full()
                .and(raw)
                .map(move |path: warp::path::FullPath, raw: String| {
                    let body = world.answer(path.as_str(), &raw);
                    let status = match body {
                        Some(_) => warp::http::StatusCode::OK,
                        None => warp::http::StatusCode::NOT_IMPLEMENTED,
                    };
                    warp::reply::with_status(body.unwrap_or_default(), status)
                });
        tokio::spawn(warp::serve(routes).incoming(listener).run());
    }
    Ok((origins, asked))
}
