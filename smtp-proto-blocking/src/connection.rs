//! A socket with its clock, its time limits and what was read and not used up.

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use smtp_proto::{
    framing::{ReadBuffer, WriteBuffer},
    machine::{self, Driven, TlsInfo},
};

use crate::{
    Error, Socket, Transport,
    tls::{GoesOn, Link, Secured, Tls},
    transport::is_passing,
};

/// How long a write may hold up the other direction.
pub(crate) const MOMENT: Duration = Duration::from_millis(16);
/// How long a read may that takes the place of a blocked write.
pub(crate) const GLANCE: Duration = Duration::from_millis(1);
/// The shortest time limit that sockets are given; they count in ticks of about that length.
const SHORTEST: Duration = Duration::from_millis(1);

/// What came of an attempt to read or write.
pub(crate) enum Progress {
    /// So many bytes were read, 0 at the end, or written.
    Bytes(usize),
    /// Its time ran out.
    Blocked,
}

/// What came of an attempt to write.
pub(crate) struct Taken {
    /// So many bytes were.
    pub(crate) bytes: usize,
    /// The rest has to wait: time ran out. Otherwise the transport takes more at once.
    pub(crate) blocked: bool,
}

/// One connection, as the client and the server use it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// What carries the session; nothing does after a handshake that failed.
    pub(crate) socket: Option<Socket>,
    pub(crate) tls_info: Option<Box<TlsInfo>>,
    tls: Option<Tls>,
    pub(crate) origin: Instant,
    read_timeout: Duration,
    write_timeout: Duration,
    pub(crate) received: ReadBuffer,
    /// What is ready, and leaves with the next write.
    pub(crate) ready: WriteBuffer,
    /// Nothing more comes.
    pub(crate) eof: bool,
    error: Option<Arc<io::Error>>,
}

impl Connection {
    /// Takes over a socket for a machine that leaves up to so many bytes unconsumed.
    pub(crate) fn new(socket: Socket, tls: Option<Tls>, max_unconsumed: usize) -> Self {
        Self {
            socket: Some(socket),
            tls_info: None,
            tls,
            origin: Instant::now(),
            read_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
            received: ReadBuffer::new(max_unconsumed),
            ready: WriteBuffer::default(),
            eof: false,
            error: None,
        }
    }

    /// Returns the time on the machine's clock.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Adds what the transport said to what a machine makes of it.
    pub(crate) fn explain(&self, error: machine::Error) -> Error {
        Error::session(error, self.error.clone())
    }

    /// Takes note of how the transport failed, and tells the machine that nothing more can be written.
    pub(crate) fn write_failed(&mut self, machine: &mut impl Driven, error: io::Error) {
        self.ready = WriteBuffer::default();
        self.error.get_or_insert(Arc::new(error));
        machine.write_failed();
    }

    /// Gives back the memory that only busy connections need.
    pub(crate) fn shrink(&mut self) {
        self.received.shrink();
        self.ready.shrink();
    }

    /// Reads what there is, or waits for it no longer than `limit`. Tells the machine of an end.
    pub(crate) fn read(&mut self, machine: &mut impl Driven, limit: Duration) -> Progress {
        let until = self.now().saturating_add(limit);
        loop {
            let left = until.saturating_sub(self.now());
            let result = self.limit_reads(left).and_then(|()| {
                let room = self.received.room();
                match room.is_empty() {
                    true => Err(io::ErrorKind::WouldBlock.into()),
                    false => carrier(&mut self.socket)?.read(room),
                }
            });
            match result {
                // Under TLS, more has to come before there is anything.
                Err(error) if is_interruption(&error) && self.now() < until => {}
                result => return self.note_read(machine, result),
            }
        }
    }

    /// Reads what has arrived, and waits for nothing. Tells the machine of an end.
    pub(crate) fn read_arrived(&mut self, machine: &mut impl Driven) -> Progress {
        self.read_timeout = Duration::ZERO; // it may be another after this
        loop {
            let room = self.received.room();
            if room.is_empty() {
                return Progress::Blocked;
            }
            match carrier(&mut self.socket).and_then(|it| it.read_arrived(room)) {
                Err(error) if is_interruption(&error) => {}
                result => return self.note_read(machine, result),
            }
        }
    }

