//! The steps of the follower at which a test may make it stop as if its process were killed, by the
//! hook that the store's engines have ([`FaultHook`]).

use plyr_schemas::{CrashPoint, FaultHook};

use super::KeepError;

/// Entries were read and their subjects looked at, nothing is written.
pub const READ: CrashPoint = CrashPoint("search read");
/// Documents are written, nothing is committed.
pub const WRITTEN: CrashPoint = CrashPoint("search written");
/// A commit is durable, nobody is told.
pub const COMMITTED: CrashPoint = CrashPoint("search committed");
/// A page of the store is in the index that is being built.
pub const ADDED: CrashPoint = CrashPoint("search added");
/// An index is built and committed, and serves nothing yet.
pub const BUILT: CrashPoint = CrashPoint("search built");
/// A new index has taken the place, nobody is told.
pub const SWAPPED: CrashPoint = CrashPoint("search swapped");

/// All of them.
pub const SEARCH_CRASH_POINTS: [CrashPoint; 6] = [READ, WRITTEN, COMMITTED, ADDED, BUILT, SWAPPED];

/// Passes a step, unless a test ends the follower there.
pub(super) fn pass(fault: Option<&FaultHook>, step: CrashPoint) -> Result<(), KeepError> {
    match fault {
        Some(is_ended) if is_ended(step) => Err(KeepError::Ended),
        _ => Ok(()),
    }
}
