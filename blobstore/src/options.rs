//! How bytes are fetched and kept; from the command line.

use plyr_lexicons::Namespace;

/// When audio is fetched (`--media`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaPolicy {
    /// Never; what is here already is looked at, and served.
    Off,
    /// When it is first asked for.
    OnDemand,
    /// Whatever a record that shows names.
    Mirror,
}

/// How bytes are fetched and kept.
#[derive(Clone, Debug)]
pub struct MediaOptions {
    /// When.
    pub policy: MediaPolicy,
    /// Bytes that may be kept; what nobody names goes first, then the least recently played.
    pub quota: u64,
    /// Whose records.
    pub namespace: Namespace,
    /// Largest blob of audio, in bytes; larger ones are refused.
    pub largest_audio: u64,
    /// Largest image, in bytes.
    pub largest_image: u64,
    /// Fetches at the same time.
    pub at_once: usize,
    /// Bytes to leave free on the disk.
    pub reserve: u64,
    /// Whether this process makes copies that the public reads from the bucket itself
    /// (`--cdn-url`). Those that must go are deleted by whoever follows, whatever it says here.
    pub is_public: bool,
}
