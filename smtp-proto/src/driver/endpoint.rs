//! One end of a connection, whatever carries it.

use alloc::{boxed::Box, sync::Arc};
use core::{
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io;

use super::wire::Wire;
use crate::{
    delivery::Error,
    framing::{ReadBuffer, WriteBuffer},
    machine::{self, Driven, TlsInfo},
};

/// One end of a connection: a wire, what has come and what is to leave, and what has become of it.
#[derive(Debug)]
pub struct Endpoint<W: Wire> {
    wire: W,
    tls: Option<W::Tls>,
    tls_info: Option<Box<TlsInfo>>,
    received: ReadBuffer,
    /// What is ready, and leaves with the next write.
    ready: WriteBuffer,
    /// The wire took no more.
    is_blocked: bool,
    /// Bytes were written and not flushed.
    is_unflushed: bool,
    /// Nothing more comes.
    is_at_end: bool,
    /// Nothing more can be written.
    is_mute: bool,
    error: Option<Arc<io::Error>>,
}

impl<W: Wire> Endpoint<W> {
    /// Takes over a wire for a machine that leaves up to so many bytes unconsumed.
    pub(super) fn new(wire: W, tls: Option<W::Tls>, max_unconsumed: usize) -> Self {
        Self {
            wire,
            tls,
            tls_info: None,
            received: ReadBuffer::new(max_unconsumed),
            ready: WriteBuffer::default(),
            is_blocked: false,
            is_unflushed: false,
            is_at_end: false,
            is_mute: false,
            error: None,
        }
    }

    /// Returns the time on the machine's clock.
    pub fn now(&self) -> Duration {
        self.wire.now()
    }

    /// Returns the wire.
    pub fn wire(&self) -> &W {
        &self.wire
    }

    /// Returns what the TLS handshake came to, if there was one.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        self.tls_info.as_deref()
    }

    /// Returns what was read and not used up.
    pub fn unread(&self) -> &[u8] {
        self.received.unread()
    }

    /// Gives the wire back.
    pub fn into_wire(self) -> W {
        self.wire
    }

    /// Adds what the wire said to what a machine makes of it.
    pub fn explain(&self, error: machine::Error) -> Error {
        Error::session(error, self.error.clone())
    }

    /// Hands out what has come, and keeps what is left of it.
    pub(super) fn take_in<R>(&mut self, take: impl FnOnce(&mut &[u8]) -> R) -> R {
        let mut input = self.received.unread();
        let taken = take(&mut input);
        let left = input.len();
        self.received.keep(left);
        taken
    }

    /// Returns what collects what is ready.
    pub(super) fn ready_mut(&mut self) -> &mut WriteBuffer {
        &mut self.ready
    }

    /// Returns whether the wire took no more when something was written last.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Returns whether nothing more can be written.
    pub(super) fn is_mute(&self) -> bool {
        self.is_mute
    }

    /// Gives back the memory that only busy connections need.
    pub(super) fn shrink(&mut self) {
        self.received.shrink();
        self.ready.shrink();
    }

    /// Waits until reads find all that has arrived.
    pub(super) fn poll_arrived(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.wire.poll_arrived(cx)
    }

    /// Waits for a time after everything else was pending.
    pub(super) fn poll_until(&mut self, cx: &mut Context<'_>, until: Duration) -> Poll<()> {
        self.wire.poll_until(cx, until)
    }

    /// Reads once, unless there is no room, and tells the machine of an end.
    pub(super) fn poll_read(
        &mut self,
        machine: &mut impl Driven,
        cx: &mut Context<'_>,
        until: Duration,
    ) -> Poll<()> {
        let room = self.received.room();
        if self.is_at_end || room.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.wire.poll_read(cx, room, until)) {
            Ok(bytes @ 1..) => {
                self.received.filled(bytes);
                return Poll::Ready(());
            }
            Ok(0) => {}
            Err(error) => {
                // TLS that ended without saying so is an end. A peer that only forgot to, may still be told
                // something. Other errors are of both directions.
                self.is_mute |= error.kind() != io::ErrorKind::UnexpectedEof;
                self.error.get_or_insert(Arc::new(error));
            }
        }
        self.is_at_end = true;
        match self.is_mute {
            true => machine.handle_reset(),
            false => machine.handle_eof(),
        }
        Poll::Ready(())
    }

    /// Goes on with the TLS handshake, once all that goes before it is flushed, and tells the machine what
    /// comes of it. All that has arrived in clear was presented to the machine before.
    pub(super) fn poll_handshake(
        &mut self,
        machine: &mut impl Driven,
        cx: &mut Context<'_>,
        until: Duration,
    ) -> Poll<()> {
        if self.is_unflushed {
            return Poll::Pending;
        }
        match ready!(self.poll_try_handshake(cx, until)) {
            Ok(info) => {
                self.tls_info = Some(Box::new(info.clone()));
                machine.tls_established(info, self.now());
            }
            Err(error) => {
                // Nothing passes in clear from here on.
                self.wire.hang_up();
                machine.tls_failed(error.get_ref());
                self.error.get_or_insert(Arc::new(error));
            }
        }
        Poll::Ready(())
    }

    fn poll_try_handshake(
        &mut self,
        cx: &mut Context<'_>,
        until: Duration,
    ) -> Poll<io::Result<TlsInfo>> {
        // The machine refuses what came in clear before. None of it may pass for what came through TLS
        // (3207-4-h, 3207-4-i).
        if !self.received.unread().is_empty() {
            let message = "bytes came in clear where TLS begins";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        match &self.tls {
            Some(tls) => self.wire.poll_handshake(tls, cx, until),
            None => {
                let message = "the configuration asks for TLS, and neither a TlsConnector nor a TlsAcceptor was given";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::Unsupported, message)))
            }
        }
    }

    /// Writes once, as much as the wire takes of what is ready and then of these slices. Is ready with how
    /// many bytes of the slices those were; with `None` when nothing more can be written, once.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[&[u8]],
    ) -> Poll<Option<usize>> {
        if self.is_mute {
            return Poll::Pending;
        }
        let vectors = self.ready.vectors(slices);
        let written = self.wire.poll_write(cx, &vectors);
        drop(vectors);
        self.is_blocked = written.is_pending();
        Poll::Ready(match ready!(written) {
            Ok(0) => self.fail_writing(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                self.is_unflushed = true;
                Some(self.ready.advance(bytes))
            }
            Err(error) => self.fail_writing(error),
        })
    }

    /// Writes all that is ready. Tells the machine if it cannot be.
    pub(super) fn poll_write_ready(
        &mut self,
        machine: &mut impl Driven,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        while !self.ready.pending().is_empty() {
            if ready!(self.poll_write(cx, &[])).is_none() {
                machine.write_failed();
            }
        }
        Poll::Ready(())
    }

    /// Flushes what was written. Is pending also when there is nothing to flush. Tells the machine if it
    /// cannot be.
    pub(super) fn poll_flush(
        &mut self,
        machine: &mut impl Driven,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.is_mute || !self.is_unflushed {
            return Poll::Pending;
        }
        let flushed = ready!(self.wire.poll_flush(cx));
        self.is_unflushed = false;
        if let Err(error) = flushed {
            self.fail_writing(error);
            machine.write_failed();
        }
        Poll::Ready(())
    }

    fn fail_writing(&mut self, error: io::Error) -> Option<usize> {
        self.error.get_or_insert(Arc::new(error));
        self.is_mute = true;
        self.ready = WriteBuffer::default();
        None
    }

    /// Says that nothing more comes.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_shutdown(cx)
    }

    /// Reads what is of no use any more, and is ready with how many bytes that were; none at the end.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>, until: Duration) -> Poll<usize> {
        if self.is_at_end {
            return Poll::Ready(0);
        }
        self.received.keep(0);
        let read = ready!(self.wire.poll_read(cx, self.received.room(), until));
        Poll::Ready(read.unwrap_or(0))
    }
}
