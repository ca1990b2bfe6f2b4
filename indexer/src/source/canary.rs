//! A record in the operator's own repo that is written anew again and again: a host that doesn't
//! tell of it doesn't tell of everything.

use std::time::Duration;

use plyr_lexicons::RecordUri;

use crate::frame::Commit;

/// Which record, and how often it is to arrive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Canary {
    /// The record.
    pub uri: RecordUri,
    /// It arrives from each host at least this often.
    pub every: Duration,
}

impl Canary {
    /// Whether a commit is of it.
    pub fn is(&self, commit: &Commit<'_>) -> bool {
        commit.rkey == self.uri.rkey.as_str()
            && commit.collection == self.uri.collection.as_str()
            && commit.did == self.uri.did.as_str()
    }
}
