//! Where connections come from.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};
#[cfg(unix)]
use std::{
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
};

/// How long it may take to reach a listener that waits.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection that was accepted.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Where a listener that waits can be reached.
#[derive(Debug)]
pub(super) enum Wake {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(Option<PathBuf>),
}

impl Listener {
    pub(super) fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // Replies are written a flight at a time: nothing is to be waited for. Where it
                // fails, as some systems do once the client has reset, the connection tells.
                let _ = stream.set_nodelay(true);
                Ok(Accepted::Tcp(stream, peer))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept()?.0)),
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            #[cfg(unix)]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn wake(&self) -> io::Result<Wake> {
        match self {
            Self::Tcp(listener) => {
                let mut address = listener.local_addr()?;
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                    });
                }
                Ok(Wake::Tcp(address))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let path = listener.local_addr()?.as_pathname().map(PathBuf::from);
                Ok(Wake::Unix(path))
            }
        }
    }
}

impl Wake {
    /// Has a listener that waits for a connection get one. If it cannot be reached, it wakes up at
    /// the next connection.
    pub(super) fn call(&self) {
        match self {
            Self::Tcp(address) => {
                let _ = TcpStream::connect_timeout(address, PATIENCE);
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let _ = path.as_ref().map(UnixStream::connect);
            }
        }
    }
}
