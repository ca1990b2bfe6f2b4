//! What an operator does, done by the server: it writes the journal of its folder.

use super::{Reply, Served};
use crate::admin;
pub use crate::admin::Ask;
use crate::error::OpsError;

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        admin::run(&served.acts, &self, reply).await
    }
}
