//! A signed repo, proven: what an account's repo says in our collections, checked from the commit's
//! signature down to each record's bytes, and fetched the cheapest way. Nothing here is stored.
//! Spec: <https://atproto.com/specs/repository>.

mod blocks;
mod car;
mod commit;
mod error;
mod fetch;
mod node;
mod range;
mod runs;
mod walk;

pub use blocks::{Blocks, Digest};
pub use car::{Car, CarReader};
pub use commit::Commit;
pub use error::{Fault, RepoError};
pub use fetch::{
    Ask, Bounds, Entry, Fetched, Fetcher, Head, Held, Proof, ProvenRecord, Records, SignedState,
    Way,
};
pub use node::{Node, NodeEntry, layer_of};
pub use range::{Fingerprint, Ranges};
pub use walk::{Estimate, Step, Survey, Walk, survey};
