//! [`smtp-engine`](smtp_proto) over blocking sockets: no runtime, and no thread but one for each
//! connection.
//!
//! # A client
//!
//! ```no_run
//! use smtp_proto_blocking::{Client, Envelope};
//!
//! let mut client = Client::connect("smtps://alice:secret@submit.example.net")?;
//! let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
//! let report = client.send(envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
//! println!("delivered: {}", report.is_delivered());
//! client.quit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Many messages go fastest through [`Client::send_all`], which runs as far ahead as the
//! configured [`Pipelining`] lets it. A [`Sender`] opens connections by
//! itself, and sends again what was lost with one of them.
//!
//! # A server
//!
//! ```no_run
#![doc = include_str!("../examples/serve_blocking.rs")]
//! ```
//!
//! `examples/serve_refusing_blocking.rs` refuses at each step, and remembers from one to the next what it has found
//! out.
//!
//! # One thread, two directions
//!
//! A [`Transport`] is written to and read from in turns, each for a bounded time. A write that
//! the peer does not take becomes a read after a moment, so that two peers with full buffers never
//! wait for each other (RFC 2920 3.1), whatever [`Duplex`](smtp_proto::client::Duplex) is
//! configured. The default one, half duplex, seldom lets it come to that; `Duplex::Full` lets a
//! stream have more messages under way than a hundred unanswered commands.
//!
//! # TLS, authentication and LMTP
//!
//! A [URL](smtp_proto::delivery::ServerUrl) says whether to; what else there is to say,
//! [`Options`](client::Options) do.
//!
//! A server has [`Options`](server::Options) with a [`TlsAcceptor`](tls::TlsAcceptor), and a handler
//! that [authenticates](server::Handler::authenticate) and
//! [delivers](server::Sink::deliver) to each recipient.
//!
//! # Features
//!
//! All but `aws-lc-rs`, `serde` and `testing` are on by default.
//!
//! * `rustls`: TLS.
//! * `ring`, `aws-lc-rs`: the library of cryptography for it, unless the process has installed one as
//!   rustls' default.
//! * `auth`: authentication (RFC 4954).
//! * `scram`: SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 7677, RFC 5802) among its mechanisms, with channel
//!   binding (RFC 9266).
//! * `serde`: `Serialize` and `Deserialize` for replies, outcomes, reports, reasons and capabilities, in the
//!   forms that [`smtp_proto`] says.
//! * `testing`: a mail server for tests, which records and misbehaves as it is told:
//!   [`smtp_proto::testing`](smtp_proto::guide).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

pub use smtp_proto;
#[cfg(feature = "testing")]
pub use smtp_proto::testing;

pub mod client;
pub mod server;
mod socket;
pub mod tls;
mod transport;
mod wire;

pub use client::{Body, Client, Sender};
pub use server::Server;
pub use smtp_proto::{
    client::{Envelope, Outcome, Pipelining},
    delivery::{Error, Report, Retry},
    machine::TlsInfo,
};
pub use socket::Socket;
pub use transport::Transport;
