//! How a listener that waits is reached.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};
#[cfg(unix)]
use std::{os::unix::net::UnixStream, path::PathBuf};

use super::Listener;

/// How long it may take to reach a listener that waits.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where a listener that waits can be reached.
#[derive(Debug)]
pub(super) enum Wake {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(Option<PathBuf>),
}

impl Wake {
    /// Returns where a listener can be reached.
    pub(super) fn of(listener: &Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(listener) => {
                let mut address = listener.local_addr()?;
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                    });
                }
                Ok(Self::Tcp(address))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => {
                let path = listener.local_addr()?.as_pathname().map(PathBuf::from);
                Ok(Self::Unix(path))
            }
        }
    }

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
