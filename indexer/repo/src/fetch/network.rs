//! The questions of one fetch: CARs read into blocks on a thread of their own, waits where a host
//! asks for them, and the commit's signature.

use std::time::Duration;

use plyr_lexicons::{Cid, Nsid};
use plyr_outbound::{Body, Freshness, MOST_BLOCKS, OutboundError};
use tokio::sync::mpsc;

use crate::blocks::{Blocks, Digest, cid_of};
use crate::car::{Car, CarReader, LARGEST_SECTION};
use crate::commit::Commit;
use crate::error::RepoError;
use crate::fetch::{Ask, Fetcher};

/// Largest proof of one key, in bytes: a path of nodes and a record.
const LARGEST_PROOF: u64 = 16 << 20;
/// Chunks between the socket and the reader.
const CHUNKS: usize = 16;
/// How often a host that asks for a wait is asked again, or waited for.
const ATTEMPTS: usize = 8;
/// What the client may read beyond the reader's bound, in bytes, so that the reader, which names
/// what is too large, meets its bound first.
const BEYOND: u64 = 4 << 20;

/// One fetch and what it took.
pub struct Asked<'a> {
    pub fetcher: &'a Fetcher,
    pub ask: &'a Ask,
    pub requests: u32,
    pub bytes: u64,
}

/// A commit that the account's key signed, and the blocks that came with it.
pub struct Signed {
    pub commit: Commit,
    pub cid: Cid,
    /// The root of the tree.
    pub root: Digest,
    pub signing_key: String,
    pub blocks: Blocks,
}

