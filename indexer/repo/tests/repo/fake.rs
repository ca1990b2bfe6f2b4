//! A PDS that can be told to misbehave; what it answers otherwise has the shape of the real one's
//! (`real.rs` compares them).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use plyr_lexicons::{Cid, Ipld, Rev, data};
use plyr_repo::{Digest, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::forge::{Built, Key, car, cid};
use crate::reading::digest;

/// What a method does instead of answering.
#[derive(Clone)]
pub enum Fault {
    /// Never answers.
    Hangs,
    /// Sends its answer a byte at a time.
    Drips,
    /// Sends these bytes instead.
    Says(Vec<u8>),
    /// Answers with this body.
    Body(Vec<u8>),
    /// Closes after so many bytes of the body.
    Cut(usize),
    /// Says so many times that there were too many requests, to come again after a second.
    Away(usize),
    /// Doesn't know the method.
    Lacking,
}

pub struct Repo {
    pub records: BTreeMap<String, Vec<u8>>,
    pub rev: Rev,
    pub key: Key,
    pub built: Built,
}

type Change = Box<dyn FnOnce(&mut Repo) + Send>;

#[derive(Default)]
pub struct State {
    pub repos: HashMap<String, Repo>,
    pub documents: HashMap<String, serde_json::Value>,
    pub faults: HashMap<&'static str, Fault>,
    /// Methods asked, in order, and the bytes of the bodies.
    pub asked: Vec<(String, usize)>,
    /// After the next answer of a method, this happens to a repo.
    pub then: Option<(&'static str, String, Change)>,
    /// Records that a listing leaves out.
    pub unlisted: HashSet<String>,
}

#[derive(Clone)]
pub struct FakePds {
    pub origin: String,
    state: Arc<Mutex<State>>,
}

struct Reply {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Repo {
    pub fn new(did: &str, key: Key, records: BTreeMap<String, Vec<u8>>) -> Repo {
        let rev = Rev::from_micros(1_700_000_000_000_000, 1);
        let built = Built::repo(did, rev, &key, &records);
        Repo {
            records,
            rev,
            key,
            built,
        }
    }

    /// Commits what its records are now; old blocks are gone, as on a real PDS.
    pub fn commit(&mut self, did: &str) {
        self.rev = Rev::from_micros(self.rev.micros() + 1_000_000, 1);
        self.built = Built::repo(did, self.rev, &self.key, &self.records);
    }

    fn block(&self, digest: &Digest) -> Option<&[u8]> {
        let found = self.built.blocks.iter().find(|(own, _)| own == digest);
        found.map(|(_, block)| &block[..])
    }

    /// The commit, the nodes down to a key, and its record if there is one.
    fn proof(&self, key: &str) -> Vec<Digest> {
        let mut path = vec![digest(&self.built.commit.unwrap())];
        let mut next = Some(digest(&self.built.data.unwrap()));
        while let Some(node) = next {
            path.push(node);
            let node = Node::read(self.block(&node).unwrap()).unwrap();
            let behind = node
                .entries
                .partition_point(|entry| entry.key[..] <= *key.as_bytes());
            next = match behind.checked_sub(1).map(|at| &node.entries[at]) {
                Some(entry) if entry.key == key.as_bytes() => {
                    path.push(digest(&entry.value));
                    None
                }
                Some(entry) => entry.right,
                None => node.left,
            };
        }
        path
    }
}

impl FakePds {
    pub async fn start() -> FakePds {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pds = FakePds {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        let serving = pds.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let pds = serving.clone();
                tokio::spawn(async move { drop(pds.serve(stream).await) });
            }
        });
        pds
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts a repo up, and the account's document.
    pub fn put(&self, did: &str, repo: Repo) {
        let document = document(did, &self.origin, &repo.key.multikey());
        self.state().documents.insert(did.to_owned(), document);
        self.state().repos.insert(did.to_owned(), repo);
    }

    pub fn fault(&self, method: &'static str, fault: Fault) {
        self.state().faults.insert(method, fault);
    }

    /// The methods asked since the last time, and the bytes of what they answered.
    pub fn asked(&self) -> (Vec<String>, usize) {
        let asked = std::mem::take(&mut self.state().asked);
        let bytes = asked.iter().map(|(_, bytes)| bytes).sum();
        (asked.into_iter().map(|(method, _)| method).collect(), bytes)
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut request = Vec::new();
        let mut buffer = [0; 16 << 10];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut buffer).await? {
                0 => return Ok(()),
                read => request.extend_from_slice(&buffer[..read]),
            }
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let path = text.split(' ').nth(1).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let method = path.strip_prefix("/xrpc/").unwrap_or(path).to_owned();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let (reply, fault) = self.reply(&method, &query);
        let length = reply.body.len();
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n",
            reply.status, reply.kind
        );
        match fault {
            Some(Fault::Hangs) => while stream.read(&mut buffer).await? > 0 {},
            Some(Fault::Drips) => {
                stream.write_all(head.as_bytes()).await?;
                for byte in &reply.body {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            }
            Some(Fault::Says(bytes)) => stream.write_all(&bytes).await?,
            Some(Fault::Cut(bytes)) => {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&reply.body[..bytes.min(length)]).await?;
            }
            Some(Fault::Away(_)) => {
                let away = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n\
                    content-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(away.as_bytes()).await?;
            }
            _ => {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&reply.body).await?;
            }
        }
        Ok(())
    }

    fn reply(&self, method: &str, query: &[(String, String)]) -> (Reply, Option<Fault>) {
        let mut state = self.state();
        let fault = state.faults.get(method).cloned();
        let name = state.faults.get_key_value(method).map(|(name, _)| *name);
        if let (Some(Fault::Away(times)), Some(name)) = (&fault, name) {
            match times {
                1 => drop(state.faults.remove(name)),
                more => drop(state.faults.insert(name, Fault::Away(more - 1))),
            }
        }
        let mut reply = match &fault {
            Some(Fault::Lacking) => error("501 Not Implemented", "MethodNotImplemented"),
            _ => answer(&state, method, query),
        };
        if let Some(Fault::Body(body)) = &fault {
            reply.body = body.clone();
        }
        state.asked.push((method.to_owned(), reply.body.len()));
        if state
            .then
            .as_ref()
            .is_some_and(|(name, ..)| *name == method)
            && let Some((_, did, change)) = state.then.take()
        {
            let repo = state.repos.get_mut(&did).unwrap();
            change(repo);
            repo.commit(&did);
        }
        (reply, fault)
    }
}

