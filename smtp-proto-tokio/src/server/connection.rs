//! One connection, from its greeting to its end.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::{
    machine,
    reception::{Phase, Reception, State, TurnedAway, guarded},
};
use tokio::time::{Sleep, sleep};

use super::{calls::Calls, handler::Handler, options::Options, shutdown::Shutdown, task::Boxed};
use crate::{Error, Socket, transport::Transport};

/// How long, and for how many bytes, a client is read that was told that the connection closes. To
/// close on unread bytes could cost it the last reply.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 256 * 1024);

/// A connection that is served: a future that completes with how the session has ended.
///
/// Dropped before, it ends the session at once; the handler hears of that, too.
pub struct Connection<S: State, H: Handler<S>> {
    reception: Reception<S>,
    calls: Calls<S, H>,
    transport: Transport,
    shutdown: Option<Watch>,
    closing: Option<Closing>,
    /// Nothing is waited for any more.
    is_over: bool,
    is_told: bool,
}

/// What is known of a shutdown, and what is heard next.
struct Watch {
    shutdown: Shutdown,
    next: Boxed<'static, ()>,
    has_begun: bool,
}

/// How the session has ended, while the stream is being closed.
struct Closing {
    result: Result<(), Error>,
    /// How long and how much is still read, where anything is.
    linger: Option<(Pin<Box<Sleep>>, usize)>,
    is_shut: bool,
}

/// Nothing in it is pinned.
impl<S: State, H: Handler<S>> Unpin for Connection<S, H> {}

impl<S: State, H: Handler<S>> Connection<S, H> {
    pub(super) fn new(
        socket: Socket,
        options: Options,
        handler: Arc<H>,
        shutdown: Option<Shutdown>,
    ) -> Self {
        let reception = Reception::begin(&options, Duration::ZERO);
        Self {
            transport: Transport::new(socket, options.into_tls(), reception.max_unconsumed()),
            reception,
            calls: Calls::new(handler),
            shutdown: shutdown.map(|shutdown| Watch {
                next: Box::pin(shutdown.clone().begun()),
                shutdown,
                has_begun: false,
            }),
            closing: None,
            is_over: false,
            is_told: false,
        }
    }

    /// Turns the client away in place of greeting it.
    pub(super) fn turn_away(&mut self, why: TurnedAway) {
        self.reception.turn_away(why);
    }

    /// Makes the calls for what the client did, as far as the sink can follow. Returns whether that
    /// was anything.
    fn make_calls(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let now = self.transport.now();
        let mut input = self.transport.received.unread();
        let presented = input.len();
        let mut any = false;
        let result = loop {
            if self.calls.is_full() {
                break Ok(());
            }
            match self.reception.poll_call(&mut input, now) {
                Ok(Some(call)) => self.calls.make(&mut self.reception, call, cx),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            any = true;
        };
        let left = input.len();
        self.transport.received.keep(left);
        match result {
            Ok(()) => Ok(any || left < presented),
            Err(error) => Err(self.transport.explain(error)),
        }
    }

    /// Hears of a shutdown.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        while let Some(watch) = &mut self.shutdown
            && watch.next.as_mut().poll(cx).is_ready()
        {
            if watch.has_begun {
                self.shutdown = None;
                self.is_over = true;
            } else {
                watch.has_begun = true;
                watch.next = Box::pin(watch.shutdown.clone().over());
                self.reception.follow(Phase::Ending);
            }
        }
    }

    /// Tells the handler what was said, if it wants to hear it.
    fn tell_dialogue(&mut self) {
        while let Some(entry) = self.reception.poll_trace() {
            let session = self.reception.session();
            guarded(|| self.calls.handler().trace(session, &entry));
        }
    }

    /// Tells the handler how it ended, once.
    fn tell(&mut self, result: Result<(), &Error>) {
        if !std::mem::replace(&mut self.is_told, true) {
            self.tell_dialogue();
            let (session, tally) = (self.reception.session(), self.reception.tally());
            guarded(|| self.calls.handler().closed(session, result, &tally));
        }
    }
}

impl<S: State, H: Handler<S>> fmt::Debug for Connection<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("session", self.reception.session())
            .finish_non_exhaustive()
    }
}

