//! What repos are asked for: `com.atproto.sync.*`, and `listRecords` as a last resort. What comes
//! back is bounded and otherwise as the host sent it; whether it is true is the caller's to prove.

use plyr_lexicons::{AtUri, Cid, Did, Ipld, Nsid, RecordKey, Rev, data};
use serde::Deserialize;
use url::Url;

use crate::client::{Named, Outbound, OutboundError, status_error};
use crate::politeness::Kind;
use crate::resolver::xrpc;
use crate::stream::Body;

/// Largest small answer, in bytes.
const LARGEST_ANSWER: usize = 64 << 10;
/// Largest page of a listing of repos, in bytes.
const LARGEST_LISTING: usize = 2 << 20;
/// Largest page of records, in bytes: JSON of [`RECORDS_A_PAGE`] large ones.
const LARGEST_PAGE: usize = 32 << 20;
/// Records asked for in one page of `listRecords`.
const RECORDS_A_PAGE: &str = "50";
/// Blocks asked for at once: with 65 bytes each the URL stays below 8 KiB.
pub const MOST_BLOCKS: usize = 100;

/// A repo's head, as a host tells it (`com.atproto.sync.getLatestCommit`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LatestCommit {
    /// The CID of the commit.
    pub cid: Cid,
    /// The commit's rev.
    pub rev: Rev,
}

/// One record of a listing.
#[derive(Clone, PartialEq, Debug)]
pub struct ListedRecord {
    /// Its record key.
    pub rkey: RecordKey,
    /// Its CID, as the host tells it.
    pub cid: Cid,
    /// The record.
    pub value: Ipld,
}

/// A page of records (`com.atproto.repo.listRecords`).
#[derive(Clone, PartialEq, Debug)]
pub struct RecordsPage {
    /// In the order of their keys, ascending.
    pub records: Vec<ListedRecord>,
    /// Where the next page begins; none at the end.
    pub cursor: Option<String>,
}

/// A page of DIDs (`com.atproto.sync.listReposByCollection`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReposPage {
    /// The repos.
    pub dids: Vec<Did>,
    /// Where the next page begins; none at the end.
    pub cursor: Option<String>,
}

#[derive(Deserialize)]
struct CommitAnswer {
    cid: String,
    rev: String,
}

#[derive(Deserialize)]
struct RecordsAnswer<'a> {
    cursor: Option<String>,
    #[serde(borrow)]
    records: Vec<RecordAnswer<'a>>,
}

#[derive(Deserialize)]
struct RecordAnswer<'a> {
    uri: String,
    cid: String,
    #[serde(borrow)]
    value: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct ReposAnswer {
    cursor: Option<String>,
    repos: Vec<RepoAnswer>,
}

#[derive(Deserialize)]
struct RepoAnswer {
    did: Did,
}

impl Outbound {
    /// The head of a repo; one small request.
    pub async fn latest_commit(&self, pds: &str, did: &Did) -> Result<LatestCommit, OutboundError> {
        let url = xrpc(
            pds,
            "com.atproto.sync.getLatestCommit",
            &[("did", did.as_str())],
        );
        let body = self.small(Named::ByNetwork, &url, LARGEST_ANSWER).await?;
        let said: CommitAnswer = parse(&url, &body)?;
        let cid = data::cid_of_text(&said.cid);
        match (cid, Rev::parse(&said.rev)) {
            (Some(cid), Some(rev)) => Ok(LatestCommit { cid, rev }),
            _ => Err(malformed(&url, "its cid is no CID, or its rev no TID")),
        }
    }

    /// The proof that a record is in the repo, or isn't: a CAR of at most `largest` bytes.
    pub async fn record_proof(
        &self,
        pds: &str,
        did: &Did,
        collection: &Nsid,
        rkey: &str,
        largest: u64,
    ) -> Result<Body, OutboundError> {
        let parameters = [
            ("did", did.as_str()),
            ("collection", collection.as_str()),
            ("rkey", rkey),
        ];
        let url = xrpc(pds, "com.atproto.sync.getRecord", &parameters);
        self.open(Named::ByNetwork, Kind::Question, &url, largest)
            .await
    }

    /// Blocks of a repo by their CIDs (at most [`MOST_BLOCKS`]): a CAR of at most `largest` bytes.
    pub async fn blocks(
        &self,
        pds: &str,
        did: &Did,
        cids: &[Cid],
        largest: u64,
    ) -> Result<Body, OutboundError> {
        let texts: Vec<String> = cids.iter().map(Cid::to_string).collect();
        let mut parameters = vec![("did", did.as_str())];
        parameters.extend(texts.iter().map(|text| ("cids", text.as_str())));
        let url = xrpc(pds, "com.atproto.sync.getBlocks", &parameters);
        self.open(Named::ByNetwork, Kind::Question, &url, largest)
            .await
    }

