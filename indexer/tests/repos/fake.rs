//! A network of repos in memory, with any number of them at any number of hosts: it can be cut off,
//! go back to an older state, serve what isn't readable, and be written to while it is read. The
//! real one is asked by the tests of `plyr`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use plyr_indexer::repos::{Entry, Fault, Fetched, Network, Pages, Proof, State, Trouble};
use plyr_lexicons::{Cid, Did, RecordUri, Rev, data};
use plyr_schemas::RepoHead;
use serde_json::{Value, json};

/// What a repo does instead of answering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ill {
    /// Its host can't be reached.
    Unreachable,
    /// What it serves can't be proven, found out after a page.
    Truncated,
    /// It only lists its records.
    Listed,
    /// It is gone.
    Gone,
    /// It never answers.
    Hangs,
}

/// A repo.
#[derive(Clone, Default)]
pub(crate) struct FakeRepo {
    pub(crate) records: BTreeMap<(String, String), Vec<u8>>,
    pub(crate) rev: i64,
    pub(crate) host: String,
    pub(crate) ill: Option<Ill>,
}

/// What was asked.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) heads: usize,
    pub(crate) fetches: usize,
    pub(crate) unchanged: usize,
    pub(crate) proofs: usize,
}

type Between = Box<dyn Fn() -> futures_util::future::BoxFuture<'static, ()> + Send + Sync>;

#[derive(Default)]
pub(crate) struct Fake {
    repos: Mutex<HashMap<Did, FakeRepo>>,
    asked: Mutex<Asked>,
    /// Done once, after the first page of the next fetch.
    between: Mutex<Option<Between>>,
    /// Done once, between the next fetch or proof and its answer.
    meanwhile: Mutex<Option<Between>>,
    /// Fetches under way by host, and the most there were.
    at_once: Mutex<HashMap<String, (usize, usize)>>,
}

pub(crate) fn rev(at: i64) -> Rev {
    Rev::from_micros(1_700_000_000_000_000 + at * 1_000_000, 0)
}

pub(crate) fn did(name: &str) -> Did {
    Did::new(format!("did:plc:{name}")).unwrap()
}

pub(crate) fn uri(did: &Did, collection: &str, rkey: &str) -> RecordUri {
    let text = format!("at://{}/fm.plyr.{collection}/{rkey}", did.as_str());
    text.parse().unwrap()
}

pub(crate) fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
        "createdAt": "2026-01-01T00:00:00Z" })
}

pub(crate) fn bytes(record: &Value) -> Vec<u8> {
    let value = data::from_json(record.to_string().as_bytes()).unwrap();
    data::to_cbor(&value).unwrap()
}

impl FakeRepo {
    fn range(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for ((collection, rkey), bytes) in &self.records {
            all.extend_from_slice(
                format!("{collection}/{rkey} {}", data::cid_of(bytes)).as_bytes(),
            );
        }
        data::cid_of(&all).to_bytes()
    }

    pub(crate) fn head(&self) -> RepoHead {
        let mut all = self.range();
        all.extend_from_slice(&self.rev.to_be_bytes());
        RepoHead {
            rev: rev(self.rev),
            commit: data::cid_of(&all),
        }
    }
}

impl Fake {
    fn repos(&self) -> MutexGuard<'_, HashMap<Did, FakeRepo>> {
        self.repos.lock().unwrap()
    }

    pub(crate) fn asked(&self) -> Asked {
        *self.asked.lock().unwrap()
    }

    /// Changes a repo, making it where there is none.
    pub(crate) fn change(&self, did: &Did, change: impl FnOnce(&mut FakeRepo)) {
        let mut repos = self.repos();
        let repo = repos.entry(did.clone()).or_insert_with(|| FakeRepo {
            host: "https://one.example".to_owned(),
            ..FakeRepo::default()
        });
        change(repo);
    }

    pub(crate) fn put(&self, did: &Did, collection: &str, rkey: &str, at: i64, record: &Value) {
        self.change(did, |repo| {
            let key = (format!("fm.plyr.{collection}"), rkey.to_owned());
            repo.records.insert(key, bytes(record));
            repo.rev = at;
        });
    }

    pub(crate) fn delete(&self, did: &Did, collection: &str, rkey: &str, at: i64) {
        self.change(did, |repo| {
            let key = (format!("fm.plyr.{collection}"), rkey.to_owned());
            repo.records.remove(&key);
            repo.rev = at;
        });
    }

    pub(crate) fn get(&self, did: &Did) -> FakeRepo {
        self.repos().get(did).cloned().unwrap_or_default()
    }

    pub(crate) fn between(&self, act: Between) {
        *self.between.lock().unwrap() = Some(act);
    }

    pub(crate) fn meanwhile(&self, act: Between) {
        *self.meanwhile.lock().unwrap() = Some(act);
    }

    async fn pass_time(&self) {
        let act = self.meanwhile.lock().unwrap().take();
        if let Some(act) = act {
            act().await;
        }
    }

    /// The most fetches that were under way at one host at once.
    pub(crate) fn most_at_once(&self, host: &str) -> usize {
        self.at_once
            .lock()
            .unwrap()
            .get(host)
            .map_or(0, |(_, most)| *most)
    }

    async fn repo(&self, did: &Did) -> Result<FakeRepo, Trouble> {
        let trouble = |fault, reason, detail: &str| Trouble {
            fault,
            reason,
            detail: detail.to_owned(),
        };
        let repo = self.repos().get(did).cloned();
        let gone = || trouble(Fault::Account, "unavailable", "RepoNotFound");
        let repo = repo.ok_or_else(gone)?;
        match repo.ill {
            Some(Ill::Unreachable) => Err(trouble(Fault::Host, "host", "connection refused")),
            Some(Ill::Gone) => Err(gone()),
            Some(Ill::Hangs) => std::future::pending().await,
            _ => Ok(repo),
        }
    }
}