impl<S: State, H: Handler<S>> Future for Connection<S, H> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.poll_shutdown(cx);
        if this.closing.is_none() {
            let result = ready!(this.poll_session(cx));
            this.calls.abandon();
            let lingers = !this.transport.write_failed && !this.is_over;
            this.closing = Some(Closing {
                result,
                linger: lingers.then(|| (Box::pin(sleep(LINGER.0)), LINGER.1)),
                is_shut: false,
            });
        }
        ready!(this.poll_close(cx));
        let result = this.closing.take().map_or(Ok(()), |closing| closing.result);
        this.tell(result.as_ref().copied());
        Poll::Ready(result)
    }
}

impl<S: State, H: Handler<S>> Connection<S, H> {
    /// Goes on to the end of the session.
    fn poll_session(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            // What can be answered by now leaves together (2920-3.2-b).
            let mut any = false;
            while self.calls.poll(&mut self.reception, cx) | self.make_calls(cx)? {
                any = true;
            }
            if self.reception.is_closed() {
                return Poll::Ready(Ok(()));
            }
            any |= self.poll_write(cx).is_ready();
            self.tell_dialogue();
            if self.is_over {
                return Poll::Ready(Err(self.give_up(cx)));
            }
            let read = if self.reception.wants_tls() {
                // What comes now is TLS's, and not to be read here.
                self.transport.poll_handshake(&mut self.reception, cx)
            } else {
                // Also while nothing is wanted, so that a client that goes is noticed.
                self.transport.poll_read(&mut self.reception, cx)
            };
            if any || read.is_ready() {
                continue;
            }
            // While a sink keeps its client waiting, the client is not to blame.
            if self.calls.is_full() {
                return Poll::Pending;
            }
            if self.reception.is_idle() {
                self.reception.shrink();
                self.transport.received.shrink();
            }
            let deadline = self.reception.poll_timeout();
            ready!(self.transport.poll_deadline(cx, deadline));
            let now = self.transport.now();
            self.reception.handle_timeout(now);
        }
    }

    /// Ends the session whatever is under way, and tells the client so if it takes it at once.
    fn give_up(&mut self, cx: &mut Context<'_>) -> Error {
        self.reception.follow(Phase::Over);
        while self.poll_write(cx).is_ready() && !self.transport.write_failed {}
        let error = ended(self.reception.give_up(self.transport.now(), |_| 0));
        self.transport.write_failed = true;
        error
    }

    /// Writes or flushes once. Is pending also when there is nothing to write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (reception, transport) = (&mut self.reception, &mut self.transport);
        let now = transport.now();
        let Some(transmit) = reception.poll_transmit(now) else {
            if !ready!(transport.poll_flush(cx)) {
                reception.write_failed();
            }
            return Poll::Ready(());
        };
        match transport.poll_write(cx, transmit.slices()) {
            Poll::Ready(Some(bytes)) => {
                transmit.wrote(bytes, transport.now());
            }
            Poll::Ready(None) => transmit.failed(),
            Poll::Pending => {
                transmit.blocked(now);
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Closes the stream, and lets the handler come to its decisions about messages.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut lingers = false;
        if let Some(closing) = &mut self.closing
            && let Some((end, left)) = &mut closing.linger
        {
            let lingered = poll_linger(&mut self.transport, &mut closing.is_shut, left, cx);
            lingers = lingered.is_pending() && end.as_mut().poll(cx).is_pending();
            if !lingers {
                closing.linger = None;
            }
        }
        while self.calls.poll(&mut self.reception, cx) {}
        let mut nothing = [].as_slice();
        let now = self.transport.now();
        while let Ok(Some(call)) = self.reception.poll_call(&mut nothing, now) {
            self.calls.make(&mut self.reception, call, cx);
        }
        match !self.is_over && (lingers || !self.calls.is_idle()) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

/// Says that nothing more comes, and reads on for a little while.
fn poll_linger(
    transport: &mut Transport,
    is_shut: &mut bool,
    left: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if !*is_shut {
        ready!(transport.poll_shutdown(cx))?;
        *is_shut = true;
    }
    transport.poll_discard(left, cx)
}

/// Tells the end of a connection that is dropped, too.
impl<S: State, H: Handler<S>> Drop for Connection<S, H> {
    fn drop(&mut self) {
        if !self.is_told {
            let error = ended(self.reception.give_up(self.transport.now(), |_| 0));
            self.tell(Err(&error));
        }
    }
}

/// Says how a session has ended that was given up.
pub(super) fn ended(error: Option<machine::Error>) -> Error {
    match error {
        Some(error) => Error::session(error, None),
        None => Error::Connect(Arc::new(io::ErrorKind::ConnectionAborted.into())),
    }
}
