//! [lettre](https://docs.rs/lettre)'s transports over [`smtp-engine`](smtp_proto): a program that was
//! written for lettre changes one line, and pipelines.
//!
//! ```no_run
//! # #[cfg(feature = "blocking")]
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use lettre::{Message, Transport}; // and no SmtpTransport
//! use smtp_proto_lettre::SmtpTransport;
//!
//! let email = Message::builder()
//!     .from("NoBody <nobody@domain.tld>".parse()?)
//!     .to("Hei <hei@domain.tld>".parse()?)
//!     .subject("Happy new year")
//!     .body(String::from("Be happy!"))?;
//! let mailer = SmtpTransport::from_url("smtps://username:password@smtp.example.com")?.build();
//! mailer.send(&email)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`SmtpTransport`] and [`AsyncSmtpTransport`] have lettre's names, and so have their methods, and those of
//! the [builder](TransportBuilder), the [response](Response) and the [error](Error). lettre waits for the
//! reply to each command, and asks by NOOP whether a connection that it has kept is still there: a message
//! to one recipient takes it five round trips, and one more for each other recipient. Here it takes two, and
//! three to dozens of recipients.
//!
//! # What is otherwise
//!
//! | | lettre | here |
//! |---|---|---|
//! | one recipient of several is refused | nobody gets the message | nobody gets it either, and [`remaining`](Error::remaining) makes the envelope to try again with |
//! | `smtp://host` | in clear | STARTTLS where it is offered; `?tls=none` is in clear |
//! | `smtp://user:password@host` | in clear | as with `?tls=required`: STARTTLS, and the certificate is checked |
//! | credentials, and TLS is not required | sent in clear | never sent, but to a verified server |
//! | mechanisms | PLAIN, LOGIN | SCRAM where it is offered; the first of [`authentication`](TransportBuilder::authentication), if set |
//! | roots of certificates, or TLS by another library | `Tls` | [`tls`](TransportBuilder::tls) takes the adapter's |
//! | timeouts | 60 seconds each | RFC 5321's, unless [set](TransportBuilder::timeout) |
//! | a connection that was lost before the message was | an error | the message is sent once more over another one |
//! | `PoolConfig` | 10 connections | 10 connections, or from a `Sender` of the adapter's with its own bounds |
//! | `shutdown` | later messages fail | takes leave; later messages connect again |
//!
//! Whatever else an adapter's client can be told, it is told first: both transports are made `From` the
//! adapter's `Sender`, too.
//!
//! # Features
//!
//! * `blocking` (default): [`SmtpTransport`], over `smtp-engine-blocking`.
//! * `tokio`: [`AsyncSmtpTransport`], over `smtp-engine-tokio`.
//! * `ring` (default), `aws-lc-rs`: the library of cryptography for TLS, unless the process has installed one
//!   as rustls' default.

#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

#[cfg(not(any(feature = "blocking", feature = "tokio")))]
compile_error!("it takes the feature `blocking` or `tokio`");

#[cfg(feature = "blocking")]
mod blocking;
mod builder;
mod envelope;
mod error;
mod response;
#[cfg(feature = "tokio")]
mod tokio;

pub use lettre;
#[cfg(feature = "blocking")]
pub use smtp_proto_blocking;
#[cfg(feature = "tokio")]
pub use smtp_proto_tokio;

#[cfg(feature = "blocking")]
pub use blocking::{SmtpTransport, SmtpTransportBuilder};
pub use builder::TransportBuilder;
pub use error::Error;
pub use response::Response;
#[cfg(feature = "tokio")]
pub use tokio::{AsyncSmtpTransport, AsyncSmtpTransportBuilder};
