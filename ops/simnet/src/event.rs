//! What a repo's host tells the network, as a relay passes it on.

use std::sync::Arc;

use plyr_lexicons::{Cid, Rev};

/// One event of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Whose.
    pub did: String,
    /// When it happened, in microseconds since 1970 by the story's clock.
    pub at: i64,
    /// What happened.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// The repo has another commit.
    Commit {
        /// Its rev.
        rev: Rev,
        /// What it changed; nothing, where an account begins.
        writes: Vec<Written>,
    },
    /// The handle, the host or the key may be another one.
    Identity,
    /// The account is here, or isn't.
    Account {
        /// Why it isn't; none for one that is.
        status: Option<&'static str>,
    },
    /// What the repo is now doesn't follow from the commits before.
    Sync {
        /// Its rev.
        rev: Rev,
    },
}

/// A change of one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// `create`, `update` or `delete`.
    pub action: &'static str,
    /// The collection.
    pub collection: String,
    /// The record key.
    pub rkey: String,
    /// CID and JSON of the record; none for a delete.
    pub record: Option<(Cid, Arc<str>)>,
}
