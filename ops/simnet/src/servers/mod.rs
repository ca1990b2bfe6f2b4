//! The HTTP ends of the network: directory, hosts, relay and labeler.

mod asked;
mod http;
mod labeler;
mod pds;
mod plc;
mod relay;
mod subscription;

pub use http::{Answering, Met, serve};
pub use labeler::Labeler;
pub use pds::Pds;
pub use plc::Directory;
pub use relay::Relay;
