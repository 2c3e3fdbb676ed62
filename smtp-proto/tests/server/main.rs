//! The server machine through its public API, row by row of the requirements and threats.

mod acknowledgements;
#[cfg(feature = "auth")]
mod authentication;
mod chaos;
mod closing;
mod content;
mod driver;
mod endings;
mod extensions;
mod forwarding;
mod limits;
mod lmtp;
mod parameters;
mod peer;
mod random;
mod replies;
mod review;
mod sequence;
mod session;
mod settings;
mod tls;
mod verdicts;
