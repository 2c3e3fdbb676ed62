//! What the client and the server machine share.
mod error;
pub mod limits;
mod timer;

pub use error::{Error, Excerpt, Fault, Misuse};
pub(crate) use timer::Deadline;
pub use timer::Timer;
