//! Bytes: audio and images that records name, fetched from the PDS that holds them, checked against
//! their CIDs, looked at, kept, and handed out as long as a record that shows names them.

mod error;
mod fetch;
mod follow;
mod hides;
mod keep;
mod look;
mod options;
mod public;
mod reconcile;
mod serve;
mod shows;
mod standing;
mod steps;
#[cfg(test)]
mod testing;

pub use error::BlobstoreError;
pub use fetch::{Fetching, FetchingParts, Holders, Role, Staging, Use};
pub use follow::Follower;
pub use keep::{
    Audit, AuditOptions, List, NotKept, Retry, Sweep, SweepOptions, Usage, audit, list, retry,
    sweep,
};
pub use options::{MediaOptions, MediaPolicy};
pub use plyr_objects as objects;
pub use plyr_probe as probe;
pub use serve::Blobstore;
pub use standing::Standing;
pub use steps::{BLOB_CRASH_POINTS, KEPT, LOOKED_AT, PROVEN, PUT, STAGED, TAKEN};
