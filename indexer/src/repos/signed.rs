//! The network as it is: the PDS that the DID document names, its repos fetched and proven.

use std::sync::Arc;

use async_trait::async_trait;
use plyr_lexicons::{Did, Namespace, RecordKey, RecordUri, Rev};
use plyr_outbound::{DidDocument, Freshness, Outbound};
use plyr_repo::{Ask, Bounds, Fetcher, Fingerprint, Held, Records, RepoError};
use plyr_schemas::{RepoHead, Store, StoreError};

use super::network::{Entry, Fault, Fetched, Network, Pages, Proof, State, Trouble};
use super::pace::Pace;

/// Fetches and proves over the hardened client.
pub struct Signed {
    outbound: Outbound,
    fetcher: Fetcher,
    namespace: Namespace,
    held: Arc<HeldRecords>,
}

impl Signed {
    /// Of one namespace's collections; what the store holds isn't fetched again.
    pub fn new(
        outbound: Outbound,
        namespace: Namespace,
        store: Arc<dyn Store>,
        pace: &Pace,
    ) -> Signed {
        let bounds = Bounds {
            records: pace.quota,
            ..Bounds::default()
        };
        let held = HeldRecords {
            store,
            namespace: namespace.clone(),
        };
        Signed {
            fetcher: Fetcher::new(outbound.clone(), namespace.clone(), bounds),
            outbound,
            namespace,
            held: Arc::new(held),
        }
    }

    async fn document(&self, did: &Did) -> Result<DidDocument, Trouble> {
        let document = self.outbound.did_document(did, Freshness::Cached).await;
        let document = document.map_err(|problem| Trouble {
            fault: Fault::Host,
            reason: "identity",
            detail: problem.to_string(),
        })?;
        document.ok_or_else(|| lacking("no-document", "the DID has no document"))
    }

    /// Whether to ask once more: the document at hand names an old host. A host that an account has
    /// left says that it is not there; the document is then asked for past every cache.
    async fn has_moved<T>(&self, did: &Did, host: &str, asked: &Result<T, RepoError>) -> bool {
        match asked {
            Err(RepoError::Moved(_)) => true,
            Err(RepoError::Unavailable(_)) => {
                let document = self.outbound.did_document(did, Freshness::Fresh).await;
                let now = document.ok().flatten().and_then(|document| document.pds);
                now.is_some_and(|now| now != host)
            }
            _ => false,
        }
    }

    async fn ask(&self, did: &Did, known: Option<&[u8]>) -> Result<Ask, Trouble> {
        let document = self.document(did).await?;
        let known = known.and_then(|known| <[u8; 32]>::try_from(known).ok());
        Ok(Ask {
            did: did.clone(),
            pds: document.pds.ok_or_else(no_pds)?,
            signing_key: document.signing_key,
            known: known.map(Fingerprint),
            held: Some(self.held.clone()),
        })
    }
}

fn lacking(reason: &'static str, detail: &str) -> Trouble {
    Trouble {
        fault: Fault::Account,
        reason,
        detail: detail.to_owned(),
    }
}

fn no_pds() -> Trouble {
    lacking("no-pds", "the DID document names no PDS")
}

fn trouble(problem: RepoError) -> Trouble {
    let fault = match (&problem, problem.fault()) {
        (RepoError::OverQuota { .. }, _) => Fault::Quota,
        (_, plyr_repo::Fault::Content) => Fault::Content,
        (_, plyr_repo::Fault::Host) => Fault::Host,
        (_, plyr_repo::Fault::Account) => Fault::Account,
        (_, plyr_repo::Fault::Here) => Fault::Here,
    };
    Trouble {
        fault,
        reason: problem.reason(),
        detail: problem.to_string(),
    }
}

#[async_trait]
impl Network for Signed {
    async fn host(&self, did: &Did) -> Result<String, Trouble> {
        self.document(did).await?.pds.ok_or_else(no_pds)
    }

    async fn head(&self, did: &Did) -> Result<RepoHead, Trouble> {
        let host = self.host(did).await?;
        let mut head = self.fetcher.head(&host, did).await;
        if self.has_moved(did, &host, &head).await {
            head = self.fetcher.head(&self.host(did).await?, did).await;
        }
        let head = head.map_err(trouble)?;
        Ok(RepoHead {
            rev: head.rev,
            commit: head.commit,
        })
    }

