//! What is asked of a relay: which repos hold records of a collection.

use plyr_lexicons::{Did, Nsid};
use serde::Deserialize;
use url::Url;

use crate::client::{Named, Outbound, OutboundError};

/// Repos of one page; the lexicon allows 2,000, what serves it here and there less.
const PAGE: usize = 500;
/// Largest page, in bytes.
const LARGEST_PAGE: usize = 1 << 20;

/// A page of a relay's list of repos.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepoPage {
    /// The repos; what is no DID is left out.
    pub dids: Vec<Did>,
    /// Where the next page begins; none at the end.
    pub cursor: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    repos: Vec<Row>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    did: String,
}

impl Outbound {
    /// A page of `com.atproto.sync.listReposByCollection` from a relay the operator configured.
    pub async fn list_repos_by_collection(
        &self,
        relay: &Url,
        collection: &Nsid,
        cursor: Option<&str>,
    ) -> Result<RepoPage, OutboundError> {
        let mut url = relay.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!(
            "{base}/xrpc/com.atproto.sync.listReposByCollection"
        ));
        url.query_pairs_mut()
            .clear()
            .append_pair("collection", collection.as_str())
            .append_pair("limit", &PAGE.to_string());
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let answer = self
            .get(Named::ByOperator, url.as_str(), LARGEST_PAGE)
            .await?;
        if answer.status != 200 {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(OutboundError::Status {
                url: url.to_string(),
                status: answer.status,
                detail: body.chars().take(200).collect(),
            });
        }
        let read: Result<Answer, _> = serde_json::from_slice(&answer.body);
        let page = read.map_err(|problem| OutboundError::Malformed {
            url: url.to_string(),
            detail: problem.to_string(),
        })?;
        let dids = page
            .repos
            .into_iter()
            .filter_map(|row| Did::new(row.did).ok());
        Ok(RepoPage {
            dids: dids.collect(),
            cursor: page.cursor.filter(|next| !next.is_empty()),
        })
    }
}
