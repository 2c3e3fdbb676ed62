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
pub(crate) struct Session(Box<Connection>);

impl Session {
    /// Begins a session with a server.
    pub(crate) fn connect(connector: &TlsConnector) -> io::Result<Self> {
        let (config, name) = (connector.config(), connector.server_name());
        let connection = ClientConnection::new(Arc::clone(config), name.clone());
        Self::new(connection.map(Connection::from))
    }

    /// Begins a session with a client.
    pub(crate) fn accept(acceptor: &TlsAcceptor) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(acceptor.config()));
        Self::new(connection.map(Connection::from))
    }

    fn new(connection: Result<Connection, rustls::Error>) -> io::Result<Self> {
        match connection {
            Ok(connection) => Ok(Self(Box::new(connection))),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Goes on with the handshake, and tells whether it is complete.
    pub(crate) fn handshake(&mut self, transport: &mut (impl Read + Write)) -> io::Result<bool> {
        self.write_pending(transport)?;
        if self.0.is_handshaking() {
            if self.0.read_tls(transport)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.process(transport)?;
            self.write_pending(transport)?;
        }
        Ok(!self.0.is_handshaking())
    }

    pub(crate) fn read(
        &mut self,
        transport: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        match self.0.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // 0 is the peer's close_notify; without it the end is an error (TLS-13).
            result => return result,
        }
        self.0.read_tls(transport)?;
        self.process(transport)?;
        self.0.reader().read(buffer).map_err(|error| {
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
        let taken = self.0.writer().write_vectored(slices)?;
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
        self.0.send_close_notify();
        self.flush(transport)
    }

    /// Returns what the handshake came to, once it is complete.
    pub(crate) fn info(&self) -> Option<TlsInfo> {
        if self.0.is_handshaking() {
            return None;
        }
        let server_name = match &*self.0 {
            Connection::Server(connection) => connection.server_name(),
            Connection::Client(_) => None,
        };
        Some(smtp_proto_rustls::tls_info(&self.0, server_name))
    }

    /// Deciphers what was read. Tells the peer if it makes no sense.
    fn process(&mut self, transport: &mut impl Write) -> io::Result<()> {
        match self.0.process_new_packets() {
            Ok(_) => Ok(()),
            Err(error) => {
                let _ = self.write_pending(transport);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// Writes what is enciphered: all of it, or it fails.
    fn write_pending(&mut self, transport: &mut impl Write) -> io::Result<()> {
        if self.0.wants_write() && self.0.write_tls(transport)? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        match self.0.wants_write() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }
}
