//! One check: the DID document past every cache, the handle both ways, and what the PDS that the
//! document names says of the account.

use plyr_lexicons::validate::cut;
use plyr_lexicons::{Did, Handle, Ipld};
use plyr_outbound::{DidDocument, Freshness, Lookup, Outbound, OutboundError, RepoStatus};
use plyr_schemas::{AccountState, BlueskyProfile, Identity};

use super::hosts::Hosts;

/// Longest display name kept, in bytes and in graphemes (the Bluesky lexicon's limits).
const LONGEST_NAME: (usize, usize) = (640, 64);

/// What was answered. What was answered is kept even when the rest was not.
#[derive(Debug, Default)]
pub struct Said {
    /// What the document says.
    pub identity: Option<Identity>,
    /// What the PDS, or a tombstone, says.
    pub state: Option<AccountState>,
    /// The Bluesky profile, as read.
    pub bluesky: Option<BlueskyProfile>,
}

/// How asking ended.
#[derive(Debug)]
pub enum End {
    /// With an answer to everything.
    Answered,
    /// With the answer that there is no such DID.
    Unregistered,
    /// Without one: it changes nothing.
    Missing(Missing),
}

/// A question without an answer.
#[derive(Debug)]
pub enum Missing {
    /// Whether the handle names the DID.
    Handle(OutboundError),
    /// The document of this DID, or the state of the account.
    Account(OutboundError),
    /// Any document: the PLC directory can't be asked.
    Directory(OutboundError),
}

/// Whom to ask.
#[derive(Clone)]
pub struct Asker {
    pub outbound: Outbound,
    pub hosts: std::sync::Arc<Hosts>,
}

impl Asker {
    /// Asks the DID document and the PDS that it names. `shown` is the handle shown so far.
    pub async fn ask(
        &self,
        did: &Did,
        shown: Option<Handle>,
        asked_at: i64,
        said: &mut Said,
    ) -> End {
        let document = match self.outbound.look_up(did).await {
            Ok(Lookup::Found(document)) => document,
            Ok(Lookup::Tombstoned) => {
                self.heard_of_directory(did);
                said.identity = Some(nobody(did, asked_at));
                said.state = Some(AccountState::Deleted);
                return End::Answered;
            }
            Ok(Lookup::Unregistered) => {
                self.heard_of_directory(did);
                return End::Unregistered;
            }
            // A document that can't be read says nothing about the directory.
            Err(problem @ OutboundError::Malformed { .. }) => {
                return End::Missing(Missing::Account(problem));
            }
            Err(problem) if is_in_directory(did) => {
                self.hosts.directory_failed(&problem);
                return End::Missing(Missing::Directory(problem));
            }
            Err(problem) => return End::Missing(Missing::Account(problem)),
        };
        self.heard_of_directory(did);
        let mut end = End::Answered;
        let handle = self.proven_handle(&document, shown, &mut end).await;
        let pds = document.pds.clone();
        said.identity = Some(Identity {
            did: did.clone(),
            pds: document.pds,
            signing_key: document.signing_key,
            handle,
            asked_at,
        });
        let Some(pds) = pds else { return end };
        let status = match self.status(&pds, did).await {
            Ok(status) => status,
            Err(problem) => return End::Missing(Missing::Account(problem)),
        };
        said.state = state_of(&status);
        if status.active {
            let profile = self
                .outbound
                .record(&pds, did, "app.bsky.actor.profile", "self");
            match profile.await {
                Ok(record) => said.bluesky = Some(profile_of(did, record.as_ref(), asked_at)),
                Err(problem) => tracing::debug!(%problem, did = did.as_str(), "no Bluesky profile"),
            }
        }
        end
    }

    fn heard_of_directory(&self, did: &Did) {
        if is_in_directory(did) {
            self.hosts.directory_answered();
        }
    }

    /// What the PDS says of an account. One that hung lately is not waited for again at once.
    async fn status(&self, pds: &str, did: &Did) -> Result<RepoStatus, OutboundError> {
        if let Some(left) = self.hosts.rests(pds) {
            return Err(OutboundError::Unreachable {
                url: pds.to_owned(),
                detail: format!(
                    "it didn't answer lately; asked again in {} s",
                    left.as_secs() + 1
                ),
            });
        }
        let status = self.outbound.repo_status(pds, did).await;
        match &status {
            Err(OutboundError::Unreachable { .. }) => self.hosts.failed(pds),
            // It wasn't asked: nothing was learned about it.
            Err(OutboundError::Resting { .. }) => {}
            _ => self.hosts.answered(pds),
        }
        status
    }

    /// The handle that the document names and that names the DID. One that was proven before stays
    /// while its domain can't be asked.
    async fn proven_handle(
        &self,
        document: &DidDocument,
        shown: Option<Handle>,
        end: &mut End,
    ) -> Option<Handle> {
        let claimed = document.handle.clone()?;
        let named = self.outbound.resolve_handle(&claimed, Freshness::Fresh);
        match named.await {
            Ok(Some(named)) if named == document.did => Some(claimed),
            Ok(_) => None,
            Err(problem) => {
                *end = End::Missing(Missing::Handle(problem));
                shown.filter(|shown| *shown == claimed)
            }
        }
    }
}

/// Whether a DID's document comes from the PLC directory.
pub fn is_in_directory(did: &Did) -> bool {
    did.as_str().starts_with("did:plc:")
}

/// What is known of who has no document.
pub fn nobody(did: &Did, asked_at: i64) -> Identity {
    Identity {
        did: did.clone(),
        pds: None,
        signing_key: None,
        handle: None,
        asked_at,
    }
}

/// A profile that says nothing.
pub fn no_profile(did: &Did, asked_at: i64) -> BlueskyProfile {
    profile_of(did, None, asked_at)
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

fn profile_of(did: &Did, record: Option<&Ipld>, asked_at: i64) -> BlueskyProfile {
    let field = |name: &str| match record {
        Some(Ipld::Map(fields)) => fields.get(name),
        _ => None,
    };
    let display_name = match field("displayName") {
        Some(Ipld::String(name)) if !name.is_empty() => {
            let (bytes, graphemes) = LONGEST_NAME;
            Some(cut(name, bytes, Some(graphemes)).to_owned())
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

#[cfg(test)]
mod tests {
    use plyr_lexicons::data;

    use super::*;

    #[test]
    fn a_display_name_is_cut_to_the_lexicons_limits() {
        let did: Did = "did:plc:a".parse().unwrap();
        let kept = |name: &str| {
            let record = serde_json::json!({ "displayName": name }).to_string();
            let record = data::from_json(record.as_bytes()).unwrap();
            profile_of(&did, Some(&record), 1).display_name
        };
        assert_eq!(kept(""), None);
        assert_eq!(kept("Alice").as_deref(), Some("Alice"));
        assert_eq!(kept(&"é".repeat(65)), Some("é".repeat(64)));
        let flag = "🏴󠁧󠁢󠁥󠁮󠁧󠁿"; // 28 bytes
        assert_eq!(kept(&flag.repeat(30)), Some(flag.repeat(22)));
    }
}
