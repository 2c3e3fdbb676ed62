//! The server: connections are accepted, and a [`Handler`] decides about what comes, one thread for
//! each connection.
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
mod drive;
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

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    time::Duration,
};
#[cfg(unix)]
use std::{os::unix::net::UnixListener, path::Path};

use smtp_proto::reception::{Admission, Phase, guarded};

use self::{
    drive::Driver,
    room::{Preparation, Room},
};
use crate::{Error, Socket, Transport};

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
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
    pub fn bind(address: impl ToSocketAddrs, options: impl Into<Options>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
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

    /// Serves for ever.
    pub fn serve<S: State, H: Handler<S>>(self, handler: H) {
        self.serve_until(handler, Shutdown::new());
    }

    /// Serves until [`Shutdown`] says otherwise, and then as long as connections need to come to
    /// their ends, within the grace that it gives.
    ///
    /// When it returns, connections may still have threads in which a handler is busy with what
    /// cannot be interrupted; they end when it is done.
    pub fn serve_until<S: State, H: Handler<S>>(self, handler: H, shutdown: Shutdown) {
        let Self {
            listener,
            options,
            admission,
            preparation,
        } = self;
        let room = Room::new(handler, admission, preparation, shutdown.clone());
        match listener.wake() {
            Ok(wake) => shutdown.wakes(wake),
            Err(error) => room.handler().accept_failed(&error),
        }
        while shutdown.phase() == Phase::Serving {
            match listener.accept(&options) {
                Ok(_) if shutdown.phase() != Phase::Serving => break,
                Ok((socket, options)) => room.welcome(socket, options),
                Err(error) => {
                    guarded(|| room.handler().accept_failed(&error));
                    shutdown.wait(ACCEPT_PAUSE);
                }
            }
        }
        // Nobody is to connect to whom nobody will speak.
        drop(listener);
        room.empty();
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

/// Serves one client over a connection that was just accepted, to the end of its session.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
///
/// ```no_run
/// # use smtp_proto_blocking::{Error, server::{self, Config, Handler, Options}};
/// fn serve_inherited(
///     stream: std::net::TcpStream,
///     config: Config,
///     handler: impl Handler,
/// ) -> Result<(), Error> {
///     let (peer, local) = (stream.peer_addr().ok(), stream.local_addr().ok());
///     let options = Options::new(config).addresses(peer, local);
///     server::serve_connection(stream, options, handler)
/// }
/// ```
pub fn serve_connection<S: State, H: Handler<S>>(
    stream: impl Transport + Send + 'static,
    options: impl Into<Options>,
    handler: H,
) -> Result<(), Error> {
    Driver::new(Socket::over(stream), options.into(), &handler, None).serve()
}

/// Serves one client as [`serve_connection`] does, until [`Shutdown`] begins: then the transaction
/// that is under way may come to its end, within the grace, and the client is told 421.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection_until<S: State, H: Handler<S>>(
    stream: impl Transport + Send + 'static,
    options: impl Into<Options>,
    handler: H,
    shutdown: Shutdown,
) -> Result<(), Error> {
    Driver::new(
        Socket::over(stream),
        options.into(),
        &handler,
        Some(&shutdown),
    )
    .serve()
}
