//! What the tests of TLS share, beside the certificates.

use std::{
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use smtp_proto::{
    client,
    machine::Fault,
    server::{Config, Tls},
};
use smtp_proto_blocking::{Error, Server, server::Options, tls::rustls};
use smtp_proto_test_support::{Pki, SERVER};

use super::{Store, run_with, server_config};

/// How a client and a server get into TLS.
pub const WAYS: [(client::Tls, Tls); 3] = [
    (client::Tls::Opportunistic, Tls::Offered),
    (client::Tls::Required, Tls::Required),
    (client::Tls::Implicit, Tls::Implicit),
];

/// Takes apart the error that a session has ended with.
pub fn session_error(error: Error) -> (Fault, String) {
    match error {
        Error::Session {
            error, transport, ..
        } => {
            let transport = transport.map(|transport| transport.to_string());
            (error.fault(), transport.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

/// Does a client's handshake by rustls alone.
pub fn handshake(
    pki: &Pki,
    stream: TcpStream,
) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let config = Arc::new(pki.client_config(&[]));
    let name = SERVER.try_into().unwrap();
    let connection = rustls::ClientConnection::new(config, name).unwrap();
    rustls::StreamOwned::new(connection, stream)
}

/// Runs a client against a server with TLS, and returns what the server's handler kept.
pub fn with_tls_server(pki: &Pki, tls: Tls, run: impl FnOnce(SocketAddr)) -> Arc<Store> {
    let store = Arc::new(Store::default());
    run_with(tls_server(pki, server_config().tls(tls)), &store, run);
    store
}

pub fn tls_server(pki: &Pki, config: Config) -> Server {
    let options = Options::new(config).tls(pki.acceptor());
    Server::bind("127.0.0.1:0", options).unwrap()
}
