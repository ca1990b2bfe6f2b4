//! The upkeep of bytes, by the server that keeps them.

use std::io::Write;

use serde_json::Value;

use super::super::lost;
use super::{Reply, Served};
use crate::error::OpsError;
pub use crate::media::Ask;
use crate::media::ask;

impl Ask {
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        let teller = reply.clone();
        let mut tell = |stand: &Value| teller.tell(stand).is_ok();
        let done = ask::run(&self, &served.blobs, served.store.as_ref(), &mut tell).await?;
        reply.write_all(done.to_string().as_bytes()).map_err(lost)
    }
}
