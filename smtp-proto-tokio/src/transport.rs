//! What both directions of the adapter need of tokio: a clock, an alarm, a buffer, a write.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::{
    framing::{ReadBuffer, WriteBuffer},
    machine::{self, Driven, TlsInfo},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    Error, Socket,
    tls::{Handshaking, Tls},
};

/// Wakes its task at a machine's next deadline.
#[derive(Debug, Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Is ready once that time is past.
    ///
    /// Deadlines move back at nearly every reply. Then the sleep is left alone, and moved only when
    /// it wakes too early: most never do.
    fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
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

/// A socket, what is known of it, and the time since it was established.
#[derive(Debug)]
pub(crate) struct Transport {
    /// What carries the session; nothing does during a handshake, nor after one that failed.
    pub(crate) socket: Option<Socket>,
    pub(crate) tls_info: Option<Box<TlsInfo>>,
    tls: Option<Tls>,
    handshaking: Option<Handshaking>,
    /// When the machine's time began.
    pub(crate) origin: Instant,
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

impl Transport {
    /// Takes over a socket for a machine that leaves up to so many bytes unconsumed.
    pub(crate) fn new(socket: Socket, tls: Option<Tls>, max_unconsumed: usize) -> Self {
        Self {
            socket: Some(socket),
            tls_info: None,
            tls,
            handshaking: None,
            origin: Instant::now(),
            received: ReadBuffer::new(max_unconsumed),
            ready: WriteBuffer::default(),
            alarm: Alarm::default(),
            unflushed: false,
            eof: false,
            write_failed: false,
            error: None,
        }
    }

    /// Returns the time on the machine's clock.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Adds what the stream said to what a machine makes of it.
    pub(crate) fn explain(&self, error: machine::Error) -> Error {
        Error::session(error, self.error.clone())
    }

    /// Is ready once `deadline` is past.
    pub(crate) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Duration>,
    ) -> Poll<()> {
        let at = deadline.and_then(|deadline| self.origin.checked_add(deadline));
        at.map_or(Poll::Pending, |at| self.alarm.poll(cx, at))
    }

    /// Reads once, unless the buffer is full, and tells the machine of an end.
    pub(crate) fn poll_read(
        &mut self,
        machine: &mut impl Driven,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let room = self.received.room();
        if self.eof || room.is_empty() {
            return Poll::Pending;
        }
        let mut room = ReadBuf::new(room);
        let read = ready!(poll_with(&mut self.socket, |it| it.poll_read(cx, &mut room)));
        let bytes = room.filled().len();
        self.received.filled(bytes);
        match read {
            Ok(()) => self.eof = bytes == 0,
            Err(error) => {
                self.eof = true;
                // TLS that ended without saying so is an end. A peer that only forgot to, may still be told
                // something. Other errors are of both directions.
                self.write_failed |= error.kind() != io::ErrorKind::UnexpectedEof;
                self.error.get_or_insert(Arc::new(error));
            }
        }
        if self.eof {
            // Of a reset, too, that is all: what is still to be written fails by itself.
            machine.handle_eof();
        }
        Poll::Ready(())
    }

    /// Goes on with the TLS handshake, once all that goes before it is flushed, and tells the machine what
    /// comes of it. All that has arrived in clear was presented to the machine before.
    pub(crate) fn poll_handshake(
        &mut self,
        machine: &mut impl Driven,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.unflushed {
            return Poll::Pending;
        }
        let result = match self.handshaking() {
            Ok(handshaking) => ready!(handshaking.0.as_mut().poll(cx)),
            Err(error) => Err(error),
        };
        self.handshaking = None;
        match result {
            Ok((link, info)) => {
                self.socket = Some(Socket::Other(link));
                self.tls_info = Some(Box::new(info.clone()));
                machine.tls_established(info, self.now());
            }
            Err(error) => {
                machine.tls_failed(error.get_ref());
                self.error.get_or_insert(Arc::new(error));
            }
        }
        Poll::Ready(())
    }

    /// Returns the handshake, which begins with the first call.
    fn handshaking(&mut self) -> io::Result<&mut Handshaking> {
        if !self.received.unread().is_empty() {
            // The machine refuses them before. They must never pass for what came through TLS.
            let message = "bytes came in clear where TLS begins";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        // Nothing leaves in clear from here on.
        if let Some(socket) = self.socket.take()
            && let Some(tls) = &self.tls
        {
            self.handshaking = Some(tls.begin(Box::new(socket)));
        }
        self.handshaking.as_mut().ok_or_else(|| {
            let message = "the configuration asks for TLS, and neither a TlsConnector nor a TlsAcceptor was given";
            io::Error::new(io::ErrorKind::Unsupported, message)
        })
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
        let vectors = self.ready.vectors(slices);
        let write = |it: Pin<&mut Socket>| it.poll_write_vectored(cx, &vectors);
        let written = ready!(poll_with(&mut self.socket, write));
        drop(vectors);
        let written = match written {
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
        let flushed = ready!(poll_with(&mut self.socket, |it| it.poll_flush(cx)));
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
        self.error.get_or_insert(Arc::new(error));
        self.write_failed = true;
    }

    /// Says that nothing more comes.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_with(&mut self.socket, |it| it.poll_shutdown(cx))
    }

    /// Reads what is of no use any more, up to so many bytes or the end.
    pub(crate) fn poll_discard(
        &mut self,
        left: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 1024];
        while *left > 0 && !self.eof {
            let mut room = ReadBuf::new(&mut bytes);
            ready!(poll_with(&mut self.socket, |it| it.poll_read(cx, &mut room)))?;
            match room.filled().len() {
                0 => break,
                read => *left = left.saturating_sub(read),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Does so with what carries the session now.
fn poll_with<R>(
    socket: &mut Option<Socket>,
    call: impl FnOnce(Pin<&mut Socket>) -> Poll<io::Result<R>>,
) -> Poll<io::Result<R>> {
    match socket {
        Some(socket) => call(Pin::new(socket)),
        None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
    }
}
