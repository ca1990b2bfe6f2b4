//! What is derived, made again in the server's store, told piece by piece.

use plyr_schemas::Pass;
use serde::{Deserialize, Serialize};

use super::{Reply, Served};
use crate::error::OpsError;
use crate::store::rebuild;

/// What to make again: `indexes`, `counts` or `all`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// Its name.
    pub what: String,
}

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        let pass = Pass::asked(&self.what);
        let pass = pass.ok_or_else(|| OpsError::Usage(format!("rebuild `{}`", self.what)))?;
        // Who asked hears every piece; when they are gone, this ends and the next run goes on.
        rebuild::run(served.store.as_ref(), pass, &mut |told| reply.tell(told)).await
    }
}
