//! Bytes to people: only what the current version of a record that shows names, with ranges and
//! conditions, as what the bytes were found to be, and an end in the middle when it shows no more.

mod answer;
mod disposition;
mod error;
mod fetched;
mod links;
mod named;
mod open;
mod playback;
mod range;
mod seen;
mod shelf;
mod sources;
mod still;
mod watch;
mod which;

use std::time::Duration;

pub use answer::{Original, image, original};
pub use disposition::attachment;
pub use error::{not_here_yet, refused};
pub use fetched::arrived;
pub use links::{here, streamed};
pub use named::Role;
pub use open::{OpenBodies, Place, place_of};
pub use playback::{Playback, playback};
pub use seen::hidden;
pub use shelf::{Audio, Shelf};
pub use sources::Wishes;
pub use watch::watch;
pub use which::find;

/// A request for bytes until its body begins: longer than a fetch is waited for.
pub const PATIENCE: Duration = Duration::from_secs(40);
