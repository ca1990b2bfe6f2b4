//! The steps of a fetch at which a test may make the process stop as if it were killed.

use plyr_schemas::{CrashPoint, FaultHook};

/// A job is taken: its row says by whom, nothing is fetched.
pub const TAKEN: CrashPoint = CrashPoint("blob taken");
/// Some bytes are staged.
pub const STAGED: CrashPoint = CrashPoint("blob staged");
/// All bytes are staged and hash to the CID, nobody looked at them.
pub const PROVEN: CrashPoint = CrashPoint("blob proven");
/// They were looked at, nothing is put.
pub const LOOKED_AT: CrashPoint = CrashPoint("blob looked at");
/// The object is put, the row doesn't say so.
pub const PUT: CrashPoint = CrashPoint("blob put");
/// The row says that it is kept, nobody is told.
pub const KEPT: CrashPoint = CrashPoint("blob kept");

/// All of them, in their order.
pub const BLOB_CRASH_POINTS: [CrashPoint; 6] = [TAKEN, STAGED, PROVEN, LOOKED_AT, PUT, KEPT];

/// Whether a test ends the process at a step.
pub(crate) fn ends(fault: Option<&FaultHook>, step: CrashPoint) -> bool {
    fault.is_some_and(|is_ended| is_ended(step))
}
