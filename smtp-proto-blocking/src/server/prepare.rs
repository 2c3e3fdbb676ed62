//! What is done with a connection before anything is said.

use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use smtp_proto::reception::Refusal;

use super::options::Options;
use crate::{Socket, Transport};

/// Prepares the connections of a [`Server`](super::Server) in their own threads, before TLS and
/// before the greeting: reads what a proxy says of the client, looks at block lists, chooses the
/// options for this client.
///
/// ```
/// use smtp_proto_blocking::server::{Arrival, Prepare, Refusal, refuse};
///
/// struct Blocked(std::net::IpAddr);
///
/// impl Prepare for Blocked {
///     fn prepare(&self, arrival: &mut Arrival) -> Result<(), Refusal> {
///         match arrival.options().peer() {
///             Some(peer) if peer.ip() == self.0 => Err(refuse!("554 5.7.1 Not from there")),
///             _ => Ok(()),
///         }
///     }
/// }
/// ```
///
/// `examples/proxy_protocol_blocking.rs` takes the client's address from a proxy.
pub trait Prepare: Send + Sync + 'static {
    /// Prepares a connection, within the time that the server [has](super::Server::prepare) for it:
    /// reads and writes fail when it is over.
    ///
    /// # Errors
    ///
    /// Turns the client away: with that reply in place of the greeting, or
    /// [without a word](Refusal::closing), before any TLS.
    fn prepare(&self, arrival: &mut Arrival) -> Result<(), Refusal>;
}

/// A connection that was accepted, and is not served yet. What is read from it is read in clear, and
/// is no part of the session.
#[derive(Debug)]
pub struct Arrival {
    socket: Socket,
    options: Options,
    begun: Instant,
    limit: Duration,
}

impl Arrival {
    pub(super) fn new(socket: Socket, options: Options, limit: Duration) -> Self {
        Self {
            socket,
            options,
            begun: Instant::now(),
            limit,
        }
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

    /// Returns how much time is left.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub(super) fn time_left(&self) -> io::Result<Duration> {
        match self.limit.checked_sub(self.begun.elapsed()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    pub(super) fn into_parts(self) -> (Socket, Options) {
        (self.socket, self.options)
    }
}

impl Read for Arrival {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.time_left()?;
        Transport::set_read_timeout(&mut self.socket, left)?;
        self.socket.read(buffer)
    }
}

impl Write for Arrival {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.time_left()?;
        Transport::set_write_timeout(&mut self.socket, left)?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
