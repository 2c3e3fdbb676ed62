//! The loop that a served connection goes round.

use alloc::{boxed::Box, sync::Arc};
use core::{
    mem,
    ops::ControlFlow,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io;

use super::{endpoint::Endpoint, linger::Linger, wire::Wire};
use crate::{
    delivery::Error,
    machine::{self, TraceEntry},
    reception::{Call, Options, Phase, Reception, Session, State, Tally, TurnedAway, guarded},
};

/// A server's application, and what it is at on one connection. One that does all at once has nothing to
/// move on.
pub trait Attends<S: State> {
    /// Makes a call; what it returns at once goes to the reception.
    fn make(&mut self, reception: &mut Reception<S>, call: Call<'_, S>, cx: &mut Context<'_>);

    /// Moves on whatever it is at, and returns whether anything came of it.
    fn poll(&mut self, _: &mut Reception<S>, _: &mut Context<'_>) -> bool {
        false
    }

    /// Returns whether nothing more can be taken from the client for now.
    fn is_full(&self) -> bool {
        false
    }

    /// Drops what is of no use without the client.
    fn abandon(&mut self) {}

    /// Returns whether it is at nothing.
    fn is_idle(&self) -> bool {
        true
    }

    /// Hears what was said.
    fn trace(&self, session: &Session<S>, entry: &TraceEntry);

    /// Hears how it ended.
    fn closed(&self, session: &Session<S>, result: Result<(), &Error>, tally: &Tally);
}

/// A reception with its application, its end of the connection, and how far they are with each other.
///
/// Dropped before the end, it ends the session at once; the application hears of that, too.
pub struct ServerDriver<W: Wire, S: State, A: Attends<S>> {
    reception: Reception<S>,
    application: A,
    endpoint: Endpoint<W>,
    has_looked: bool,
    closing: Option<Box<Closing>>,
    /// Nothing is waited for any more.
    is_over: bool,
    is_told: bool,
}

/// How the session has ended, while the wire is being closed.
struct Closing {
    result: Result<(), Error>,
    linger: Option<Linger>,
}

impl<W: Wire, S: State, A: Attends<S>> ServerDriver<W, S, A> {
    /// Begins with a wire that was just established, to serve the client or to turn it away in place of
    /// greeting it.
    pub fn new(
        wire: W,
        options: Options<W::Tls>,
        application: A,
        welcome: Result<(), TurnedAway>,
    ) -> Self {
        let mut reception = Reception::begin(&options, Duration::ZERO);
        if let Err(why) = welcome {
            reception.turn_away(why);
        }
        Self {
            endpoint: Endpoint::new(wire, options.into_tls(), reception.max_unconsumed()),
            reception,
            application,
            has_looked: false,
            closing: None,
            is_over: false,
            is_told: false,
        }
    }

    /// Returns what is known of the client by now.
    pub fn session(&self) -> &Session<S> {
        self.reception.session()
    }

    /// Does what a server that is at this point of its ending does with each session.
    pub fn follow(&mut self, phase: Phase) {
        match phase {
            Phase::Over => self.is_over = true,
            phase => self.reception.follow(phase),
        }
    }

    /// Goes round once, and is ready with how the session has ended once all of it is over. Is pending only
    /// when nothing can be done.
    pub fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<ControlFlow<Result<(), Error>>> {
        let mut closing = match self.closing.take() {
            Some(closing) => closing,
            None => match ready!(self.poll_session(cx)) {
                ControlFlow::Continue(()) => return Poll::Ready(ControlFlow::Continue(())),
                ControlFlow::Break(result) => Box::new(self.close(result)),
            },
        };
        if self.poll_close(&mut closing, cx).is_pending() {
            self.closing = Some(closing);
            return Poll::Pending;
        }
        self.tell(closing.result.as_ref().copied());
        Poll::Ready(ControlFlow::Break(closing.result))
    }

    /// Goes round once within the session: calls, writes, and a read unless anything was written.
    fn poll_session(&mut self, cx: &mut Context<'_>) -> Poll<ControlFlow<Result<(), Error>>> {
        const AGAIN: Poll<ControlFlow<Result<(), Error>>> = Poll::Ready(ControlFlow::Continue(()));
        // What can be answered by now leaves together (2920-3.2-b).
        loop {
            let has_moved = self.application.poll(&mut self.reception, cx);
            match self.make_calls(cx) {
                Ok(false) if !has_moved => break,
                Ok(_) => {}
                Err(error) => return Poll::Ready(ControlFlow::Break(Err(error))),
            }
        }
        if self.reception.is_closed() {
            return Poll::Ready(ControlFlow::Break(Ok(())));
        }
        if self.is_over {
            return Poll::Ready(ControlFlow::Break(Err(self.give_up(cx))));
        }
        if !self.has_looked && !self.reception.wants_tls() {
            ready!(self.poll_look(cx));
            return AGAIN;
        }
        let written = self.poll_write(cx);
        self.tell_dialogue();
        if written.is_ready() {
            // It may be all that an end has waited for.
            return AGAIN;
        }
        let (reception, endpoint) = (&mut self.reception, &mut self.endpoint);
        let until = reception.poll_timeout().unwrap_or(Duration::MAX);
        let read = if reception.wants_tls() {
            // What comes now is TLS's, and not to be read here.
            endpoint.poll_handshake(reception, cx, until)
        } else {
            // Also while nothing is wanted, as in a tarpit, so that a client that goes is noticed.
            endpoint.poll_read(reception, cx, until)
        };
        if read.is_ready() {
            return AGAIN;
        }
        // While a sink keeps its client waiting, the client is not to blame.
        if self.application.is_full() {
            return Poll::Pending;
        }
        if reception.is_idle() {
            reception.shrink();
            endpoint.shrink();
        }
        ready!(endpoint.poll_until(cx, until));
        reception.handle_timeout(endpoint.now());
        AGAIN
    }

    /// Makes the calls for what the client did, as far as the application can follow. Returns whether that
    /// was anything.
    fn make_calls(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let now = self.endpoint.now();
        let (reception, application) = (&mut self.reception, &mut self.application);
        let made = self.endpoint.take_in(|input| {
            let mut any = false;
            while !application.is_full()
                && let Some(call) = reception.poll_call(input, now)?
            {
                application.make(reception, call, cx);
                any = true;
            }
            Ok(any)
        });
        made.map_err(|error| self.endpoint.explain(error))
    }

    /// Reads what has arrived before anything is written: whoever has not waited for the greeting is found
    /// out.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.endpoint.poll_arrived(cx));
        self.has_looked = true;
        let (reception, endpoint) = (&mut self.reception, &mut self.endpoint);
        let _ = endpoint.poll_read(reception, cx, Duration::ZERO);
        Poll::Ready(())
    }

    /// Writes and flushes as long as there is something to write and the wire takes it. Is pending if it
    /// takes no more, and if there was nothing.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (reception, endpoint) = (&mut self.reception, &mut self.endpoint);
        loop {
            if endpoint.is_mute() {
                return Poll::Pending;
            }
            let now = endpoint.now();
            let Some(transmit) = reception.poll_transmit(now) else {
                return endpoint.poll_flush(reception, cx);
            };
            match endpoint.poll_write(cx, transmit.slices()) {
                Poll::Ready(Some(bytes)) => {
                    transmit.wrote(bytes, endpoint.now());
                }
                Poll::Ready(None) => {
                    transmit.failed();
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    transmit.blocked(now);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Ends the session whatever is under way, and tells the client so if it takes it at once.
    fn give_up(&mut self, cx: &mut Context<'_>) -> Error {
        self.reception.follow(Phase::Over);
        let _ = self.poll_write(cx);
        self.reception.write_failed();
        match self.make_calls(cx) {
            Ok(_) => ended(self.reception.give_up(self.endpoint.now(), |_| 0)),
            Err(error) => error,
        }
    }

    /// Begins to close the wire.
    fn close(&mut self, result: Result<(), Error>) -> Closing {
        self.application.abandon();
        let now = self.endpoint.now();
        let linger = match self.endpoint.is_mute() || self.is_over {
            true => None,
            false if self.reception.tally().quit => Some(Linger::after_quit(now)),
            false => Some(Linger::begin(now)),
        };
        Closing { result, linger }
    }

    /// Closes the wire, and lets the application come to its decisions about messages.
    fn poll_close(&mut self, closing: &mut Closing, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(linger) = &mut closing.linger
            && linger.poll(&mut self.endpoint, cx).is_ready()
        {
            closing.linger = None;
        }
        while self.application.poll(&mut self.reception, cx) {}
        let (mut nothing, now) = ([].as_slice(), self.endpoint.now());
        while let Ok(Some(call)) = self.reception.poll_call(&mut nothing, now) {
            self.application.make(&mut self.reception, call, cx);
        }
        let waits = closing.linger.is_some() || !self.application.is_idle();
        match waits && !self.is_over {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    /// Tells the application what was said, if it wants to hear it.
    fn tell_dialogue(&mut self) {
        while let Some(entry) = self.reception.poll_trace() {
            let session = self.reception.session();
            guarded(|| self.application.trace(session, &entry));
        }
    }

    /// Tells the application how it ended, once.
    fn tell(&mut self, result: Result<(), &Error>) {
        if !mem::replace(&mut self.is_told, true) {
            self.tell_dialogue();
            let (session, tally) = (self.reception.session(), self.reception.tally());
            guarded(|| self.application.closed(session, result, &tally));
        }
    }
}

/// Tells the end of a connection that is dropped, too.
impl<W: Wire, S: State, A: Attends<S>> Drop for ServerDriver<W, S, A> {
    fn drop(&mut self) {
        if !self.is_told {
            let error = ended(self.reception.give_up(self.endpoint.now(), |_| 0));
            self.tell(Err(&error));
        }
    }
}

/// Turns a client away that there is no room for, as far as `write` takes it at once, and returns what is
/// told of that.
pub fn turn_away<S: State, T>(
    options: &Options<T>,
    why: TurnedAway,
    write: impl FnMut(&[u8]) -> usize,
    closed: impl FnOnce(&Session<S>, Result<(), &Error>, &Tally),
) {
    let mut reception = Reception::begin(options, Duration::ZERO);
    reception.turn_away(why);
    let error = ended(reception.give_up(Duration::ZERO, write));
    let (session, tally) = (reception.session(), reception.tally());
    guarded(|| closed(session, Err(&error), &tally));
}

/// Says how a session has ended that was given up.
fn ended(error: Option<machine::Error>) -> Error {
    match error {
        Some(error) => Error::session(error, None),
        None => Error::Connect(Arc::new(io::ErrorKind::ConnectionAborted.into())),
    }
}
