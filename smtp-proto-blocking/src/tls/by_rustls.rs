//! Handshakes by rustls.

use std::{
    io::{self, IoSlice, Read, Write},
    sync::Arc,
    time::Duration,
};

use smtp_proto_rustls::{
    TlsAcceptor, TlsConnector, explained,
    rustls::{self, ClientConnection, Connection, ServerConnection},
};

use super::{Handshake, Link, Secured};
use crate::Transport;

impl Handshake for TlsConnector {
    fn handshake(&self, mut link: Link) -> io::Result<Secured> {
        let (config, name) = (self.config(), self.server_name());
        let connection = ClientConnection::new(Arc::clone(config), name.clone());
        let mut connection = connection.map_err(invalid)?;
        connection.complete_io(&mut link).map_err(explained)?;
        let info = self.info(&connection);
        Ok((TlsStream::over(link, connection.into()), info))
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Handshake for TlsAcceptor {
    fn handshake(&self, mut link: Link) -> io::Result<Secured> {
        let connection = ServerConnection::new(Arc::clone(self.config()));
        let mut connection = connection.map_err(invalid)?;
        connection.complete_io(&mut link)?;
        let info = self.info(&connection);
        Ok((TlsStream::over(link, connection.into()), info))
    }
}

/// A session of rustls, over its link.
///
/// Unlike rustls' own, it has no direction wait for the other: a read never writes, and no call reads
/// or writes more than once.
struct TlsStream {
    link: Link,
    connection: Connection,
}

impl TlsStream {
    fn over(link: Link, connection: Connection) -> Box<Self> {
        Box::new(Self { link, connection })
    }

    /// Reads what is there to decipher by `read`.
    fn read_by(&mut self, read: ReadLink, buffer: &mut [u8]) -> io::Result<usize> {
        match self.connection.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // 0 is the peer's close_notify; without it the end is an error (TLS-13).
            result => return result,
        }
        self.connection.read_tls(&mut By(read, &mut self.link))?;
        if let Err(error) = self.connection.process_new_packets() {
            // The peer is told that it makes no sense.
            let _ = self.write_pending();
            return Err(invalid(error));
        }
        self.connection.reader().read(buffer).map_err(|error| {
            match error.kind() {
                // What came is not a whole record, or is not for those above.
                io::ErrorKind::WouldBlock => io::ErrorKind::Interrupted.into(),
                _ => error,
            }
        })
    }

    /// Writes what is enciphered: all of it, or it fails.
    fn write_pending(&mut self) -> io::Result<()> {
        if self.connection.wants_write() && self.connection.write_tls(&mut self.link)? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        match self.connection.wants_write() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_by(Link::read, buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_pending()?;
        let taken = self.connection.writer().write_vectored(slices)?;
        // The bytes are taken, whatever becomes of them: the next call tells.
        let _ = self.write_pending();
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_pending()?;
        self.link.flush()
    }
}

impl Transport for TlsStream {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.link.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.link.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush()?;
        self.link.shutdown_write()
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_by(Link::read_arrived, buffer)
    }
}

/// A way to read a link.
type ReadLink = fn(&mut Link, &mut [u8]) -> io::Result<usize>;

/// Reads a link in such a way.
struct By<'l>(ReadLink, &'l mut Link);

impl Read for By<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0(self.1, buffer)
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
