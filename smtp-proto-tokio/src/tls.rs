//! TLS by rustls: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due; the connection goes over to TLS then.
//!
//! A client has one connection, with the TLS and the trust that it was made with. Who keeps clients
//! for later messages must not take one in clear for a message that needs TLS, nor one that trusts
//! others (TLS-11).

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{FallibleAccept, FallibleConnect, TlsStream};

pub use smtp_proto_rustls::{Pin, TlsAcceptor, TlsConnector, crypto_provider, rustls};

use crate::TlsInfo;

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

/// Returns what a handshake came to.
pub(crate) fn info<S>(stream: &TlsStream<S>) -> TlsInfo {
    let server_name = match stream {
        TlsStream::Server(stream) => stream.get_ref().1.server_name(),
        TlsStream::Client(_) => None,
    };
    smtp_proto_rustls::tls_info(stream.get_ref().1, server_name)
}
