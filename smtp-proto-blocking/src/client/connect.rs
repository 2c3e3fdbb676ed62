//! From a server's name to a connection.

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use crate::{Socket, tls::Tls};

smtp_proto::client_options! {
    io::Result<Socket>;
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
}

/// Connects to an address. What the options [have it done by](Options::connect_with) keeps its own time.
pub(super) fn dial(address: SocketAddr, options: &Options) -> io::Result<Socket> {
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