    async fn fetch(&self, did: &Did, known: Option<&[u8]>) -> Result<Fetched, Trouble> {
        let ask = self.ask(did, known).await?;
        let mut fetched = self.fetcher.fetch(&ask).await;
        if self.has_moved(did, &ask.pds, &fetched).await {
            fetched = self.fetcher.fetch(&self.ask(did, known).await?).await;
        }
        let plyr_repo::Fetched { state, records } = fetched.map_err(trouble)?;
        metrics::counter!("plyr_repo_fetched_bytes_total").increment(state.bytes);
        let signed = State {
            head: RepoHead {
                rev: state.rev,
                commit: state.commit,
            },
            range: state.range.map(|range| range.0.to_vec()),
            is_proven: state.verified,
        };
        Ok(match records {
            None => Fetched::Unchanged(signed),
            Some(records) => {
                let namespace = self.namespace.clone();
                Fetched::Records(signed, Box::new(SignedPages { records, namespace }))
            }
        })
    }

    async fn prove(&self, uri: &RecordUri) -> Result<Proof, Trouble> {
        let collection = self.namespace.collection(uri.collection.as_str());
        let collection = collection.ok_or_else(|| Trouble {
            fault: Fault::Here,
            reason: "here",
            detail: "not one of our collections".to_owned(),
        })?;
        let (did, rkey) = (&uri.did, uri.rkey.as_str());
        let ask = self.ask(did, None).await?;
        let mut proof = self.fetcher.prove_record(&ask, collection, rkey).await;
        if self.has_moved(did, &ask.pds, &proof).await {
            let ask = self.ask(did, None).await?;
            proof = self.fetcher.prove_record(&ask, collection, rkey).await;
        }
        let proof = proof.map_err(trouble)?;
        Ok(Proof {
            head: RepoHead {
                rev: proof.rev,
                commit: proof.commit,
            },
            record: proof
                .record
                .map(|record| (record.cid, record.record.to_vec())),
        })
    }
}

struct SignedPages {
    records: Records,
    namespace: Namespace,
}

#[async_trait]
impl Pages for SignedPages {
    async fn next(&mut self) -> Result<Vec<Entry>, Trouble> {
        let page = self.records.next_page().await.map_err(trouble)?;
        let entry = |entry: plyr_repo::Entry| {
            let rkey = RecordKey::new(entry.rkey).map_err(|problem| Trouble {
                fault: Fault::Content,
                reason: "malformed",
                detail: problem.to_string(),
            })?;
            Ok(Entry {
                collection: self.namespace.nsid(entry.collection).clone(),
                rkey,
                cid: entry.cid,
                bytes: entry.record.map(|record| record.to_vec()),
            })
        };
        page.unwrap_or_default().into_iter().map(entry).collect()
    }
}

/// What the store holds.
struct HeldRecords {
    store: Arc<dyn Store>,
    namespace: Namespace,
}

impl HeldRecords {
    async fn look(&self, did: &Did, entries: &[plyr_repo::Entry]) -> Result<Vec<bool>, StoreError> {
        let snapshot = self.store.snapshot().await?;
        let collections = self.namespace.nsids();
        let floors = snapshot.floors(did, collections).await?;
        let mut uris = Vec::with_capacity(entries.len());
        for entry in entries {
            let Ok(rkey) = RecordKey::new(entry.rkey.clone()) else {
                return Ok(Vec::new());
            };
            let collection = self.namespace.nsid(entry.collection).clone();
            uris.push(RecordUri::new(did.clone(), collection, rkey));
        }
        let keys = snapshot.keys(&uris).await?;
        let several = self.store.has_several_writers();
        let is_held = |((entry, uri), key): ((&plyr_repo::Entry, &RecordUri), _)| {
            let key: plyr_schemas::HeldKey = key;
            let place = collections.iter().position(|nsid| *nsid == uri.collection);
            let floor = place.and_then(|place| floors.get(place)).copied();
            let floor = floor.unwrap_or(Rev::MIN);
            let current = key.current_at(Rev::from_u64(u64::MAX));
            current.is_some_and(|current| {
                // What several may have written above the floor is to be finished: with its bytes.
                current.cid == Some(entry.cid) && (!several || current.rev <= floor)
            })
        };
        let looked = entries.iter().zip(&uris).zip(keys);
        Ok(looked.map(is_held).collect())
    }
}

#[async_trait]
impl Held for HeldRecords {
    async fn held(&self, did: &Did, entries: &[plyr_repo::Entry]) -> Vec<bool> {
        match self.look(did, entries).await {
            Ok(held) => held,
            Err(problem) => {
                tracing::debug!(%problem, "what is held is fetched again");
                Vec::new()
            }
        }
    }
}
