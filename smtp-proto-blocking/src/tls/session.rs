//! A TLS session between a transport and those who use it.

use std::{
    io::{self, IoSlice, Read, Write},
    sync::Arc,
};

use smtp_proto_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{self, ClientConnection, Connection, ServerConnection},
};

use crate::TlsInfo;

/// One TLS session, from its handshake on.
///
/// No call reads or writes more than once, so that none takes longer than the transport's time, and
/// none lets a direction wait for the other.
pub(crate) struct Session {
    connection: Box<Connection>,
    beginner: Beginner,
}

/// Who has begun it, and knows what it is worth.
enum Beginner {
    Connector(TlsConnector),
    Acceptor(TlsAcceptor),
}

impl Session {
    /// Begins a session with a server.
    pub(crate) fn connect(connector: &TlsConnector) -> io::Result<Self> {
        let (config, name) = (connector.config(), connector.server_name());
        let connection = ClientConnection::new(Arc::clone(config), name.clone());
        let beginner = Beginner::Connector(connector.clone());
        Self::new(connection.map(Connection::from), beginner)
    }

    /// Begins a session with a client.
    pub(crate) fn accept(acceptor: &TlsAcceptor) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(acceptor.config()));
        let beginner = Beginner::Acceptor(acceptor.clone());
        Self::new(connection.map(Connection::from), beginner)
    }

    fn new(connection: Result<Connection, rustls::Error>, beginner: Beginner) -> io::Result<Self> {
        match connection {
            Ok(connection) => Ok(Self {
                connection: Box::new(connection),
                beginner,
            }),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Goes on with the handshake, and tells whether it is complete.
    pub(crate) fn handshake(&mut self, transport: &mut (impl Read + Write)) -> io::Result<bool> {
        self.write_pending(transport)?;
        if self.connection.is_handshaking() {
            if self.connection.read_tls(transport)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.process(transport)?;
            self.write_pending(transport)?;
        }
        Ok(!self.connection.is_handshaking())
    }

    pub(crate) fn read(
        &mut self,
        transport: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        match self.connection.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // 0 is the peer's close_notify; without it the end is an error (TLS-13).
            result => return result,
        }
        self.connection.read_tls(transport)?;
        self.process(transport)?;
        self.connection.reader().read(buffer).map_err(|error| {
            match error.kind() {
                // What came is not a whole record, or is not for those above.
                io::ErrorKind::WouldBlock => io::ErrorKind::Interrupted.into(),
                _ => error,
            }
        })
    }

    pub(crate) fn write(
        &mut self,
        transport: &mut impl Write,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.write_pending(transport)?;
        let taken = self.connection.writer().write_vectored(slices)?;
        // The bytes are taken, whatever becomes of them: the next call tells.
        let _ = self.write_pending(transport);
        Ok(taken)
    }

    pub(crate) fn flush(&mut self, transport: &mut impl Write) -> io::Result<()> {
        self.write_pending(transport)?;
        transport.flush()
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn close(&mut self, transport: &mut impl Write) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush(transport)
    }

    /// Returns what the handshake came to, once it is complete.
    pub(crate) fn info(&self) -> Option<TlsInfo> {
        if self.connection.is_handshaking() {
            return None;
        }
        match (&*self.connection, &self.beginner) {
            (Connection::Client(connection), Beginner::Connector(connector)) => {
                Some(connector.info(connection))
            }
            (Connection::Server(connection), Beginner::Acceptor(acceptor)) => {
                Some(acceptor.info(connection))
            }
            _ => None,
        }
    }

    /// Deciphers what was read. Tells the peer if it makes no sense.
    fn process(&mut self, transport: &mut impl Write) -> io::Result<()> {
        match self.connection.process_new_packets() {
            Ok(_) => Ok(()),
            Err(error) => {
                let _ = self.write_pending(transport);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// Writes what is enciphered: all of it, or it fails.
    fn write_pending(&mut self, transport: &mut impl Write) -> io::Result<()> {
        if self.connection.wants_write() && self.connection.write_tls(transport)? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        match self.connection.wants_write() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }
}
