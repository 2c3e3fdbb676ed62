//! The client: sends messages over one connection and returns what became of each.

mod body;
mod connect;
mod send_all;
mod session;

#[cfg(feature = "scram")]
pub use crate::entropy::nonce;

pub use self::{
    body::Body,
    connect::Builder,
    send_all::SendAll,
    session::{Client, Parts},
};
