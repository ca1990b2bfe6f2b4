//! What becomes of accounts: they move to another PDS, are deleted, and are taken down.

use serde_json::{Value, json};

use crate::account::answer;
use crate::{Account, PeersError};

impl Account {
    /// An account whose DID is a did:web, made by the peers' control endpoint on a PDS of theirs.
    pub async fn create_web(control: &str, pds: &str, handle: &str) -> Result<Account, PeersError> {
        let client = reqwest::Client::new();
        let asking = client.get(format!("{control}/didweb?handle={handle}"));
        let made = answer("control/didweb", asking).await?;
        Ok(Account {
            did: text(&made, "did"),
            pds: pds.to_owned(),
            token: text(&made, "accessJwt"),
            client,
        })
    }

    /// Moves to another PDS, under another handle, as the protocol's guide for migrations has it:
    /// there it becomes active first, and only then inactive here.
    pub async fn move_to(
        &self,
        pds: &str,
        handle: &str,
        control: &str,
    ) -> Result<Account, PeersError> {
        let there = self.arrive(pds, handle, control).await?;
        self.leave().await?;
        Ok(there)
    }

    /// The first half of a move: active on another PDS, and not yet inactive here.
    pub async fn arrive(
        &self,
        pds: &str,
        handle: &str,
        control: &str,
    ) -> Result<Account, PeersError> {
        let mut there = Account {
            pds: pds.to_owned(),
            token: String::new(),
            ..self.clone()
        };
        let host = there.get("com.atproto.server.describeServer", "").await?;
        let lxm = "com.atproto.server.createAccount";
        let query = format!("aud={}&lxm={lxm}", text(&host, "did"));
        let pass = self
            .get("com.atproto.server.getServiceAuth", &query)
            .await?;
        there.token = text(&pass, "token");
        let email = format!("{}@example.test", handle.replace('.', "-"));
        let made = json!({ "handle": handle, "email": email, "password": "a test password",
            "did": self.did });
        let made = there.post(lxm, &made).await?;
        there.token = text(&made, "accessJwt");

        let failed = |detail: reqwest::Error| PeersError::Request {
            what: "com.atproto.sync.getRepo".to_owned(),
            detail: detail.to_string(),
        };
        let repo = format!(
            "{}/xrpc/com.atproto.sync.getRepo?did={}",
            self.pds, self.did
        );
        let repo = self.client.get(repo).send().await.map_err(failed)?;
        let repo = repo.bytes().await.map_err(failed)?;
        let import = format!("{pds}/xrpc/com.atproto.repo.importRepo");
        let import = there.client.post(import).bearer_auth(&there.token);
        let import = import.header("content-type", "application/vnd.ipld.car");
        answer("com.atproto.repo.importRepo", import.body(repo)).await?;

        let nothing = json!({});
        self.post(
            "com.atproto.identity.requestPlcOperationSignature",
            &nothing,
        )
        .await?;
        let recommended = "com.atproto.identity.getRecommendedDidCredentials";
        let mut operation = there.get(recommended, "").await?;
        operation["token"] = json!(self.mailed_token(control).await?);
        let signed = self
            .post("com.atproto.identity.signPlcOperation", &operation)
            .await?;
        let submit = json!({ "operation": signed["operation"] });
        there
            .post("com.atproto.identity.submitPlcOperation", &submit)
            .await?;
        there
            .post("com.atproto.server.activateAccount", &nothing)
            .await?;
        Ok(there)
    }

    /// The second half of a move: inactive here.
    pub async fn leave(&self) -> Result<(), PeersError> {
        let later = json!({ "deleteAfter": "2099-01-01T00:00:00.000Z" });
        self.post("com.atproto.server.deactivateAccount", &later)
            .await
            .map(drop)
    }

    /// Takes another handle.
    pub async fn rename(&self, handle: &str) -> Result<(), PeersError> {
        let body = json!({ "handle": handle });
        self.post("com.atproto.identity.updateHandle", &body)
            .await
            .map(drop)
    }

    /// Has the PLC directory name another signing key (as multibase), as somebody does whose host
    /// won't. Nobody is told: that is up to the host.
    pub async fn name_key(&self, key: &str, plc: &str, control: &str) -> Result<(), PeersError> {
        let nothing = json!({});
        let request = "com.atproto.identity.requestPlcOperationSignature";
        self.post(request, &nothing).await?;
        let operation = json!({ "token": self.mailed_token(control).await?,
            "verificationMethods": { "atproto": format!("did:key:{key}") } });
        let signed = self
            .post("com.atproto.identity.signPlcOperation", &operation)
            .await?;
        let submit = self.client.post(format!("{plc}/{}", self.did));
        let submit = submit
            .header("content-type", "application/json")
            .body(signed["operation"].to_string());
        answer("a PLC operation", submit).await.map(drop)
    }

    /// The signing key that its DID document names, as multibase.
    pub async fn named_key(&self, plc: &str) -> Result<String, PeersError> {
        let asking = self.client.get(format!("{plc}/{}", self.did));
        let document = answer("a DID document", asking).await?;
        Ok(text(
            &document["verificationMethod"][0],
            "publicKeyMultibase",
        ))
    }

    /// Deletes the account for good.
    pub async fn delete_account(&self, control: &str) -> Result<(), PeersError> {
        self.post("com.atproto.server.requestAccountDelete", &json!({}))
            .await?;
        let token = self.mailed_token(control).await?;
        let body = json!({ "did": self.did, "password": "a test password", "token": token });
        self.post("com.atproto.server.deleteAccount", &body)
            .await
            .map(drop)
    }

    /// What the PDS's admin does: takes the account down, or restores it.
    pub async fn take_down(&self, applied: bool) -> Result<(), PeersError> {
        let method = "com.atproto.admin.updateSubjectStatus";
        let subject = json!({ "$type": "com.atproto.admin.defs#repoRef", "did": self.did });
        let mut takedown = json!({ "applied": applied });
        if applied {
            takedown["ref"] = json!("test");
        }
        let body = json!({ "subject": subject, "takedown": takedown });
        let request = self.client.post(format!("{}/xrpc/{method}", self.pds));
        let request = request
            .basic_auth("admin", Some("admin-pass"))
            .header("content-type", "application/json")
            .body(body.to_string());
        answer(method, request).await.map(drop)
    }

    /// The token in the last mail that the peers would have sent to this account.
    async fn mailed_token(&self, control: &str) -> Result<String, PeersError> {
        let session = self.get("com.atproto.server.getSession", "").await?;
        let address = text(&session, "email");
        crate::wait_until("a mail with a token was sent", || async {
            let asking = self.client.get(format!("{control}/mail"));
            let mails = answer("control/mail", asking).await;
            let mails = mails.map_err(|problem| problem.to_string())?;
            let mails = mails.as_array().cloned().unwrap_or_default();
            let ours = mails
                .iter()
                .rev()
                .find(|mail| mail["to"] == address.as_str());
            let html = ours.map(|mail| text(mail, "html")).unwrap_or_default();
            token_in(&html).ok_or(html)
        })
        .await
    }
}

/// Two groups of five letters and digits, as a PDS writes tokens: `ABC23-DEF67`.
fn token_in(html: &str) -> Option<String> {
    let is_part = |part: &str| {
        part.len() == 5
            && part
                .chars()
                .all(|letter| matches!(letter, 'A'..='Z' | '2'..='7'))
    };
    let words = html.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    let mut tokens = words.filter(|word| match word.split_once('-') {
        Some((first, second)) => is_part(first) && is_part(second),
        None => false,
    });
    tokens.next().map(str::to_owned)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
