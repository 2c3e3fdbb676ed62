//! TLS by rustls: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due; the connection goes over to TLS then.
//!
//! A client has one connection, with the TLS and the trust that it was made with. Who keeps clients
//! for later messages must not take one in clear for a message that needs TLS, nor one that trusts
//! others (TLS-11).

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{FallibleAccept, FallibleConnect};

pub use smtp_proto_rustls::{Pin, TlsAcceptor, TlsConnector, crypto_provider, rustls};

/// Begins a handshake with a server.
pub(crate) fn connect<S>(connector: &TlsConnector, stream: S) -> FallibleConnect<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio_rustls::TlsConnector::from(Arc::clone(connector.config()))
        .connect(connector.server_name().clone(), stream)
        .into_fallible()
}

/// Begins a handshake with a client.
pub(crate) fn accept<S>(acceptor: &TlsAcceptor, stream: S) -> FallibleAccept<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio_rustls::TlsAcceptor::from(Arc::clone(acceptor.config()))
        .accept(stream)
        .into_fallible()
}
