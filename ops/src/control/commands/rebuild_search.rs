//! The search index, built anew beside the one that serves.

use serde::{Deserialize, Serialize};

use super::{Reply, Served};
use crate::error::OpsError;
use crate::store::rebuild_search;

/// Build it anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {}

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        let store = served.store.as_ref();
        // When whoever asked is gone, the build goes on all the same.
        rebuild_search::run(store, &served.search, &mut |told| reply.tell(told)).await
    }
}
