//! A listing of records: what is left where a host offers nothing that proves anything.

use plyr_lexicons::{Collection, data};

use crate::blocks::{Blocks, digest_of};
use crate::error::RepoError;
use crate::fetch::network::Asked;
use crate::fetch::records::Order;
use crate::fetch::{Fetched, Records, SignedState, Way};

/// Empty pages in a row after which a listing is no listing.
const EMPTY_PAGES: usize = 3;

/// All records of our collections as the host lists them; none if its head moved meanwhile.
pub async fn fetch(asked: &mut Asked<'_>) -> Result<Option<Fetched>, RepoError> {
    let fetcher = asked.fetcher;
    let (pds, did) = (&asked.ask.pds, &asked.ask.did);
    let head = asked
        .patiently(|| fetcher.outbound.latest_commit(pds, did))
        .await?;
    let mut blocks = asked.empty();
    let mut listed = Vec::new();
    for range in fetcher.ranges.all() {
        collection(asked, range.collection, &mut blocks, &mut listed).await?;
    }
    let after = asked
        .patiently(|| fetcher.outbound.latest_commit(pds, did))
        .await?;
    if head != after {
        return Ok(None);
    }
    let state = SignedState {
        did: did.clone(),
        rev: head.rev,
        commit: head.cid,
        data: None,
        range: None,
        signing_key: None,
        verified: false,
        way: Way::Listing,
        records: Some(listed.len() as u64),
        requests: asked.requests,
        bytes: blocks.bytes(),
    };
    let order = Order::Listing(listed.into_iter());
    let records = Some(Records::new(order, blocks, fetcher.bounds.clone()));
    Ok(Some(Fetched { state, records }))
}

async fn collection(
    asked: &mut Asked<'_>,
    collection: Collection,
    blocks: &mut Blocks,
    listed: &mut Vec<(Collection, String, plyr_lexicons::Cid)>,
) -> Result<(), RepoError> {
    let fetcher = asked.fetcher;
    let nsid = fetcher.namespace.nsid(collection);
    let (pds, did, outbound) = (&asked.ask.pds, &asked.ask.did, &fetcher.outbound);
    let limit = fetcher.bounds.records;
    let (mut cursor, mut empty, mut before): (Option<String>, usize, Option<String>) =
        (None, 0, None);
    loop {
        let question = || outbound.list_records(pds, did, nsid, cursor.as_deref());
        let page = asked.patiently(question).await?;
        for record in page.records {
            let rkey = record.rkey.to_string();
            // A page that comes again would never end.
            if before.as_ref().is_some_and(|before| *before >= rkey) {
                let problem = "its listing is not in the order of record keys";
                return Err(RepoError::Malformed(problem.to_owned()));
            }
            let bytes = data::to_cbor(&record.value);
            let bytes = bytes.map_err(|problem| RepoError::Malformed(problem.to_string()))?;
            let cid = data::cid_of(&bytes);
            let Some(digest) = digest_of(&cid).filter(|_| cid == record.cid) else {
                return Err(RepoError::WrongCid(record.cid));
            };
            if listed.len() as u64 >= limit {
                return Err(RepoError::OverQuota { limit });
            }
            blocks.add(digest, bytes.into())?;
            listed.push((collection, rkey.clone(), cid));
            before = Some(rkey);
            empty = 0;
        }
        empty += 1;
        cursor = page.cursor;
        if cursor.is_none() || empty > EMPTY_PAGES {
            return Ok(());
        }
    }
}
