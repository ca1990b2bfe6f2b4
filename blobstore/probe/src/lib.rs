//! What foreign bytes are: audio by its container, codec and exact length, images by their pixels,
//! made small. Found out by content alone, in a child process that limits itself and may die.

mod audio;
mod child;
mod facts;
mod foreign;
mod image;
mod limits;
mod prober;
mod question;
mod sniff;

pub use self::image::look_at_image;
pub use audio::look_at_audio;
pub use child::child;
pub use facts::{AudioFacts, Fact, ImageFacts, MadeImage, Refusal, plays_in_browsers};
pub use foreign::{ForeignBytes, ForeignReader};
pub use prober::{ProbeError, Prober, ProberOptions};
#[cfg(debug_assertions)]
#[doc(hidden)]
pub use question::Misbehaviour;
pub use question::SUBCOMMAND;
