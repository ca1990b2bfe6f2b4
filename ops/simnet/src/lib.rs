//! A small AT Protocol network out of a seed, on loopback: a directory, hosts with signed repos, a
//! relay's lists, Jetstreams and a labeler, in which people write what people write, and things go
//! wrong.
//!
//! A [`Story`] tells who does what; a [`World`] is what that comes to; a [`Network`] serves it.

mod accept;
pub mod blob;
pub mod dice;
mod error;
pub mod event;
pub mod faults;
mod network;
pub mod picture;
mod servers;
pub mod sound;
pub mod story;
mod stream;
mod words;
pub mod world;

pub use error::SimnetError;
pub use faults::{Faults, HostFaults, LabelFaults, StreamFaults};
pub use network::{Network, Options};
pub use story::{Act, Deed, Kind, Op, Plot, Proportions, Story};
pub use stream::{Line, Speaks};
pub use world::World;
