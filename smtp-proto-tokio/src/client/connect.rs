//! From a server's name to a connection.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{Socket, tls::Tls};

smtp_proto::client_options! {
    Dialling;
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
}

/// A connection that is being made: see [`Options::connect_with`].
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<Socket>> + Send>>;

/// Connects to an address.
pub(super) async fn dial(address: SocketAddr, options: &Options) -> io::Result<Socket> {
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
