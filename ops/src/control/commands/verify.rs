//! Repos compared with what is held of them, by the server.

use super::{Reply, Served};
use crate::error::OpsError;
pub use crate::repos::verify::Ask;
use crate::repos::{self, Told};

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        let teller = reply.clone();
        let mut told = Told {
            out: reply,
            tell: &mut |stand| teller.tell(stand),
        };
        repos::verify::run(&served.work()?, &self, &mut told).await
    }
}
