//! Panics that a child process catches too: inside libraries that read foreign audio and images.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What it returns; none where it panics, silently. A fuzzer ends its process in the hook of
/// panics, so the hook doesn't hear of these.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_EXPECTED.get() {
                others(panic);
            }
        }));
    });
    IS_EXPECTED.set(true);
    let returned = catch_unwind(AssertUnwindSafe(run)).ok();
    IS_EXPECTED.set(false);
    returned
}
