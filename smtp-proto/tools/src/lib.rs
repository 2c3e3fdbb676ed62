//! Programs of [`smtp_proto`], as far as they can be tested without being run.
//!
//! [`deliver`] sends message files, [`receive`] takes messages, and `probe HOST` answers "does that
//! server do pipelining right?": see [`probe`].

mod arguments;
pub mod deliver;
pub mod probe;
pub mod receive;
mod security;

pub use arguments::{CommandLine, Endpoint, Target};
pub use security::{Credentials, Trust};
