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
mod prepare;
mod room;
mod shutdown;
mod sink;
mod task;

#[cfg(unix)]
use std::path::Path;
use std::{fmt, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use smtp_proto::reception::{Admission, guarded};
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::{
    net::{TcpListener, ToSocketAddrs},
    time::sleep,
};

use self::room::{Preparation, Room};
use crate::{Socket, tls::Duplex};

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
    connection::Connection,
    handler::Handler,
    listener::Listener,
    options::Options,
    prepare::{Arrival, Prepare},
    shutdown::Shutdown,
    sink::{InMemory, Sink},
};
pub use smtp_proto::{
    machine::{TraceEntry, limits},
    reception::{
        Accept, ClientAttributes, Deliveries, Envelope, Notice, Recipient, Refusal, Sender,
        Session, State, Tally, Transaction, Verdict, accept, pass_on,
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

/// How long a server waits when it could not accept a connection, for lack of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Accepts connections and serves each of them.
pub struct Server {
    listener: Listener,
    options: Options,
    admission: Admission,
    preparation: Option<Preparation>,
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

    /// Listens at a Unix socket, as LMTP servers do. Connections have no addresses then. The file
    /// stays when the server ends.
    ///
    /// # Errors
    ///
    /// Fails as [`UnixListener::bind`] does, so also if there is a file of that name.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, options: impl Into<Options>) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        Ok(Self::from_listener(listener, options))
    }

    /// Serves what a listener accepts.
    pub fn from_listener(listener: impl Into<Listener>, options: impl Into<Options>) -> Self {
        Self {
            listener: listener.into(),
            options: options.into(),
            admission: Admission::default(),
            preparation: None,
        }
    }

    /// Sets how many connections there may be at once, at least 1; [`limits::CONNECTIONS`] unless
    /// set. Further ones are told 421.
    #[must_use]
    pub fn max_connections(mut self, max_connections: usize) -> Self {
        self.admission.set_max(max_connections);
        self
    }

    /// Sets how many of them may come from one address, or from one network of IPv6 (64 bits), at
    /// least 1; [`limits::CONNECTIONS_PER_PEER`] unless set. Further ones are told 421.
    #[must_use]
    pub fn max_connections_per_peer(mut self, max_connections: usize) -> Self {
        self.admission.set_max_per_peer(max_connections);
        self
    }

    /// Has each connection prepared before anything is said, within this time:
    /// [`limits::PREPARATION`] suits proxies. A connection that takes longer is closed.
    #[must_use]
    pub fn prepare(mut self, prepare: impl Prepare, limit: Duration) -> Self {
        self.preparation = Some(Preparation::new(prepare, limit));
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
            admission,
            preparation,
        } = self;
        let mut room = Room::new(handler, admission, preparation, shutdown.clone());
        let mut begun = Box::pin(shutdown.clone().begun());
        loop {
            match select(&mut begun, pin!(listener.accept(&options))).await {
                Either::Left(_) => break,
                Either::Right((Ok((socket, options)), _)) => room.welcome(socket, options),
                Either::Right((Err(error), _)) => {
                    guarded(|| room.handler().accept_failed(&error));
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Nobody is to connect to whom nobody will speak.
        drop(listener);
        select(pin!(room.empty()), pin!(shutdown.last_moment())).await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Serves one client over any stream to the end of its session.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection<S: State, H: Handler<S>>(
    stream: impl Duplex + 'static,
    options: impl Into<Options>,
    handler: H,
) -> Connection<S, H> {
    Connection::new(
        Socket::over(stream),
        options.into(),
        Arc::new(handler),
        None,
    )
}

/// Serves one client as [`serve_connection`] does, until [`Shutdown`] begins: then the transaction
/// that is under way may come to its end, within the grace, and the client is told 421.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection_until<S: State, H: Handler<S>>(
    stream: impl Duplex + 'static,
    options: impl Into<Options>,
    handler: H,
    shutdown: Shutdown,
) -> Connection<S, H> {
    Connection::new(
        Socket::over(stream),
        options.into(),
        Arc::new(handler),
        Some(shutdown),
    )
}
