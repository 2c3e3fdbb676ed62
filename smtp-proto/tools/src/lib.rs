//! Programs of [`smtp_proto`], as far as they can be tested without being run.
//!
//! [`deliver`] sends message files, [`receive`] takes messages, and `probe HOST` answers "does that
//! server do pipelining right?": see [`probe`].

use std::io::Write as _;

mod arguments;
pub mod deliver;
pub mod probe;
pub mod receive;
mod security;

pub use arguments::{CommandLine, Endpoint, Target};
pub use security::{Credentials, Trust};

/// Says what went wrong, if anybody reads it.
pub fn complain(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
