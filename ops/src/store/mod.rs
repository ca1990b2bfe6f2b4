//! Commands about the store itself, and opening it.

pub mod copy;
mod crash;
pub mod dump;
pub mod open;
pub mod progress;
pub mod rebuild;
pub mod schema;
