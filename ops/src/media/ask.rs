//! What is asked about bytes, of the server or in the data folder itself.

use std::time::Duration;

use plyr_blobstore::{AuditOptions, Blobstore, SweepOptions, audit, list, retry, sweep};
use plyr_lexicons::{Cid, data};
use plyr_schemas::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::OpsError;

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// Whether all that is kept is there and sound.
    Audit,
    /// What nobody names goes.
    Sweep,
    /// What failed is tried again.
    Retry,
    /// What isn't kept, and why.
    List,
}

/// A question about bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// What to do.
    pub what: What,
    /// Changes nothing, only tells.
    #[serde(default)]
    pub is_dry: bool,
    /// Audit: doesn't read the bytes.
    #[serde(default)]
    pub is_quick: bool,
    /// Sweep: how long what nobody names stays, in seconds.
    #[serde(default)]
    pub grace_seconds: u64,
    /// Retry: those CIDs alone.
    #[serde(default)]
    pub cids: Vec<String>,
}

impl Ask {
    /// With nothing besides.
    pub fn of(what: What) -> Ask {
        Ask {
            what,
            is_dry: false,
            is_quick: false,
            grace_seconds: 0,
            cids: Vec::new(),
        }
    }
}

/// Does it; `tell` hears how far it has come, as JSON, and may end it. Answers the last of that.
pub async fn run(
    ask: &Ask,
    blobstore: &Blobstore,
    store: &dyn Store,
    tell: &mut (dyn FnMut(&Value) -> bool + Send),
) -> Result<Value, OpsError> {
    let failed = |problem: plyr_blobstore::BlobstoreError| OpsError::Start(problem.to_string());
    let mut hear = |stand: Value| tell(&stand);
    let done = match ask.what {
        What::Audit => {
            let options = AuditOptions {
                is_quick: ask.is_quick,
                is_dry: ask.is_dry,
            };
            let told = |stand: &plyr_blobstore::Audit| hear(json!(stand));
            json!(audit(blobstore, &options, told).await.map_err(failed)?)
        }
        What::Sweep => {
            let options = SweepOptions {
                grace: Duration::from_secs(ask.grace_seconds),
                is_dry: ask.is_dry,
                spares_unknown: false,
            };
            let told = |stand: &plyr_blobstore::Sweep| hear(json!(stand));
            json!(
                sweep(blobstore, store, &options, told)
                    .await
                    .map_err(failed)?
            )
        }
        What::Retry => {
            let cids: Result<Vec<Cid>, OpsError> = ask.cids.iter().map(|cid| read(cid)).collect();
            let told = |stand: &plyr_blobstore::Retry| hear(json!(stand));
            json!(retry(blobstore, &cids?, told).await.map_err(failed)?)
        }
        What::List => json!(list(blobstore).await.map_err(failed)?),
    };
    Ok(done)
}

fn read(text: &str) -> Result<Cid, OpsError> {
    data::cid_of_text(text).ok_or_else(|| {
        OpsError::Usage(format!(
            "`{text}` is no CID; they begin with bafkrei, as `plyr blobs audit` tells them"
        ))
    })
}
