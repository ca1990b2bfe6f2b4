//! Repos visited as soon as can be, by the server.

use super::{Reply, Served};
use crate::error::OpsError;
pub use crate::repos::backfill::{Action, Ask};
use crate::repos::{self, Told};

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        let teller = reply.clone();
        let mut told = Told {
            out: reply,
            tell: &mut |stand| teller.tell(stand),
        };
        repos::backfill::run(&served.work()?, &self, &mut told).await
    }
}
