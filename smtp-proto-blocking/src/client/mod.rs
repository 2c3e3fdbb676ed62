//! The client: sends messages over one connection and returns what became of each.

mod body;
mod send_all;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use smtp_proto::{
    client::{self as machine, Cancellation, Config, Envelope, MessageId, Report, Reports},
    machine::{Misuse, TraceEntry},
    syntax::Capabilities,
};

pub use self::{body::Body, send_all::SendAll};
use crate::{
    Error, Transport,
    connection::{Connection, GLANCE, MOMENT, Progress},
};

/// How many messages are taken from an iterator before the machine asks for their contents: enough
/// for it to send commands ahead.
const AHEAD: u64 = 2;

/// One SMTP session over a blocking [`Transport`].
///
/// [`send`](Self::send) does everything for one message. For as many as the pipelining policy allows
/// at once, keep several submitted: [`send_all`](Self::send_all), or [`submit`](Self::submit) and
/// [`next_report`](Self::next_report). Nothing is read or written but during a call of `send`,
/// `next_report`, `ready` or `quit`.
///
/// Every message that was submitted gets exactly one [`Report`], also when the connection fails;
/// the failure follows behind the last of them.
#[derive(Debug)]
pub struct Client<T> {
    machine: machine::Client,
    connection: Connection<T>,
    reports: Reports,
    finished: VecDeque<Report>,
    bodies: BTreeMap<MessageId, Body>,
    /// How many messages were submitted.
    submitted: u64,
    /// How many of them the machine has asked for the content of, or was done with without.
    asked_for: u64,
    /// More messages wait in an iterator.
    supplied: bool,
    /// The server has answered EHLO.
    ready: bool,
    failure: Option<Error>,
    /// How the transport failed.
    broken: Option<Arc<io::Error>>,
}

/// How far a turn of writing came.
enum Written {
    /// There is nothing more to write.
    All,
    /// The server takes no more for a moment.
    Part,
    /// Nothing more is to be written before another message is submitted.
    Short,
}

/// What a [`Client`] was made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<T> {
    /// The machine, in the state that the session is in.
    pub machine: machine::Client,
    /// The transport.
    pub transport: T,
    /// What was read from the transport and not used up.
    pub unread: Vec<u8>,
}

impl Client<TcpStream> {
    /// Connects to a server.
    ///
    /// The greeting is awaited when there is something to send, or by [`ready`](Self::ready).
    ///
    /// # Errors
    ///
    /// [`Error::Connect`].
    pub fn connect(address: impl ToSocketAddrs, config: Config) -> Result<Self, Error> {
        let stream = TcpStream::connect(address)
            // A flight is written as a whole: nothing is to be waited for.
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|error| Error::Connect(Arc::new(error)))?;
        Ok(Self::with_stream(stream, config))
    }
}

impl<T: Transport> Client<T> {
    /// Starts a session over a connection that was just established.
    pub fn with_stream(transport: T, config: Config) -> Self {
        let machine = machine::Client::new(config, Duration::ZERO);
        Self {
            connection: Connection::new(transport, machine.max_unconsumed()),
            machine,
            reports: Reports::default(),
            finished: VecDeque::new(),
            bodies: BTreeMap::new(),
            submitted: 0,
            asked_for: 0,
            supplied: false,
            ready: false,
            failure: None,
            broken: None,
        }
    }

    /// Waits until the session is open, and returns what the server offers.
    ///
    /// It need not be called: messages wait for it by themselves.
    ///
    /// # Errors
    ///
    /// Why the session could not be opened, or has ended since.
    pub fn ready(&mut self) -> Result<&Capabilities, Error> {
        while !self.ready {
            self.check()?;
            self.turn();
        }
        Ok(self.capabilities())
    }

