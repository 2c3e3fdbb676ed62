//! From a server's name to a client.

use std::{
    fmt, io,
    net::{TcpStream, ToSocketAddrs},
    sync::OnceLock,
    time::Duration,
};

use smtp_proto::{
    client::{self, Config},
    delivery::{Server, ServerUrl, own_name, tries_next_address},
    machine::TraceEntry,
    syntax::Host,
};
#[cfg(feature = "auth")]
use {smtp_proto::sasl::Mechanism, std::sync::Arc, zeroize::Zeroizing};

use super::session::Client;
#[cfg(feature = "scram")]
use crate::entropy::nonce;
use crate::{
    Error, Socket, Transport,
    tls::{self, Tls},
};

/// How long to wait for a connection to each address of a host, unless set.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// Connects to the server of a [URL](ServerUrl), and waits until the session is open.
    ///
    /// ```no_run
    /// use smtp_proto_blocking::{Client, Envelope};
    ///
    /// let mut client = Client::connect("smtps://alice:secret@submit.example.net")?;
    /// let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    /// let report = client.send(envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
    /// println!("delivered: {}", report.is_delivered());
    /// client.quit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Url`], [`Error::Connect`] if no address of the host can be reached, and
    /// [`Error::Session`] if the server refuses the session: its [`answer`](Error::answer) says how.
    pub fn connect<U>(url: U) -> Result<Self, Error>
    where
        U: TryInto<ServerUrl>,
        Error: From<U::Error>,
    {
        Self::at(url)?.connect()
    }

    /// Begins a client for the server of a [URL](ServerUrl), and more to say about it.
    ///
    /// The URL says whether there is TLS and authentication, and wins over the configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Url`].
    pub fn at<U>(url: U) -> Result<Builder, Error>
    where
        U: TryInto<ServerUrl>,
        Error: From<U::Error>,
    {
        Ok(Builder::from_url(&url.try_into()?))
    }

    /// Begins a client of this configuration.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }
}

/// Makes clients: for one server, of one configuration, with one trust and one identity. From
/// [`Client::at`] and [`Client::builder`].
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
///     .server(("submit.example.net", 465))
///     .tls(TlsConnector::with_platform_roots("submit.example.net")?)
///     .password("alice", "password")
///     .connect()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is connected yet"]
#[derive(Clone)]
pub struct Builder {
    config: Config,
    /// The configuration has a name for EHLO; else it is known when there is a connection.
    is_named: bool,
    server: Option<Server>,
    tls: OnceLock<Tls>,
    /// What a URL says of TLS.
    url_tls: Option<client::Tls>,
    connect_timeout: Duration,
    #[cfg(feature = "auth")]
    mechanisms: Vec<MakeMechanisms>,
}

/// Makes mechanisms for one connection.
#[cfg(feature = "auth")]
type MakeMechanisms = Arc<dyn Fn() -> io::Result<Vec<Box<dyn Mechanism>>> + Send + Sync>;

impl Builder {
    fn new(config: Config) -> Self {
        Self {
            config,
            is_named: true,
            server: None,
            tls: OnceLock::new(),
            url_tls: None,
            connect_timeout: CONNECT_TIMEOUT,
            #[cfg(feature = "auth")]
            mechanisms: Vec::new(),
        }
    }

    fn from_url(url: &ServerUrl) -> Self {
        let config = url.config(own_name("", None));
        let mut builder = Self::new(config).server(url.server().clone());
        builder.is_named = url.name().is_some();
        builder.url_tls = Some(url.tls());
        #[cfg(feature = "auth")]
        if let Some((user, password)) = url.credentials() {
            builder = builder.password(user, password);
        }
        builder
    }

    /// Says where the server is.
    pub fn server(mut self, server: impl Into<Server>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// Sets the name for EHLO. Of a URL it is the machine's host name, if that is a full one, or
    /// else an address literal.
    pub fn name(mut self, name: Host<'_>) -> Self {
        self.config = self.config.name(name);
        self.is_named = true;
        self
    }

    /// Changes the configuration.
    pub fn configure(mut self, change: impl FnOnce(Config) -> Config) -> Self {
        self.config = change(self.config);
        self
    }

    /// Sets how long to wait for a connection to each address of a host: 30 seconds unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Says how to do TLS: by a `TlsConnector`, or another library's [`Handshake`](crate::tls::Handshake). The configuration,
    /// or the URL, says whether to.
    pub fn tls(mut self, connector: impl Into<Tls>) -> Self {
        self.tls = OnceLock::from(connector.into());
        self
    }

    /// Has clients authenticate before any message, each by a mechanism of its own. Of several
    /// mechanisms, the first that the server offers is used.
    #[cfg(feature = "auth")]
    pub fn authenticate<M: Mechanism + 'static>(
        self,
        mechanism: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        self.mechanisms(move || Ok(vec![Box::new(mechanism())]))
    }

