//! What the network says in the end: each account, whether it shows, and what its repo holds.

use std::collections::BTreeMap;

use serde_json::Value;

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
}

impl Network {
    /// Adds an account.
    pub fn add(&mut self, account: Account) {
        self.accounts.insert(account.did.clone(), account);
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
        self.accounts.get(did).is_none_or(|account| {
            let holds = |path: &String| {
                let collection = path.split('/').next().unwrap_or_default();
                collections.contains(&collection)
            };
            !account.is_told && !account.records.keys().any(holds)
        })
    }

    /// The record at an address, and whose it is.
    pub fn at(&self, uri: &str) -> Option<(&Account, &str, &Held)> {
        let (did, path) = uri.strip_prefix("at://")?.split_once('/')?;
        let account = self.accounts.get(did)?;
        let (path, held) = account.records.get_key_value(path)?;
        Some((account, path.as_str(), held))
    }
}
