//! From a server's name to a client.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use smtp_proto::{
    client::{self, Learned},
    delivery::{self, Failures, Server, Surroundings},
};
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};

use super::{drive::Driver, session::Client};
#[cfg(feature = "rustls")]
use crate::tls::TlsConnector;
use crate::{
    Error, Socket,
    tls::{Duplex, Tls},
};

/// Says how clients are to behave, where their server is, and as whom they come.
///
/// ```no_run
/// # #[cfg(all(feature = "auth", feature = "rustls"))]
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use smtp_proto_tokio::{Client, client::Options, tls::TlsConnector};
///
/// let options = Options::at("smtp://alice:secret@submit.example.net")?
///     .tls(TlsConnector::with_ca_file("submit.example.net", "ca.pem")?)
///     .message_timeout(Duration::from_secs(600))
///     .lowest_rate(1000)
///     .configure(|config| config.traced());
/// let mut client = Client::connect(options).await?;
/// # Ok(())
/// # }
/// ```
pub type Options = delivery::Options<Tls, Dialling>;

/// A connection that is being made: see [`Options::connect_with`].
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<Socket>> + Send>>;

impl Client {
    /// Connects to a server and waits until the session is open. A [URL](smtp_proto::delivery::ServerUrl)
    /// says all that is needed, or else [`Options`] do. All addresses of a host are tried in turn.
    ///
    /// # Errors
    ///
    /// [`Error::Url`], [`Error::Connect`] if no address of the host can be reached, and
    /// [`Error::Session`] if the server refuses the session: its [`answer`](Error::answer) says how.
    pub fn connect<O>(options: O) -> impl Future<Output = Result<Self, Error>> + Send
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        let options = options.try_into().map_err(Error::from);
        async move { Self::connect_again(&options?, None).await }
    }

    /// Connects with what an earlier connection has found out about the server.
    pub(super) async fn connect_again(
        options: &Options,
        learned: Option<&Learned>,
    ) -> Result<Self, Error> {
        let (host, port) = match options.destination()? {
            Server::Tcp { host, port } => (host.as_str(), *port),
            #[cfg(unix)]
            Server::Unix { path } => {
                let stream = tokio::net::UnixStream::connect(path).await;
                let socket = Socket::Unix(stream.map_err(Error::connect)?);
                return Self::open(socket, options, learned).await;
            }
            _ => return Err(Error::connect(io::ErrorKind::Unsupported.into())),
        };
        let addresses = lookup_host((host, port)).await.map_err(Error::connect)?;
        let mut failures = Failures::default();
        for address in addresses {
            let opened = match dial(address, options).await {
                Ok(socket) => Self::open(socket, options, learned).await,
                Err(error) => Err(Error::connect(error)),
            };
            match opened {
                Ok(client) => return Ok(client),
                Err(error) => failures.note(error)?,
            }
        }
        Err(failures.into_error())
    }

    async fn open(
        socket: Socket,
        options: &Options,
        learned: Option<&Learned>,
    ) -> Result<Self, Error> {
        let local = socket.local_ip();
        let mut client = Self::over(socket, options, local, learned)?;
        match client.ready().await.map(drop) {
            Ok(()) => Ok(client),
            Err(error) => Err(error.with_trace_of(client.driver.courier.machine_mut())),
        }
    }

    /// Starts a session over a connection that was just established.
    ///
    /// The configuration's duplex is of no account: this client always reads while it writes.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if the means for TLS or authentication cannot be had.
    pub fn with_stream(
        stream: impl Duplex + 'static,
        options: impl Into<Options>,
    ) -> Result<Self, Error> {
        Self::over(Socket::over(stream), &options.into(), None, None)
    }

    fn over(
        socket: Socket,
        options: &Options,
        local: Option<IpAddr>,
        learned: Option<&Learned>,
    ) -> Result<Self, Error> {
        let surroundings = Surroundings {
            host_name: gethostname::gethostname(),
            #[cfg(feature = "scram")]
            entropy: Some(crate::entropy::fill),
            #[cfg(not(feature = "scram"))]
            entropy: None,
            #[cfg(feature = "rustls")]
            trust: Some(|host, tls| Ok(TlsConnector::of_url(host, tls)?.into())),
            #[cfg(not(feature = "rustls"))]
            trust: None,
            duplex: Some(client::Duplex::Full),
        };
        let (courier, tls) = options.begin(&surroundings, local, learned)?;
        let driver = Driver::new(socket, tls, courier);
        Ok(Self { driver })
    }
}

async fn dial(address: SocketAddr, options: &Options) -> io::Result<Socket> {
    let dialled = match options.dial(address) {
        Some(dialling) => timeout(options.patience(), dialling).await,
        None => timeout(options.patience(), connect_from(options.origin(), address)).await,
    };
    dialled.unwrap_or_else(|late| Err(late.into()))
}

async fn connect_from(local: Option<IpAddr>, address: SocketAddr) -> io::Result<Socket> {
    let stream = match local {
        None => TcpStream::connect(address).await?,
        Some(local) => {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.bind(SocketAddr::new(local, 0))?;
            socket.connect(address).await?
        }
    };
    // A flight is written as a whole: nothing is to be waited for. It is of no account where a system
    // cannot.
    let _ = stream.set_nodelay(true);
    Ok(Socket::Tcp(stream))
}
