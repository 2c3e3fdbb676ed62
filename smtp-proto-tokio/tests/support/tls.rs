//! What the tests of TLS share, beside the certificates.

use std::{io, sync::Arc};

use smtp_proto::{
    client::{self, Pipelining},
    machine::Fault,
    server,
};
use smtp_proto_test_support::{Pki, SERVER};
use smtp_proto_tokio::{
    Error,
    server::{Options, serve_connection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use super::{Shared, Store, client_config, server_config};

pub(crate) fn look_ahead(tls: client::Tls) -> client::Config {
    client_config(Pipelining::LookAhead).tls(tls)
}

/// Serves one connection of memory.
pub(crate) fn serve(
    store: &Arc<Store>,
    buffer: usize,
    options: Options,
) -> (DuplexStream, JoinHandle<Result<(), Error>>) {
    let (near, far) = tokio::io::duplex(buffer);
    let handler = Arc::new(Shared(Arc::clone(store)));
    let task = tokio::spawn(serve_connection(far, options, handler));
    (near, task)
}

/// Connects two ends over the loopback interface, the client's first.
pub(crate) async fn loopback() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(near, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Serves one connection over the loopback interface.
pub(crate) async fn serve_loopback(
    store: &Arc<Store>,
    options: Options,
) -> (TcpStream, JoinHandle<Result<(), Error>>) {
    let (near, far) = loopback().await;
    let handler = Arc::new(Shared(Arc::clone(store)));
    let task = tokio::spawn(serve_connection(far, options, handler));
    (near, task)
}

pub(crate) fn with_tls(pki: &Pki, tls: server::Tls) -> Options {
    Options::new(server_config().tls(tls)).tls(pki.acceptor())
}

pub(crate) fn fault(error: &Error) -> Fault {
    match error {
        Error::Session { error, .. } => error.fault(),
        error => panic!("{error:?}"),
    }
}

/// Does a client's handshake by rustls alone, and asks for these protocols.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    pki: &Pki,
    protocols: &[&str],
    stream: S,
) -> io::Result<TlsStream<S>> {
    let connector = TlsConnector::from(Arc::new(pki.client_config(protocols)));
    connector.connect(SERVER.try_into().unwrap(), stream).await
}

/// Returns what does a server's handshake by rustls alone.
pub(crate) fn acceptor(pki: &Pki) -> TlsAcceptor {
    Arc::new(pki.server_config()).into()
}
