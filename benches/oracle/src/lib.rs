//! What the state must be, reckoned a second time: naively, from the invariants and the lexicons,
//! with no code of the indexer, the store or the AppView; and whether a running AppView agrees.

mod actors;
mod answers;
mod compare;
mod expected;
mod format;
mod network;
mod sync;
mod verdict;

pub use answers::Ask;
pub use compare::{Disagreement, compare, dump_difference};
pub use expected::Expected;
pub use network::{Account, Held, Network};
pub use verdict::{Verdict, judge};
