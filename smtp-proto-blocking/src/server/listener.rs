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

use super::options::Options;
use crate::Socket;

/// How long it may take to reach a listener that waits.
const PATIENCE: Duration = Duration::from_millis(100);

/// Accepts connections, over TCP or through a Unix socket. It blocks.
///
/// One that the process was started with (socket activation) serves as any other.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Through a Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

/// Where a listener that waits can be reached.
#[derive(Debug)]
pub(super) enum Wake {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(Option<PathBuf>),
}

impl Listener {
    /// Accepts a connection, and says between which addresses it is.
    pub(super) fn accept(&self, options: &Options) -> io::Result<(Socket, Options)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // The machine decides what leaves together. Where it fails, as some systems do once
                // the client has reset, the connection tells.
                let _ = stream.set_nodelay(true);
                let options = options.clone().addresses(peer, stream.local_addr().ok());
                Ok((Socket::Tcp(stream), options))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                Ok((Socket::Unix(stream), options.clone()))
            }
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

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
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
