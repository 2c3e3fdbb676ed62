//! What the client and the server machine share.
mod dialect;
mod error;
mod foreign;
pub mod limits;
mod timer;
mod trace;

pub use dialect::Dialect;
pub use error::{Error, Excerpt, Fault, Misuse};
pub use foreign::ForeignProtocol;
pub(crate) use timer::Deadline;
pub use timer::Timer;
pub(crate) use trace::Trace;
pub use trace::{Origin, TraceEntry, Traced};
