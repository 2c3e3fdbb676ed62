//! SCRAM: both sides prove that they know of a password, and neither says it (RFC 5802, RFC 7677).
//!
//! No channel is bound: the mechanisms whose names end in `-PLUS` are not here.

mod client;
mod error;
mod hash;
mod keys;
mod message;
mod nonce;
mod prepare;
mod server;

pub(super) use self::server::{WithKeys, WithoutKeys};
pub use self::{client::Scram, error::ScramError, hash::ScramHash, keys::ScramKeys, nonce::Nonce};
