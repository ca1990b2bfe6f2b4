//! A search index is kept: by following the log, by building it anew, and through kills, over both
//! engines.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod failing;
mod following;
mod kills;
mod troubles;
mod versions;
mod world;

pub(crate) type Checked = Result<(), Box<dyn std::error::Error + Send + Sync>>;
