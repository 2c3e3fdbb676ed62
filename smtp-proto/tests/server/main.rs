//! The server machine through its public API, row by row of the requirements and threats.

mod acknowledgements;
#[cfg(feature = "auth")]
mod authentication;
mod chaos;
mod content;
mod endings;
mod extensions;
mod forwarding;
mod limits;
mod lmtp;
mod parameters;
mod peer;
mod random;
mod replies;
mod sequence;
mod session;
mod tls;
mod verdicts;
