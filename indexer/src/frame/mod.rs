//! What a source hears, whatever its protocol: one shape of frame, decoded without touching the
//! record.

mod events;
mod subscribe;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use events::decode as decode_event;
pub use subscribe::decode;

/// What a frame turned out to be.
#[derive(Debug)]
pub enum Frame<'a> {
    /// A commit's operation on one record.
    Commit(Commit<'a>),
    /// `#account`, `#identity` or `#sync`: no truth, but a reason to ask.
    Trigger(Trigger<'a>),
    /// A kind we don't know; ignored, as the protocol asks.
    Unknown {
        /// Where the stream is, if it tells.
        at: Option<At>,
    },
    /// A word of the host about the stream itself; no event, and the stream goes on.
    Notice {
        /// Its name, like `OutdatedCursor`.
        name: String,
        /// What else it says.
        message: String,
    },
    /// The host's last word on this connection; no event.
    Ended {
        /// Its name and what else it says.
        problem: String,
    },
    /// No frame at all.
    Malformed {
        /// Where the stream is, if that much could be read.
        at: Option<At>,
        /// Why.
        problem: String,
    },
}

/// Where in its stream a frame stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// What the host is asked with to begin here: `time_us` or `seq`.
    pub cursor: u64,
    /// When the host saw the event, in microseconds since 1970, as told.
    pub time: Option<i64>,
}

/// One operation, as told.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Repo.
    pub did: Cow<'a, str>,
    /// Where the stream is.
    pub at: At,
    /// The commit's rev.
    pub rev: Cow<'a, str>,
    /// Create, update or delete.
    pub operation: Operation,
    /// Collection.
    pub collection: Cow<'a, str>,
    /// Record key.
    pub rkey: Cow<'a, str>,
    /// The record's CID, where the operation has one.
    pub cid: Option<Cow<'a, str>>,
    /// The record's JSON, where the operation has one.
    pub record: Option<&'a RawValue>,
}

/// What is done to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// A new record.
    Create,
    /// Another version.
    Update,
    /// No record any more.
    Delete,
}

/// A reason to ask about an account.
#[derive(Debug)]
pub struct Trigger<'a> {
    /// Whose.
    pub did: Cow<'a, str>,
    /// Where the stream is.
    pub at: At,
    /// When the repo's host said it, as told; the same on every Jetstream.
    pub time: Option<Cow<'a, str>>,
    /// Whether the repo's commits no longer follow one from another (`#sync`).
    pub is_sync: bool,
}

/// The time an upstream event tells of itself.
fn told_time(body: Option<&RawValue>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct JustTime<'a> {
        #[serde(borrow)]
        time: Option<Cow<'a, str>>,
    }
    let told: JustTime<'_> = serde_json::from_str(body?.get()).ok()?;
    told.time
}
