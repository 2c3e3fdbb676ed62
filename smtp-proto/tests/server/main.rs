//! The server machine through its public API, row by row of the requirements and threats.

mod acknowledgements;
#[cfg(feature = "auth")]
mod authentication;
mod chaos;
mod chunks;
mod closing;
mod content;
mod driver;
mod endings;
mod extensions;
mod forwarding;
mod limits;
mod lines;
mod lmtp;
mod other_protocols;
mod parameters;
mod peer;
mod pipelining;
mod random;
mod replies;
mod review;
mod sequence;
mod session;
mod settings;
mod tls;
mod trace;
mod verdicts;
