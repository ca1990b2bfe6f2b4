//! Every parser of what comes from outside, and what must hold whatever bytes it is given: plain
//! functions that a fuzzer calls (`benches/fuzz`), and the tests with its corpus.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A property that doesn't hold is a panic: how a fuzzer hears of it, and a test.

mod audio;
mod cars;
mod caught;
mod configuration;
mod cursors;
mod did_documents;
mod frames;
mod images;
mod on_disk;
mod queries;
mod records;
mod uris;

pub use audio::audio;
pub use cars::cars;
pub use configuration::configuration;
pub use cursors::cursors;
pub use did_documents::did_documents;
pub use frames::frames;
pub use images::images;
pub use queries::queries;
pub use records::records;
pub use uris::uris;

/// A parser's name, which is its folder in the corpus too, and the function that gives it bytes
/// and panics where a property doesn't hold.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("audio", audio),
    ("cars", cars),
    ("configuration", configuration),
    ("cursors", cursors),
    ("did_documents", did_documents),
    ("frames", frames),
    ("images", images),
    ("queries", queries),
    ("records", records),
    ("uris", uris),
];
