//! A sans-IO SMTP engine, client and server, that pipelines.
#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod client;
pub mod framing;
pub mod guide;
pub mod machine;
#[cfg(feature = "auth")]
pub mod sasl;
pub mod server;
pub mod syntax;

#[cfg(test)]
mod tests;
