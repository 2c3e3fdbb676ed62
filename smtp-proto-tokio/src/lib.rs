//! SMTP and LMTP over tokio: the machines of [`smtp_proto`] with a loop, a clock and an ergonomic
//! face.
//!
//! Nothing about SMTP is decided here. What may be sent when, what a reply means and what is in
//! doubt when a connection dies is the machines' knowledge; see [`smtp_proto::client`].
//!
//! # A client
//!
//! ```no_run
//! use smtp_proto::client::{Config, Envelope};
//! use smtp_proto::syntax::{ForwardPath, Host, ReversePath};
//! use smtp_proto_tokio::Client;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new(Host::parse("client.example")?);
//! let mut client = Client::connect("mx.example.net:25", config).await?;
//! let envelope = Envelope::new(ReversePath::parse("<a@example.org>")?)
//!     .recipient(ForwardPath::parse("<b@example.net>")?);
//! let report = client.send(&envelope, "Subject: hello\r\n\r\nHello.\r\n").await?;
//! println!("{:?}", report.outcome);
//! client.quit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Many messages go fastest through [`Client::send_all`], which runs as far ahead as the
//! configured [`Pipelining`](smtp_proto::client::Pipelining) lets it.

pub mod client;
mod error;
pub mod server;
mod transport;

pub use smtp_proto;

pub use self::{
    client::{Body, Client},
    error::Error,
    server::Server,
};