pub fn document(did: &str, pds: &str, key: &str) -> serde_json::Value {
    serde_json::json!({ "id": did, "alsoKnownAs": [], "verificationMethod": [{
        "id": format!("{did}#atproto"), "type": "Multikey", "controller": did,
        "publicKeyMultibase": key,
    }], "service": [{
        "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds,
    }] })
}

fn error(status: &'static str, name: &str) -> Reply {
    let body = serde_json::json!({ "error": name, "message": "as it is" });
    json(status, &body)
}

fn json(status: &'static str, body: &serde_json::Value) -> Reply {
    let (kind, body) = (
        "application/json; charset=utf-8",
        body.to_string().into_bytes(),
    );
    Reply { status, kind, body }
}

fn answer(state: &State, method: &str, query: &[(String, String)]) -> Reply {
    if let Some(did) = method.strip_prefix('/') {
        return match state.documents.get(did) {
            Some(document) => json("200 OK", document),
            None => error("404 Not Found", "NotFound"),
        };
    }
    let get = |name: &str| {
        let found = query.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let did = if get("did").is_empty() {
        get("repo")
    } else {
        get("did")
    };
    let Some(repo) = state.repos.get(did) else {
        return error("400 Bad Request", "RepoNotFound");
    };
    let commit = repo.built.commit.unwrap();
    let car_of = |roots: &[Cid], digests: &[Digest]| {
        let blocks = digests
            .iter()
            .map(|digest| (cid(digest), repo.block(digest).unwrap()));
        let (status, kind) = ("200 OK", "application/vnd.ipld.car");
        Reply {
            status,
            kind,
            body: car(roots, blocks),
        }
    };
    match method {
        "com.atproto.sync.getLatestCommit" => {
            let body =
                serde_json::json!({ "cid": commit.to_string(), "rev": repo.rev.to_string() });
            json("200 OK", &body)
        }
        "com.atproto.sync.getRecord" => {
            let key = format!("{}/{}", get("collection"), get("rkey"));
            car_of(&[commit], &repo.proof(&key))
        }
        "com.atproto.sync.getBlocks" => {
            let cids = query.iter().filter(|(name, _)| name == "cids");
            let wanted: Vec<Digest> = cids
                .map(|(_, text)| digest(&Cid::try_from(text.as_str()).unwrap()))
                .collect();
            match wanted.iter().all(|digest| repo.block(digest).is_some()) {
                true => car_of(&[], &wanted),
                false => error("400 Bad Request", "InvalidRequest"),
            }
        }
        "com.atproto.sync.getRepo" => {
            let all: Vec<Digest> = repo
                .built
                .blocks
                .iter()
                .map(|(digest, _)| *digest)
                .collect();
            car_of(&[commit], &all)
        }
        "com.atproto.repo.listRecords" => listing(state, repo, did, &get),
        _ => error("400 Bad Request", "InvalidRequest"),
    }
}

fn listing<'a>(state: &State, repo: &Repo, did: &str, get: &dyn Fn(&str) -> &'a str) -> Reply {
    let prefix = format!("{}/", get("collection"));
    let limit: usize = get("limit").parse().unwrap();
    assert_eq!(get("reverse"), "true", "ascending order is asked for");
    let mut found = repo.records.iter().filter(|(key, _)| {
        let rkey = key.strip_prefix(&prefix);
        rkey.is_some_and(|rkey| rkey > get("cursor")) && !state.unlisted.contains(*key)
    });
    let page: Vec<_> = found.by_ref().take(limit).collect();
    let mut body = serde_json::json!({ "records": page.iter().map(|(key, record)| {
        let value: Ipld = data::from_cbor(record).unwrap();
        serde_json::json!({ "uri": format!("at://{did}/{key}"),
            "cid": data::cid_of(record).to_string(), "value": data::to_json(&value) })
    }).collect::<Vec<_>>() });
    // The real one gives a cursor whenever there was a record.
    if let Some((last, _)) = page.last() {
        body["cursor"] = last.strip_prefix(&prefix).into();
    }
    json("200 OK", &body)
}
