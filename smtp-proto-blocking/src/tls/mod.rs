//! TLS by rustls: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due; the connection goes over to TLS then.
//!
//! A client has one connection, with the TLS and the trust that it was made with. Who keeps clients
//! for later messages must not take one in clear for a message that needs TLS, nor one that trusts
//! others (TLS-11).

mod session;

pub use smtp_proto_rustls::{Pin, TlsAcceptor, TlsConnector, crypto_provider, rustls};

pub(crate) use self::session::Session;
