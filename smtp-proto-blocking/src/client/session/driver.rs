//! The loop that the client's calls go round.

use std::{io, sync::Arc, time::Duration};

use smtp_proto::client as machine;

use super::Client;
use crate::{
    Error, Transport,
    connection::{GLANCE, MOMENT, Progress},
    tls::Session,
};

/// How many messages are taken from an iterator before the machine asks for their contents: enough
/// for it to send commands ahead.
const AHEAD: u64 = 2;

/// How far a turn of writing came.
enum Written {
    /// There is nothing more to write.
    All,
    /// The server takes no more for a moment.
    Part,
    /// Nothing more is to be written before another message is submitted.
    Short,
}

impl<T: Transport> Client<T> {
    /// Goes round the loop of a driver once: events, writes, and a read unless there is news.
    pub(in super::super) fn turn(&mut self) {
        let news = self.take_events();
        let written = self.write();
        if self.machine.wants_tls() {
            return self.handshake();
        }
        match written {
            Written::Part => {
                // Maybe the server reads again once it could write all that it has to say.
                while self.machine.wants_read() && self.read(GLANCE) {
                    self.take_events();
                }
            }
            Written::All if !news && self.machine.wants_read() => {
                self.read(Duration::MAX);
            }
            Written::All | Written::Short => {}
        }
    }

    /// Goes on with the TLS handshake, no longer than the machine's timer.
    fn handshake(&mut self) {
        let deadline = self.machine.poll_timeout().unwrap_or(Duration::MAX);
        let limit = deadline.saturating_sub(self.connection.now());
        let connector = self.connector.as_ref();
        let begin = || match connector {
            Some(connector) => Session::connect(connector),
            None => Err(io::Error::other(
                "the configuration asks for TLS, and no TlsConnector was given",
            )),
        };
        let complete = self.connection.handshake(begin, limit);
        let now = self.connection.now();
        match complete {
            Ok(true) => {
                // It was wanted a moment ago, and nothing has happened since.
                let info = self.connection.stream().tls_info().unwrap_or_default();
                let _ = self.machine.tls_established(info, now);
            }
            Ok(false) if now >= deadline => self.machine.handle_timeout(now),
            Ok(false) => {}
            Err(error) => {
                self.broken = Some(Arc::new(error));
                self.machine.tls_failed();
            }
        }
    }

    /// Takes note of everything that the machine has to tell, and tells whether that was anything.
    pub(super) fn take_events(&mut self) -> bool {
        let mut news = false;
        let now = self.connection.now();
        let mut input = self.connection.input();
        let failure = loop {
            match self.machine.poll_event(&mut input, now) {
                Ok(Some(event)) => {
                    news = true;
                    let event = match event {
                        machine::Event::Answered { command, reply } => {
                            self.answer = Some((command, reply.into_owned()));
                            continue;
                        }
                        event => event,
                    };
                    self.ready |= matches!(event, machine::Event::Ready);
                    if let Some(report) = self.reports.observe(event) {
                        self.bodies.remove(&report.message);
                        self.asked_for = self.asked_for.max(report.message.index() + 1);
                        self.finished.push_back(report);
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let remaining = input.len();
        self.connection.keep(remaining);
        if let Some(error) = failure
            && self.failure.is_none()
        {
            let transport = self.broken.take();
            self.failure = Some(Error::Session { error, transport });
        }
        news
    }

    /// Writes as long as there is something to write and the server takes it.
    fn write(&mut self) -> Written {
        loop {
            let now = self.connection.now();
            let request = self.machine.wants_body();
            if let Some(request) = request {
                self.asked_for = self.asked_for.max(request.message.index() + 1);
            }
            if self.is_short_of_messages() {
                return Written::Short;
            }
            let presented = request.and_then(|request| {
                let body = self.bodies.get_mut(&request.message)?;
                Some((request, body.present(request.offset)))
            });
            let Some(transmit) = self.machine.poll_transmit(presented, now) else {
                match self.connection.flush() {
                    Ok(Progress::Bytes(_)) => return Written::All,
                    Ok(Progress::Blocked) => return Written::Part,
                    Err(error) => {
                        self.write_failed(error);
                        return Written::All;
                    }
                }
            };
            let taken = match self.connection.write(transmit.slices(), MOMENT) {
                Ok(taken) => taken,
                Err(error) => {
                    transmit.failed();
                    self.write_failed(error);
                    return Written::All;
                }
            };
            let consumed = transmit.wrote(taken.bytes, self.connection.now());
            if let Some(request) = request
                && let Some(body) = self.bodies.get_mut(&request.message)
            {
                body.consume(consumed);
            }
            if taken.blocked {
                return Written::Part;
            }
        }
    }

    /// Tells whether an iterator's next message should be submitted before anything else is done.
    pub(in super::super) fn is_short_of_messages(&self) -> bool {
        let ahead = self.submitted.saturating_sub(self.asked_for);
        self.supplied && ahead < AHEAD && self.machine.can_submit()
    }

    fn write_failed(&mut self, error: io::Error) {
        self.machine.write_failed();
        self.broken = Some(Arc::new(error));
    }

    /// Reads what has come, and waits for it no longer than `patience` and the machine's timers. Tells
    /// whether any bytes came.
    fn read(&mut self, patience: Duration) -> bool {
        let deadline = self.machine.poll_timeout().unwrap_or(Duration::MAX);
        let limit = deadline.saturating_sub(self.connection.now()).min(patience);
        match self.connection.read(limit) {
            Ok(Progress::Bytes(0)) => self.machine.handle_eof(),
            Ok(Progress::Bytes(_)) => return true,
            Ok(Progress::Blocked) => {
                // Only now: what came in time counts, however late it is read.
                let now = self.connection.now();
                if now >= deadline {
                    self.machine.handle_timeout(now);
                }
            }
            Err(error) => {
                self.machine.handle_eof();
                self.broken.get_or_insert(Arc::new(error));
            }
        }
        false
    }
}
