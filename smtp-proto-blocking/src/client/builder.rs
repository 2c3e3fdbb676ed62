//! From a server's name to a client.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::OnceLock,
    time::Duration,
};

use smtp_proto::{
    client::{Config, Learned, Observation},
    delivery::{Failures, Server, ServerUrl, Setup},
    syntax::Host,
};
#[cfg(feature = "auth")]
use smtp_proto::{delivery::Entropy, sasl::Mechanism};

use super::{dial::Dial, session::Client};
use crate::{
    Error, Socket, Transport,
    tls::{self, Tls},
};

#[cfg(feature = "scram")]
const ENTROPY: Option<Entropy> = Some(crate::entropy::fill);
#[cfg(all(feature = "auth", not(feature = "scram")))]
const ENTROPY: Option<Entropy> = None;

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
        let url = url.try_into()?;
        let builder = Builder::new(Setup::of_url(&url));
        #[cfg(feature = "auth")]
        if let Some((user, password)) = url.credentials() {
            return Ok(builder.password(user, password));
        }
        Ok(builder)
    }

    /// Begins a client of this configuration.
    pub fn builder(config: Config) -> Builder {
        Builder::new(Setup::new(config))
    }
}

/// Makes clients: for one server, of one configuration, with one trust and one identity. From
/// [`Client::at`] and [`Client::builder`].
///
/// ```no_run
/// # #[cfg(all(feature = "auth", feature = "rustls"))]
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use smtp_proto::client::{Config, Learned, Observation, Tls};
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
#[derive(Clone, Debug)]
pub struct Builder {
    setup: Setup,
    dial: Dial,
    tls: OnceLock<Tls>,
}

impl Builder {
    fn new(setup: Setup) -> Self {
        Self {
            setup,
            dial: Dial::default(),
            tls: OnceLock::new(),
        }
    }

    /// Says where the server is.
    pub fn server(self, server: impl Into<Server>) -> Self {
        self.with(|setup| setup.server(server.into()))
    }

    /// Sets the name for EHLO. Of a URL it is the machine's host name, if that is a full one, or
    /// else an address literal.
    pub fn name(self, name: Host<'_>) -> Self {
        self.with(|setup| setup.name(name))
    }

    /// Changes the configuration.
    pub fn configure(self, change: impl FnOnce(Config) -> Config) -> Self {
        self.with(|setup| setup.configure(change))
    }

    /// Sets how long to wait for a connection to each address of a host: 30 seconds unless set.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.with(|setup| setup.connect_timeout(timeout))
    }

    /// Sets how long a message may take in all, once all before it are finished: unbounded unless set.
    /// Past that the connection is given up, with every outcome told.
    pub fn message_timeout(self, timeout: Duration) -> Self {
        self.with(|setup| setup.pace(|pace| pace.message = Some(timeout)))
    }

    /// Sets how many bytes of a content in a second the server has to take, on average after ten seconds:
    /// any number unless set. Else the connection is given up, with every outcome told.
    pub fn lowest_rate(self, bytes_per_second: u32) -> Self {
        self.with(|setup| setup.pace(|pace| pace.bytes_per_second = bytes_per_second))
    }

    /// Has somebody told of everything that is sent and heard, as it happens: the greeting, what is offered,
    /// TLS, each command and each reply, with its step, message, recipient and time.
    pub fn watch(self, watcher: impl Fn(&Observation) + Send + Sync + 'static) -> Self {
        self.with(|setup| setup.watch(watcher))
    }

    /// Sets the address that connections come from; the system chooses it unless set. Addresses of the
    /// host that are of another family are passed over.
    pub fn local_address(self, address: IpAddr) -> Self {
        self.with(|setup| setup.local_address(address))
    }

    /// Has connections made by `dial`, which is called for one address of the host after the other: for
    /// proxies (`examples/socks5_blocking.rs`), a PROXY header, or options of sockets. It has to keep its own time.
    pub fn connect_with<T: Into<Socket>>(
        mut self,
        dial: impl Fn(SocketAddr) -> io::Result<T> + Send + Sync + 'static,
    ) -> Self {
        self.dial = Dial::with(dial);
        self
    }

    /// Has clients authenticate before any message, each by a mechanism of its own. Of several
    /// mechanisms, the first that the server offers is used.
    #[cfg(feature = "auth")]
    pub fn authenticate<M: Mechanism + 'static>(
        self,
        mechanism: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        self.with(|setup| setup.authenticate(mechanism))
    }

    /// Has clients authenticate by a user name and a password, in the best way that the server
    /// offers: SCRAM, with the feature `scram`, by which the server does not get to know the password;
    /// else PLAIN or LOGIN. To verified servers only, unless the configuration says otherwise.
    #[cfg(feature = "auth")]
    pub fn password(self, user: &str, password: &str) -> Self {
        self.with(|setup| setup.password(user, password, ENTROPY))
    }

    fn with(mut self, change: impl FnOnce(Setup) -> Setup) -> Self {
        self.setup = change(self.setup);
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
        self.connect_again(None)
    }

    /// Connects with what an earlier connection has found out about the server.
    pub(super) fn connect_again(&self, learned: Option<&Learned>) -> Result<Client, Error> {
        let server = self.setup.destination()?;
        let connected = self.connect_to(server, learned);
        connected.map_err(|error| error.naming(server))
    }

    fn connect_to(&self, server: &Server, learned: Option<&Learned>) -> Result<Client, Error> {
        let (host, port) = match server {
            Server::Tcp { host, port } => (host.as_str(), *port),
            #[cfg(unix)]
            Server::Unix { path } => {
                let stream = std::os::unix::net::UnixStream::connect(path);
                return self.open(Socket::Unix(stream.map_err(Error::connect)?), learned);
            }
            _ => return Err(Error::connect(io::ErrorKind::Unsupported.into())),
        };
        let addresses = (host, port).to_socket_addrs().map_err(Error::connect)?;
        let mut failures = Failures::default();
        for address in addresses {
            let (origin, patience) = (self.setup.origin(), self.setup.patience());
            let socket = self.dial.connect(address, origin, patience);
            let opened = socket.map_err(Error::connect);
            match opened.and_then(|socket| self.open(socket, learned)) {
                Ok(client) => return Ok(client),
                Err(error) => failures.note(error)?,
            }
        }
        Err(failures.into_error())
    }

    fn open(&self, socket: Socket, learned: Option<&Learned>) -> Result<Client, Error> {
        let local = socket.local_ip();
        let mut client = self.session(socket, local, learned)?;
        match client.ready().map(drop) {
            Ok(()) => Ok(client),
            Err(error) => Err(error.with_trace_of(client.driver.courier.machine_mut())),
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
        self.session(transport, None, None)
    }

    fn session<T: Transport + Send + 'static>(
        &self,
        transport: T,
        local: Option<IpAddr>,
        learned: Option<&Learned>,
    ) -> Result<Client<T>, Error> {
        let host_name = gethostname::gethostname();
        let host_name = host_name.to_string_lossy();
        let config = self.setup.config(&host_name, local, learned);
        let config = self.setup.secure(config, &self.tls, tls::of_url)?;
        let tls = self.tls.get().cloned().map(Tls::over);
        let mut client = Client::new(transport, config, tls);
        self.setup.prepare(&mut client.driver.courier)?;
        Ok(client)
    }

    /// Says how to do TLS: by a `TlsConnector`, or another library's [`Handshake`](tls::Handshake). The
    /// configuration, or the URL, says whether to.
    pub fn tls(mut self, connector: impl Into<Tls>) -> Self {
        self.tls = OnceLock::from(connector.into());
        self
    }
}
