//! A bucket of a real S3 server keeps what every store must, and bears what goes wrong before it.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod copies;
mod faults;
mod front;
mod server;
mod suite;
