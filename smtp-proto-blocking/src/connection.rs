//! A stream with its clock, its time limits and what was read and not used up.

use std::{
    fmt,
    io::{self, IoSlice, Read, Write},
    time::{Duration, Instant},
};

use smtp_proto::framing::{ReadBuffer, WriteBuffer};

use crate::{Stream, Transport, tls::Begin, transport::is_passing};

/// How long a write may hold up the other direction.
pub(crate) const MOMENT: Duration = Duration::from_millis(16);
/// How long a read may that takes the place of a blocked write.
pub(crate) const GLANCE: Duration = Duration::from_millis(1);
/// The shortest time limit that sockets are given; they count in ticks of about that length.
const SHORTEST: Duration = Duration::from_millis(1);
/// The most slices of one vectored write.
const SLICES: usize = 32;

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
pub(crate) struct Connection<T> {
    stream: Stream<T>,
    origin: Instant,
    read_timeout: Duration,
    write_timeout: Duration,
    received: ReadBuffer,
    /// What is ready, and leaves with the next write.
    pub(crate) ready: WriteBuffer,
}

impl<T: Transport> Connection<T> {
    /// Takes over a transport; `max_unconsumed` is the machine's.
    pub(crate) fn new(transport: T, tls: Option<Begin<T>>, max_unconsumed: usize) -> Self {
        Self {
            stream: Stream::new(transport, tls),
            origin: Instant::now(),
            read_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
            received: ReadBuffer::new(max_unconsumed),
            ready: WriteBuffer::default(),
        }
    }

    /// Returns the time on the machine's clock.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Returns when that clock began.
    pub(crate) fn origin(&self) -> Instant {
        self.origin
    }

    /// Returns what was read and not used up.
    pub(crate) fn input(&self) -> &[u8] {
        self.received.unread()
    }

    /// Drops all of the input but its last `remaining` bytes.
    pub(crate) fn keep(&mut self, remaining: usize) {
        self.received.keep(remaining);
    }

    /// Gives back the memory that only busy connections need.
    pub(crate) fn shrink(&mut self) {
        self.received.shrink();
        self.ready.shrink();
    }

    /// Reads what there is into the input, or waits for it no longer than `limit`.
    pub(crate) fn read(&mut self, limit: Duration) -> io::Result<Progress> {
        let until = self.now().saturating_add(limit);
        loop {
            self.limit_reads(until.saturating_sub(self.now()))?;
            let room = self.received.room();
            if room.is_empty() {
                return Ok(Progress::Blocked);
            }
            match self.stream.read(room) {
                // Under TLS, more has to come before there is anything.
                Err(error) if is_interruption(&error) && self.now() < until => {}
                result => return self.note_read(result),
            }
        }
    }

    /// Reads what has arrived into the input, and waits for nothing.
    pub(crate) fn read_arrived(&mut self) -> io::Result<Progress> {
        self.read_timeout = Duration::ZERO; // it may be another after this
        loop {
            let room = self.received.room();
            if room.is_empty() {
                return Ok(Progress::Blocked);
            }
            match self.stream.read_arrived(room) {
                Err(error) if is_interruption(&error) => {}
                result => return self.note_read(result),
            }
        }
    }

    fn note_read(&mut self, result: io::Result<usize>) -> io::Result<Progress> {
        let progress = progress_of(result)?;
        if let Progress::Bytes(bytes) = progress {
            self.received.filled(bytes);
        }
        Ok(progress)
    }

    /// Writes what is [ready](Self::ready) and these slices after it, no longer than `limit`. What is
    /// told was taken of the slices.
    pub(crate) fn write(&mut self, slices: &[&[u8]], limit: Duration) -> io::Result<Taken> {
        self.limit_writes(limit)?;
        let ready = self.ready.pending();
        let all = [ready].into_iter().chain(slices.iter().copied());
        let mut vectors = [IoSlice::new(&[]); SLICES];
        let (mut offered, mut count) = (0, 0);
        for (vector, slice) in vectors.iter_mut().zip(all) {
            *vector = IoSlice::new(slice);
            offered += slice.len();
            count += 1;
        }
        let vectors = vectors.get(usize::from(ready.is_empty())..count);
        let begin = Instant::now();
        let written = self.stream.write_vectored(vectors.unwrap_or_default());
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
        progress_of(self.stream.flush().map(|()| 0))
    }

    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }

    /// Does the TLS handshake, as long as `goes_on` allows and no longer than `limit`. Returns whether
    /// it is complete.
    pub(crate) fn handshake(
        &mut self,
        limit: Duration,
        goes_on: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<bool> {
        // What came in clear was presented to the machine, which then wants no TLS; none of it
        // may pass for what came under TLS (3207-4-h, 3207-4-i).
        if !self.input().is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let until = Instant::now().checked_add(limit);
        match self.stream.handshake(until, Box::new(goes_on)) {
            Ok(()) => Ok(true),
            Err(error) if is_passing(&error) => Ok(false),
            // A library may have its own words for that.
            Err(_) if until.is_some_and(|until| until <= Instant::now()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells the peer that nothing more comes, where there is TLS to say so.
    pub(crate) fn close(&mut self) {
        if self.stream.tls_info().is_some() && self.limit_writes(MOMENT).is_ok() {
            // It has heard all already.
            let _ = self.stream.shutdown_write();
        }
    }

    /// Returns the stream.
    pub(crate) fn stream(&self) -> &Stream<T> {
        &self.stream
    }

    /// Returns the stream and what was read from it and not used up.
    pub(crate) fn into_parts(self) -> (Stream<T>, Vec<u8>) {
        let unread = self.input().to_vec();
        (self.stream, unread)
    }

    fn limit_reads(&mut self, limit: Duration) -> io::Result<()> {
        let timeout = timeout_within(limit);
        if timeout != self.read_timeout || self.stream.get_ref().is_none() {
            self.stream.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(())
    }

    fn limit_writes(&mut self, limit: Duration) -> io::Result<()> {
        let timeout = timeout_within(limit);
        if timeout != self.write_timeout || self.stream.get_ref().is_none() {
            self.stream.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }
}

/// Shows how much was read, and nothing of it.
impl<T: fmt::Debug> fmt::Debug for Connection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("stream", &self.stream)
            .field("unread", &self.received)
            .finish_non_exhaustive()
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
