//! An account on a real PDS, and what its owner does with it.

use serde_json::{Value, json};

use crate::PeersError;

/// A signed-in account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its DID.
    pub did: String,
    /// The PDS's URL.
    pub pds: String,
    pub(crate) token: String,
    pub(crate) client: reqwest::Client,
}

impl Account {
    /// Creates an account (`handle` like `alice.test`).
    pub async fn create(pds: &str, handle: &str) -> Result<Account, PeersError> {
        let client = reqwest::Client::new();
        let mut account = Account {
            did: String::new(),
            pds: pds.to_owned(),
            token: String::new(),
            client,
        };
        let email = format!("{}@example.test", handle.replace('.', "-"));
        let body = json!({ "handle": handle, "email": email, "password": "a test password" });
        let made = account
            .post("com.atproto.server.createAccount", &body)
            .await?;
        account.did = made["did"].as_str().unwrap_or_default().to_owned();
        account.token = made["accessJwt"].as_str().unwrap_or_default().to_owned();
        Ok(account)
    }

    /// Calls a procedure of the PDS.
    pub async fn post(&self, method: &str, body: &Value) -> Result<Value, PeersError> {
        let mut request = self
            .client
            .post(format!("{}/xrpc/{method}", self.pds))
            .header("content-type", "application/json");
        // An empty object means: no body at all.
        request = match body.as_object() {
            Some(fields) if fields.is_empty() => request.header("content-length", "0"),
            _ => request.body(body.to_string()),
        };
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        answer(method, request).await
    }

    /// Calls a query of the PDS.
    pub async fn get(&self, method: &str, query: &str) -> Result<Value, PeersError> {
        let request = self
            .client
            .get(format!("{}/xrpc/{method}?{query}", self.pds))
            .bearer_auth(&self.token);
        answer(method, request).await
    }

    /// Writes a record under a key (creates or replaces it); answers its at-uri and CID.
    pub async fn put(
        &self,
        collection: &str,
        rkey: &str,
        record: &Value,
    ) -> Result<(String, String), PeersError> {
        let body = json!({
            "repo": self.did, "collection": collection, "rkey": rkey,
            "record": record, "validate": false,
        });
        let put = self.post("com.atproto.repo.putRecord", &body).await?;
        let text = |name: &str| put[name].as_str().unwrap_or_default().to_owned();
        Ok((text("uri"), text("cid")))
    }

    /// Uploads bytes; answers the blob that a record may hold.
    pub async fn upload_blob(&self, mime_type: &str, bytes: Vec<u8>) -> Result<Value, PeersError> {
        let method = "com.atproto.repo.uploadBlob";
        let request = self
            .client
            .post(format!("{}/xrpc/{method}", self.pds))
            .header("content-type", mime_type)
            .bearer_auth(&self.token)
            .body(bytes);
        Ok(answer(method, request).await?["blob"].clone())
    }

    /// Deletes a record.
    pub async fn delete(&self, collection: &str, rkey: &str) -> Result<(), PeersError> {
        let body = json!({ "repo": self.did, "collection": collection, "rkey": rkey });
        self.post("com.atproto.repo.deleteRecord", &body)
            .await
            .map(drop)
    }

    /// Writes many operations in one commit (`#create`, `#update`, `#delete` objects).
    pub async fn apply_writes(&self, writes: &[Value]) -> Result<(), PeersError> {
        let body = json!({ "repo": self.did, "validate": false, "writes": writes });
        self.post("com.atproto.repo.applyWrites", &body)
            .await
            .map(drop)
    }

    /// All records of a collection, as the PDS holds them: objects with `uri`, `cid`, `value`.
    pub async fn list(&self, collection: &str) -> Result<Vec<Value>, PeersError> {
        let mut records = Vec::new();
        let mut cursor = String::new();
        loop {
            let query = format!(
                "repo={}&collection={collection}&limit=100{cursor}",
                self.did
            );
            let page = self.get("com.atproto.repo.listRecords", &query).await?;
            let found = page["records"].as_array().cloned().unwrap_or_default();
            let done = found.is_empty();
            records.extend(found);
            match page["cursor"].as_str() {
                Some(next) if !done => cursor = format!("&cursor={next}"),
                _ => return Ok(records),
            }
        }
    }
}

pub(crate) async fn answer(
    what: &str,
    request: reqwest::RequestBuilder,
) -> Result<Value, PeersError> {
    let failed = |detail: String| PeersError::Request {
        what: what.to_owned(),
        detail,
    };
    let response = request
        .send()
        .await
        .map_err(|problem| failed(problem.to_string()))?;
    let status = response.status();
    let body = response
        .text()
        .await
        .map_err(|problem| failed(problem.to_string()))?;
    if !status.is_success() {
        return Err(failed(format!(
            "{status} {}",
            body.chars().take(400).collect::<String>()
        )));
    }
    Ok(crate::read_json(&body))
}
