//! The loop that the client's calls go round.

use std::{io, mem, task::Poll, time::Duration};

use smtp_proto::delivery::Courier;

use super::body::Body;
use crate::{
    Socket,
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
    pub(super) transport: Connection,
    /// More messages wait in an iterator.
    pub(super) is_supplied: bool,
    /// How long a content was waited for.
    waited: Duration,
}

impl Driver {
    pub(super) fn new(socket: Socket, tls: Option<Tls>, courier: Courier<Body>) -> Self {
        Self {
            transport: Connection::new(socket, tls, courier.machine().max_unconsumed()),
            courier,
            is_supplied: false,
            waited: Duration::ZERO,
        }
    }

    /// Goes on until there is an answer.
    pub(super) fn wait<R>(&mut self, mut answer: impl FnMut(&mut Courier<Body>) -> Poll<R>) -> R {
        loop {
            if let Poll::Ready(answer) = answer(&mut self.courier) {
                if self.courier.is_idle() {
                    self.transport.shrink();
                }
                return answer;
            }
            self.turn();
        }
    }

    /// Tells the server that nothing more comes.
    pub(super) fn close(&mut self) {
        self.transport.close();
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
            let progress = self.transport.read_arrived(&mut self.courier);
            if !matches!(progress, Progress::Bytes(1..)) {
                break;
            }
        }
        self.receive();
        self.courier.looked();
    }

    /// Takes note of everything that the machine has to tell, and returns whether that was anything.
    fn receive(&mut self) -> bool {
        let now = self.transport.now();
        let mut input = self.transport.received.unread();
        let news = self.courier.receive(&mut input, now);
        let remaining = input.len();
        self.transport.received.keep(remaining);
        news
    }

    /// Does the TLS handshake, no longer than the machine's timer.
    fn handshake(&mut self) {
        let deadline = self.deadline();
        let limit = deadline.saturating_sub(self.transport.now());
        if !self.transport.handshake(&mut self.courier, limit, || true) {
            self.courier
                .handle_timeout(self.transport.now().max(deadline));
        }
    }

    /// Writes as long as there is something to write and the server takes it.
    fn write(&mut self) -> Written {
        match self.try_write() {
            Ok(written) => written,
            Err(error) => {
                self.transport.write_failed(&mut self.courier, error);
                Written::All
            }
        }
    }

    fn try_write(&mut self) -> io::Result<Written> {
        loop {
            if self.is_supplied && self.courier.wants_message() {
                return Ok(Written::Short);
            }
            let now = self.transport.now();
            self.courier.excuse(mem::take(&mut self.waited));
            let (courier, transport) = (&mut self.courier, &mut self.transport);
            let (origin, waited) = (transport.origin, &mut self.waited);
            let present = |body, offset| {
                let presented = Body::present(body, offset);
                // A reader may have taken its time.
                *waited += origin.elapsed().saturating_sub(now);
                presented
            };
            let transmit = courier.poll_transmit(present, now);
            let has_more = transmit.is_some();
            let large = transmit.and_then(|transmit| transport.ready.take(transmit, now));
            let taken = match large {
                Some(transmit) => match transport.write(transmit.slices(), MOMENT) {
                    Ok(taken) => {
                        transmit.wrote(taken.bytes, transport.now());
                        taken
                    }
                    Err(error) => {
                        transmit.failed();
                        return Err(error);
                    }
                },
                // What comes next may leave with it.
                None if has_more => continue,
                None if transport.ready.pending().is_empty() => {
                    return Ok(match transport.flush()? {
                        Progress::Bytes(_) => Written::All,
                        Progress::Blocked => Written::Part,
                    });
                }
                None => transport.write(&[], MOMENT)?,
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
        let limit = deadline.saturating_sub(self.transport.now()).min(patience);
        let progress = self.transport.read(&mut self.courier, limit);
        // Only now: what came in time counts, however late it is read.
        let now = self.transport.now();
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
