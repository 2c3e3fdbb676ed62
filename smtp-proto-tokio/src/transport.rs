//! What both directions of the adapter need of tokio: a clock, an alarm, a buffer, a write.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::{
    framing::{ReadBuffer, WriteBuffer},
    machine,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::{Error, stream::Stream, tls::Begin};

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
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Is ready once `deadline` is past.
    ///
    /// Deadlines move back at nearly every reply. Then the sleep is left alone, and moved only when
    /// it wakes too early: most never do.
    fn poll(&mut self, cx: &mut Context<'_>, clock: Clock, deadline: Option<Duration>) -> Poll<()> {
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

/// A stream, what is known of it, and the time since it was established.
#[derive(Debug)]
pub(crate) struct Transport<S> {
    pub(crate) stream: Stream<S>,
    pub(crate) clock: Clock,
    pub(crate) received: ReadBuffer,
    /// What is ready, and leaves with the next write.
    pub(crate) ready: WriteBuffer,
    alarm: Alarm,
    /// Bytes were written and not flushed.
    unflushed: bool,
    pub(crate) eof: bool,
    pub(crate) write_failed: bool,
    error: Option<Arc<io::Error>>,
}

impl<S> Transport<S> {
    /// Takes over a stream for a machine that leaves up to so many bytes unconsumed.
    pub(crate) fn new(
        stream: S,
        tls: Option<Begin<S>>,
        clock: Clock,
        max_unconsumed: usize,
    ) -> Self {
        Self {
            stream: Stream::new(stream, tls),
            clock,
            received: ReadBuffer::new(max_unconsumed),
            ready: WriteBuffer::default(),
            alarm: Alarm::default(),
            unflushed: false,
            eof: false,
            write_failed: false,
            error: None,
        }
    }

    /// Adds what the stream said to what a machine makes of it.
    pub(crate) fn explain(&self, error: machine::Error) -> Error {
        Error::session(error, self.error.clone())
    }

    /// Returns how the stream failed, if it did.
    pub(crate) fn error(&self) -> Option<&io::Error> {
        self.error.as_deref()
    }

    /// Is ready once `deadline` is past.
    pub(crate) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Duration>,
    ) -> Poll<()> {
        self.alarm.poll(cx, self.clock, deadline)
    }

    fn fail(&mut self, error: io::Error) {
        self.error.get_or_insert(Arc::new(error));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    /// Reads once, unless the buffer is full. Is ready with `false` when nothing more comes, once; then
    /// nothing more can be written, either, if [`write_failed`](Self::write_failed) says so.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let room = self.received.room();
        if self.eof || room.is_empty() {
            return Poll::Pending;
        }
        let mut room = ReadBuf::new(room);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room));
        let bytes = room.filled().len();
        self.received.filled(bytes);
        match read {
            Ok(()) => self.eof = bytes == 0,
            // TLS ended without saying so. A peer that only forgot to, may still be told something.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.fail(error);
                self.eof = true;
            }
            Err(error) => {
                // Unlike an end, which may be of one direction only, it is the end of both.
                self.fail(error);
                self.eof = true;
                self.write_failed = true;
            }
        }
        Poll::Ready(!self.eof)
    }

    /// Goes on with the TLS handshake, once all that goes before it is flushed. Is ready with
    /// whether it succeeded, once.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.unflushed {
            return Poll::Pending;
        }
        let result = if self.received.unread().is_empty() {
            ready!(self.stream.poll_handshake(cx))
        } else {
            // The machine refuses them before. They must never pass for what came through TLS.
            let message = "bytes came in clear where TLS begins";
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        };
        match result {
            Ok(()) => Poll::Ready(true),
            Err(error) => {
                self.fail(error);
                Poll::Ready(false)
            }
        }
    }

    /// Writes once, as many as the stream takes of what is [ready](Self::ready) and then of these
    /// slices. Is ready with how many bytes of the slices those were.
    ///
    /// Is ready with `None` when nothing more can be written, once.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[&[u8]],
    ) -> Poll<Option<usize>> {
        if self.write_failed {
            return Poll::Pending;
        }
        let ready = self.ready.pending();
        let all = [ready].into_iter().chain(slices.iter().copied());
        let mut vectors = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (vector, slice) in vectors.iter_mut().zip(all) {
            *vector = IoSlice::new(slice);
            count += 1;
        }
        let vectors = vectors.get(usize::from(ready.is_empty())..count);
        let vectors = vectors.unwrap_or_default();
        let written = match ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, vectors)) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        };
        Poll::Ready(match written {
            Ok(bytes) => {
                self.unflushed = true;
                Some(self.ready.advance(bytes))
            }
            Err(error) => {
                self.fail_writing(error);
                None
            }
        })
    }

    /// Flushes what was written; returns whether it could be. Is pending also when there is nothing to
    /// flush.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.write_failed || !self.unflushed {
            return Poll::Pending;
        }
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.unflushed = false;
        Poll::Ready(match flushed {
            Ok(()) => true,
            Err(error) => {
                self.fail_writing(error);
                false
            }
        })
    }

    fn fail_writing(&mut self, error: io::Error) {
        self.fail(error);
        self.write_failed = true;
    }
}
