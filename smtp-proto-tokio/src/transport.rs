//! What both directions of the adapter need of tokio: a clock, an alarm, a buffer, a write.

use std::{
    io::{self, IoSlice},
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// The least room that a read is given, and what is read ahead of the machine.
pub(crate) const READ: usize = 16 * 1024;
/// The most slices of one vectored write.
const SLICES: usize = 32;

/// Reads tokio's clock as the time since its creation, which is what machines take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// Wakes its task at a machine's next deadline.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Is ready once `deadline` is past.
    ///
    /// Deadlines move back at nearly every reply. Then the sleep is left alone, and moved only when
    /// it wakes too early: most never do.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        clock: Clock,
        deadline: Option<Duration>,
    ) -> Poll<()> {
        let Some(at) = deadline.and_then(|deadline| clock.origin.checked_add(deadline)) else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }
}

/// Holds what has arrived and was not used up.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    octets: Vec<u8>,
    filled: Range<usize>,
    capacity: usize,
}

impl ReadBuffer {
    /// Creates a buffer for a machine that leaves up to so many octets unconsumed.
    pub(crate) fn new(max_unconsumed: usize) -> Self {
        Self {
            octets: Vec::new(),
            filled: 0..0,
            capacity: max_unconsumed.saturating_add(READ),
        }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        self.octets.get(self.filled.clone()).unwrap_or_default()
    }

    /// Keeps only the last `left` octets.
    pub(crate) fn keep(&mut self, left: usize) {
        self.filled.start = self.filled.end.saturating_sub(left);
        if self.filled.is_empty() {
            self.filled = 0..0;
        }
    }

    /// Tells whether so much has arrived that nothing more is read ahead.
    pub(crate) fn is_full(&self) -> bool {
        self.filled.len() >= self.capacity
    }

    /// Reads once. Must not be called when the buffer is full.
    pub(crate) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.filled.end == self.octets.len() {
            self.make_room();
        }
        let room = self.octets.get_mut(self.filled.end..).unwrap_or_default();
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        let octets = room.filled().len();
        self.filled.end += octets;
        Poll::Ready(Ok(octets))
    }

    fn make_room(&mut self) {
        if self.filled.start > 0 {
            self.octets.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        if self.octets.len() < self.capacity && self.octets.len() - self.filled.end < READ / 2 {
            let grown = (self.octets.len() + READ).min(self.capacity);
            self.octets.resize(grown, 0);
        }
    }
}

/// Writes once, as much as the transport takes of these slices.
///
/// A transport that takes nothing has failed.
pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    slices: &[&[u8]],
) -> Poll<io::Result<usize>> {
    let mut vectors = [IoSlice::new(&[]); SLICES];
    let mut count = 0;
    for (vector, slice) in vectors.iter_mut().zip(slices) {
        *vector = IoSlice::new(slice);
        count += 1;
    }
    let vectors = vectors.get(..count).unwrap_or_default();
    match ready!(Pin::new(stream).poll_write_vectored(cx, vectors)) {
        Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        result => Poll::Ready(result),
    }
}
