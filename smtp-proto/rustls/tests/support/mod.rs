//! Handshakes in memory.

use std::sync::Arc;

use smtp_proto::machine::TlsInfo;
use smtp_proto_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{ClientConnection, Connection, Error, ServerConnection},
};

/// Moves what one end has to say to the other.
fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut bytes = bytes.as_slice();
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// Does a handshake, and returns what it came to for the client and for the server.
pub(crate) fn handshake(
    connector: &TlsConnector,
    acceptor: &TlsAcceptor,
) -> Result<[TlsInfo; 2], Error> {
    let (config, name) = (connector.config(), connector.server_name());
    let client = ClientConnection::new(Arc::clone(config), name.clone()).unwrap();
    let server = ServerConnection::new(Arc::clone(acceptor.config())).unwrap();
    let (mut client, mut server) = (Connection::from(client), Connection::from(server));
    while client.is_handshaking() || server.is_handshaking() {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    // A session to be resumed may come after the handshake.
    carry(&mut server, &mut client)?;
    let (Connection::Client(client), Connection::Server(server)) = (&client, &server) else {
        unreachable!("as they were made");
    };
    Ok([connector.info(client), acceptor.info(server)])
}
