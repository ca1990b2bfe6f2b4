//! The ways to a state, the cheapest first.

use std::collections::HashSet;
use std::sync::Arc;

use plyr_lexicons::Collection;
use plyr_outbound::OutboundError;

use crate::blocks::{Blocks, Digest, cid_of, digest_of};
use crate::error::RepoError;
use crate::fetch::network::{Asked, Signed, on_thread};
use crate::fetch::records::{Order, next_entry};
use crate::fetch::{Entry, Fetched, Records, SignedState, Way, listing};
use crate::range::Fingerprint;
use crate::walk::{Estimate, Step, Walk, survey};

/// How often a repo that changed while it was read is begun again.
const AGAIN: usize = 3;
/// The key whose proof is asked for: somewhere in the middle of our collections. It need not exist.
const MIDDLE: (Collection, &str) = (Collection::Like, "2222222222222");
/// Records looked at between two questions of what is held.
const LOOK: usize = 1000;
/// What a request is worth, in bytes, when ways are compared.
const REQUEST: f64 = 20_000.0;
/// About what a record takes with its share of the nodes, in bytes.
const RECORD: f64 = 600.0;
/// About what a record's share of the nodes takes, in bytes.
const NODE_SHARE: f64 = 110.0;
/// Of what is held already, about this part has changed when anything has.
const CHANGED: f64 = 0.1;

/// Tries one way after the other.
pub async fn fetch(asked: &mut Asked<'_>) -> Result<Fetched, RepoError> {
    let mut restless = None;
    for _ in 0..AGAIN {
        match by_blocks(asked).await {
            Ok(Some(fetched)) => return Ok(fetched),
            Ok(None) => break,
            // Between the proof and the blocks the repo may have gone on.
            Err(RepoError::MissingBlock(_)) => {}
            Err(problem) if is_not_offered(&problem) => break,
            Err(problem) => return Err(problem),
        }
    }
    for _ in 0..AGAIN {
        match by_repo(asked).await {
            Ok(fetched) => return Ok(fetched),
            Err(problem @ RepoError::MissingBlock(_)) => restless = Some(problem),
            Err(problem) if is_not_offered(&problem) => {
                restless = None;
                break;
            }
            Err(problem) => return Err(problem),
        }
    }
    if let Some(problem) = restless {
        return Err(problem);
    }
    for _ in 0..AGAIN {
        if let Some(fetched) = listing::fetch(asked).await? {
            return Ok(fetched);
        }
    }
    let told = "its head moved during each listing";
    Err(RepoError::Restless(told.to_owned()))
}

/// Whether the host lacks this method; another way may lead there.
fn is_not_offered(problem: &RepoError) -> bool {
    let RepoError::Host(OutboundError::Status { status, .. }) = problem else {
        return false;
    };
    // A PDS answers 400 for what it doesn't find, and for parameters it doesn't know.
    matches!(status, 400 | 403 | 404 | 405 | 410 | 501)
}

/// By proof and blocks; none if the whole repo is cheaper.
async fn by_blocks(asked: &mut Asked<'_>) -> Result<Option<Fetched>, RepoError> {
    let (collection, rkey) = MIDDLE;
    let nsid = asked.fetcher.namespace.nsid(collection).clone();
    let blocks = asked.empty();
    let mut signed = asked.proof(&nsid, rkey, blocks).await?;
    let fingerprint = loop {
        let survey = survey(&signed.blocks, signed.root, &asked.fetcher.ranges)?;
        if let Some(fingerprint) = survey.fingerprint {
            if asked.ask.known == Some(fingerprint) {
                return Ok(Some(unchanged(asked, signed, fingerprint, Way::Blocks)));
            }
            if is_mostly_ours(survey.estimate, asked.ask.held.is_some()) {
                return Ok(None);
            }
            break fingerprint;
        }
        // Nothing is held: the fingerprint alone tells nothing.
        let is_new = asked.ask.known.is_none();
        if is_new && is_mostly_ours(survey.estimate, asked.ask.held.is_some()) {
            return Ok(None);
        }
        signed.blocks = fetch_blocks(asked, &survey.missing, signed.blocks).await?;
    };
    all_nodes(asked, &mut signed).await?;
    let records = all_records(asked, &mut signed, true).await?;
    Ok(Some(changed(
        asked,
        signed,
        fingerprint,
        records,
        Way::Blocks,
    )))
}

/// By the whole repo.
async fn by_repo(asked: &mut Asked<'_>) -> Result<Fetched, RepoError> {
    let blocks = asked.empty();
    let mut signed = asked.repo(blocks).await?;
    let ranges = asked.fetcher.ranges.clone();
    let (root, blocks) = (signed.root, signed.blocks);
    let (blocks, survey) = on_thread(move || {
        let survey = survey(&blocks, root, &ranges)?;
        Ok((blocks, survey))
    })
    .await?;
    signed.blocks = blocks;
    let fingerprint = match (survey.fingerprint, survey.missing.first()) {
        (Some(fingerprint), _) => fingerprint,
        (None, missing) => {
            let missing = missing.unwrap_or(&signed.root);
            return Err(RepoError::MissingBlock(cid_of(missing)));
        }
    };
    if asked.ask.known == Some(fingerprint) {
        return Ok(unchanged(asked, signed, fingerprint, Way::Repo));
    }
    let records = all_records(asked, &mut signed, false).await?;
    Ok(changed(asked, signed, fingerprint, records, Way::Repo))
}

/// Whether the whole repo costs less than our part of it.
fn is_mostly_ours(estimate: Estimate, much_is_held: bool) -> bool {
    let wanted = estimate.ours * if much_is_held { CHANGED } else { 1.0 };
    let requests = 2.0 + (estimate.ours / 3.0 + wanted) / 100.0;
    let by_blocks = REQUEST * requests + wanted * RECORD + estimate.ours * NODE_SHARE;
    let by_repo = REQUEST + estimate.all * RECORD;
    by_repo < by_blocks
}

