//! Commands about the store itself, and opening it.

pub mod copy;
pub mod crash;
pub mod dump;
pub mod open;
pub mod progress;
pub mod rebuild;
pub mod rebuild_search;
pub mod schema;
