//! SCRAM: both sides prove that they know of a password, and neither says it (RFC 5802, RFC 7677).
//!
//! Under the names that end in `-PLUS` they prove besides that they are the two ends of one TLS
//! connection (RFC 9266).

mod client;
mod error;
mod hash;
mod keys;
mod message;
mod nonce;
mod prepare;
mod server;

pub(super) use self::server::{Opening, WithKeys, WithoutKeys};
pub use self::{client::Scram, error::ScramError, hash::ScramHash, keys::ScramKeys, nonce::Nonce};
