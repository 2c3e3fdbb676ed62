//! TLS by rustls for [`smtp_proto`]'s adapters: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due, and an adapter does it: each binds what is here to its
//! kind of stream, and has it in its module `tls`. Who writes an adapter does as they do:
//!
//! ```
//! use smtp_proto_rustls::{TlsConnector, rustls::ClientConnection};
//!
//! # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
//! let connector = TlsConnector::with_any_certificate("mx.example.net")?;
//! let config = connector.config().clone();
//! let session = ClientConnection::new(config, connector.server_name().clone())?;
//! // ... and when the handshake is complete:
//! let info = connector.info(&session); // for `tls_established`
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! * `ring` (default), `aws-lc-rs`: the library of cryptography, unless the process has installed
//!   one as rustls' default. If both are on, it is `aws-lc-rs`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod acceptor;
mod connector;
mod dane;
mod info;
mod pem;
mod provider;
mod reason;
mod trust;

pub use self::{
    acceptor::TlsAcceptor, connector::TlsConnector, dane::TlsaRecord, provider::crypto_provider,
    reason::explained, trust::Pin,
};
pub use rustls;
