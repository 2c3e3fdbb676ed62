//! From an address to a connection.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::Socket;

/// Connects to an address: over TCP, unless told otherwise.
#[derive(Clone, Default)]
pub(super) struct Dial(Option<Own>);

type Own = Arc<dyn Fn(SocketAddr) -> Dialling + Send + Sync>;
type Dialling = Pin<Box<dyn Future<Output = io::Result<Socket>> + Send>>;

impl Dial {
    pub(super) fn with<T, F>(dial: impl Fn(SocketAddr) -> F + Send + Sync + 'static) -> Self
    where
        T: Into<Socket>,
        F: Future<Output = io::Result<T>> + Send + 'static,
    {
        Self(Some(Arc::new(move |address| {
            let dialling = dial(address);
            Box::pin(async move { dialling.await.map(Into::into) })
        })))
    }

    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        local: Option<IpAddr>,
        limit: Duration,
    ) -> io::Result<Socket> {
        let connected = match &self.0 {
            Some(dial) => timeout(limit, dial(address)).await,
            None => timeout(limit, connect_from(local, address)).await,
        };
        connected.unwrap_or_else(|late| Err(late.into()))
    }
}

async fn connect_from(local: Option<IpAddr>, address: SocketAddr) -> io::Result<Socket> {
    let stream = match local {
        None => TcpStream::connect(address).await?,
        Some(local) => {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.bind(SocketAddr::new(local, 0))?;
            socket.connect(address).await?
        }
    };
    // A flight is written as a whole: nothing is to be waited for. It is of no account where a system
    // cannot.
    let _ = stream.set_nodelay(true);
    Ok(Socket::Tcp(stream))
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
