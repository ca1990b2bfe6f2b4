//! Keeping: how much there may be, what goes when nobody names it any more, and whether all is
//! there that should be.

mod audit;
mod list;
mod marks;
mod order;
mod quota;
mod retry;
mod sweep;

pub use audit::{Audit, AuditOptions, audit};
pub use list::{List, NotKept, list};
pub use quota::Usage;
pub use retry::{Retry, retry};
pub use sweep::{Sweep, SweepOptions, sweep};
