//! The loop around the server machine.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use smtp_proto::server::{Config, Server};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};

use super::{dispatch::Dispatch, handler::Handler};
use crate::{
    Error,
    transport::{Alarm, Clock, ReadBuffer, poll_write},
};

/// How long, and for how many octets, a client is read that was told that the connection closes. To
/// close on unread octets could cost it the last reply.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 256 * 1024);

/// A machine with its handler, and its stream.
pub(super) struct Connection<S, H: Handler, F> {
    dispatch: Dispatch<H>,
    /// `tls.rs` has its place here: once the machine wants TLS, the stream is swapped for one that
    /// speaks it.
    stream: S,
    clock: Clock,
    alarm: Alarm,
    received: ReadBuffer,
    shutdown: Option<Pin<Box<F>>>,
    unflushed: bool,
    eof: bool,
    write_failed: bool,
    transport: Option<Arc<io::Error>>,
}

impl<S, H: Handler, F> Connection<S, H, F> {
    pub(super) fn new(
        stream: S,
        peer: Option<SocketAddr>,
        config: Config,
        handler: Arc<H>,
        shutdown: F,
    ) -> Self {
        let clock = Clock::start();
        let machine = Server::new(config, clock.now());
        Self {
            received: ReadBuffer::new(machine.max_unconsumed()),
            dispatch: Dispatch::new(machine, handler, peer),
            stream,
            clock,
            alarm: Alarm::default(),
            shutdown: Some(Box::pin(shutdown)),
            unflushed: false,
            eof: false,
            write_failed: false,
            transport: None,
        }
    }

    /// Hands out what the client did, as far as the sink can follow. Tells whether that was
    /// anything.
    fn take_events(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut input = self.received.unread();
        let presented = input.len();
        let mut any = false;
        while !self.dispatch.is_full() {
            match self.dispatch.machine.poll_event(&mut input, now) {
                Ok(Some(event)) => self.dispatch.handle(event, cx),
                Ok(None) => break,
                Err(error) => {
                    let transport = self.transport.clone();
                    return Err(Error::Session { error, transport });
                }
            }
            any = true;
        }
        let left = input.len();
        self.received.keep(left);
        Ok(any || left < presented)
    }
}

impl<S, H, F> Connection<S, H, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
    F: Future<Output = ()>,
{
    /// Goes on to the end of the session.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Some(shutdown) = &mut self.shutdown
                && shutdown.as_mut().poll(cx).is_ready()
            {
                self.shutdown = None;
                self.dispatch.shut_down();
            }
            let mut any = self.dispatch.poll(cx);
            any |= self.take_events(cx)?;
            if self.dispatch.machine.is_closed() {
                return Poll::Ready(Ok(()));
            }
            any |= self.poll_write(cx);
            any |= self.poll_read(cx);
            if any {
                continue;
            }
            // While a sink keeps its client waiting, the client is not to blame.
            if self.dispatch.is_full() {
                return Poll::Pending;
            }
            let deadline = self.dispatch.machine.poll_timeout();
            if self.alarm.poll(cx, self.clock, deadline).is_pending() {
                return Poll::Pending;
            }
            self.dispatch.machine.handle_timeout(self.clock.now());
        }
    }

    /// Writes or flushes once, and tells whether that was of use.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        if self.write_failed {
            return false;
        }
        let transmit = self.dispatch.machine.poll_transmit(self.clock.now());
        let result = if !transmit.is_empty() {
            let written = poll_write(&mut self.stream, cx, transmit.slices());
            written.map_ok(|octets| {
                transmit.sent(octets, self.clock.now());
                self.unflushed = true;
            })
        } else if self.unflushed {
            drop(transmit);
            let flushed = Pin::new(&mut self.stream).poll_flush(cx);
            self.unflushed = flushed.is_pending();
            flushed
        } else {
            return false;
        };
        let Poll::Ready(result) = result else {
            return false;
        };
        if let Err(error) = result {
            self.transport.get_or_insert(Arc::new(error));
            self.write_failed = true;
            self.dispatch.machine.handle_write_failed();
        }
        true
    }

    /// Reads once, also while nothing is wanted, so that a client that goes is noticed.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> bool {
        if self.eof || self.received.is_full() {
            return false;
        }
        match self.received.poll_read(&mut self.stream, cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(octets)) if octets > 0 => return true,
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                self.transport.get_or_insert(Arc::new(error));
            }
        }
        self.eof = true;
        self.dispatch.machine.handle_eof();
        true
    }

    /// Closes the stream, lets the handler come to its decisions, and tells it the end.
    pub(super) async fn close(mut self, result: Result<(), &Error>) {
        self.dispatch.abandon();
        if !self.write_failed {
            let _ = timeout(LINGER.0, linger(&mut self.stream, self.eof)).await;
        }
        self.dispatch.close(result).await;
    }
}

/// Says that nothing more comes, and reads on for a little while.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, eof: bool) -> io::Result<()> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx)).await?;
    let mut octets = [0; 1024];
    let mut left = if eof { 0 } else { LINGER.1 };
    while left > 0 {
        let mut room = ReadBuf::new(&mut octets);
        std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut room)).await?;
        match room.filled().len() {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
