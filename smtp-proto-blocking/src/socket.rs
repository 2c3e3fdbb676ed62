//! The sockets that clients and servers meet at.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, IoSlice, Read, Write},
    net::{IpAddr, TcpStream},
    time::Duration,
};

use crate::Transport;

/// A connection over TCP, or through a Unix socket.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Through a Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// Returns the address of this end, where it has one.
    pub fn local_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok().map(|address| address.ip()),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

#[cfg(unix)]
impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

/// Does the same with whichever it is.
macro_rules! with {
    ($socket:expr, $stream:ident => $done:expr) => {
        match $socket {
            Socket::Tcp($stream) => $done,
            #[cfg(unix)]
            Socket::Unix($stream) => $done,
        }
    };
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        with!(self, stream => stream.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        with!(self, stream => stream.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        with!(self, stream => stream.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        with!(self, stream => stream.flush())
    }
}

impl Transport for Socket {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        with!(self, stream => Transport::set_read_timeout(stream, timeout))
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        with!(self, stream => Transport::set_write_timeout(stream, timeout))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        with!(self, stream => Transport::shutdown_write(stream))
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        with!(self, stream => Transport::read_arrived(stream, buffer))
    }
}
