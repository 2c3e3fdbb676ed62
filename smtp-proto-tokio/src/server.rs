//! The server: connections are accepted, and a [`Handler`] decides about what comes.
//!
//! # A public server
//!
//! A server that anybody can reach sets [limits](Server::max_connections), in all and for each client;
//! further clients are told 421, and try again. What one connection may take is the configuration's:
//! errors, idle commands, time, size, messages, duration. [`Shutdown`] ends servers so that no message
//! is lost: on a first signal [`begin`](Shutdown::begin) it, on a second one
//! [`abort`](Shutdown::abort). Behind a proxy, clients share its address: let the proxy say whom it
//! speaks for (XCLIENT), and count there.
//!
//! One handler serves several ports, each with its own configuration and one [`Shutdown`] for all:
//! give each [`Server`] an `Arc` of it.

mod calls;
mod connection;
#[cfg(feature = "auth")]
mod exchange;
mod handler;
mod intake;
mod listener;
mod options;
mod shutdown;
mod sink;
mod task;
mod turned_away;

#[cfg(unix)]
use std::path::Path;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{Either, select};
use smtp_proto::reception::Admission;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, ToSocketAddrs},
    task::JoinSet,
    time::sleep,
};

use self::{
    listener::{Accepted, Listener},
    task::guarded,
    turned_away::turn_away,
};

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
    connection::Connection,
    handler::Handler,
    options::Options,
    shutdown::Shutdown,
    sink::{InMemory, Sink},
};
pub use smtp_proto::{
    machine::TraceEntry,
    reception::{
        Accept, ClientAttributes, Deliveries, Envelope, Notice, Recipient, Refusal, Sender,
        Session, State, Tally, Transaction, Verdict, accept,
    },
    refuse,
    server::{Config, Reason, TransactionId},
    syntax::{Host, Reply},
};
#[cfg(feature = "auth")]
pub use smtp_proto::{
    reception::Identity,
    sasl::{Credential, Step, invalid_credentials},
};

/// How many connections a server has at once, unless told otherwise.
pub const MAX_CONNECTIONS: usize = 1000;
/// How many of them may be one client's (Postfix's `smtpd_client_connection_count_limit`).
pub const MAX_CONNECTIONS_PER_PEER: usize = 50;
/// How long a server waits when it could not accept a connection, for lack of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections may take to notice that all is over.
const LAST_MOMENT: Duration = Duration::from_millis(600);

/// Accepts connections and serves each of them.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    options: Options,
    max_connections: usize,
    max_connections_per_peer: usize,
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
            max_connections_per_peer: MAX_CONNECTIONS_PER_PEER,
        }
    }

    /// Sets how many connections there may be at once, at least 1; [`MAX_CONNECTIONS`] unless set.
    /// Further ones are told 421.
    #[must_use]
    pub fn max_connections(mut self, max_connections: usize) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// Sets how many of them may come from one address, or from one network of IPv6 (64 bits), at
    /// least 1; [`MAX_CONNECTIONS_PER_PEER`] unless set. Further ones are told 421.
    #[must_use]
    pub fn max_connections_per_peer(mut self, max_connections: usize) -> Self {
        self.max_connections_per_peer = max_connections;
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
    pub async fn serve<S: State, H: Handler<S>>(self, handler: H) {
        self.serve_until(handler, Shutdown::new()).await;
    }

    /// Serves until [`Shutdown`] says otherwise, and then as long as connections need to come to
    /// their ends, within the grace that it gives. Dropping the future ends it at once.
    pub async fn serve_until<S: State, H: Handler<S>>(self, handler: H, shutdown: Shutdown) {
        let Self {
            listener,
            options,
            max_connections,
            max_connections_per_peer,
        } = self;
        let handler = Arc::new(handler);
        let mut room = Room {
            admission: Arc::new(Mutex::new(Admission::new(
                max_connections,
                max_connections_per_peer,
            ))),
            connections: JoinSet::new(),
            shutdown: shutdown.clone(),
        };
        let mut begun = Box::pin(shutdown.clone().begun());
        loop {
            let accepted = match select(&mut begun, pin!(listener.accept())).await {
                Either::Left(_) => break,
                Either::Right((accepted, _)) => accepted,
            };
            while room.connections.try_join_next().is_some() {}
            match accepted {
                Ok(Accepted::Tcp(stream, peer)) => {
                    let local = stream.local_addr().ok();
                    let options = options.clone().addresses(peer, local);
                    match room.enter(&options) {
                        Some(place) => room.serve(place, stream, options, &handler),
                        None => turn_away(options, &*handler, |bytes| stream.try_write(bytes)),
                    }
                }
                #[cfg(unix)]
                Ok(Accepted::Unix(stream)) => {
                    let options = options.clone();
                    match room.enter(&options) {
                        Some(place) => room.serve(place, stream, options, &handler),
                        None => turn_away(options, &*handler, |bytes| stream.try_write(bytes)),
                    }
                }
                Err(error) => {
                    guarded(|| handler.accept_failed(&error));
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Nobody is to connect to whom nobody will speak.
        drop(listener);
        let over = shutdown.over();
        let all = async { while room.connections.join_next().await.is_some() {} };
        let last_moment = async {
            over.await;
            sleep(LAST_MOMENT).await;
        };
        select(pin!(all), pin!(last_moment)).await;
    }
}

/// Where the connections of one server are.
struct Room {
    admission: Arc<Mutex<Admission>>,
    connections: JoinSet<()>,
    shutdown: Shutdown,
}

/// A connection's place.
struct Place {
    admission: Arc<Mutex<Admission>>,
    peer: Option<IpAddr>,
}

impl Room {
    /// Returns a place, if there is one.
    fn enter(&self, options: &Options) -> Option<Place> {
        let peer = options.peer.map(|peer| peer.ip());
        lock(&self.admission).enter(peer).ok()?;
        Some(Place {
            admission: Arc::clone(&self.admission),
            peer,
        })
    }

    fn serve<T, S, H>(&mut self, place: Place, stream: T, options: Options, handler: &Arc<H>)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        S: State,
        H: Handler<S>,
    {
        let shutdown = Some(self.shutdown.clone());
        let connection = Connection::new(stream, options, Arc::clone(handler), shutdown);
        self.connections.spawn(async move {
            // The handler hears of errors.
            let _ = connection.await;
            drop(place);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.admission).leave(self.peer);
    }
}

fn lock(admission: &Mutex<Admission>) -> MutexGuard<'_, Admission> {
    admission.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one client over any stream to the end of its session.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection<T, S, H>(
    stream: T,
    options: impl Into<Options>,
    handler: H,
) -> Connection<T, S, H>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: State,
    H: Handler<S>,
{
    Connection::new(stream, options.into(), Arc::new(handler), None)
}

/// Serves one client as [`serve_connection`] does, until [`Shutdown`] begins: then the transaction
/// that is under way may come to its end, within the grace, and the client is told 421.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection_until<T, S, H>(
    stream: T,
    options: impl Into<Options>,
    handler: H,
    shutdown: Shutdown,
) -> Connection<T, S, H>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: State,
    H: Handler<S>,
{
    Connection::new(stream, options.into(), Arc::new(handler), Some(shutdown))
}