    /// Sends a message and waits for what becomes of it.
    ///
    /// Messages that were submitted before go first; their reports stay for
    /// [`next_report`](Self::next_report).
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] as for [`submit`](Self::submit). If the session has failed already, why.
    pub fn send(
        &mut self,
        envelope: &Envelope<'_>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        self.check()?;
        let message = self.submit(envelope, body)?;
        loop {
            let known = self.finished.iter().position(|r| r.message == message);
            if let Some(report) = known.and_then(|at| self.finished.remove(at)) {
                return Ok(report);
            }
            self.check()?;
            self.turn();
        }
    }

    /// Queues a message, to be sent during the next calls.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::submit`].
    pub fn submit(
        &mut self,
        envelope: &Envelope<'_>,
        body: impl Into<Body>,
    ) -> Result<MessageId, Misuse> {
        let message = self.machine.submit(envelope)?;
        self.reports.expect(message, envelope.recipients().len());
        self.bodies.insert(message, body.into());
        self.submitted = message.index() + 1;
        Ok(message)
    }

    /// Tells whether [`submit`](Self::submit) would take a message.
    pub fn can_submit(&self) -> bool {
        self.machine.can_submit()
    }

    /// Withdraws a message, and tells what that costs. Its report follows.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::cancel`].
    pub fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        self.machine.cancel(message)
    }

    /// Waits for the next report; `None` if nothing is unfinished.
    ///
    /// # Errors
    ///
    /// Why the session has failed, once every message's report was returned; from then on always.
    pub fn next_report(&mut self) -> Result<Option<Report>, Error> {
        loop {
            if let Some(report) = self.known_report() {
                return report;
            }
            self.turn();
        }
    }

    /// Returns what [`next_report`](Self::next_report) does, unless it has to wait.
    fn known_report(&mut self) -> Option<Result<Option<Report>, Error>> {
        if let Some(report) = self.finished.pop_front() {
            return Some(Ok(Some(report)));
        }
        if let Err(failure) = self.check() {
            return Some(Err(failure));
        }
        self.machine.is_idle().then_some(Ok(None))
    }

    /// Sends messages as fast as the pipelining policy allows, and yields their reports.
    ///
    /// Messages are taken from the iterator as they can be sent, two of them in advance. One that is
    /// refused by [`submit`](Self::submit) ([`Error::Misuse`]) does not keep the others from being
    /// sent. If the session fails, its error comes last, and the rest of the iterator was not used.
    pub fn send_all<'e, I, B>(&mut self, messages: I) -> SendAll<'_, T, I::IntoIter>
    where
        I: IntoIterator<Item = (Envelope<'e>, B)>,
        B: Into<Body>,
    {
        SendAll::new(self, messages.into_iter())
    }

    /// Ends the session once everything submitted is finished.
    ///
    /// Reports that were not asked for before are kept for [`next_report`](Self::next_report).
    ///
    /// # Errors
    ///
    /// Why the session has failed.
    pub fn quit(&mut self) -> Result<(), Error> {
        self.machine.quit();
        while !self.machine.is_closed() {
            self.turn();
        }
        self.take_events();
        self.check()
    }

    /// Returns what the server announced in answer to EHLO; empty before that.
    pub fn capabilities(&self) -> &Capabilities {
        self.machine.capabilities()
    }

    /// Returns how many round trips the session has waited for so far, the greeting's included.
    pub fn round_trips(&self) -> u64 {
        self.machine.round_trips()
    }

    /// Takes the oldest entry of the trace, if one is [kept](Config::traced).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.machine.poll_trace()
    }

    /// Hands out the machine and the transport, for those who go on by themselves.
    ///
    /// The content of unfinished messages is lost.
    pub fn into_parts(self) -> Parts<T> {
        let (transport, unread) = self.connection.into_parts();
        Parts {
            machine: self.machine,
            transport,
            unread,
        }
    }

    /// Returns the error that the session has ended with.
    fn check(&self) -> Result<(), Error> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    /// Goes round the loop of a driver once: events, writes, and a read unless there is news.
    fn turn(&mut self) {
        let news = self.take_events();
        match self.write() {
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

    /// Takes note of everything that the machine has to tell, and tells whether that was anything.
    fn take_events(&mut self) -> bool {
        let mut news = false;
        let now = self.connection.now();
        let mut input = self.connection.input();
        let failure = loop {
            match self.machine.poll_event(&mut input, now) {
                Ok(Some(event)) => {
                    news = true;
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
                Some(body.present(request.pass))
            });
            let transmit = self
                .machine
                .poll_transmit(presented.unwrap_or_default(), now);
            if transmit.is_empty() {
                drop(transmit);
                match self.connection.flush() {
                    Ok(Progress::Octets(_)) => return Written::All,
                    Ok(Progress::Blocked) => return Written::Part,
                    Err(error) => {
                        self.write_failed(error);
                        return Written::All;
                    }
                }
            }
            let offered = transmit.len();
            let written = match self.connection.write(transmit.slices(), MOMENT) {
                Ok(Progress::Octets(octets)) => octets,
                Ok(Progress::Blocked) => 0,
                Err(error) => {
                    drop(transmit);
                    self.write_failed(error);
                    return Written::All;
                }
            };
            let consumed = transmit.sent(written, self.connection.now());
            if let Some(request) = request
                && let Some(body) = self.bodies.get_mut(&request.message)
            {
                body.consume(consumed);
            }
            if written < offered {
                return Written::Part;
            }
        }
    }

    /// Tells whether an iterator's next message should be submitted before anything else is done.
    fn is_short_of_messages(&self) -> bool {
        let ahead = self.submitted.saturating_sub(self.asked_for);
        self.supplied && ahead < AHEAD && self.machine.can_submit()
    }

    fn write_failed(&mut self, error: io::Error) {
        self.machine.handle_write_failed();
        self.broken = Some(Arc::new(error));
    }

    /// Reads what has come, and waits for it no longer than `patience` and the machine's timers. Tells
    /// whether any octets came.
    fn read(&mut self, patience: Duration) -> bool {
        let deadline = self.machine.poll_timeout().unwrap_or(Duration::MAX);
        let limit = deadline.saturating_sub(self.connection.now()).min(patience);
        match self.connection.read(limit) {
            Ok(Progress::Octets(0)) => self.machine.handle_eof(),
            Ok(Progress::Octets(_)) => return true,
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