    /// A whole repo: a CAR of at most `largest` bytes.
    pub async fn repo(&self, pds: &str, did: &Did, largest: u64) -> Result<Body, OutboundError> {
        let url = xrpc(pds, "com.atproto.sync.getRepo", &[("did", did.as_str())]);
        self.open(Named::ByNetwork, Kind::Stream, &url, largest)
            .await
    }

    /// A page of a collection, in ascending order of the record keys.
    pub async fn list_records(
        &self,
        pds: &str,
        did: &Did,
        collection: &Nsid,
        cursor: Option<&str>,
    ) -> Result<RecordsPage, OutboundError> {
        let mut parameters = vec![
            ("repo", did.as_str()),
            ("collection", collection.as_str()),
            ("limit", RECORDS_A_PAGE),
            // Newest first is the default.
            ("reverse", "true"),
        ];
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let url = xrpc(pds, "com.atproto.repo.listRecords", &parameters);
        let body = self.small(Named::ByNetwork, &url, LARGEST_PAGE).await?;
        let said: RecordsAnswer<'_> = parse(&url, &body)?;
        let records = said.records.iter().map(|record| {
            let uri: AtUri = record
                .uri
                .parse()
                .map_err(|_| malformed(&url, "a uri that is none"))?;
            let rkey = uri
                .rkey
                .ok_or_else(|| malformed(&url, "a uri of no record"))?;
            let cid = data::cid_of_text(&record.cid);
            let cid = cid.ok_or_else(|| malformed(&url, "a cid that is none"))?;
            let value = data::from_json(record.value.get().as_bytes());
            let value = value.map_err(|problem| malformed(&url, &problem.to_string()))?;
            Ok(ListedRecord { rkey, cid, value })
        });
        let records = records.collect::<Result<_, OutboundError>>()?;
        let cursor = said.cursor;
        Ok(RecordsPage { records, cursor })
    }

    /// A page of the repos that a relay (or a directory of collections) knows to have records of a
    /// collection. The relay is one that the operator configured.
    pub async fn repos_by_collection(
        &self,
        relay: &Url,
        collection: &Nsid,
        cursor: Option<&str>,
    ) -> Result<ReposPage, OutboundError> {
        let mut parameters = vec![("collection", collection.as_str()), ("limit", "1000")];
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let url = xrpc(
            relay.as_str(),
            "com.atproto.sync.listReposByCollection",
            &parameters,
        );
        let body = self.small(Named::ByOperator, &url, LARGEST_LISTING).await?;
        let said: ReposAnswer = parse(&url, &body)?;
        let dids = said.repos.into_iter().map(|repo| repo.did).collect();
        let cursor = said.cursor.filter(|cursor| !cursor.is_empty());
        Ok(ReposPage { dids, cursor })
    }

    /// A blob's bytes as its holder's PDS sends them (`com.atproto.sync.getBlob`), of at most
    /// `largest` bytes. PDSs answer it whole and under any type; whether they are the bytes of the
    /// CID is for the caller to prove. Two come from a host at the same time; the next is told so
    /// at once ([`OutboundError::Crowded`]).
    pub async fn blob(
        &self,
        pds: &str,
        did: &Did,
        cid: &Cid,
        largest: u64,
    ) -> Result<Body, OutboundError> {
        let cid = cid.to_string();
        let parameters = [("did", did.as_str()), ("cid", cid.as_str())];
        let url = xrpc(pds, "com.atproto.sync.getBlob", &parameters);
        self.open(Named::ByNetwork, Kind::Blob, &url, largest).await
    }

    async fn small(
        &self,
        named: Named,
        url: &str,
        largest: usize,
    ) -> Result<Vec<u8>, OutboundError> {
        let answer = self.get(named, url, largest).await?;
        match answer.status {
            200 => Ok(answer.body),
            _ => Err(status_error(url, &answer)),
        }
    }
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(url: &str, body: &'a [u8]) -> Result<T, OutboundError> {
    serde_json::from_slice(body).map_err(|problem| malformed(url, &problem.to_string()))
}

pub(crate) fn malformed(url: &str, detail: &str) -> OutboundError {
    OutboundError::Malformed {
        url: url.to_owned(),
        detail: detail.to_owned(),
    }
}
