//! Repos visited as soon as can be, by the server.

use super::{Reply, Served, about_repos};
use crate::error::OpsError;
pub use crate::repos::backfill::{Action, Ask};
use crate::repos::{self, Told, Work};

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        let run =
            async |work: &Work, told: &mut Told<'_>| repos::backfill::run(work, &self, told).await;
        about_repos(served, reply, run).await
    }
}
