//! What the client and the server machine share.
mod answer;
mod dialect;
mod driven;
mod error;
mod excerpt;
mod foreign;
pub mod limits;
mod remark;
mod timer;
mod tls_info;
mod trace;

pub use answer::{Answer, Step};
pub use dialect::Dialect;
pub use driven::Driven;
pub use error::{Error, Fault, Misuse};
pub use excerpt::Excerpt;
pub use foreign::ForeignProtocol;
pub(crate) use remark::Remark;
pub(crate) use timer::Deadline;
pub use timer::Timer;
pub use tls_info::{TlsInfo, UnverifiedReason, Verification, VerifiedBy};
pub(crate) use trace::Trace;
pub use trace::{Origin, TraceEntry, Traced};
