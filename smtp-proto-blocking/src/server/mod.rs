//! The server: hands what clients say to a [`Handler`], one thread for each connection.

#[cfg(feature = "auth")]
mod authentication;
mod dialogue;
mod drive;
#[cfg(feature = "auth")]
mod exchange;
mod further;
mod handler;
mod listener;
mod options;
mod session;
mod verdict;

#[cfg(unix)]
use std::path::Path;
use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use self::drive::serve_until;
#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
use self::listener::{Accepted, Listener, Wake};
pub use self::{
    drive::serve_connection,
    handler::{Handler, Sink},
    options::Options,
    session::{Envelope, Session},
    verdict::Verdict,
};
#[cfg(feature = "auth")]
pub use smtp_proto::sasl::{Credential, Step, invalid_credentials};

/// How many connections are served at once unless [`Server::max_connections`] says otherwise
/// (Postfix: 100).
const CONNECTIONS: usize = 100;
/// How long to wait when no connection can be accepted, for want of file descriptors as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens for connections and serves them.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    options: Options,
    max_connections: usize,
    shared: Arc<Shared>,
}

/// Ends a [`Server`] from another thread.
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    shared: Arc<Shared>,
    wake: Arc<Wake>,
}

/// What the accepting thread, the connections' threads and the handles have in common.
#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    connections: Mutex<usize>,
    one_less: Condvar,
}

impl Server {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`].
    pub fn bind(address: impl ToSocketAddrs, options: impl Into<Options>) -> io::Result<Self> {
        Ok(Self::from_listener(TcpListener::bind(address)?, options))
    }

    /// Listens at a Unix socket, as servers for LMTP often do. There must be no file of that name;
    /// it stays when the server ends.
    ///
    /// # Errors
    ///
    /// Those of [`UnixListener::bind`](std::os::unix::net::UnixListener::bind).
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, options: impl Into<Options>) -> io::Result<Self> {
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        Ok(Self::new(Listener::Unix(listener), options.into()))
    }

    /// Takes over a listener, which blocks.
    pub fn from_listener(listener: TcpListener, options: impl Into<Options>) -> Self {
        Self::new(Listener::Tcp(listener), options.into())
    }

    fn new(listener: Listener, options: Options) -> Self {
        Self {
            listener,
            options,
            max_connections: CONNECTIONS,
            shared: Arc::default(),
        }
    }

    /// Sets how many connections are served at once; 100 unless set. Others wait to be accepted.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Returns the address that it listens at.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::local_addr`]; [`Unsupported`](io::ErrorKind::Unsupported) at a Unix
    /// socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns what ends [`serve`](Self::serve).
    ///
    /// # Errors
    ///
    /// Those of the listener, if it cannot tell where it listens.
    pub fn shutdown_handle(&self) -> io::Result<ShutdownHandle> {
        Ok(ShutdownHandle {
            shared: Arc::clone(&self.shared),
            wake: Arc::new(self.listener.wake()?),
        })
    }

    /// Serves clients until a [`ShutdownHandle`] ends it: then no connection is accepted any more,
    /// each session gets a 421 (RFC 5321 3.8) as soon as its transaction has ended, and the call
    /// returns after the last one.
    pub fn serve<H: Handler>(&self, handler: &H) {
        thread::scope(|scope| {
            while let Some(accepted) = self.accept() {
                let shared = &*self.shared;
                *shared.connections() += 1;
                let options = self.options.clone();
                let served = thread::Builder::new().spawn_scoped(scope, move || {
                    // The handler is told of errors. A panic was reported where it happened, and
                    // ends its own connection only.
                    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
                        let stopping = Some(&shared.stopping);
                        match accepted {
                            Accepted::Tcp(stream, peer) => {
                                serve_until(stream, Some(peer), options, handler, stopping)
                            }
                            #[cfg(unix)]
                            Accepted::Unix(stream) => {
                                serve_until(stream, None, options, handler, stopping)
                            }
                        }
                    }));
                    shared.one_has_ended();
                });
                if served.is_err() {
                    self.shared.one_has_ended();
                    thread::sleep(PAUSE);
                }
            }
        });
    }

    /// Waits for the next connection; `None` once the server is stopping.
    fn accept(&self) -> Option<Accepted> {
        let mut connections = self.shared.connections();
        while *connections >= self.max_connections && !self.shared.is_stopping() {
            connections = self
                .shared
                .one_less
                .wait(connections)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(connections);
        while !self.shared.is_stopping() {
            match self.listener.accept() {
                Ok(accepted) if !self.shared.is_stopping() => return Some(accepted),
                Ok(_) => {}
                Err(_) => thread::sleep(PAUSE),
            }
        }
        None
    }
}

impl ShutdownHandle {
    /// Ends the server. Does not wait for it.
    pub fn shut_down(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        drop(self.shared.connections()); // whoever waits has begun to, and hears this:
        self.shared.one_less.notify_all();
        // If it cannot be reached, it wakes up at the next connection.
        self.wake.call(PAUSE);
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn connections(&self) -> MutexGuard<'_, usize> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn one_has_ended(&self) {
        let mut connections = self.connections();
        *connections = connections.saturating_sub(1);
        self.one_less.notify_all();
    }
}
