//! Where connections come from.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::options::Options;
use crate::Socket;

/// Accepts connections, over TCP or through a Unix socket.
///
/// One that the process was started with (socket activation) is a standard one, which is made
/// [non-blocking](std::net::TcpListener::set_nonblocking) and becomes tokio's by
/// [`from_std`](TcpListener::from_std).
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Through a Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Accepts a connection, and says between which addresses it is.
    pub(super) async fn accept(&self, options: &Options) -> io::Result<(Socket, Options)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // The machine decides what leaves together. Where it fails, as some systems do once
                // the client has reset, the connection tells.
                let _ = stream.set_nodelay(true);
                let options = options.clone().addresses(peer, stream.local_addr().ok());
                Ok((Socket::Tcp(stream), options))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
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
