use std::{
    io::{self, Read, Write},
    time::Duration,
};

use native_tls::{HandshakeError, TlsStream};
use smtp_proto_blocking::{
    TlsInfo, Transport,
    tls::{Handshake, Link, Secured},
};

use crate::{Acceptor, Connector, info};

impl Handshake for Connector {
    fn handshake(&self, link: Link) -> io::Result<Secured> {
        let stream = self.library.connect(&self.name, link).map_err(failed)?;
        let info = info(stream.peer_certificate(), self.verification);
        Ok((Box::new(Session(stream)), info))
    }
}

impl Handshake for Acceptor {
    fn handshake(&self, link: Link) -> io::Result<Secured> {
        let stream = self.0.accept(link).map_err(failed)?;
        Ok((Box::new(Session(stream)), TlsInfo::default()))
    }
}

fn failed(error: HandshakeError<Link>) -> io::Error {
    match error {
        HandshakeError::Failure(error) => io::Error::other(error),
        // The link's time was up.
        HandshakeError::WouldBlock(_) => io::ErrorKind::WouldBlock.into(),
    }
}

struct Session(TlsStream<Link>);

impl Read for Session {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Transport for Session {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.0.get_mut().set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.0.get_mut().set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown()?;
        self.0.get_mut().shutdown_write()
    }
}