    /// Has clients authenticate by a user name and a password, in the best way that the server
    /// offers: SCRAM, with the feature `scram`, by which the server does not get to know the password;
    /// else PLAIN or LOGIN. To verified servers only, unless the configuration says otherwise.
    #[cfg(feature = "auth")]
    pub fn password(self, user: &str, password: &str) -> Self {
        let (user, password) = (user.to_owned(), Zeroizing::new(password.to_owned()));
        #[cfg(feature = "scram")]
        let make = move || {
            let nonce = nonce()?;
            Ok(smtp_proto::sasl::by_scram_or_password(
                &user, &password, nonce,
            ))
        };
        #[cfg(not(feature = "scram"))]
        let make = move || Ok(smtp_proto::sasl::by_password(&user, &password));
        self.mechanisms(make)
    }

    #[cfg(feature = "auth")]
    fn mechanisms<F>(mut self, make: F) -> Self
    where
        F: Fn() -> io::Result<Vec<Box<dyn Mechanism>>> + Send + Sync + 'static,
    {
        self.mechanisms.push(Arc::new(make));
        self
    }

    /// Connects to the server and waits until the session is open. Tries all addresses of a host in
    /// turn.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if there is no connection to be had, [`Error::Session`] if the server refuses
    /// the session.
    pub fn connect(&self) -> Result<Client, Error> {
        let (host, port) = match &self.server {
            Some(Server::Tcp { host, port }) => (host.as_str(), *port),
            #[cfg(unix)]
            Some(Server::Unix { path }) => {
                let stream = std::os::unix::net::UnixStream::connect(path);
                return self.open(Socket::Unix(stream.map_err(Error::connect)?));
            }
            _ => {
                let unusable = "no server was named that can be connected to";
                return Err(Error::connect(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    unusable,
                )));
            }
        };
        let addresses = (host, port).to_socket_addrs().map_err(Error::connect)?;
        let mut failure = Error::connect(io::ErrorKind::NotFound.into());
        for address in addresses {
            let error = match TcpStream::connect_timeout(&address, self.connect_timeout) {
                Ok(stream) => {
                    // A flight is written as a whole: nothing is to be waited for. It is of no account
                    // where a system cannot.
                    let _ = stream.set_nodelay(true);
                    match self.open(Socket::Tcp(stream)) {
                        Ok(client) => return Ok(client),
                        Err(error) => error,
                    }
                }
                Err(error) => Error::connect(error),
            };
            match error.machine() {
                Some(refusal) if !tries_next_address(refusal) => return Err(error),
                // What a server said tells more than that another could not be reached.
                None if failure.machine().is_some() => {}
                _ => failure = error,
            }
        }
        Err(failure)
    }

    fn open(&self, socket: Socket) -> Result<Client, Error> {
        let mut builder = self.clone();
        if !self.is_named {
            let host_name = gethostname::gethostname();
            let name = own_name(&host_name.to_string_lossy(), socket.local_ip());
            builder = builder.name(name);
        }
        let mut client = builder.with_stream(socket)?;
        let opened = client.ready().map(drop);
        match opened {
            Ok(()) => Ok(client),
            Err(Error::Session {
                error, transport, ..
            }) => {
                let trace: Vec<TraceEntry> = std::iter::from_fn(|| client.poll_trace()).collect();
                Err(Error::Session {
                    error,
                    transport,
                    trace: trace.into(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Starts a session over a connection that was just established.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if the means for TLS or authentication cannot be had.
    pub fn with_stream<T: Transport + Send + 'static>(
        &self,
        transport: T,
    ) -> Result<Client<T>, Error> {
        let mut config = self.config.clone();
        if let Some(tls) = self.url_tls {
            config = config.tls(self.trust(tls)?);
        }
        let tls = self.tls.get().cloned().map(Tls::over);
        #[cfg_attr(not(feature = "auth"), expect(unused_mut))]
        let mut client = Client::new(transport, config, tls);
        #[cfg(feature = "auth")]
        if !self.mechanisms.is_empty() {
            let mut mechanisms = Vec::new();
            for make in &self.mechanisms {
                mechanisms.extend(make().map_err(Error::connect)?);
            }
            client.authenticate(mechanisms)?;
        }
        Ok(client)
    }

    /// Makes sure of whom to trust as a URL means it, unless that is said, and returns what can be done.
    fn trust(&self, tls: client::Tls) -> Result<client::Tls, Error> {
        let host = self.server.as_ref().and_then(Server::host);
        let (None, Some(host)) = (self.tls.get(), host) else {
            return Ok(tls);
        };
        if tls == client::Tls::Off {
            return Ok(tls);
        }
        match tls::of_url(host, tls).map_err(Error::connect)? {
            Some(made) => {
                let _ = self.tls.set(made);
                Ok(tls)
            }
            None => Ok(client::Tls::Off),
        }
    }
}

/// Shows no secret.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("server", &self.server)
            .field("tls", &self.tls.get())
            .finish_non_exhaustive()
    }
}
