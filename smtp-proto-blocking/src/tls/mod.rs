//! TLS by rustls: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due; the connection goes over to TLS then.

mod session;

pub use smtp_proto_rustls::{Pin, TlsAcceptor, TlsConnector, crypto_provider, rustls};

pub(crate) use self::session::Session;
