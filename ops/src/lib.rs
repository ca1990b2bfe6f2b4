//! The part of the `plyr` binary that others may read: its options, what a configuration file makes
//! of them, and what is told where they can't be used.

pub mod config;
pub mod error;
