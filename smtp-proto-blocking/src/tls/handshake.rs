//! What a library of TLS is to a connection.

use std::{
    io::{IoSlice, Read, Write},
    time::{Duration, Instant},
};

use crate::{TlsInfo, Transport, transport::is_passing};

/// How soon a handshake notices that it is of no use any more.
const WATCH: Duration = Duration::from_millis(256);
/// How long a call under TLS may at least take, which the transport's time may be too short for.
const MOMENT: Duration = Duration::from_millis(16);

/// The transport that leads through TLS, and what its handshake came to.
pub type Secured = (Box<dyn Transport + Send>, TlsInfo);

type Begun = io::Result<Secured>;

smtp_proto::tls! {
    /// Does a handshake, and returns the transport that leads through TLS with what it came to. The
    /// time that it may take is kept by the link.
    ///
    /// Credentials depend on [`TlsInfo::verification`], which must not say more than is true. The
    /// transport hands the times down to the link. Before it shuts that down, it tells the peer that
    /// nothing more comes (`close_notify`).
    ///
    /// # Errors
    ///
    /// Those of the link, as they are, and of the library. They end the session. One that has an
    /// [`UnverifiedReason`](smtp_proto::machine::UnverifiedReason) among its causes says that of the peer.
}

/// The bytes of a connection in both directions, as a handshake is done with them.
///
/// Calls that take too long fail as [`WouldBlock`](io::ErrorKind::WouldBlock).
pub struct Link {
    transport: Box<dyn Transport + Send>,
    read_timeout: Duration,
    write_timeout: Duration,
    /// When a call of the library's is over, though it took several of the transport's.
    until: Option<Instant>,
    /// A handshake is under way, and goes on until then as long as this allows.
    goes_on: Option<GoesOn>,
}

/// Tells whether a handshake is still of use.
type GoesOn = Box<dyn Fn() -> bool + Send>;

impl Link {
    pub(crate) fn new(
        mut transport: Box<dyn Transport + Send>,
        until: Option<Instant>,
        goes_on: GoesOn,
    ) -> io::Result<Self> {
        transport.set_read_timeout(WATCH)?;
        transport.set_write_timeout(WATCH)?;
        Ok(Self {
            transport,
            read_timeout: WATCH,
            write_timeout: WATCH,
            until,
            goes_on: Some(goes_on),
        })
    }

    fn in_time<R>(
        &mut self,
        mut call: impl FnMut(&mut dyn Transport) -> io::Result<R>,
    ) -> io::Result<R> {
        while self.until.is_none_or(|until| Instant::now() < until) {
            match call(&mut *self.transport) {
                Err(error) if is_passing(&error) => {}
                result => return result,
            }
            if !self.goes_on.as_ref().is_some_and(|goes_on| goes_on()) {
                break;
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Has the handshake behind it, and begins with a call that may take so long.
    fn begin(&mut self, timeout: Duration) {
        self.goes_on = None;
        self.until = Instant::now().checked_add(timeout.max(MOMENT));
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time(|transport| transport.read(buffer))
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.in_time(|transport| transport.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.in_time(|transport| transport.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.in_time(|transport| transport.flush())
    }
}

/// The times are those of each call on the TLS session above.
impl Transport for Link {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.begin(timeout);
        if std::mem::replace(&mut self.read_timeout, timeout) == timeout {
            return Ok(());
        }
        self.transport.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.begin(timeout);
        if std::mem::replace(&mut self.write_timeout, timeout) == timeout {
            return Ok(());
        }
        self.transport.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.transport.shutdown_write()
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_timeout = Duration::ZERO; // it may be another after this
        self.transport.read_arrived(buffer)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}
