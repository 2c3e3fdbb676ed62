//! What accepts connections.

/// Defines an adapter's `Server`, `async` and with `.await` or without, and hands on what a handler needs.
///
/// The adapter's are `TcpListener`, `ToSocketAddrs`, `UnixListener`, `Listener`, `Options`, `Handler`,
/// `Prepare`, a `Preparation` made of it, `Shutdown`, and what serves until that: `Server::serve_until`.
#[doc(hidden)]
#[macro_export]
macro_rules! server {
    ($($async:ident . $await:ident)?) => {
        pub use $crate::{
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
        pub use $crate::{
            reception::Identity,
            sasl::{Credential, Step, invalid_credentials},
        };

        /// Accepts connections and serves each of them.
        ///
        /// # A public server
        ///
        /// A server that anybody can reach sets [limits](Self::max_connections), in all and for each client;
        /// further clients are told 421, and try again. What one connection may take is the
        /// configuration's: errors, idle commands, time, size, messages, duration. [`Shutdown`] ends
        /// servers so that no message is lost: on a first signal [`begin`](Shutdown::begin) it, on a second
        /// one [`abort`](Shutdown::abort). Behind a proxy, clients share its address: let the proxy say whom
        /// it speaks for (XCLIENT), and count there.
        ///
        /// One handler serves several ports, each with its own configuration and one [`Shutdown`] for all:
        /// give each server an `Arc` of it.
        pub struct Server {
            listener: Listener,
            options: Options,
            admission: $crate::reception::Admission,
            preparation: Option<Preparation>,
        }

        impl Server {
            /// Listens at an address.
            ///
            /// # Errors
            ///
            /// Fails as [`TcpListener::bind`] does.
            pub $($async)? fn bind(
                address: impl ToSocketAddrs,
                options: impl Into<Options>,
            ) -> std::io::Result<Self> {
                let listener = TcpListener::bind(address)$(.$await)?;
                Ok(Self::from_listener(listener?, options))
            }

            /// Listens at a Unix socket, as LMTP servers do. Connections have no addresses then. The file
            /// stays when the server ends.
            ///
            /// # Errors
            ///
            /// Fails as [`UnixListener::bind`] does, so also if there is a file of that name.
            #[cfg(unix)]
            pub fn bind_unix(
                path: impl AsRef<std::path::Path>,
                options: impl Into<Options>,
            ) -> std::io::Result<Self> {
                let listener = UnixListener::bind(path)?;
                Ok(Self::from_listener(listener, options))
            }

            /// Serves what a listener accepts.
            pub fn from_listener(
                listener: impl Into<Listener>,
                options: impl Into<Options>,
            ) -> Self {
                Self {
                    listener: listener.into(),
                    options: options.into(),
                    admission: Default::default(),
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
            pub fn prepare(mut self, prepare: impl Prepare, limit: std::time::Duration) -> Self {
                self.preparation = Some(Preparation::new(prepare, limit));
                self
            }

            /// Returns the address that it listens at.
            ///
            /// # Errors
            ///
            /// Fails as [`TcpListener::local_addr`] does, and for Unix sockets.
            pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
                self.listener.local_addr()
            }

            /// Serves for ever.
            pub $($async)? fn serve<S: State, H: Handler<S>>(self, handler: H) {
                self.serve_until(handler, Shutdown::new())$(.$await)?;
            }
        }

        impl std::fmt::Debug for Server {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct("Server")
                    .field("listener", &self.listener)
                    .field("options", &self.options)
                    .finish_non_exhaustive()
            }
        }
    };
}

/// Defines what serves one connection of whatever implements these traits, with more documentation.
///
/// The adapter's are `Socket`, `Options`, `Handler`, `Shutdown`, and `serve`, which serves a socket or turns it
/// away.
#[doc(hidden)]
#[macro_export]
macro_rules! serve_connection {
    (($($stream:tt)+) -> $served:ty; $(#[$docs:meta])*) => {
        /// Serves one client over any stream, a connection that was just accepted, to the end of its session.
        ///
        /// # Errors
        ///
        /// Fails if the session does not end by QUIT. The handler has heard it then.
        $(#[$docs])*
        pub fn serve_connection<S: State, H: Handler<S>>(
            stream: impl $($stream)+ + 'static,
            options: impl Into<Options>,
            handler: H,
        ) -> $served {
            let (socket, handler) = (Socket::over(stream), Arc::new(handler));
            serve(socket, options.into(), handler, None, Ok(()))
        }

        /// Serves one client as [`serve_connection`] does, until [`Shutdown`] begins: then the transaction
        /// that is under way may come to its end, within the grace, and the client is told 421.
        ///
        /// # Errors
        ///
        /// Fails if the session does not end by QUIT. The handler has heard it then.
        pub fn serve_connection_until<S: State, H: Handler<S>>(
            stream: impl $($stream)+ + 'static,
            options: impl Into<Options>,
            handler: H,
            shutdown: Shutdown,
        ) -> $served {
            let (socket, handler) = (Socket::over(stream), Arc::new(handler));
            serve(socket, options.into(), handler, Some(shutdown), Ok(()))
        }
    };
}

/// Defines an adapter's `Listener`, with the documentation that is given.
///
/// The adapter's are `TcpListener`, `UnixListener`, `Socket` and `Options`.
#[doc(hidden)]
#[macro_export]
macro_rules! listener {
    ($($async:ident . $await:ident)? $(#[$docs:meta])*) => {
        /// Accepts connections, over TCP or through a Unix socket.
        ///
        $(#[$docs])*
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
            pub(super) $($async)? fn accept(&self, options: &Options) -> std::io::Result<(Socket, Options)> {
                match self {
                    Self::Tcp(listener) => {
                        let (stream, peer) = listener.accept()$(.$await)??;
                        // The machine decides what leaves together. Where it fails, as some systems do
                        // once the client has reset, the connection tells.
                        let _ = stream.set_nodelay(true);
                        let options = options.clone().addresses(peer, stream.local_addr().ok());
                        Ok((Socket::Tcp(stream), options))
                    }
                    #[cfg(unix)]
                    Self::Unix(listener) => {
                        let (stream, _) = listener.accept()$(.$await)??;
                        Ok((Socket::Unix(stream), options.clone()))
                    }
                }
            }

            pub(super) fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
                match self {
                    Self::Tcp(listener) => listener.local_addr(),
                    #[cfg(unix)]
                    Self::Unix(_) => Err(std::io::ErrorKind::Unsupported.into()),
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
    };
}
