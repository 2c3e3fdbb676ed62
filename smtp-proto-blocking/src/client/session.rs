//! One session: what is submitted to it, and what it comes to.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{net::ToSocketAddrs, time::Instant};

use smtp_proto::client::Duplex;

use super::{
    body::Body,
    connect::{Options, dial},
};
use crate::{
    Socket, Transport,
    wire::{Wire, poll_fn},
};

/// It is the configuration's to say.
const DUPLEX: Option<Duplex> = None;

smtp_proto::client! {
    /// One SMTP session over one connection.
}

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
}

fn resolve(place: (&str, u16)) -> std::io::Result<std::vec::IntoIter<std::net::SocketAddr>> {
    place.to_socket_addrs()
}
