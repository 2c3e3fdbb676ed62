//! The loop that the client's calls go round.

use std::{io, mem, task::Poll, time::Duration};

use smtp_proto::{delivery::Courier, machine};

use super::body::Body;
use crate::{
    Error, Socket,
    connection::{Connection, GLANCE, MOMENT, Progress},
    tls::Tls,
};

/// How far a turn of writing came.
enum Written {
    /// There is nothing more to write.
    All,
    /// The server takes no more for a moment.
    Part,
    /// Nothing more is to be written before another message is submitted.
    Short,
}

/// A courier, its connection, and how far they are with each other.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) courier: Courier<Body>,
    pub(super) connection: Connection,
    /// More messages wait in an iterator.
    pub(super) is_supplied: bool,
    /// How long a content was waited for.
    waited: Duration,
}

impl Driver {
    pub(super) fn new(socket: Socket, tls: Option<Tls>, courier: Courier<Body>) -> Self {
        Self {
            connection: Connection::new(socket, tls, courier.machine().max_unconsumed()),
            courier,
            is_supplied: false,
            waited: Duration::ZERO,
        }
    }

    /// Returns how the session has failed, if it has.
    pub(super) fn alive(&self) -> Result<(), Error> {
        match self.courier.failure() {
            Some(error) => Err(self.explain(error.clone())),
            None => Ok(()),
        }
    }

    /// Adds what the transport said to what the machine makes of it.
    pub(super) fn explain(&self, error: machine::Error) -> Error {
        self.connection.explain(error)
    }

    /// Goes on until there is an answer.
    pub(super) fn wait<R>(&mut self, mut answer: impl FnMut(&mut Courier<Body>) -> Poll<R>) -> R {
        loop {
            if let Poll::Ready(answer) = answer(&mut self.courier) {
                if self.courier.is_idle() {
                    self.connection.shrink();
                }
                return answer;
            }
            self.turn();
        }
    }

    /// Writes QUIT, and waits for nothing.
    pub(super) fn take_leave(&mut self) {
        self.courier.machine_mut().quit();
        self.write();
    }

    /// Goes on until there is an answer, or the session has failed.
    pub(super) fn wait_for<R>(
        &mut self,
        answer: impl FnMut(&mut Courier<Body>) -> Poll<Result<R, machine::Error>>,
    ) -> Result<R, Error> {
        let answer = self.wait(answer);
        answer.map_err(|error| self.explain(error))
    }

    /// Goes round once: events, writes, and a read unless there is news.
    pub(super) fn turn(&mut self) {
        if self.courier.wants_look() {
            // It may have brought what is waited for.
            return self.look();
        }
        let news = self.receive();
        let written = self.write();
        if self.courier.machine().wants_tls() {
            return self.handshake();
        }
        match written {
            Written::Part => {
                // Maybe the server reads again once it could write all that it has to say.
                while self.courier.machine().wants_read() && self.read(GLANCE) {
                    self.receive();
                }
            }
            Written::All if !news && self.courier.machine().wants_read() => {
                self.read(Duration::MAX);
            }
            Written::All | Written::Short => {}
        }
    }

    /// Reads what has arrived, and waits for nothing.
    pub(super) fn look(&mut self) {
        loop {
            self.receive();
            if !self.courier.machine().wants_read() {
                break;
            }
            let progress = self.connection.read_arrived(&mut self.courier);
            if !matches!(progress, Progress::Bytes(1..)) {
                break;
            }
        }
        self.receive();
        self.courier.looked();
    }

    /// Takes note of everything that the machine has to tell, and returns whether that was anything.
    fn receive(&mut self) -> bool {
        let now = self.connection.now();
        let mut input = self.connection.received.unread();
        let news = self.courier.receive(&mut input, now);
        let remaining = input.len();
        self.connection.received.keep(remaining);
        news
    }

    /// Does the TLS handshake, no longer than the machine's timer.
    fn handshake(&mut self) {
        let deadline = self.deadline();
        let limit = deadline.saturating_sub(self.connection.now());
        if !self.connection.handshake(&mut self.courier, limit, || true) {
            self.courier
                .handle_timeout(self.connection.now().max(deadline));
        }
    }

    /// Writes as long as there is something to write and the server takes it.
    fn write(&mut self) -> Written {
        match self.try_write() {
            Ok(written) => written,
            Err(error) => {
                self.connection.write_failed(&mut self.courier, error);
                Written::All
            }
        }
    }

    fn try_write(&mut self) -> io::Result<Written> {
        loop {
            if self.is_supplied && self.courier.wants_message() {
                return Ok(Written::Short);
            }
            let now = self.connection.now();
            self.courier.excuse(mem::take(&mut self.waited));
            let (courier, connection) = (&mut self.courier, &mut self.connection);
            let (origin, waited) = (connection.origin, &mut self.waited);
            let present = |body, offset| {
                let presented = Body::present(body, offset);
                // A reader may have taken its time.
                *waited += origin.elapsed().saturating_sub(now);
                presented
            };
            let transmit = courier.poll_transmit(present, now);
            let has_more = transmit.is_some();
            let large = transmit.and_then(|transmit| connection.ready.take(transmit, now));
            let taken = match large {
                Some(transmit) => match connection.write(transmit.slices(), MOMENT) {
                    Ok(taken) => {
                        transmit.wrote(taken.bytes, connection.now());
                        taken
                    }
                    Err(error) => {
                        transmit.failed();
                        return Err(error);
                    }
                },
                // What comes next may leave with it.
                None if has_more => continue,
                None if connection.ready.pending().is_empty() => {
                    return Ok(match connection.flush()? {
                        Progress::Bytes(_) => Written::All,
                        Progress::Blocked => Written::Part,
                    });
                }
                None => connection.write(&[], MOMENT)?,
            };
            if taken.blocked {
                return Ok(Written::Part);
            }
        }
    }

    /// Reads what has come, and waits for it no longer than `patience` and the machine's timers. Returns
    /// whether any bytes came.
    fn read(&mut self, patience: Duration) -> bool {
        let deadline = self.deadline();
        let limit = deadline.saturating_sub(self.connection.now()).min(patience);
        let progress = self.connection.read(&mut self.courier, limit);
        // Only now: what came in time counts, however late it is read.
        let now = self.connection.now();
        if matches!(progress, Progress::Blocked) && now >= deadline {
            self.courier.handle_timeout(now);
        }
        matches!(progress, Progress::Bytes(1..))
    }

    fn deadline(&self) -> Duration {
        let deadline = self.courier.poll_timeout();
        deadline.unwrap_or(Duration::MAX)
    }
}
