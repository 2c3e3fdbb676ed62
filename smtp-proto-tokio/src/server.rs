//! The server: connections are accepted, and a [`Handler`] decides about what comes.

mod answered;
#[cfg(feature = "auth")]
mod authentication;
mod connection;
mod deliveries;
mod dispatch;
mod envelope;
#[cfg(feature = "auth")]
mod exchange;
mod guard;
mod handler;
mod intake;
mod listener;
mod options;
mod sink;
mod transaction;
mod verdict;

use std::{
    future::{pending, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, ToSocketAddrs},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

#[cfg(unix)]
use {std::path::Path, tokio::net::UnixListener};

use self::{
    connection::Connection,
    listener::{Accepted, Listener},
};
use crate::Error;

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
    deliveries::Deliveries,
    envelope::{Envelope, Recipient, Sender},
    handler::Handler,
    options::Options,
    sink::Sink,
    verdict::Verdict,
};
#[cfg(feature = "auth")]
pub use smtp_proto::sasl::{Credential, Step, invalid_credentials};

/// How many connections a server has at once, unless told otherwise.
pub const MAX_CONNECTIONS: usize = 1000;
/// How long a server waits when it could not accept a connection, for lack of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and serves each of them.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    options: Options,
    max_connections: usize,
}

impl Server {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// Fails as [`TcpListener::bind`] does.
    pub async fn bind(
        address: impl ToSocketAddrs,
        options: impl Into<Options>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self::from_listener(listener, options))
    }

    /// Serves what a listener accepts.
    pub fn from_listener(listener: TcpListener, options: impl Into<Options>) -> Self {
        Self::new(Listener::Tcp(listener), options)
    }

    /// Listens at a Unix socket, as LMTP servers do. Connections have no peer's address then.
    ///
    /// # Errors
    ///
    /// Fails as [`UnixListener::bind`] does, so also if there is a file of that name.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, options: impl Into<Options>) -> io::Result<Self> {
        Ok(Self::new(
            Listener::Unix(UnixListener::bind(path)?),
            options,
        ))
    }

    fn new(listener: Listener, options: impl Into<Options>) -> Self {
        Self {
            listener,
            options: options.into(),
            max_connections: MAX_CONNECTIONS,
        }
    }

    /// Sets how many connections there may be at once, at least 1; [`MAX_CONNECTIONS`] unless set.
    /// Further ones wait in the system's queue.
    #[must_use]
    pub fn max_connections(mut self, max_connections: usize) -> Self {
        self.max_connections = max_connections.max(1);
        self
    }

    /// Returns the address that it listens at.
    ///
    /// # Errors
    ///
    /// Fails as [`TcpListener::local_addr`] does, and for Unix sockets.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever. Dropping the future ends all connections at once.
    pub async fn serve(self, handler: impl Handler) {
        self.serve_until(handler, pending()).await;
    }

    /// Serves until `shutdown` completes, and then as long as connections need to come to their
    /// ends.
    ///
    /// No connection is accepted any more then. Those that exist may finish the transaction that is
    /// under way, are told 421, and are closed. The configured timeouts bound how long that takes;
    /// dropping the future ends it at once.
    pub async fn serve_until(self, handler: impl Handler, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            options,
            max_connections,
        } = self;
        let handler = Arc::new(handler);
        let (stop, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = {
                let mut accept = pin!(accept(&listener, &mut connections, max_connections));
                poll_fn(|cx| match shutdown.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => accept.as_mut().poll(cx).map(Some),
                })
                .await
            };
            let accepted = match accepted {
                None => break,
                Some(Ok(accepted)) => accepted,
                Some(Err(_)) => {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (options, handler, stopped) = (options.clone(), handler.clone(), stopped.clone());
            match accepted {
                Accepted::Tcp(stream, peer) => connections.spawn(serve_accepted(
                    stream,
                    Some(peer),
                    options,
                    handler,
                    stopped,
                )),
                #[cfg(unix)]
                Accepted::Unix(stream) => {
                    connections.spawn(serve_accepted(stream, None, options, handler, stopped))
                }
            };
        }
        drop(listener);
        drop(stop);
        while connections.join_next().await.is_some() {}
    }
}

/// Accepts a connection once there is room for it.
async fn accept(
    listener: &Listener,
    connections: &mut JoinSet<()>,
    max_connections: usize,
) -> io::Result<Accepted> {
    if connections.len() >= max_connections {
        connections.join_next().await;
    }
    let accepted = listener.accept().await;
    while connections.try_join_next().is_some() {}
    accepted
}

async fn serve_accepted<S, H>(
    stream: S,
    peer: Option<SocketAddr>,
    options: Options,
    handler: Arc<H>,
    mut stopped: watch::Receiver<()>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let shutdown = async move {
        // Nothing is ever sent: it fails when the sender is dropped.
        let _ = stopped.changed().await;
    };
    // The handler has been told the result.
    let _ = serve_connection_until(stream, peer, options, handler, shutdown).await;
}

/// Serves one client over any stream to the end of its session.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub async fn serve_connection<S, H>(
    stream: S,
    peer: Option<SocketAddr>,
    options: impl Into<Options>,
    handler: Arc<H>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    serve_connection_until(stream, peer, options, handler, pending()).await
}

/// Serves one client as [`serve_connection`] does, until `shutdown` completes: then the transaction
/// that is under way may come to its end, and the client is told 421.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub async fn serve_connection_until<S, H>(
    stream: S,
    peer: Option<SocketAddr>,
    options: impl Into<Options>,
    handler: Arc<H>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let mut connection = Connection::new(stream, peer, options.into(), handler, shutdown);
    let result = poll_fn(|cx| connection.poll(cx)).await;
    connection.close(result.as_ref().copied()).await;
    result
}
