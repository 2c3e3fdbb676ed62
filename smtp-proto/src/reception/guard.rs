//! What a panic in the application costs.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns what a call of the application's returns; nothing if it panics.
///
/// A panic costs the one call: what was asked by it has [failed](super::Reception::fail), what was
/// told is told, and the session goes on.
pub fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    // What a panic leaves broken is the application's own.
    catch_unwind(AssertUnwindSafe(call)).ok()
}
