//! A transport, in clear or under TLS.

use std::{
    fmt,
    io::{self, IoSlice, Read, Write},
    time::Duration,
};

use crate::{TlsInfo, Transport, tls::Session};

/// Carries bytes over a transport: in clear, or through TLS from its handshake on.
///
/// A write under TLS may leave some of what it took for the next write or flush, and a read never
/// writes: flush before you wait. A read that brought only a part of something fails as
/// [`Interrupted`](io::ErrorKind::Interrupted).
pub struct Stream<T> {
    transport: T,
    session: Option<Session>,
}

impl<T> Stream<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self {
            transport,
            session: None,
        }
    }

    /// Returns the transport. What is read from it or written to it under TLS breaks the session.
    pub fn get_ref(&self) -> &T {
        &self.transport
    }

    /// Returns the transport itself, which is of no more use if TLS was begun.
    pub fn into_inner(self) -> T {
        self.transport
    }

    /// Returns what the TLS handshake came to; `None` in clear, and before it is complete.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.session.as_ref()?.info()
    }

    /// Tells whether TLS was begun.
    pub(crate) fn has_begun_tls(&self) -> bool {
        self.session.is_some()
    }

    pub(crate) fn start_tls(&mut self, session: Session) {
        self.session = Some(session);
    }
}

impl<T: Transport> Stream<T> {
    /// Goes on with the handshake that was begun, and tells whether it is complete.
    pub(crate) fn handshake(&mut self) -> io::Result<bool> {
        match &mut self.session {
            Some(session) => session.handshake(&mut self.transport),
            None => Ok(false),
        }
    }

    /// Tells the peer that nothing more comes, where there is TLS to say so.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        match &mut self.session {
            Some(session) => session.close(&mut self.transport),
            None => Ok(()),
        }
    }
}

impl<T: Transport> Read for Stream<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => session.read(&mut self.transport, buffer),
            None => self.transport.read(buffer),
        }
    }
}

impl<T: Transport> Write for Stream<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => session.write(&mut self.transport, &[IoSlice::new(bytes)]),
            None => self.transport.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => session.write(&mut self.transport, slices),
            None => self.transport.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.session {
            Some(session) => session.flush(&mut self.transport),
            None => self.transport.flush(),
        }
    }
}

impl<T: Transport> Transport for Stream<T> {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.transport.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.transport.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.close()?;
        self.transport.shutdown_write()
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => session.read(&mut Arrived(&mut self.transport), buffer),
            None => self.transport.read_arrived(buffer),
        }
    }
}

/// Has a TLS session read what has arrived, and wait for nothing.
struct Arrived<'t, T>(&'t mut T);

impl<T: Transport> Read for Arrived<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_arrived(buffer)
    }
}

impl<T: Transport> Write for Arrived<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Shows nothing of a TLS session, which holds keys.
impl<T: fmt::Debug> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("transport", &self.transport)
            .field("encrypted", &self.session.is_some())
            .finish()
    }
}
