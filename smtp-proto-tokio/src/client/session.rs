//! One session: what is submitted to it, and what it comes to.

use std::future::poll_fn;

use smtp_proto::client::Duplex;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{net::lookup_host as resolve, time::Instant};

use super::{
    body::Body,
    connect::{Options, dial},
};
use crate::{Socket, tls, wire::Wire};

/// This client always reads while it writes.
const DUPLEX: Option<Duplex> = Some(Duplex::Full);

smtp_proto::client! {
    async.await
    /// One SMTP session over one connection.
    ///
    /// Futures may be dropped: what was submitted stays submitted, and nothing is lost but the answer.
}

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

    /// Starts a session over a connection that was just established.
    ///
    /// The configuration's duplex is of no account: this client always reads while it writes.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if the means for TLS or authentication cannot be had.
    pub fn with_stream(
        stream: impl tls::Duplex + 'static,
        options: impl Into<Options>,
    ) -> Result<Self, Error> {
        Self::over(Socket::over(stream), &options.into(), None, None)
    }
}
