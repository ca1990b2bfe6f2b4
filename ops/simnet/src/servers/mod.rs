//! The HTTP ends of the network: directory, hosts and relay.

mod asked;
mod http;
mod pds;
mod plc;
mod relay;

pub use http::{Answering, serve};
pub use pds::Pds;
pub use plc::Directory;
pub use relay::Relay;
