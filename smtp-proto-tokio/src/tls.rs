#![doc = smtp_proto::tls! { @about }]

#[cfg(feature = "rustls")]
mod by_rustls;
mod handshake;

#[cfg(feature = "rustls")]
pub use smtp_proto_rustls::{Pin, TlsAcceptor, TlsConnector, TlsaRecord, crypto_provider, rustls};

pub use crate::socket::Duplex;

pub(crate) use self::handshake::Begun;
pub use self::handshake::{Handshake, Link, Secured, Tls};
