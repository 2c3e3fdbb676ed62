//! The loop that the client's calls go round.

use std::{io, mem, sync::Arc, task::Poll, time::Duration};

use smtp_proto::{
    client::{Client, Config},
    delivery::{Content, Courier},
    machine,
};

use super::body::{Supply, present};
use crate::{
    Error, Transport,
    connection::{Connection, GLANCE, MOMENT, Progress},
    tls::Begin,
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
pub(super) struct Driver<T> {
    pub(super) courier: Courier<Content<Supply>>,
    pub(super) connection: Connection<T>,
    /// More messages wait in an iterator.
    pub(super) is_supplied: bool,
    /// How long a content was waited for.
    waited: Duration,
    /// How the transport failed.
    broken: Option<Arc<io::Error>>,
}

impl<T: Transport> Driver<T> {
    pub(super) fn new(transport: T, config: Config, tls: Option<Begin<T>>) -> Self {
        let machine = Client::new(config, Duration::ZERO);
        Self {
            connection: Connection::new(transport, tls, machine.max_unconsumed()),
            courier: Courier::new(machine),
            is_supplied: false,
            waited: Duration::ZERO,
            broken: None,
        }
    }

    /// Adds what the transport said to what the machine makes of it.
    pub(super) fn explain(&self, error: machine::Error) -> Error {
        Error::session(error, self.broken.clone())
    }

    /// Goes on until there is an answer.
    pub(super) fn wait<R>(
        &mut self,
        mut answer: impl FnMut(&mut Courier<Content<Supply>>) -> Poll<R>,
    ) -> R {
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
            let progress = self.connection.read_arrived();
            if !self.note_read(progress) {
                break;
            }
        }
        self.receive();
        self.courier.looked();
    }

    /// Takes note of everything that the machine has to tell, and returns whether that was anything.
    fn receive(&mut self) -> bool {
        let now = self.connection.now();
        let mut input = self.connection.input();
        let news = self.courier.receive(&mut input, now);
        let remaining = input.len();
        self.connection.keep(remaining);
        news
    }

    /// Does the TLS handshake, no longer than the machine's timer.
    fn handshake(&mut self) {
        let deadline = self.deadline();
        let limit = deadline.saturating_sub(self.connection.now());
        let complete = self.connection.handshake(limit, || true);
        let now = self.connection.now();
        match complete {
            Ok(true) => {
                // It was wanted a moment ago, and nothing has happened since.
                let info = self.connection.stream().tls_info().unwrap_or_default();
                let _ = self.courier.machine_mut().tls_established(info, now);
            }
            Ok(false) => self.courier.handle_timeout(now.max(deadline)),
            Err(error) => {
                self.courier.tls_failed(error.get_ref());
                self.broken = Some(Arc::new(error));
            }
        }
    }

    /// Writes as long as there is something to write and the server takes it.
    fn write(&mut self) -> Written {
        match self.try_write() {
            Ok(written) => written,
            Err(error) => {
                self.connection.ready = Default::default();
                self.courier.machine_mut().write_failed();
                self.broken.get_or_insert(Arc::new(error));
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
            let (origin, waited) = (connection.origin(), &mut self.waited);
            let present = |content, offset| {
                let presented = present(content, offset);
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
        let progress = self.connection.read(limit);
        let is_blocked = matches!(progress, Ok(Progress::Blocked));
        let came = self.note_read(progress);
        // Only now: what came in time counts, however late it is read.
        let now = self.connection.now();
        if is_blocked && now >= deadline {
            self.courier.handle_timeout(now);
        }
        came
    }

    fn note_read(&mut self, progress: io::Result<Progress>) -> bool {
        match progress {
            Ok(Progress::Bytes(0)) => self.courier.machine_mut().handle_eof(),
            Ok(Progress::Bytes(_)) => return true,
            Ok(Progress::Blocked) => {}
            Err(error) => {
                self.courier.machine_mut().handle_eof();
                self.broken.get_or_insert(Arc::new(error));
            }
        }
        false
    }

    fn deadline(&self) -> Duration {
        let deadline = self.courier.poll_timeout();
        deadline.unwrap_or(Duration::MAX)
    }
}
