//! What is done with a connection before anything is said.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::options::Options;
use crate::Socket;

smtp_proto::prepare! {
    async.await {}
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
