//! Jetstreams: what the network tells, written down by each host in its own way and sent to who
//! asks, as v1 and v2 of the real one do.

mod frame;
mod jetstream;
mod log;
pub mod wire;

pub use frame::Line;
pub use jetstream::{Speaks, Stream};
