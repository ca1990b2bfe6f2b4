//! What the network says in the end: each account, whether it shows, and what its repo holds.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where names of people are written.
const BLUESKY_PROFILE: &str = "app.bsky.actor.profile/self";

/// A record as its repo holds it.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// Its CID, as text.
    pub cid: String,
    /// The record as JSON of the data model.
    pub value: Value,
}

/// An account.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Account {
    /// Its DID.
    pub did: String,
    /// The handle that its DID document names and that leads to it; none where one of them is
    /// otherwise.
    pub handle: Option<String>,
    /// Whether it is active.
    pub is_active: bool,
    /// Whether a stream told of it.
    pub is_told: bool,
    /// Its records by `collection/rkey`; those of other namespaces may be among them.
    pub records: BTreeMap<String, Held>,
}

/// All of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Network {
    /// By DID.
    pub accounts: BTreeMap<String, Account>,
    /// Every handle that somebody ever had, and whose it is now, proven both ways.
    pub handles: BTreeMap<String, Option<String>>,
}

impl Account {
    /// Whether it holds records of some collections.
    pub fn holds(&self, collections: &[&str]) -> bool {
        let is_of = |path: &String| {
            let collection = path.split('/').next().unwrap_or_default();
            collections.contains(&collection)
        };
        self.records.keys().any(is_of)
    }
}

impl Network {
    /// Adds an account.
    pub fn add(&mut self, account: Account) {
        self.accounts.insert(account.did.clone(), account);
    }

    /// How an account is called in views.
    pub fn handle_of(&self, did: &str) -> &str {
        let account = self.accounts.get(did);
        let handle = account.and_then(|account| account.handle.as_deref());
        handle.unwrap_or("handle.invalid")
    }

    /// What somebody calls themselves in their Bluesky profile.
    pub fn name_of(&self, did: &str) -> Option<&str> {
        let profile = self.accounts.get(did)?.records.get(BLUESKY_PROFILE)?;
        let name = profile.value["displayName"].as_str();
        name.filter(|name| !name.is_empty())
    }

    /// Whether an address is of an account that isn't active.
    pub fn is_gone(&self, uri: &str) -> bool {
        let of = |uri: &str| Some(uri.strip_prefix("at://")?.split('/').next()?.to_owned());
        let account = of(uri).and_then(|did| self.accounts.get(&did));
        account.is_some_and(|account| !account.is_active)
    }

    /// Whether nobody can know how an account stands: no stream told of it, and no relay lists it,
    /// for it holds nothing of the collections.
    pub fn is_unheard_of(&self, did: &str, collections: &[&str]) -> bool {
        let account = self.accounts.get(did);
        account.is_none_or(|account| !account.is_told && !account.holds(collections))
    }

    /// The record at an address, and whose it is.
    pub fn at(&self, uri: &str) -> Option<(&Account, &str, &Held)> {
        let (did, path) = uri.strip_prefix("at://")?.split_once('/')?;
        let account = self.accounts.get(did)?;
        let (path, held) = account.records.get_key_value(path)?;
        Some((account, path.as_str(), held))
    }
}
