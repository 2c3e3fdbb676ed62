//! TLS by rustls for [`smtp_proto`]'s adapters: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due, and an adapter does it: each binds what is here to its
//! kind of stream, and has it in its module `tls`. Who writes an adapter does as they do:
//!
//! ```
//! use smtp_proto_rustls::{TlsConnector, rustls::ClientConnection, tls_info};
//!
//! # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
//! let connector = TlsConnector::with_any_certificate("mx.example.net")?;
//! let config = connector.config().clone();
//! let session = ClientConnection::new(config, connector.server_name().clone())?;
//! // ... and when the handshake is complete:
//! let info = tls_info(&session, None);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! * `ring` (default), `aws-lc-rs`: the library of cryptography, unless the process has installed
//!   one as rustls' default. If both are on, it is `aws-lc-rs`.

mod acceptor;
mod connector;
mod pem;
mod provider;
mod trust;

use rustls::CommonState;
use smtp_proto::machine::TlsInfo;

pub use self::{
    acceptor::TlsAcceptor, connector::TlsConnector, provider::crypto_provider, trust::Pin,
};
pub use rustls;

/// Returns what a handshake came to, once it is complete.
///
/// `server_name` is how the client called the server: rustls'
/// [`server_name`](rustls::ServerConnection::server_name), as only a server's connection has it.
pub fn tls_info(connection: &CommonState, server_name: Option<&str>) -> TlsInfo {
    let suite = connection.negotiated_cipher_suite();
    let certificates = connection.peer_certificates().unwrap_or_default();
    let mut info = TlsInfo::default();
    info.version = connection.protocol_version().map_or(0, u16::from);
    info.cipher_suite = suite.map_or(0, |suite| suite.suite().into());
    info.server_name = server_name.map(String::from);
    info.peer_certificates = certificates.iter().map(|it| it.to_vec()).collect();
    info
}
