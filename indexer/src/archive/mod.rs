//! Archives: a Jetstream v2 keeps all it ever carried, and says where rows of a collection lie.
//! Their rows are not taken, only their repos: those are fetched and proven as all others are
//! ([decision 20](../../../docs/decisions/0020-archives.md)).

mod block;
mod news;
mod reader;
#[cfg(test)]
mod reading;

pub use block::{Block, BlockError, Row};
pub use news::News;
pub use reader::Archive;
