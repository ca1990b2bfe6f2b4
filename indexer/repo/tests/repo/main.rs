//! Repos as their hosts serve them, captured, forged and built by a second mind.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests
#![allow(clippy::print_stdout, clippy::panic)]

mod fake;
mod fetching;
mod fixtures;
mod forge;
mod hostile;
mod reading;
mod real;
mod trees;
mod waiting;
