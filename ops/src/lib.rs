//! The part of the `plyr` binary that others may read: its command line, what a configuration makes
//! of them, and what is told where they can't be used.

pub mod cli;
pub mod config;
pub mod error;
