//! The client: sends messages over one connection, or over as many as it takes, and returns what
//! became of each.
//!
//! Nothing moves on its own: a connection makes progress while one of its futures is awaited. All
//! of them keep their state in the [`Client`], so that dropping one loses nothing.

mod body;
mod connect;
mod send_all;
mod sender;
mod session;

pub use smtp_proto::delivery::IntoMessage;

#[cfg(feature = "scram")]
pub use self::session::nonce;
pub use self::{
    body::{Body, BodySender},
    connect::{Dialling, Options},
    send_all::{Iter, SendAll},
    sender::Sender,
    session::{Client, Parts},
};
