//! From an address to a client.

use std::{
    fmt, io,
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
};
#[cfg(unix)]
use std::{os::unix::net::UnixStream, path::Path};

use smtp_proto::client::Config;
#[cfg(feature = "auth")]
use smtp_proto::sasl::Mechanism;
#[cfg(all(feature = "auth", not(feature = "scram")))]
use smtp_proto::sasl::by_password;
#[cfg(feature = "scram")]
use smtp_proto::sasl::by_scram_or_password;

use super::session::Client;
#[cfg(feature = "scram")]
use crate::entropy::nonce;
use crate::{Error, Transport, tls::TlsConnector};

impl Client<TcpStream> {
    /// Connects to a server.
    ///
    /// The greeting is awaited when there is something to send, or by [`ready`](Self::ready).
    ///
    /// # Errors
    ///
    /// [`Error::Connect`].
    pub fn connect(address: impl ToSocketAddrs, config: Config) -> Result<Self, Error> {
        Self::builder(config).connect(address)
    }

    /// Begins a client that needs more than a configuration: TLS, authentication, a Unix socket.
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            connector: None,
            #[cfg(feature = "auth")]
            mechanisms: Vec::new(),
        }
    }
}

/// Connects a client that needs more than a configuration; made by [`Client::builder`].
///
/// ```no_run
/// # #[cfg(all(feature = "auth", feature = "rustls"))]
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use smtp_proto::client::{Config, Tls};
/// use smtp_proto::syntax::Host;
/// use smtp_proto_blocking::{Client, tls::TlsConnector};
///
/// let config = Config::new(Host::parse("client.example")?).tls(Tls::Implicit);
/// let client = Client::builder(config)
///     .tls(TlsConnector::with_platform_roots("submit.example.net")?)
///     .password("alice", "password")?
///     .connect("submit.example.net:465")?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is connected yet"]
pub struct Builder {
    config: Config,
    connector: Option<TlsConnector>,
    #[cfg(feature = "auth")]
    mechanisms: Vec<Box<dyn Mechanism>>,
}

impl Builder {
    /// Says how to do TLS. The configuration says whether to: [`Config::tls`].
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, connector: TlsConnector) -> Self {
        self.connector = Some(connector);
        self
    }

    /// Has the client authenticate before any message. Of several mechanisms, the first that the
    /// server offers is used.
    #[cfg(feature = "auth")]
    pub fn authenticate(mut self, mechanism: impl Mechanism + 'static) -> Self {
        self.mechanisms.push(Box::new(mechanism));
        self
    }

    /// Has the client authenticate by a user name and a password, in the best way that the server
    /// offers: SCRAM-SHA-256, with the feature `scram`, by which the server does not get to know
    /// the password; else PLAIN or LOGIN. Only with a server that was verified, unless the
    /// configuration [says otherwise](smtp_proto::client::Config::credentials_over).
    ///
    /// # Errors
    ///
    /// Fails if the system has no entropy to give.
    #[cfg(feature = "auth")]
    pub fn password(mut self, user: &str, password: &str) -> io::Result<Self> {
        #[cfg(feature = "scram")]
        let mechanisms = by_scram_or_password(user, password, nonce()?);
        #[cfg(not(feature = "scram"))]
        let mechanisms = by_password(user, password);
        self.mechanisms.extend(mechanisms);
        Ok(self)
    }

    /// Connects to a server, as [`Client::connect`] does.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`], and those of [`with_stream`](Self::with_stream).
    pub fn connect(self, address: impl ToSocketAddrs) -> Result<Client<TcpStream>, Error> {
        // A flight is written as a whole: nothing is to be waited for.
        let established = TcpStream::connect(address)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        self.open(established)
    }

    /// Connects to a server at a Unix socket, as those for LMTP often are.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`], and those of [`with_stream`](Self::with_stream).
    #[cfg(unix)]
    pub fn connect_unix(self, path: impl AsRef<Path>) -> Result<Client<UnixStream>, Error> {
        self.open(UnixStream::connect(path))
    }

    /// Starts a session over a connection that was just established.
    ///
    /// # Errors
    ///
    /// [`Misuse::InvalidMechanism`](smtp_proto::machine::Misuse::InvalidMechanism) for a mechanism
    /// without a proper name.
    pub fn with_stream<T: Transport>(self, transport: T) -> Result<Client<T>, Error> {
        #[cfg_attr(not(feature = "auth"), expect(unused_mut))]
        let mut client = Client::new(transport, self.config, self.connector);
        #[cfg(feature = "auth")]
        if !self.mechanisms.is_empty() {
            client.authenticate(self.mechanisms)?;
        }
        Ok(client)
    }

    fn open<T: Transport>(self, established: io::Result<T>) -> Result<Client<T>, Error> {
        self.with_stream(established.map_err(|error| Error::Connect(Arc::new(error)))?)
    }
}

/// Shows no secret.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Builder");
        shown.field("config", &self.config);
        shown.field("connector", &self.connector);
        #[cfg(feature = "auth")]
        {
            let names = self.mechanisms.iter().map(|mechanism| mechanism.name());
            shown.field("mechanisms", &names.collect::<Vec<_>>());
        }
        shown.finish()
    }
}
