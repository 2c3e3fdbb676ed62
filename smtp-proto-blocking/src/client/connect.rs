//! From a server's name to a client.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
};

use smtp_proto::{
    client::Learned,
    delivery::{self, Failures, Server, Surroundings},
};

use super::{drive::Driver, session::Client};
#[cfg(feature = "rustls")]
use crate::tls::TlsConnector;
use crate::{Error, Socket, Transport, tls::Tls};

/// Says how clients are to behave, where their server is, and as whom they come.
///
/// ```no_run
/// # #[cfg(all(feature = "auth", feature = "rustls"))]
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use smtp_proto_blocking::{Client, client::Options, tls::TlsConnector};
///
/// let options = Options::at("smtp://alice:secret@submit.example.net")?
///     .tls(TlsConnector::with_ca_file("submit.example.net", "ca.pem")?)
///     .message_timeout(Duration::from_secs(600))
///     .lowest_rate(1000)
///     .configure(|config| config.traced());
/// let mut client = Client::connect(options)?;
/// # Ok(())
/// # }
/// ```
pub type Options = delivery::Options<Tls, io::Result<Socket>>;

impl Client {
    /// Connects to a server and waits until the session is open. A [URL](smtp_proto::delivery::ServerUrl)
    /// says all that is needed, or else [`Options`] do. All addresses of a host are tried in turn.
    ///
    /// # Errors
    ///
    /// [`Error::Url`], [`Error::Connect`] if no address of the host can be reached, and
    /// [`Error::Session`] if the server refuses the session: its [`answer`](Error::answer) says how.
    pub fn connect<O>(options: O) -> Result<Self, Error>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        Self::connect_again(&options.try_into()?, None)
    }

    /// Connects with what an earlier connection has found out about the server.
    pub(super) fn connect_again(
        options: &Options,
        learned: Option<&Learned>,
    ) -> Result<Self, Error> {
        let (host, port) = match options.destination()? {
            Server::Tcp { host, port } => (host.as_str(), *port),
            #[cfg(unix)]
            Server::Unix { path } => {
                let stream = std::os::unix::net::UnixStream::connect(path);
                let socket = Socket::Unix(stream.map_err(Error::connect)?);
                return Self::open(socket, options, learned);
            }
            _ => return Err(Error::connect(io::ErrorKind::Unsupported.into())),
        };
        let addresses = (host, port).to_socket_addrs().map_err(Error::connect)?;
        let mut failures = Failures::default();
        for address in addresses {
            let dialled = dial(address, options).map_err(Error::connect);
            match dialled.and_then(|socket| Self::open(socket, options, learned)) {
                Ok(client) => return Ok(client),
                Err(error) => failures.note(error)?,
            }
        }
        Err(failures.into_error())
    }

    fn open(socket: Socket, options: &Options, learned: Option<&Learned>) -> Result<Self, Error> {
        let local = socket.local_ip();
        let mut client = Self::over(socket, options, local, learned)?;
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
    pub fn with_stream(
        transport: impl Transport + Send + 'static,
        options: impl Into<Options>,
    ) -> Result<Self, Error> {
        Self::over(Socket::over(transport), &options.into(), None, None)
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
            duplex: None,
        };
        let (courier, tls) = options.begin(&surroundings, local, learned)?;
        let driver = Driver::new(socket, tls, courier);
        Ok(Self { driver })
    }
}

/// Connects to an address. What the options [have it done by](Options::connect_with) keeps its own time.
fn dial(address: SocketAddr, options: &Options) -> io::Result<Socket> {
    if let Some(dialled) = options.dial(address) {
        return dialled;
    }
    let limit = options.patience();
    let stream = match options.origin() {
        None => TcpStream::connect_timeout(&address, limit)?,
        Some(local) => {
            let domain = socket2::Domain::for_address(address);
            let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
            socket.bind(&SocketAddr::new(local, 0).into())?;
            socket.connect_timeout(&address.into(), limit)?;
            socket.into()
        }
    };
    // A flight is written as a whole: nothing is to be waited for. It is of no account where a system
    // cannot.
    let _ = stream.set_nodelay(true);
    Ok(Socket::Tcp(stream))
}
