//! SMTP and LMTP over tokio: the machines of [`smtp_proto`] with a loop, a clock and an ergonomic
//! face.
//!
//! Nothing about SMTP is decided here. What may be sent when, what a reply means and what is in
//! doubt when a connection dies is the machines' knowledge; see [`smtp_proto::client`].
//!
//! # A client
//!
//! ```no_run
//! use smtp_proto_tokio::{Client, Envelope};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("smtps://alice:secret@submit.example.net").await?;
//! let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
//! let report = client.send(envelope, "Subject: hello\r\n\r\nHello.\r\n").await?;
//! println!("delivered: {}", report.is_delivered());
//! client.quit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A [URL](smtp_proto::delivery::ServerUrl) says whether there is TLS and authentication; what else there
//! is to say, [`Options`](client::Options) do.
//!
//! Many messages go fastest through [`Client::send_all`], which runs as far ahead as the
//! configured [`Pipelining`] lets it. A [`Sender`] opens connections by
//! itself, and sends again what was lost with one of them.
//!
//! # A server
//!
//! ```no_run
#![doc = include_str!("../examples/serve.rs")]
//! ```
//!
//! `examples/serve_refusing.rs` refuses at each step, and remembers from one to the next what it has found
//! out.
//!
//! [`server::Options`] is for TLS, [`Handler::authenticate`](server::Handler::authenticate) for
//! authentication, [`Sink::deliver`](server::Sink::deliver) for LMTP.
//!
//! # Features
//!
//! All but `aws-lc-rs`, `serde` and `testing` are on by default.
//!
//! - `rustls`: TLS. It takes the cryptography that the process has installed as rustls' default; or
//!   else `aws-lc-rs`, if that is on; or else `ring`.
//! - `auth`: authentication (RFC 4954), in both roles.
//! - `scram`: SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 7677, RFC 5802) among its mechanisms, with channel
//!   binding (RFC 9266).
//! - `serde`: `Serialize` and `Deserialize` for replies, outcomes, reports, reasons and capabilities, in the
//!   forms that [`smtp_proto`] says.
//! - `testing`: a mail server for tests, which records and misbehaves as it is told:
//!   [`smtp_proto::testing`](smtp_proto::guide).
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod client;
pub mod server;
mod socket;
pub mod tls;
mod wire;

pub use smtp_proto;
#[cfg(feature = "testing")]
pub use smtp_proto::testing;
pub use smtp_proto::{
    client::{Envelope, Outcome, Pipelining},
    delivery::{Error, Report, Retry},
    machine::TlsInfo,
};

pub use self::{
    client::{Body, Client, Sender},
    server::Server,
    socket::Socket,
};

/// The pages of the guide that show this crate; they stand in [`smtp_proto::guide`].
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../smtp-proto/src/guide/receive.md")]
    mod receive {}
    #[doc = include_str!("../../smtp-proto/src/guide/send.md")]
    mod send {}
}
