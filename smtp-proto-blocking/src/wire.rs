//! A socket as the drivers see it, with a clock and limits of time.

use std::{
    io::{self, IoSlice, Read, Write},
    mem,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{driver, reception::Phase};

use crate::{
    Socket, TlsInfo, Transport,
    server::Shutdown,
    tls::{Link, Tls},
    transport::is_passing,
};

/// How long a write may hold up the other direction.
const MOMENT: Duration = Duration::from_millis(16);
/// How long a read may that takes the place of a blocked write.
const GLANCE: Duration = Duration::from_millis(1);
/// How soon a connection that waits notices that the server is ending.
const WATCH: Duration = Duration::from_millis(256);
/// The shortest time limit that sockets are given; they count in ticks of about that length.
const SHORTEST: Duration = Duration::from_millis(1);

/// A socket, and the time since it was established.
#[derive(Debug)]
pub(crate) struct Wire {
    /// What carries the session; nothing does after a handshake that failed.
    pub(crate) socket: Option<Socket>,
    /// When the machine's time began.
    pub(crate) origin: Instant,
    /// What may end the session meanwhile.
    shutdown: Option<Shutdown>,
    is_secure: bool,
    read_timeout: Duration,
    write_timeout: Duration,
    /// The peer took no more for a moment. Maybe it does once it could write all that it has to say: until
    /// nothing more comes, nothing is written.
    is_held_up: bool,
    /// A read or a handshake has waited in vain.
    has_waited: bool,
}

/// Polls until it is ready: what it polls blocks by itself.
pub(crate) fn poll_fn<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = poll(&mut cx) {
            return output;
        }
    }
}

impl Wire {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket: Some(socket),
            origin: Instant::now(),
            shutdown: None,
            is_secure: false,
            read_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
            is_held_up: false,
            has_waited: false,
        }
    }

    /// Has the session end when a server does.
    pub(crate) fn within(self, shutdown: Option<Shutdown>) -> Self {
        Self { shutdown, ..self }
    }

    /// Returns what carries the session now.
    fn carrier(&mut self) -> io::Result<&mut Socket> {
        let socket = self.socket.as_mut();
        socket.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Reads what there is, or waits for it until then.
    fn read_until(&mut self, buffer: &mut [u8], until: Duration) -> io::Result<usize> {
        loop {
            let timeout = timeout_within(until.saturating_sub(self.elapsed()));
            if timeout != self.read_timeout || self.is_secure {
                self.carrier()?.set_read_timeout(timeout)?;
                self.read_timeout = timeout;
            }
            match self.carrier()?.read(buffer) {
                // Under TLS, more has to come before there is anything.
                Err(error) if is_interruption(&error) && self.elapsed() < until => {}
                result => return result,
            }
        }
    }

    /// Reads what has arrived, and waits for nothing.
    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_timeout = Duration::ZERO; // it may be another after this
        loop {
            match self.carrier()?.read_arrived(buffer) {
                Err(error) if is_interruption(&error) => {}
                result => return result,
            }
        }
    }

    fn limit_writes(&mut self) -> io::Result<()> {
        if self.write_timeout != MOMENT || self.is_secure {
            self.carrier()?.set_write_timeout(MOMENT)?;
            self.write_timeout = MOMENT;
        }
        Ok(())
    }

    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }
}

impl driver::Wire for Wire {
    type Tls = Tls;

    fn now(&self) -> Duration {
        self.elapsed()
    }

    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buffer: &mut [u8],
        until: Duration,
    ) -> Poll<io::Result<usize>> {
        let now = self.elapsed();
        if until <= now {
            return pending_if_passing(self.read_arrived(buffer));
        }
        let patience = match self.shutdown {
            _ if self.is_held_up => GLANCE,
            Some(_) => WATCH,
            None => Duration::MAX,
        };
        let read = self.read_until(buffer, until.min(now.saturating_add(patience)));
        let read = pending_if_passing(read);
        self.has_waited = read.is_pending();
        read
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_held_up {
            return Poll::Pending;
        }
        self.limit_writes()?;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let begin = Instant::now();
        let written = pending_if_passing(self.carrier()?.write_vectored(slices));
        self.is_held_up = match written {
            // Transports may take a part without delay: one slice, or what a TLS session buffers.
            Poll::Ready(Ok(bytes)) => bytes < offered && begin.elapsed() >= MOMENT,
            Poll::Ready(Err(_)) => false,
            Poll::Pending => true,
        };
        written
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_held_up {
            return Poll::Pending;
        }
        let flushed = pending_if_passing(self.carrier()?.flush());
        self.is_held_up = flushed.is_pending();
        flushed
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.limit_writes()?;
        Poll::Ready(self.carrier()?.shutdown_write())
    }

    fn poll_handshake(
        &mut self,
        tls: &Tls,
        _: &mut Context<'_>,
        until: Duration,
    ) -> Poll<io::Result<TlsInfo>> {
        let Some(socket) = self.socket.take() else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let shutdown = self.shutdown.clone();
        let goes_on = move || {
            let phase = shutdown.as_ref().map(Shutdown::phase);
            phase.is_none_or(|phase| phase == Phase::Serving)
        };
        let at = self.origin.checked_add(until);
        let link = Link::new(Box::new(socket), at, Box::new(goes_on));
        match link.and_then(|link| tls.begin(link)) {
            Ok((transport, info)) => {
                self.socket = Some(Socket::Other(transport));
                self.is_secure = true;
                Poll::Ready(Ok(info))
            }
            // A library may have its own words for that it took too long.
            Err(error) if is_passing(&error) || until <= self.elapsed() => {
                self.has_waited = true;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn hang_up(&mut self) {
        self.socket = None;
    }

    fn poll_until(&mut self, _: &mut Context<'_>, until: Duration) -> Poll<()> {
        if !mem::take(&mut self.has_waited) {
            // There was nothing to read, or no room to read into.
            let most = if self.is_held_up { GLANCE } else { WATCH };
            thread::sleep(until.saturating_sub(self.elapsed()).min(most));
        }
        self.is_held_up = false;
        match until <= self.elapsed() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Returns the longest power of two of milliseconds that ends before `limit`.
///
/// Limits change with every call; their powers of two hardly ever, which saves a system call. To
/// wake up early costs another turn.
fn timeout_within(limit: Duration) -> Duration {
    let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    match milliseconds.checked_ilog2() {
        Some(power) => Duration::from_millis(1 << power.min(30)),
        None => SHORTEST,
    }
}

fn pending_if_passing<R>(result: io::Result<R>) -> Poll<io::Result<R>> {
    match result {
        Err(error) if is_passing(&error) => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// Tells whether an error says only to try again at once.
fn is_interruption(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_powers_of_two_within_the_limit() {
        let milliseconds = |limit| timeout_within(Duration::from_micros(limit)).as_millis();
        assert_eq!(milliseconds(0), 1);
        assert_eq!(milliseconds(1_999), 1);
        assert_eq!(milliseconds(16_000), 16);
        assert_eq!(milliseconds(31_999), 16);
        assert_eq!(milliseconds(300_000_000), 262_144);
        assert_eq!(timeout_within(Duration::MAX).as_millis(), 1 << 30);
    }
}
