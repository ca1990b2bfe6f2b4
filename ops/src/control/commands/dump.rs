//! The canonical dump, from the server's store.

use serde::{Deserialize, Serialize};

use super::{Reply, Served};
use crate::error::OpsError;
use crate::store::dump;

/// Which dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// Only once nothing was written for a while.
    #[serde(default)]
    pub wait_idle: bool,
    /// With everything that is kept.
    #[serde(default)]
    pub full: bool,
}

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        let (store, own) = (served.store.as_ref(), served.acts.own.journal());
        dump::write(store, own, reply, &served.data_dir, self).await
    }
}