/// Fetches the nodes of our range, one layer a round, until none is missing.
async fn all_nodes(asked: &mut Asked<'_>, signed: &mut Signed) -> Result<(), RepoError> {
    loop {
        let mut walk = Walk::through(signed.root, asked.fetcher.ranges.clone());
        let limit = asked.fetcher.bounds.records;
        let blocks = std::mem::replace(&mut signed.blocks, asked.empty());
        let (blocks, missing) = on_thread(move || {
            let (mut missing, mut records) = (Vec::new(), 0);
            while let Some(step) = walk.next(&blocks)? {
                match step {
                    Step::Record { .. } => records += 1,
                    Step::Missing { node, .. } | Step::Within { node, .. } => missing.push(node),
                }
                // A missing node has a key at least.
                if records + missing.len() as u64 > limit {
                    return Err(RepoError::OverQuota { limit });
                }
            }
            Ok((blocks, missing))
        })
        .await?;
        signed.blocks = blocks;
        if missing.is_empty() {
            return Ok(());
        }
        let blocks = std::mem::replace(&mut signed.blocks, asked.empty());
        signed.blocks = fetch_blocks(asked, &missing, blocks).await?;
    }
}

/// Looks for every record of our range, and fetches (if it may) those that are neither there nor
/// held by the caller. Tells how many records there are.
async fn all_records(
    asked: &mut Asked<'_>,
    signed: &mut Signed,
    may_fetch: bool,
) -> Result<u64, RepoError> {
    let ranges = asked.fetcher.ranges.clone();
    let limit = asked.fetcher.bounds.records;
    let mut walk = Walk::through(signed.root, ranges.clone());
    let mut blocks = std::mem::replace(&mut signed.blocks, asked.empty());
    let mut records = 0;
    loop {
        let ranges = ranges.clone();
        let looking = on_thread(move || {
            let (mut lacking, mut looked) = (Vec::new(), 0);
            while looked < LOOK {
                let Some(entry) = next_entry(&mut walk, &ranges, &blocks)? else {
                    break;
                };
                looked += 1;
                let digest = digest_of(&entry.cid);
                if !digest.map_or(Ok(false), |digest| blocks.contains(&digest))? {
                    lacking.push(entry);
                }
            }
            Ok((walk, blocks, lacking, looked))
        });
        let (lacking, looked);
        (walk, blocks, lacking, looked) = looking.await?;
        records += looked as u64;
        if records > limit {
            return Err(RepoError::OverQuota { limit });
        }
        let wanted = not_held(asked, lacking).await;
        if let Some(first) = wanted.first()
            && !may_fetch
        {
            return Err(RepoError::MissingBlock(cid_of(first)));
        }
        blocks = fetch_blocks(asked, &wanted, blocks).await?;
        if looked < LOOK {
            signed.blocks = on_thread(move || {
                blocks.settle()?;
                Ok(blocks)
            })
            .await?;
            return Ok(records);
        }
    }
}

/// Those of the entries' records that the caller doesn't have, each once.
async fn not_held(asked: &Asked<'_>, entries: Vec<Entry>) -> Vec<Digest> {
    let held = match &asked.ask.held {
        Some(held) if !entries.is_empty() => held.held(&asked.ask.did, &entries).await,
        _ => Vec::new(),
    };
    let held = held.into_iter().chain(std::iter::repeat(false));
    let lacking = entries.iter().zip(held).filter(|(_, held)| !held);
    let mut seen = HashSet::new();
    let digests = lacking.filter_map(|(entry, _)| digest_of(&entry.cid));
    digests.filter(|digest| seen.insert(*digest)).collect()
}

/// Fetches blocks; a host that doesn't find one says 400, as for a repo that has gone on.
async fn fetch_blocks(
    asked: &mut Asked<'_>,
    wanted: &[Digest],
    blocks: Blocks,
) -> Result<Blocks, RepoError> {
    let first = wanted.first().copied();
    let fetched = asked.blocks(wanted, blocks).await;
    match (fetched, first) {
        (Err(RepoError::Host(OutboundError::Status { status: 400, .. })), Some(first)) => {
            Err(RepoError::MissingBlock(cid_of(&first)))
        }
        (fetched, _) => fetched,
    }
}

fn unchanged(asked: &Asked<'_>, signed: Signed, fingerprint: Fingerprint, way: Way) -> Fetched {
    Fetched {
        state: state(asked, &signed, fingerprint, way, None),
        records: None,
    }
}

fn changed(
    asked: &Asked<'_>,
    signed: Signed,
    fingerprint: Fingerprint,
    records: u64,
    way: Way,
) -> Fetched {
    let state = state(asked, &signed, fingerprint, way, Some(records));
    let ranges = asked.fetcher.ranges.clone();
    let order = Order::Tree(Walk::through(signed.root, ranges.clone()), ranges);
    let bounds = Arc::clone(&asked.fetcher.bounds);
    let records = Some(Records::new(order, signed.blocks, bounds));
    Fetched { state, records }
}

fn state(
    asked: &Asked<'_>,
    signed: &Signed,
    fingerprint: Fingerprint,
    way: Way,
    records: Option<u64>,
) -> SignedState {
    SignedState {
        did: asked.ask.did.clone(),
        rev: signed.commit.rev,
        commit: signed.cid,
        data: Some(signed.commit.data),
        range: Some(fingerprint),
        signing_key: Some(signed.signing_key.clone()),
        verified: true,
        way,
        records,
        requests: asked.requests,
        bytes: asked.bytes,
    }
}
