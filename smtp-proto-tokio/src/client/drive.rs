//! The loop that the client's calls go round.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::delivery::Courier;
use tokio::{task::yield_now, time::timeout};

use super::body::Body;
use crate::{Socket, tls::Tls, transport::Transport};

/// How long a stream may take to shut down.
const FAREWELL: Duration = Duration::from_secs(1);

/// Waits until the runtime has seen what has arrived.
pub(super) struct Yielding(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl fmt::Debug for Yielding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yielding")
    }
}

/// A courier, its stream, and how far they are with each other.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) courier: Courier<Body>,
    pub(super) transport: Transport,
    /// More messages wait in a source.
    pub(super) is_supplied: bool,
    /// The stream has not taken what was collected.
    is_blocked: bool,
    yielding: Option<Yielding>,
}

impl Driver {
    pub(super) fn new(socket: Socket, tls: Option<Tls>, courier: Courier<Body>) -> Self {
        Self {
            transport: Transport::new(socket, tls, courier.machine().max_unconsumed()),
            courier,
            is_supplied: false,
            is_blocked: false,
            yielding: None,
        }
    }

    /// Goes on until there is an answer. Whatever it does is kept: it may be dropped at any time.
    pub(super) async fn wait<R>(
        &mut self,
        mut answer: impl FnMut(&mut Courier<Body>) -> Poll<R>,
    ) -> R {
        poll_fn(|cx| self.poll_wait(cx, &mut answer)).await
    }

    /// Reads what has arrived, and waits for nothing more.
    pub(super) async fn look(&mut self) {
        poll_fn(|cx| self.poll_look(cx)).await;
    }

    /// Shuts the stream down. How it takes that changes nothing: TLS has something to say to a server that may
    /// not listen any more.
    pub(super) async fn close(&mut self) {
        let shutdown = poll_fn(|cx| self.transport.poll_shutdown(cx));
        let _ = timeout(FAREWELL, shutdown).await;
    }

    fn poll_wait<R>(
        &mut self,
        cx: &mut Context<'_>,
        answer: &mut impl FnMut(&mut Courier<Body>) -> Poll<R>,
    ) -> Poll<R> {
        loop {
            if let Poll::Ready(answer) = answer(&mut self.courier) {
                if self.courier.is_idle() {
                    self.transport.received.shrink();
                    self.transport.ready.shrink();
                }
                return Poll::Ready(answer);
            }
            ready!(self.poll_turn(cx));
        }
    }

    /// Goes round once: events, writes and reads in turn. Is pending only when it can do neither.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.courier.wants_look() {
            // It may have brought what is waited for.
            return self.poll_look(cx);
        }
        if self.receive() {
            return Poll::Ready(());
        }
        let wrote = self.poll_write(cx);
        let read = if self.courier.machine().wants_tls() {
            self.transport.poll_handshake(&mut self.courier, cx)
        } else {
            self.transport.poll_read(&mut self.courier, cx)
        };
        // Presenting a body may have made an event, too.
        if wrote.is_ready() || read.is_ready() || !self.courier.machine().wants_read() {
            return Poll::Ready(());
        }
        let deadline = self.courier.poll_timeout();
        ready!(self.transport.poll_deadline(cx, deadline));
        let now = self.transport.now();
        self.courier.handle_timeout(now);
        Poll::Ready(())
    }

    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What has arrived since this task was last woken the runtime may not know yet.
        let begin = || Yielding(Box::pin(yield_now()));
        let yielding = self.yielding.get_or_insert_with(begin);
        ready!(yielding.0.as_mut().poll(cx));
        self.yielding = None;
        loop {
            self.receive();
            if !self.courier.machine().wants_read()
                || self.transport.poll_read(&mut self.courier, cx).is_pending()
            {
                break;
            }
        }
        self.receive();
        self.courier.looked();
        Poll::Ready(())
    }

    /// Takes note of everything that the machine has to tell, and returns whether that was anything.
    fn receive(&mut self) -> bool {
        let now = self.transport.now();
        let mut input = self.transport.received.unread();
        let news = self.courier.receive(&mut input, now);
        let left = input.len();
        self.transport.received.keep(left);
        news
    }

    /// Writes as long as there is something to write and the stream takes it. Is pending also when
    /// there is nothing to write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.transport.write_failed {
            // To report now that nothing was taken would take doubt back.
            return Poll::Pending;
        }
        if self.is_blocked {
            // Nothing more is collected before that has left.
            ready!(self.poll_write_ready(cx));
        }
        loop {
            if self.is_supplied && self.courier.wants_message() {
                return Poll::Ready(());
            }
            let now = self.transport.now();
            let (courier, transport) = (&mut self.courier, &mut self.transport);
            let present = |body, offset| Body::poll(body, offset, cx);
            let Some(transmit) = courier.poll_transmit(present, now) else {
                return self.poll_finish_write(cx);
            };
            // What comes next may leave with it.
            let Some(large) = transport.ready.take(transmit, now) else {
                continue;
            };
            match transport.poll_write(cx, large.slices()) {
                Poll::Ready(Some(bytes)) => {
                    large.wrote(bytes, transport.now());
                }
                Poll::Ready(None) => {
                    large.failed();
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    large.blocked(now);
                    self.is_blocked = !transport.ready.pending().is_empty();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes what was collected, and flushes it. Is pending also when there is nothing of both.
    fn poll_finish_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.transport.ready.pending().is_empty() {
            if !ready!(self.transport.poll_flush(cx)) {
                self.courier.machine_mut().write_failed();
            }
            return Poll::Ready(());
        }
        self.poll_write_ready(cx)
    }

    /// Writes what was collected.
    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.transport.ready.pending().is_empty() {
            self.is_blocked = true;
            if ready!(self.transport.poll_write(cx, &[])).is_none() {
                self.transport.ready = Default::default();
                self.courier.machine_mut().write_failed();
            }
        }
        self.is_blocked = false;
        Poll::Ready(())
    }
}
