//! Fetching: jobs out of the rows, each a blob: its bytes from a PDS of somebody who names it,
//! hashed as they come, looked at in a process of their own, put whole, and only then said to be
//! kept.

mod asking;
mod bytes;
mod holders;
mod job;
mod lease;
mod looking;
mod outcome;
mod reason;
mod retry;
mod runner;
mod staging;
mod troubles;
mod work;

pub use holders::{Holders, Role, Use};
pub use runner::{Fetching, FetchingParts};
pub use staging::Staging;
