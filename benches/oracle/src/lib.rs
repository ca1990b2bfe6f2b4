//! What the state must be, reckoned a second time: naively, from the invariants and the lexicons,
//! with no code of the indexer, the store or the AppView; and whether a running AppView agrees.

mod actors;
mod answers;
mod cbor;
mod compare;
mod expected;
mod format;
mod items;
mod network;
mod sync;
#[cfg(test)]
mod tests;
mod verdict;
mod views;

pub use answers::Ask;
pub use cbor::{Malformed, json_of};
pub use compare::{Disagreement, compare, dump_difference};
pub use expected::Expected;
pub use network::{Account, Held, Network};
pub use verdict::{Verdict, judge};
