//! Where a test makes an engine stop as if its process were killed.

use std::sync::Arc;

/// A step of an engine's write path, by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CrashPoint(pub &'static str);

/// Asked at every crash point. `true` ends the engine there: nothing more of it is written, and
/// whoever waits is answered [`crate::StoreError::Closed`].
pub type FaultHook = Arc<dyn Fn(CrashPoint) -> bool + Send + Sync>;
