//! Where a test makes an engine stop as if its process were killed.

use std::sync::Arc;

/// A step of an engine's write path, by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CrashPoint(pub &'static str);

/// Asked at every crash point. `true` ends the engine there: nothing more of it is written, and
/// whoever waits is answered [`crate::StoreError::Closed`].
pub type FaultHook = Arc<dyn Fn(CrashPoint) -> bool + Send + Sync>;

/// Of the embedded engine: before the batch reaches the disk.
pub const BEFORE_COMMIT: CrashPoint = CrashPoint("before commit");
/// Of the embedded engine: after the batch is durable, before anybody is told.
pub const AFTER_COMMIT: CrashPoint = CrashPoint("after commit");
/// Of the CQL engine: before a version is written.
pub const BEFORE_TRUTH: CrashPoint = CrashPoint("before truth");
/// Versions are acknowledged, nothing is derived yet.
pub const AFTER_TRUTH: CrashPoint = CrashPoint("after truth");
/// Versions and floors are read back, nothing is derived yet.
pub const AFTER_READ_BACK: CrashPoint = CrashPoint("after read-back");
/// Derived rows are acknowledged, the log entry isn't written yet.
pub const AFTER_DERIVED: CrashPoint = CrashPoint("after derived");
/// The log entry is acknowledged, whoever waits isn't told yet.
pub const AFTER_LOG: CrashPoint = CrashPoint("after log");

/// All of them: two of the embedded engine, then those of the CQL engine, in their order.
pub const CRASH_POINTS: [CrashPoint; 7] = [
    BEFORE_COMMIT,
    AFTER_COMMIT,
    BEFORE_TRUTH,
    AFTER_TRUTH,
    AFTER_READ_BACK,
    AFTER_DERIVED,
    AFTER_LOG,
];
