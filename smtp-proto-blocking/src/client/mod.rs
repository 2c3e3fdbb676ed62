//! The client: sends messages over one connection, or over as many as it takes, and returns what
//! became of each.

mod body;
mod connect;
mod send_all;
mod sender;
mod session;

#[cfg(feature = "scram")]
pub use crate::entropy::nonce;

pub use smtp_proto::delivery::IntoMessage;

pub use self::{
    body::{Body, BodySender},
    connect::Options,
    send_all::SendAll,
    sender::Sender,
    session::{Client, Parts},
};
