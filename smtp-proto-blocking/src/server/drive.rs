//! One connection, from its greeting to its end.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use smtp_proto::{
    machine::{self, Fault},
    reception::{Phase, Reception, State, TurnedAway, guarded},
};

use super::{calls::Calls, handler::Handler, options::Options, shutdown::Shutdown};
use crate::{
    Error, Socket,
    connection::{Connection, GLANCE, MOMENT, Progress},
};

/// How long a client may take to notice that the connection is being closed.
const LINGER: Duration = Duration::from_secs(1);
/// How soon a connection that waits notices that the server is ending.
const WATCH: Duration = Duration::from_millis(256);

/// A reception with its handler, and its connection.
pub(super) struct Driver<'h, S: State, H: Handler<S>> {
    reception: Reception<S>,
    calls: Calls<'h, S, H>,
    handler: &'h H,
    connection: Connection,
    shutdown: Option<&'h Shutdown>,
    /// Nothing can be written any more.
    is_mute: bool,
}

/// What became of what there was to write.
enum Written {
    Nothing,
    /// It is written, or cannot be.
    All,
    /// Some of it is left.
    Blocked,
}

impl<'h, S: State, H: Handler<S>> Driver<'h, S, H> {
    pub(super) fn new(
        socket: Socket,
        options: Options,
        handler: &'h H,
        shutdown: Option<&'h Shutdown>,
    ) -> Self {
        let reception = Reception::begin(&options, Duration::ZERO);
        Self {
            connection: Connection::new(socket, options.into_tls(), reception.max_unconsumed()),
            reception,
            calls: Calls::new(handler),
            handler,
            shutdown,
            is_mute: false,
        }
    }

    /// Turns the client away in place of greeting it.
    pub(super) fn turn_away(&mut self, why: TurnedAway) {
        self.reception.turn_away(why);
    }

    /// Serves to the end, and tells the handler so whatever happens.
    pub(super) fn serve(&mut self) -> Result<(), Error> {
        let served = catch_unwind(AssertUnwindSafe(|| self.run()));
        let (result, panic) = match served {
            Ok(result) => (result, None),
            Err(panic) => {
                let error = self.reception.give_up(self.connection.now(), |_| 0);
                (Err(ended(error)), Some(panic))
            }
        };
        self.tell_dialogue();
        let (session, tally) = (self.reception.session(), self.reception.tally());
        guarded(|| {
            self.handler
                .closed(session, result.as_ref().copied(), &tally)
        });
        match panic {
            None => result,
            Some(panic) => resume_unwind(panic),
        }
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut waits = false;
        self.make_calls()?;
        if !self.reception.wants_tls() {
            // Whoever has not waited for the greeting is found out before that leaves.
            self.connection.read_arrived(&mut self.reception);
        }
        loop {
            self.make_calls()?;
            if self.reception.is_closed() {
                self.connection.close();
                return Ok(());
            }
            let phase = self.shutdown.map_or(Phase::Serving, Shutdown::phase);
            self.reception.follow(phase);
            if phase == Phase::Over {
                self.make_calls()?;
                self.write();
                self.reception.write_failed();
                self.make_calls()?;
            }
            let blocked = match self.write() {
                // What is written may be all that an end has waited for.
                Written::All => continue,
                Written::Nothing => false,
                Written::Blocked => true,
            };
            self.tell_dialogue();
            let deadline = self.reception.poll_timeout().unwrap_or(Duration::MAX);
            let until = deadline.saturating_sub(self.connection.now());
            let patience = match self.shutdown {
                _ if blocked => GLANCE,
                Some(_) => WATCH,
                None => Duration::MAX,
            };
            let limit = until.min(patience);
            if waits && self.reception.is_idle() {
                self.reception.shrink();
                self.connection.shrink();
            }
            let idle = if self.reception.wants_tls() {
                self.handshake(until)
            } else if self.connection.eof {
                // What is left is to be written, or to be waited for.
                thread::sleep(limit.min(WATCH));
                true
            } else {
                // Also while nothing is wanted, as in a tarpit: a client that goes is noticed.
                self.read(limit)
            };
            // Whoever has waited in vain once, may wait for longer.
            waits = idle;
            let now = self.connection.now();
            if idle && now >= deadline {
                self.reception.handle_timeout(now);
            }
        }
    }

