//! What carries a session: a socket, or any transport.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::Transport;

smtp_proto::socket! { Transport + Send }

impl Socket {
    fn transport(&mut self) -> &mut dyn Transport {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(unix)]
            Self::Unix(stream) => stream,
            Self::Other(transport) => &mut **transport,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.transport().read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.transport().write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.transport().write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transport().flush()
    }
}

impl Transport for Socket {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.transport().set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.transport().set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.transport().shutdown_write()
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.transport().read_arrived(buffer)
    }
}
