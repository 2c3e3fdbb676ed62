//! The client: one connection that messages are submitted to.
//!
//! Nothing moves on its own: a connection makes progress while one of its futures is awaited. All
//! of them keep their state in the [`Client`], so that dropping one loses nothing.

mod body;
mod connect;
mod connection;
mod send_all;
mod session;

#[cfg(feature = "scram")]
pub use crate::entropy::nonce;

pub use self::{
    body::Body,
    connect::Builder,
    send_all::{Iter, SendAll},
    session::{Client, Parts},
};