struct FakePages {
    fake: Arc<Fake>,
    pages: Vec<Vec<Entry>>,
    ill: Option<Ill>,
    host: String,
    told: usize,
}

impl Drop for FakePages {
    fn drop(&mut self) {
        if let Some((now, _)) = self.fake.at_once.lock().unwrap().get_mut(&self.host) {
            *now -= 1;
        }
    }
}

#[async_trait]
impl Pages for FakePages {
    async fn next(&mut self) -> Result<Vec<Entry>, Trouble> {
        self.told += 1;
        if self.told == 2 {
            let act = self.fake.between.lock().unwrap().take();
            if let Some(act) = act {
                act().await;
            }
        }
        tokio::task::yield_now().await;
        if self.ill == Some(Ill::Truncated) && self.told == 2 {
            return Err(Trouble {
                fault: Fault::Content,
                reason: "truncated",
                detail: "the CAR is truncated".to_owned(),
            });
        }
        Ok(self.pages.pop().unwrap_or_default())
    }
}

/// The network as the part sees it.
pub(crate) struct Asking(pub(crate) Arc<Fake>);

#[async_trait]
impl Network for Asking {
    async fn host(&self, did: &Did) -> Result<String, Trouble> {
        let host = self.0.repos().get(did).map(|repo| repo.host.clone());
        host.ok_or_else(|| Trouble {
            fault: Fault::Account,
            reason: "no-document",
            detail: "there is no DID document".to_owned(),
        })
    }

    async fn head(&self, did: &Did) -> Result<RepoHead, Trouble> {
        self.0.asked.lock().unwrap().heads += 1;
        Ok(self.0.repo(did).await?.head())
    }

    async fn fetch(&self, did: &Did, known: Option<&[u8]>) -> Result<Fetched, Trouble> {
        let repo = self.0.repo(did).await?;
        self.0.pass_time().await;
        let state = State {
            head: repo.head(),
            range: Some(repo.range()),
            is_proven: repo.ill != Some(Ill::Listed),
        };
        let mut asked = self.0.asked.lock().unwrap();
        if known.is_some() && known == state.range.as_deref() {
            asked.unchanged += 1;
            return Ok(Fetched::Unchanged(state));
        }
        asked.fetches += 1;
        let mut at_once = self.0.at_once.lock().unwrap();
        let (now, most) = at_once.entry(repo.host.clone()).or_default();
        *now += 1;
        *most = (*most).max(*now);
        let entry = |((collection, rkey), bytes): (&(String, String), &Vec<u8>)| Entry {
            collection: collection.parse().unwrap(),
            rkey: rkey.parse().unwrap(),
            cid: data::cid_of(bytes),
            bytes: Some(bytes.clone()),
        };
        let entries: Vec<Entry> = repo.records.iter().map(entry).collect();
        let mut pages: Vec<Vec<Entry>> = entries.chunks(3).map(<[Entry]>::to_vec).collect();
        pages.reverse();
        Ok(Fetched::Records(
            state,
            Box::new(FakePages {
                fake: self.0.clone(),
                pages,
                ill: repo.ill,
                host: repo.host.clone(),
                told: 0,
            }),
        ))
    }

    async fn prove(&self, uri: &RecordUri) -> Result<Proof, Trouble> {
        self.0.asked.lock().unwrap().proofs += 1;
        let repo = self.0.repo(&uri.did).await?;
        self.0.pass_time().await;
        let key = (
            uri.collection.as_str().to_owned(),
            uri.rkey.as_str().to_owned(),
        );
        let record = repo.records.get(&key);
        let record: Option<(Cid, Vec<u8>)> =
            record.map(|bytes| (data::cid_of(bytes), bytes.clone()));
        Ok(Proof {
            head: repo.head(),
            record,
        })
    }
}
