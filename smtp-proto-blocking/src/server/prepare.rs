//! What is done with a connection before anything is said.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use super::options::Options;
use crate::{Socket, Transport};

smtp_proto::prepare! {
    { begun: Instant, limit: Duration }
    /// Prepares the connections of a [`Server`](super::Server) in their own threads, before TLS and
    /// before the greeting: reads what a proxy says of the client, looks at block lists, chooses the
    /// options for this client. Reads and writes fail when its time is over.
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
}

impl Arrival {
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