impl<'a> Asked<'a> {
    pub fn new(fetcher: &'a Fetcher, ask: &'a Ask) -> Asked<'a> {
        let (requests, bytes) = (0, 0);
        Asked {
            fetcher,
            ask,
            requests,
            bytes,
        }
    }

    /// No blocks yet.
    pub fn empty(&self) -> Blocks {
        let bounds = &self.fetcher.bounds;
        Blocks::new(bounds.memory, bounds.folder.clone())
    }

    /// The signed commit, with the nodes down to a key.
    pub async fn proof(
        &mut self,
        collection: &Nsid,
        rkey: &str,
        blocks: Blocks,
    ) -> Result<Signed, RepoError> {
        let (outbound, ask) = (&self.fetcher.outbound, self.ask);
        let (pds, did, limit) = (&ask.pds, &ask.did, LARGEST_PROOF + BEYOND);
        let open = || outbound.record_proof(pds, did, collection, rkey, limit);
        let body = self.patiently(open).await?;
        let car = self.read_car(body, blocks, LARGEST_PROOF).await?;
        self.signed(car).await
    }

    /// The whole repo.
    pub async fn repo(&mut self, blocks: Blocks) -> Result<Signed, RepoError> {
        let (outbound, ask) = (&self.fetcher.outbound, self.ask);
        let limit = self.fetcher.bounds.repo;
        let open = || outbound.repo(&ask.pds, &ask.did, limit.saturating_add(BEYOND));
        let body = self.patiently(open).await?;
        let mut car = self.read_car(body, blocks, limit).await?;
        let settle = on_thread(move || {
            car.blocks.settle()?;
            Ok(car)
        });
        self.signed(settle.await?).await
    }

    /// Blocks by their digests; all of them, or it is an error.
    pub async fn blocks(
        &mut self,
        wanted: &[Digest],
        mut blocks: Blocks,
    ) -> Result<Blocks, RepoError> {
        for wanted in wanted.chunks(MOST_BLOCKS) {
            let cids: Vec<Cid> = wanted.iter().map(cid_of).collect();
            let limit = cids.len() as u64 * LARGEST_SECTION + LARGEST_SECTION;
            let (outbound, ask) = (&self.fetcher.outbound, self.ask);
            let open = || outbound.blocks(&ask.pds, &ask.did, &cids, limit + BEYOND);
            let body = self.patiently(open).await?;
            blocks = self.read_car(body, blocks, limit).await?.blocks;
            for digest in wanted {
                if !blocks.contains(digest)? {
                    return Err(RepoError::MissingBlock(cid_of(digest)));
                }
            }
        }
        Ok(blocks)
    }

    /// Asks, and asks again after the wait that a host demands.
    pub async fn patiently<T, F>(&mut self, question: impl Fn() -> F) -> Result<T, RepoError>
    where
        F: Future<Output = Result<T, OutboundError>>,
    {
        let mut attempts = 0;
        loop {
            let answer = question().await;
            // A question that had to rest was never sent.
            self.requests += u32::from(!matches!(answer, Err(OutboundError::Resting { .. })));
            let problem = match answer {
                Ok(answer) => return Ok(answer),
                Err(problem) => problem,
            };
            attempts += 1;
            let wait = match &problem {
                OutboundError::Resting { wait, .. } => *wait,
                // The host's rest has begun with this answer; the next question waits for it.
                OutboundError::Status { status: 429, .. } => Duration::ZERO,
                _ => return Err(told(problem)),
            };
            if attempts >= ATTEMPTS || wait > self.fetcher.bounds.patience {
                return Err(told(problem));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn read_car(
        &mut self,
        mut body: Body,
        blocks: Blocks,
        largest: u64,
    ) -> Result<Car, RepoError> {
        let (chunks, mut arriving) = mpsc::channel::<bytes::Bytes>(CHUNKS);
        let reading = on_thread(move || {
            let mut reader = CarReader::new(blocks, largest);
            while let Some(chunk) = arriving.blocking_recv() {
                reader.feed(&chunk)?;
            }
            reader.finish()
        });
        let feeding = async {
            let outcome = loop {
                let chunk = match body.chunk().await {
                    Ok(Some(chunk)) => chunk,
                    Ok(None) => break Ok(()),
                    Err(problem) => break Err(problem),
                };
                // Nobody listens any more: the reader has found what is wrong.
                if chunks.send(chunk).await.is_err() {
                    break Ok(());
                }
            };
            drop(chunks);
            (outcome, body.read())
        };
        let (car, (fed, read)) = tokio::join!(reading, feeding);
        self.bytes += read;
        // A broken connection also makes a truncated CAR; the connection is the reason.
        fed?;
        car
    }

    async fn signed(&mut self, car: Car) -> Result<Signed, RepoError> {
        let (cid, commit, root) = car.commit()?;
        commit.check_did(&self.ask.did)?;
        let signing_key = self.check_signature(&commit).await?;
        Ok(Signed {
            commit,
            cid,
            root,
            signing_key,
            blocks: car.blocks,
        })
    }

    /// By the key that is known, else by the one that the DID document names now.
    async fn check_signature(&mut self, commit: &Commit) -> Result<String, RepoError> {
        let known = self.ask.signing_key.as_deref();
        if let Some(key) = known
            && commit.check_signature(key).is_ok()
        {
            return Ok(key.to_owned());
        }
        let outbound = &self.fetcher.outbound;
        let document = outbound.did_document(&self.ask.did, Freshness::Fresh);
        let document = document.await.map_err(RepoError::Directory)?;
        let document =
            document.ok_or_else(|| RepoError::NoKey("the DID has no document".to_owned()))?;
        if let Some(pds) = document.pds.filter(|pds| *pds != self.ask.pds) {
            return Err(RepoError::Moved(pds));
        }
        let key = document.signing_key;
        let key = key.ok_or_else(|| RepoError::NoKey("the document names none".to_owned()))?;
        commit.check_signature(&key)?;
        Ok(key)
    }
}

/// Runs what computes or reads files beside the tasks that wait for the network.
pub async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RepoError> + Send + 'static,
) -> Result<T, RepoError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(RepoError::here)?
}

/// What an answer says of the repo.
pub fn told(problem: OutboundError) -> RepoError {
    match problem {
        OutboundError::Status { detail, .. } if is_about_the_account(&detail) => {
            RepoError::Unavailable(detail)
        }
        other => RepoError::Host(other),
    }
}

fn is_about_the_account(error: &str) -> bool {
    let errors = [
        "RepoNotFound",
        "RepoDeactivated",
        "RepoTakendown",
        "RepoSuspended",
    ];
    errors.contains(&error)
}
