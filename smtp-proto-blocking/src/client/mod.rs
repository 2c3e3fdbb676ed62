//! The client: sends messages over one connection, or over as many as it takes, and returns what
//! became of each.

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
    connect::Options,
    send_all::SendAll,
    sender::Sender,
    session::{Client, Parts},
};
