//! The bytes of a connection, in clear or through TLS.

use std::{
    fmt,
    io::{self, IoSlice, Read, Write},
    time::{Duration, Instant},
};

use crate::{
    TlsInfo, Transport,
    tls::{Begin, GoesOn},
};

/// A transport that becomes one over TLS when its session comes to that.
///
/// A write under TLS may leave some of what it took for the next write or flush, and a read never
/// writes: flush before you wait. A read that brought only a part of something fails as
/// [`Interrupted`](io::ErrorKind::Interrupted).
pub struct Stream<T>(State<T>);

enum State<T> {
    Clear(T, Option<Begin<T>>),
    Encrypted(Box<dyn Transport + Send>, Box<TlsInfo>),
    Failed,
}

impl<T> Stream<T> {
    pub(crate) fn new(transport: T, tls: Option<Begin<T>>) -> Self {
        Self(State::Clear(transport, tls))
    }

    /// Returns the transport itself; `None` once TLS has begun, which owns it then.
    pub fn get_ref(&self) -> Option<&T> {
        match &self.0 {
            State::Clear(transport, _) => Some(transport),
            _ => None,
        }
    }

    /// Returns what the handshake came to; `None` in clear.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        match &self.0 {
            State::Encrypted(_, info) => Some((**info).clone()),
            _ => None,
        }
    }

    /// Does the handshake, until then and as long as that allows.
    pub(crate) fn handshake(&mut self, until: Option<Instant>, goes_on: GoesOn) -> io::Result<()> {
        // Nothing leaves in clear from here on.
        match std::mem::replace(&mut self.0, State::Failed) {
            State::Clear(transport, Some(begin)) => {
                let (transport, info) = begin(transport, until, goes_on)?;
                self.0 = State::Encrypted(transport, Box::new(info));
                Ok(())
            }
            _ => Err(unavailable()),
        }
    }
}

fn unavailable() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the configuration asks for TLS, and neither a TlsConnector nor a TlsAcceptor was given",
    )
}

impl<T: Transport> Stream<T> {
    /// Returns what carries the session now: nothing after a handshake that failed.
    fn carrier(&mut self) -> io::Result<&mut dyn Transport> {
        match &mut self.0 {
            State::Clear(transport, _) => Ok(transport),
            State::Encrypted(transport, _) => Ok(&mut **transport),
            State::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl<T: Transport> Read for Stream<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.carrier()?.read(buffer)
    }
}

impl<T: Transport> Write for Stream<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.carrier()?.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.carrier()?.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.carrier()?.flush()
    }
}

impl<T: Transport> Transport for Stream<T> {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.carrier()?.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.carrier()?.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.carrier()?.shutdown_write()
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.carrier()?.read_arrived(buffer)
    }
}

/// Shows nothing of a TLS session, which holds keys.
impl<T: fmt::Debug> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("transport", &self.get_ref())
            .field("encrypted", &self.tls_info().is_some())
            .finish()
    }
}
