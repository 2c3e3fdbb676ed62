//! The server: hands what clients say to a [`Handler`], one thread for each connection.

mod dialogue;
mod drive;
mod handler;
#[cfg(feature = "auth")]
mod sasl;

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use smtp_proto::server::Config;

use self::drive::Surroundings;
#[cfg(feature = "rustls")]
pub use self::drive::serve_tls_connection;
#[cfg(feature = "auth")]
pub use self::sasl::{Claim, Exchange, Proof, Refusal, Step, exchange};
pub use self::{
    drive::serve_connection,
    handler::{Envelope, Handler, Session, Sink, Verdict},
};
use crate::tls::TlsAcceptor;

/// How many connections are served at once unless [`Server::max_connections`] says otherwise
/// (Postfix: 100).
const CONNECTIONS: usize = 100;
/// How long to wait when no connection can be accepted, for want of file descriptors as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens for connections and serves them.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    config: Config,
    acceptor: Option<TlsAcceptor>,
    max_connections: usize,
    shared: Arc<Shared>,
}

/// Ends a [`Server`] from another thread.
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    shared: Arc<Shared>,
    address: SocketAddr,
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
    pub fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self::from_listener(TcpListener::bind(address)?, config))
    }

    /// Takes over a listener, which blocks.
    pub fn from_listener(listener: TcpListener, config: Config) -> Self {
        Self {
            listener,
            config,
            acceptor: None,
            max_connections: CONNECTIONS,
            shared: Arc::default(),
        }
    }

    /// Sets what makes connections secure, where the configuration's [`tls`](Config::tls) has it.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, acceptor: TlsAcceptor) -> Self {
        self.acceptor = Some(acceptor);
        self
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
    /// Those of [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns what ends [`serve`](Self::serve).
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::local_addr`].
    pub fn shutdown_handle(&self) -> io::Result<ShutdownHandle> {
        Ok(ShutdownHandle {
            shared: Arc::clone(&self.shared),
            address: self.local_addr()?,
        })
    }

    /// Serves clients until a [`ShutdownHandle`] ends it: then no connection is accepted any more,
    /// each session gets a 421 (RFC 5321 3.8) as soon as its transaction has ended, and the call
    /// returns behind the last one.
    pub fn serve<H: Handler>(&self, handler: &H) {
        thread::scope(|scope| {
            while let Some((stream, peer)) = self.accept() {
                let shared = &*self.shared;
                *shared.connections() += 1;
                let config = self.config.clone();
                let surroundings = Surroundings {
                    acceptor: self.acceptor.as_ref(),
                    stopping: Some(&shared.stopping),
                };
                let served = thread::Builder::new().spawn_scoped(scope, move || {
                    // The handler is told of errors. A panic was reported where it happened, and
                    // ends its own connection only.
                    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
                        drive::serve_until(stream, Some(peer), config, handler, surroundings)
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
    fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
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
            let accepted = self
                .listener
                .accept()
                // Replies are written a flight at a time: nothing is to be waited for.
                .and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer)));
            match accepted {
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
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        // Wakes the listener; if it cannot be reached, it wakes up at the next connection.
        let _ = TcpStream::connect_timeout(&address, PAUSE);
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