    /// Tells the handler what was said, if it wants to hear it.
    fn tell_dialogue(&mut self) {
        while let Some(entry) = self.reception.poll_trace() {
            guarded(|| self.handler.trace(self.reception.session(), &entry));
        }
    }

    /// Makes the calls for everything that the client has said.
    fn make_calls(&mut self) -> Result<(), Error> {
        let now = self.connection.now();
        let mut input = self.connection.received.unread();
        let result = loop {
            match self.reception.poll_call(&mut input, now) {
                Ok(Some(call)) => self.calls.make(&mut self.reception, call),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let remaining = input.len();
        self.connection.received.keep(remaining);
        result.map_err(|error| {
            self.linger(error.fault());
            self.connection.explain(error)
        })
    }

    /// Writes until there is nothing to write, or the client takes no more for a moment.
    fn write(&mut self) -> Written {
        let mut written = Written::Nothing;
        if self.is_mute {
            return written;
        }
        loop {
            let Some(transmit) = self.reception.poll_transmit(self.connection.now()) else {
                return match self.connection.flush() {
                    Ok(Progress::Blocked) => Written::Blocked,
                    Ok(Progress::Bytes(_)) => written,
                    Err(error) => {
                        self.write_failed(error);
                        Written::All
                    }
                };
            };
            let taken = match self.connection.write(transmit.slices(), MOMENT) {
                Ok(taken) => taken,
                Err(error) => {
                    transmit.failed();
                    self.write_failed(error);
                    return Written::All;
                }
            };
            transmit.wrote(taken.bytes, self.connection.now());
            if taken.blocked {
                return Written::Blocked;
            }
            written = Written::All;
        }
    }

    fn write_failed(&mut self, error: io::Error) {
        self.is_mute = true;
        self.connection.write_failed(&mut self.reception, error);
    }

    /// Reads what has come, and waits for it no longer than `limit`. Tells whether nothing came.
    fn read(&mut self, limit: Duration) -> bool {
        let until = self.connection.now().saturating_add(limit);
        let is_idle = matches!(
            self.connection.read(&mut self.reception, limit),
            Progress::Blocked
        );
        if is_idle && !self.reception.wants_read() {
            // There may be no room to read into, and so nothing to wait for.
            thread::sleep(until.saturating_sub(self.connection.now()));
        }
        is_idle
    }

    /// Does the TLS handshake, unless it takes longer than `limit` or the server ends before. Tells
    /// whether it does.
    fn handshake(&mut self, limit: Duration) -> bool {
        let shutdown = self.shutdown.cloned();
        let goes_on = move || {
            let phase = shutdown.as_ref().map(Shutdown::phase);
            phase.is_none_or(|phase| phase == Phase::Serving)
        };
        !self
            .connection
            .handshake(&mut self.reception, limit, goes_on)
    }

    /// Lets the client read the last reply: a connection that is closed with bytes unread is reset,
    /// and what was sent last may be lost with it.
    fn linger(&mut self, fault: Fault) {
        let gone = matches!(
            fault,
            Fault::ConnectionLost | Fault::WriteFailed | Fault::TlsFailed
        );
        if gone || self.connection.shutdown_write().is_err() {
            return;
        }
        let end = self.connection.now().saturating_add(LINGER);
        while let Some(left) = end.checked_sub(self.connection.now())
            && let Progress::Bytes(1..) = self.connection.read(&mut self.reception, left)
        {
            self.connection.received.keep(0);
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
