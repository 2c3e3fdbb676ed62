//! From an address to a connection.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use crate::Socket;

/// Connects to an address: over TCP, unless told otherwise.
#[derive(Clone, Default)]
pub(super) struct Dial(Option<Own>);

type Own = Arc<dyn Fn(SocketAddr) -> io::Result<Socket> + Send + Sync>;

impl Dial {
    pub(super) fn with<T: Into<Socket>>(
        dial: impl Fn(SocketAddr) -> io::Result<T> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(move |address| dial(address).map(Into::into))))
    }

    pub(super) fn connect(
        &self,
        address: SocketAddr,
        local: Option<IpAddr>,
        timeout: Duration,
    ) -> io::Result<Socket> {
        if let Some(dial) = &self.0 {
            return dial(address);
        }
        let stream = match local {
            None => TcpStream::connect_timeout(&address, timeout)?,
            Some(local) => connect_from(local, address, timeout)?,
        };
        // A flight is written as a whole: nothing is to be waited for. It is of no account where a
        // system cannot.
        let _ = stream.set_nodelay(true);
        Ok(Socket::Tcp(stream))
    }
}

fn connect_from(local: IpAddr, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(local, 0).into())?;
    socket.connect_timeout(&address.into(), timeout)?;
    Ok(socket.into())
}

/// A way of one's own is the same only where it was cloned.
impl PartialEq for Dial {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Dial(own)",
            None => "Dial(TCP)",
        })
    }
}
