//! The loops of both adapters, written once: a machine, what carries its bytes, and how far they are
//! with each other.
//!
//! They are polled. A [`Wire`] that blocks does so no longer than it may, and is pending when that time
//! is over: whoever drives it just polls again.

mod batch;
mod client;
mod endpoint;
mod linger;
mod server;
mod wire;

pub use batch::Batch;
pub use client::{ClientDriver, Presents};
pub use endpoint::Endpoint;
pub use server::{Attends, ServerDriver, turn_away};
pub use wire::Wire;
