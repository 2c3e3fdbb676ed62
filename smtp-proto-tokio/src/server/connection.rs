//! The loop around the server machine.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::server::Server;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};

use super::{dispatch::Dispatch, handler::Handler, options::Options};
use crate::{
    Error,
    stream::Handshake,
    transport::{Clock, Transport},
};

/// How long, and for how many bytes, a client is read that was told that the connection closes. To
/// close on unread bytes could cost it the last reply.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 256 * 1024);

/// A machine with its handler, and its stream.
pub(super) struct Connection<S, H: Handler, F> {
    dispatch: Dispatch<H>,
    transport: Transport<S>,
    shutdown: Option<Pin<Box<F>>>,
}

impl<S, H: Handler, F> Connection<S, H, F> {
    pub(super) fn new(
        stream: S,
        peer: Option<SocketAddr>,
        options: Options,
        handler: Arc<H>,
        shutdown: F,
    ) -> Self {
        let clock = Clock::start();
        let Options { config, handshake } = options;
        let machine = Server::new(config, clock.now());
        let dispatch = Dispatch::new(
            machine,
            handler,
            peer,
            !matches!(handshake, Handshake::Unavailable),
        );
        Self {
            transport: Transport::new(stream, handshake, clock, dispatch.machine.max_unconsumed()),
            dispatch,
            shutdown: Some(Box::pin(shutdown)),
        }
    }

    /// Hands out what the client did, as far as the sink can follow. Tells whether that was
    /// anything.
    fn take_events(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let now = self.transport.clock.now();
        let mut input = self.transport.received.unread();
        let presented = input.len();
        let mut any = false;
        while !self.dispatch.is_full() {
            match self.dispatch.machine.poll_event(&mut input, now) {
                Ok(Some(event)) => self.dispatch.handle(event, cx),
                Ok(None) => break,
                Err(error) => return Err(self.transport.explain(error)),
            }
            any = true;
        }
        let left = input.len();
        self.transport.received.keep(left);
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
            // What can be answered by now leaves together (2920-3.2-b).
            let mut any = false;
            while self.dispatch.poll(cx) | self.take_events(cx)? {
                any = true;
            }
            if self.dispatch.machine.is_closed() {
                return Poll::Ready(Ok(()));
            }
            any |= self.poll_write(cx).is_ready();
            let read = if self.dispatch.machine.wants_tls() {
                // What comes now is TLS's, and not to be read here.
                self.poll_handshake(cx)
            } else {
                self.poll_read(cx)
            };
            if any || read.is_ready() {
                continue;
            }
            // While a sink keeps its client waiting, the client is not to blame.
            if self.dispatch.is_full() {
                return Poll::Pending;
            }
            let deadline = self.dispatch.machine.poll_timeout();
            ready!(self.transport.poll_deadline(cx, deadline));
            let now = self.transport.clock.now();
            self.dispatch.machine.handle_timeout(now);
        }
    }

    /// Reads once, also while nothing is wanted, so that a client that goes is noticed.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !ready!(self.transport.poll_read(cx)) {
            self.dispatch.machine.handle_eof();
            if self.transport.write_failed {
                self.dispatch.machine.write_failed();
            }
        }
        Poll::Ready(())
    }

    /// Goes over to TLS. All that has arrived in clear was presented to the machine before.
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(self.transport.poll_handshake(cx)) {
            let info = self.transport.stream.tls_info();
            let now = self.transport.clock.now();
            self.dispatch.secured(info, now);
        } else {
            self.dispatch.machine.tls_failed();
        }
        Poll::Ready(())
    }

    /// Writes or flushes once. Is pending also when there is nothing to write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            dispatch,
            transport,
            ..
        } = self;
        let now = transport.clock.now();
        let Some(transmit) = dispatch.machine.poll_transmit(now) else {
            if !ready!(transport.poll_flush(cx)) {
                dispatch.machine.write_failed();
            }
            return Poll::Ready(());
        };
        match transport.poll_write(cx, transmit.slices()) {
            Poll::Ready(Some(bytes)) => {
                transmit.wrote(bytes, transport.clock.now());
            }
            Poll::Ready(None) => transmit.failed(),
            Poll::Pending => {
                transmit.blocked(now);
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Closes the stream, lets the handler come to its decisions, and tells it the end.
    pub(super) async fn close(mut self, result: Result<(), &Error>) {
        self.dispatch.abandon();
        if !self.transport.write_failed {
            let _ = timeout(
                LINGER.0,
                linger(&mut self.transport.stream, self.transport.eof),
            )
            .await;
        }
        self.dispatch.close(result).await;
    }
}

/// Says that nothing more comes, and reads on for a little while.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, eof: bool) -> io::Result<()> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx)).await?;
    let mut bytes = [0; 1024];
    let mut left = if eof { 0 } else { LINGER.1 };
    while left > 0 {
        let mut room = ReadBuf::new(&mut bytes);
        std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut room)).await?;
        match room.filled().len() {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
