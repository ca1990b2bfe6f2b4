//! What whoever keeps an index and whoever answers from it share: the index that serves now, who
//! and what is hidden, and how the index stands.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use crate::excluded::Hidden;
use crate::index::Index;

/// How an index stands, for people and for who waits for it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The index that answers; none before there is one.
    pub serving: Option<Serving>,
    /// The index that is being built, in its place or beside it.
    pub building: Option<Progress>,
    /// Indexes that were built and took the place since the process began.
    pub builds: u64,
    /// The last build, where it failed; until one takes the place.
    pub failed: Option<FailedBuild>,
    /// What keeps it from going on, in words.
    pub problem: Option<String>,
}

/// What is told of the index that serves.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// The position in the change log that its answers cover; empty for its beginning, or where
    /// nobody knows it.
    pub position: String,
    /// Documents that can be found.
    pub documents: u64,
    /// Entries of the log that are known and not yet covered.
    pub behind: u64,
    /// When the first of these was written, microseconds since 1970.
    pub behind_since: Option<i64>,
    /// Whether it only stands in for one that is being built: it has another version, or the log no
    /// longer goes on from where it is.
    pub is_outdated: bool,
}

/// How far a build has come.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Why it is built.
    pub reason: String,
    /// Documents it has so far.
    pub documents: u64,
    /// What it waits for, in words.
    pub problem: Option<String>,
}

/// A build that failed. It is tried again, after a while that grows to minutes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedBuild {
    /// Why it was built.
    pub reason: String,
    /// What went wrong, in words.
    pub problem: String,
    /// Builds that failed, one after another.
    pub times: u64,
}

/// Shared between whoever keeps an index and whoever answers from it. All calls are short: nobody
/// holds anything while searching.
#[derive(Debug, Default)]
pub struct Live {
    serving: RwLock<Option<Index>>,
    hidden: RwLock<Arc<Hidden>>,
    standing: RwLock<Standing>,
}

impl Live {
    /// The index to answer from; none before the first one is there.
    pub fn serving(&self) -> Option<Index> {
        let serving = self.serving.read();
        serving.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers from another index from now on, or from none. Searchers of the one before go on.
    pub fn serve(&self, index: Option<Index>) {
        let before = {
            let serving = self.serving.write();
            let mut serving = serving.unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *serving, index)
        };
        // Its files are let go of outside of the lock.
        drop(before);
    }

    /// Who and what is hidden now, as [`crate::Excluded`] of one request.
    pub fn hidden(&self) -> Arc<Hidden> {
        let hidden = self.hidden.read();
        hidden.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes who and what is hidden, for all requests that begin afterwards. While requests of
    /// before are being answered the set is copied, eight bytes for each.
    pub fn hide(&self, change: impl FnOnce(&mut Hidden)) {
        let hidden = self.hidden.write();
        let mut hidden = hidden.unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut hidden));
    }

    /// How the index stands.
    pub fn standing(&self) -> Standing {
        let standing = self.standing.read();
        standing.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells how the index stands.
    pub fn tell(&self, standing: Standing) {
        let told = self.standing.write();
        *told.unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

#[cfg(test)]
mod tests {
    use plyr_lexicons::Did;

    use super::*;
    use crate::document::Key;
    use crate::excluded::Excluded;

    #[test]
    fn who_is_hidden_changes_for_requests_that_begin_afterwards() {
        let live = Live::default();
        let did: Did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
        let key = Key::of(did.as_str());
        let before = live.hidden();
        live.hide(|hidden| hidden.set_author(&did, true));
        assert!(live.hidden().has_author(key));
        assert!(before.is_empty(), "a request sees one state");
        live.hide(|hidden| hidden.set_author(&did, false));
        assert!(live.hidden().is_empty());
    }
}