    fn note_read(&mut self, machine: &mut impl Driven, result: io::Result<usize>) -> Progress {
        match result {
            Ok(bytes @ 1..) => {
                self.received.filled(bytes);
                return Progress::Bytes(bytes);
            }
            Err(error) if is_passing(&error) => return Progress::Blocked,
            Err(error) => {
                self.error.get_or_insert(Arc::new(error));
            }
            Ok(0) => {}
        }
        self.eof = true;
        machine.handle_eof();
        Progress::Bytes(0)
    }

    /// Writes what is [ready](Self::ready) and these slices after it, no longer than `limit`. What is
    /// told was taken of the slices.
    pub(crate) fn write(&mut self, slices: &[&[u8]], limit: Duration) -> io::Result<Taken> {
        self.limit_writes(limit)?;
        let vectors = self.ready.vectors(slices);
        let offered: usize = vectors.iter().map(|vector| vector.len()).sum();
        let begin = Instant::now();
        let written = carrier(&mut self.socket)?.write_vectored(&vectors);
        drop(vectors);
        let bytes = match progress_of(written)? {
            Progress::Bytes(0) => return Err(io::ErrorKind::WriteZero.into()),
            Progress::Bytes(bytes) => bytes,
            Progress::Blocked => 0,
        };
        Ok(Taken {
            bytes: self.ready.advance(bytes),
            // Transports may take a part without delay: one slice, or what a TLS session buffers.
            blocked: bytes == 0 || bytes < offered && begin.elapsed() >= limit,
        })
    }

    pub(crate) fn flush(&mut self) -> io::Result<Progress> {
        let flushed = carrier(&mut self.socket)?.flush();
        progress_of(flushed.map(|()| 0))
    }

    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        carrier(&mut self.socket)?.shutdown_write()
    }

    /// Does the TLS handshake, as long as `goes_on` allows and no longer than `limit`, and tells the machine
    /// what comes of it. Returns whether it was in time.
    pub(crate) fn handshake(
        &mut self,
        machine: &mut impl Driven,
        limit: Duration,
        goes_on: impl Fn() -> bool + Send + 'static,
    ) -> bool {
        let until = Instant::now().checked_add(limit);
        match self.try_handshake(until, Box::new(goes_on)) {
            Ok((transport, info)) => {
                self.socket = Some(Socket::Other(transport));
                self.tls_info = Some(Box::new(info.clone()));
                machine.tls_established(info, self.now());
            }
            // A library may have its own words for that it took too long.
            Err(error)
                if is_passing(&error) || until.is_some_and(|until| until <= Instant::now()) =>
            {
                return false;
            }
            Err(error) => {
                machine.tls_failed(error.get_ref());
                self.error.get_or_insert(Arc::new(error));
            }
        }
        true
    }

    fn try_handshake(&mut self, until: Option<Instant>, goes_on: GoesOn) -> io::Result<Secured> {
        // What came in clear was presented to the machine, which then wants no TLS; none of it
        // may pass for what came under TLS (3207-4-h, 3207-4-i).
        if !self.received.unread().is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Nothing leaves in clear from here on.
        match (self.socket.take(), &self.tls) {
            (Some(socket), Some(tls)) => {
                tls.handshake(Link::new(Box::new(socket), until, goes_on)?)
            }
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the configuration asks for TLS, and neither a TlsConnector nor a TlsAcceptor was given",
            )),
        }
    }

    /// Tells the peer that nothing more comes, where there is TLS to say so.
    pub(crate) fn close(&mut self) {
        if self.tls_info.is_some() && self.limit_writes(MOMENT).is_ok() {
            // It has heard all already.
            let _ = self.shutdown_write();
        }
    }

    fn limit_reads(&mut self, limit: Duration) -> io::Result<()> {
        let timeout = timeout_within(limit);
        if timeout != self.read_timeout || self.tls_info.is_some() {
            carrier(&mut self.socket)?.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(())
    }

    fn limit_writes(&mut self, limit: Duration) -> io::Result<()> {
        let timeout = timeout_within(limit);
        if timeout != self.write_timeout || self.tls_info.is_some() {
            carrier(&mut self.socket)?.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }
}

/// Returns what carries the session now.
fn carrier(socket: &mut Option<Socket>) -> io::Result<&mut Socket> {
    socket
        .as_mut()
        .ok_or_else(|| io::ErrorKind::NotConnected.into())
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

fn progress_of(result: io::Result<usize>) -> io::Result<Progress> {
    match result {
        Ok(bytes) => Ok(Progress::Bytes(bytes)),
        Err(error) if is_passing(&error) => Ok(Progress::Blocked),
        Err(error) => Err(error),
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
