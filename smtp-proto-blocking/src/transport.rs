//! What the adapters need of a connection.

use std::{
    io::{self, Read as _},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// Carries bytes in both directions, and gives each direction up when its time is over.
///
/// A read or write that could not begin within its time fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut), after which
/// it is tried again. A write whose time runs out midway returns what it wrote. Transports over
/// others, as TLS is, need not keep the time themselves: they hand it down.
pub trait Transport: io::Read + io::Write {
    /// Sets how long a read may take from now on. Never zero.
    ///
    /// # Errors
    ///
    /// Those of the transport; the connection is then given up.
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// Sets how long a write may take from now on. Never zero.
    ///
    /// # Errors
    ///
    /// Those of the transport; the connection is then given up.
    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// Ends what this side writes; it goes on reading.
    ///
    /// # Errors
    ///
    /// Those of the transport; the connection is then given up.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Reads what has arrived, and waits for nothing: fails with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut) if there is
    /// nothing.
    ///
    /// Unless a transport knows better it waits for a millisecond. The read timeout is to be set again
    /// after it.
    ///
    /// # Errors
    ///
    /// Those of the transport; the connection is then given up.
    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.set_read_timeout(Duration::from_millis(1))?;
        self.read(buffer)
    }
}

macro_rules! sockets {
    ($($(#[$only:meta])* $socket:ty)*) => {$(
        $(#[$only])*
        impl Transport for $socket {
            fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
                Self::set_read_timeout(self, Some(timeout))
            }

            fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
                Self::set_write_timeout(self, Some(timeout))
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.set_nonblocking(true)?;
                let read = self.read(buffer);
                self.set_nonblocking(false).and(read)
            }
        }
    )*};
}

sockets! {
    TcpStream
    #[cfg(unix)]
    std::os::unix::net::UnixStream
}

/// Tells whether an error says only that it takes longer.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
