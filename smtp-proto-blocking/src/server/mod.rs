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
mod listener;
mod options;
mod shutdown;
mod sink;

#[cfg(unix)]
use std::path::Path;
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use smtp_proto::reception::Admission;

use self::{
    calls::guarded,
    drive::{Driver, turn_away},
    listener::{Accepted, Listener},
    shutdown::Phase,
};
use crate::{Error, Transport};

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
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
    pub fn bind(address: impl ToSocketAddrs, options: impl Into<Options>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        Ok(Self::from_listener(listener, options))
    }

    /// Serves what a listener accepts, which blocks.
    pub fn from_listener(listener: TcpListener, options: impl Into<Options>) -> Self {
        Self::new(Listener::Tcp(listener), options)
    }

    /// Listens at a Unix socket, as LMTP servers do. Connections have no addresses then. The file
    /// stays when the server ends.
    ///
    /// # Errors
    ///
    /// Fails as [`UnixListener::bind`](std::os::unix::net::UnixListener::bind) does, so also if there
    /// is a file of that name.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, options: impl Into<Options>) -> io::Result<Self> {
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        Ok(Self::new(Listener::Unix(listener), options))
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
            max_connections,
            max_connections_per_peer,
        } = self;
        let room = Room {
            admission: Arc::new(Mutex::new(Admission::new(
                max_connections,
                max_connections_per_peer,
            ))),
            shutdown,
        };
        let shutdown = &room.shutdown;
        let handler = Arc::new(handler);
        match listener.wake() {
            Ok(wake) => shutdown.wakes(wake),
            Err(error) => handler.accept_failed(&error),
        }
        while shutdown.phase() == Phase::Serving {
            match listener.accept() {
                Ok(_) if shutdown.phase() != Phase::Serving => break,
                Ok(Accepted::Tcp(stream, peer)) => {
                    let local = stream.local_addr().ok();
                    let options = options.clone().addresses(peer, local);
                    room.welcome(stream, options, &handler);
                }
                #[cfg(unix)]
                Ok(Accepted::Unix(stream)) => room.welcome(stream, options.clone(), &handler),
                Err(error) => {
                    guarded(|| handler.accept_failed(&error));
                    shutdown.wait(ACCEPT_PAUSE);
                }
            }
        }
        // Nobody is to connect to whom nobody will speak.
        drop(listener);
        room.wait_until_empty();
    }
}

/// Where the connections of one server are.
#[derive(Clone)]
struct Room {
    admission: Arc<Mutex<Admission>>,
    shutdown: Shutdown,
}

/// A connection's place.
struct Place {
    room: Room,
    peer: Option<IpAddr>,
}

impl Room {
    /// Serves a client in a thread of its own, or turns it away.
    fn welcome<S, H, T>(&self, stream: T, options: Options, handler: &Arc<H>)
    where
        S: State,
        H: Handler<S>,
        T: Transport + Send + 'static,
    {
        let peer = options.peer.map(|peer| peer.ip());
        if self.admission().enter(peer).is_err() {
            turn_away(stream, options, &**handler);
            return;
        }
        let place = Place {
            room: self.clone(),
            peer,
        };
        // A thread that cannot be begun takes nothing with it.
        let stream = Arc::new(Mutex::new(Some(stream)));
        let (theirs, own, taken) = (Arc::clone(handler), options.clone(), Arc::clone(&stream));
        let served = thread::Builder::new().spawn(move || {
            if let Some(stream) = take(&taken) {
                // The handler hears of errors.
                let _ = Driver::new(stream, own, &*theirs, Some(&place.room.shutdown)).serve();
            }
        });
        if let Err(error) = served
            && let Some(stream) = take(&stream)
        {
            guarded(|| handler.accept_failed(&error));
            turn_away(stream, options, &**handler);
        }
    }

    /// Waits for connections to end, as long as they may take.
    fn wait_until_empty(&self) {
        let is_empty = || self.admission().count() == 0;
        while !is_empty() && self.shutdown.phase() != Phase::Over {
            self.shutdown.wait(ACCEPT_PAUSE);
        }
        let over = std::time::Instant::now();
        while !is_empty() && over.elapsed() < LAST_MOMENT {
            self.shutdown.wait(ACCEPT_PAUSE);
        }
    }

    fn admission(&self) -> MutexGuard<'_, Admission> {
        let admission = self.admission.lock();
        admission.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.admission().leave(self.peer);
        self.room.shutdown.notify();
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
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
pub fn serve_connection<T: Transport + Send + 'static, S: State, H: Handler<S>>(
    stream: T,
    options: impl Into<Options>,
    handler: H,
) -> Result<(), Error> {
    Driver::new(stream, options.into(), &handler, None).serve()
}

/// Serves one client as [`serve_connection`] does, until [`Shutdown`] begins: then the transaction
/// that is under way may come to its end, within the grace, and the client is told 421.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection_until<T: Transport + Send + 'static, S: State, H: Handler<S>>(
    stream: T,
    options: impl Into<Options>,
    handler: H,
    shutdown: Shutdown,
) -> Result<(), Error> {
    Driver::new(stream, options.into(), &handler, Some(&shutdown)).serve()
}
