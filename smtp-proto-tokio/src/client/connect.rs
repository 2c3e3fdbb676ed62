//! From an address to a client.

use std::{fmt, io, sync::Arc};

use smtp_proto::client::Config;
#[cfg(feature = "auth")]
use smtp_proto::sasl::Mechanism;
#[cfg(all(feature = "auth", not(feature = "scram")))]
use smtp_proto::sasl::by_password;
#[cfg(feature = "scram")]
use smtp_proto::sasl::by_scram_or_password;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, ToSocketAddrs},
};
#[cfg(unix)]
use {std::path::Path, tokio::net::UnixStream};

use super::session::Client;
#[cfg(feature = "scram")]
use crate::entropy::nonce;
#[cfg(feature = "rustls")]
use crate::tls::TlsConnector;
use crate::{Error, stream::Handshake};

impl Client<TcpStream> {
    /// Connects to a server and waits until the session is open.
    ///
    /// TCP_NODELAY is set, as the machine decides what leaves together. Wrap it in
    /// [`tokio::time::timeout`] to wait less long than the system does for a connection and the
    /// configuration for a greeting.
    ///
    /// # Errors
    ///
    /// Fails if no connection can be established, or if the server refuses the session.
    pub async fn connect(address: impl ToSocketAddrs, config: Config) -> Result<Self, Error> {
        Self::builder(config).connect(address).await
    }

    /// Begins a client that needs more than a configuration: TLS, authentication, a Unix socket.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }
}

#[cfg(unix)]
impl Client<UnixStream> {
    /// Connects to a server's Unix socket and waits until the session is open.
    ///
    /// # Errors
    ///
    /// Fails if no connection can be established, or if the server refuses the session.
    pub async fn connect_unix(path: impl AsRef<Path>, config: Config) -> Result<Self, Error> {
        Builder::new(config).connect_unix(path).await
    }
}

/// Connects a client that needs more than a configuration; made by [`Client::builder`].
///
/// ```no_run
/// # #[cfg(all(feature = "auth", feature = "rustls"))]
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use smtp_proto::client::{Config, Tls};
/// use smtp_proto::syntax::Host;
/// use smtp_proto_tokio::{Client, tls::TlsConnector};
///
/// let config = Config::new(Host::parse("client.example")?).tls(Tls::Implicit);
/// let client = Client::builder(config)
///     .tls(TlsConnector::with_platform_roots("submit.example.net")?)
///     .password("alice", "password")?
///     .connect("submit.example.net:465")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is connected yet"]
pub struct Builder {
    config: Config,
    handshake: Handshake,
    #[cfg(feature = "auth")]
    mechanisms: Vec<Box<dyn Mechanism>>,
}

impl Builder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            handshake: Handshake::default(),
            #[cfg(feature = "auth")]
            mechanisms: Vec::new(),
        }
    }

    /// Says how to do TLS. The configuration says whether to:
    /// [`Config::tls`](smtp_proto::client::Config::tls).
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, connector: TlsConnector) -> Self {
        self.handshake = Handshake::Connect(connector);
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

    /// Connects as [`Client::connect`] does.
    ///
    /// # Errors
    ///
    /// Fails if no connection can be established, or TLS or authentication fails, or the server
    /// refuses the session.
    pub async fn connect(self, address: impl ToSocketAddrs) -> Result<Client<TcpStream>, Error> {
        let establish = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        self.open(establish.await).await
    }

    /// Connects to a Unix socket, as LMTP servers have them.
    ///
    /// # Errors
    ///
    /// Fails as [`connect`](Self::connect) does.
    #[cfg(unix)]
    pub async fn connect_unix(self, path: impl AsRef<Path>) -> Result<Client<UnixStream>, Error> {
        self.open(UnixStream::connect(path).await).await
    }

    /// Creates the client's end of a connection that was just established.
    ///
    /// # Errors
    ///
    /// [`Misuse::InvalidMechanism`](smtp_proto::machine::Misuse::InvalidMechanism) for a mechanism
    /// without a proper name.
    pub fn with_stream<S>(self, stream: S) -> Result<Client<S>, Error> {
        #[cfg_attr(not(feature = "auth"), expect(unused_mut))]
        let mut client = Client::new(stream, self.config, self.handshake);
        #[cfg(feature = "auth")]
        if !self.mechanisms.is_empty() {
            client.authenticate(self.mechanisms)?;
        }
        Ok(client)
    }

    async fn open<S>(self, established: io::Result<S>) -> Result<Client<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = established.map_err(|error| Error::Connect(Arc::new(error)))?;
        let mut client = self.with_stream(stream)?;
        client.ready().await?;
        Ok(client)
    }
}

/// Shows no secret.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Builder");
        shown.field("config", &self.config);
        shown.field("handshake", &self.handshake);
        #[cfg(feature = "auth")]
        {
            let names = self.mechanisms.iter().map(|mechanism| mechanism.name());
            shown.field("mechanisms", &names.collect::<Vec<_>>());
        }
        shown.finish()
    }
}
