//! What is done with a connection before anything is said.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use smtp_proto::reception::Refusal;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::options::Options;
use crate::Socket;

/// Prepares the connections of a [`Server`](super::Server) in their own tasks, before TLS and
/// before the greeting: reads what a proxy says of the client, looks at block lists, chooses the
/// options for this client.
///
/// ```
/// use smtp_proto_tokio::server::{Arrival, Prepare, Refusal, refuse};
///
/// struct Blocked(std::net::IpAddr);
///
/// impl Prepare for Blocked {
///     async fn prepare(&self, arrival: &mut Arrival) -> Result<(), Refusal> {
///         match arrival.options().peer() {
///             Some(peer) if peer.ip() == self.0 => Err(refuse!("554 5.7.1 Not from there")),
///             _ => Ok(()),
///         }
///     }
/// }
/// ```
///
/// `examples/proxy_protocol.rs` takes the client's address from a proxy.
pub trait Prepare: Send + Sync + 'static {
    /// Prepares a connection, within the time that the server [has](super::Server::prepare) for it.
    ///
    /// # Errors
    ///
    /// Turns the client away: with that reply in place of the greeting, or
    /// [without a word](Refusal::closing), before any TLS.
    fn prepare(&self, arrival: &mut Arrival) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// A connection that was accepted, and is not served yet. What is read from it is read in clear, and
/// is no part of the session.
#[derive(Debug)]
pub struct Arrival {
    socket: Socket,
    options: Options,
}

impl Arrival {
    pub(super) fn new(socket: Socket, options: Options) -> Self {
        Self { socket, options }
    }

    /// Returns the socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Returns how the connection is to be served, and its addresses.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Changes how the connection is to be served. Limits per address count the client's that it
    /// has then.
    pub fn configure(&mut self, configure: impl FnOnce(Options) -> Options) {
        self.options = configure(self.options.clone());
    }

    pub(super) fn into_parts(self) -> (Socket, Options) {
        (self.socket, self.options)
    }
}

impl AsyncRead for Arrival {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Arrival {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
