//! One check: the DID document past every cache, the handle both ways, and what the PDS that the
//! document names says of the account.

use plyr_lexicons::{Did, Handle, Ipld};
use plyr_outbound::{DidDocument, Freshness, Outbound, OutboundError, RepoStatus};
use plyr_schemas::{Account, AccountState, BlueskyProfile, Change, Identity};

/// Longest display name kept, in bytes (the Bluesky lexicon's limit).
const LONGEST_NAME: usize = 640;

/// What came of asking.
pub struct Asked {
    /// What was answered.
    pub changes: Vec<Change>,
    /// What was not.
    pub missing: Option<Missing>,
}

/// A question without an answer; it changes nothing.
pub enum Missing {
    /// Whether the handle names the DID.
    Handle(OutboundError),
    /// The document, or the state of the account.
    Account(OutboundError),
}

impl Asked {
    /// Nothing came in time.
    pub fn took_too_long() -> Asked {
        let problem = OutboundError::Unreachable {
            url: "the PLC directory, the handle's domain or the PDS".to_owned(),
            detail: "the check took too long".to_owned(),
        };
        Asked {
            changes: Vec::new(),
            missing: Some(Missing::Account(problem)),
        }
    }
}

/// Asks the DID document and the PDS that it names. `held` is the handle shown so far.
pub async fn ask(outbound: &Outbound, did: &Did, held: Option<Handle>, asked_at: i64) -> Asked {
    let mut changes = Vec::new();
    let missing = ask_all(outbound, did, held, asked_at, &mut changes).await;
    Asked {
        changes,
        missing: missing.unwrap_or_else(|problem| Some(Missing::Account(problem))),
    }
}

async fn ask_all(
    outbound: &Outbound,
    did: &Did,
    held: Option<Handle>,
    asked_at: i64,
    changes: &mut Vec<Change>,
) -> Result<Option<Missing>, OutboundError> {
    let no_document = || OutboundError::Malformed {
        url: did.as_str().to_owned(),
        detail: "there is no DID document".to_owned(),
    };
    let document = outbound
        .did_document(did, Freshness::Fresh)
        .await?
        .ok_or_else(no_document)?;
    let mut missing = None;
    let handle = proven_handle(outbound, &document, held, &mut missing).await;
    let pds = document.pds.clone();
    changes.push(Change::Identity(Identity {
        did: did.clone(),
        pds: document.pds,
        signing_key: document.signing_key,
        handle,
        asked_at,
    }));
    let Some(pds) = pds else {
        return Ok(missing);
    };
    let status = outbound.repo_status(&pds, did).await?;
    if let Some(state) = state_of(&status) {
        changes.push(Change::Account(Account {
            did: did.clone(),
            state,
            asked_at,
        }));
    }
    if status.active {
        match outbound
            .record(&pds, did, "app.bsky.actor.profile", "self")
            .await
        {
            Ok(record) => changes.push(Change::Bluesky(profile(did, record.as_ref(), asked_at))),
            Err(problem) => tracing::debug!(%problem, did = did.as_str(), "no Bluesky profile"),
        }
    }
    Ok(missing)
}

/// The handle that the document names and that names the DID. One that was proven before stays
/// while its domain can't be asked.
async fn proven_handle(
    outbound: &Outbound,
    document: &DidDocument,
    held: Option<Handle>,
    missing: &mut Option<Missing>,
) -> Option<Handle> {
    let claimed = document.handle.clone()?;
    match outbound.resolve_handle(&claimed, Freshness::Fresh).await {
        Ok(Some(named)) if named == document.did => Some(claimed),
        Ok(_) => None,
        Err(problem) => {
            *missing = Some(Missing::Handle(problem));
            held.filter(|held| *held == claimed)
        }
    }
}

/// What a PDS's answer says of an account; none for words that hide nobody.
fn state_of(status: &RepoStatus) -> Option<AccountState> {
    if status.active {
        return Some(AccountState::Active);
    }
    match status.status.as_deref() {
        Some("deactivated") => Some(AccountState::Deactivated),
        Some("deleted") => Some(AccountState::Deleted),
        Some("takendown") => Some(AccountState::TakenDown),
        Some("suspended") => Some(AccountState::Suspended),
        _ => None,
    }
}

fn profile(did: &Did, record: Option<&Ipld>, asked_at: i64) -> BlueskyProfile {
    let field = |name: &str| match record {
        Some(Ipld::Map(fields)) => fields.get(name),
        _ => None,
    };
    let display_name = match field("displayName") {
        Some(Ipld::String(name)) if !name.is_empty() && name.len() <= LONGEST_NAME => {
            Some(name.clone())
        }
        _ => None,
    };
    let avatar = match field("avatar") {
        Some(Ipld::Map(blob)) => match blob.get("ref") {
            Some(Ipld::Link(cid)) => Some(cid.to_string()),
            _ => None,
        },
        _ => None,
    };
    BlueskyProfile {
        did: did.clone(),
        display_name,
        avatar,
        asked_at,
    }
}
