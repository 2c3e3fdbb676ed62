//! TLS by any library, and by rustls: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due; the connection goes over to TLS then, by the
//! [`Handshake`] that it was given. With the feature `rustls` that is a `TlsConnector` or a
//! `TlsAcceptor`.
//!
//! A client has one connection, with the TLS and the trust that it was made with. Who keeps clients
//! for later messages must not take one in clear for a message that needs TLS, nor one that trusts
//! others (TLS-11).

#[cfg(feature = "rustls")]
mod by_rustls;
mod handshake;

#[cfg(feature = "rustls")]
pub use smtp_proto_rustls::{Pin, TlsAcceptor, TlsConnector, TlsaRecord, crypto_provider, rustls};

pub use crate::socket::Duplex;

pub(crate) use self::handshake::Begun;
pub use self::handshake::{Handshake, Link, Secured, Tls};
