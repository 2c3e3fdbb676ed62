//! One session: what is submitted to it, and what it comes to.

mod driver;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use smtp_proto::delivery::{Report, Reports};
use smtp_proto::{
    client::{self as machine, Cancellation, CommandId, Config, Envelope, MessageId},
    machine::{Misuse, TraceEntry},
    syntax::{Capabilities, Command, Reply},
};

use super::body::Body;
use crate::{Error, Stream, Transport, connection::Connection, tls::TlsConnector};

/// One SMTP session over a blocking [`Transport`].
///
/// [`send`](Self::send) does everything for one message. For as many as the pipelining policy allows
/// at once, keep several submitted: [`send_all`](Self::send_all), or [`submit`](Self::submit) and
/// [`next_report`](Self::next_report). Nothing is read or written but during a call of `send`,
/// `next_report`, `ready` or `quit`.
///
/// Every message that was submitted gets exactly one [`Report`], also when the connection fails;
/// the failure follows after the last of them.
#[derive(Debug)]
pub struct Client<T> {
    machine: machine::Client,
    connection: Connection<T>,
    connector: Option<TlsConnector>,
    reports: Reports,
    finished: VecDeque<Report>,
    /// What the last command of the caller's own was answered, if it was.
    answer: Option<(CommandId, Reply<'static>)>,
    bodies: BTreeMap<MessageId, Body>,
    /// How many messages were submitted.
    submitted: u64,
    /// How many of them the machine has asked for the content of, or was done with without.
    asked_for: u64,
    /// More messages wait in an iterator.
    pub(super) supplied: bool,
    /// The server has answered EHLO.
    ready: bool,
    failure: Option<Error>,
    /// How the transport failed.
    broken: Option<Arc<io::Error>>,
}

/// What a [`Client`] was made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<T> {
    /// The machine, in the state that the session is in.
    pub machine: machine::Client,
    /// The transport, with the TLS session over it if there is one.
    pub stream: Stream<T>,
    /// What was read from the stream and not used up.
    pub unread: Vec<u8>,
}

impl<T: Transport> Client<T> {
    /// Starts a session over a connection that was just established.
    ///
    /// One that needs more than a configuration begins with [`Client::builder`].
    pub fn with_stream(transport: T, config: Config) -> Self {
        Self::new(transport, config, None)
    }

    pub(super) fn new(transport: T, config: Config, connector: Option<TlsConnector>) -> Self {
        let machine = machine::Client::new(config, Duration::ZERO);
        Self {
            connection: Connection::new(transport, machine.max_unconsumed()),
            machine,
            connector,
            reports: Reports::default(),
            finished: VecDeque::new(),
            answer: None,
            bodies: BTreeMap::new(),
            submitted: 0,
            asked_for: 0,
            supplied: false,
            ready: false,
            failure: None,
            broken: None,
        }
    }

    /// Has the session authenticate itself before any message, by the first of these mechanisms that
    /// the server offers.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::authenticate`]: call it before anything else.
    #[cfg(feature = "auth")]
    pub fn authenticate(
        &mut self,
        mechanisms: Vec<Box<dyn machine::mechanism::Mechanism>>,
    ) -> Result<(), Misuse> {
        self.machine.authenticate(mechanisms)
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

    /// Sends a command of your own after the messages that were submitted, and waits for its reply,
    /// positive or negative: NOOP, HELP, VRFY, EXPN, ETRN, XFORWARD, or one that the library does not
    /// know. See [`smtp_proto::client::Client::command`].
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if the command cannot be sent; why the session has failed, if it fails before
    /// the reply.
    pub fn command(&mut self, command: &Command<'_>) -> Result<Reply<'static>, Error> {
        self.ready()?;
        self.check()?;
        let id = self.machine.command(command)?;
        loop {
            match self.answer.take() {
                Some((answered, reply)) if answered == id => return Ok(reply),
                _ => {}
            }
            self.check()?;
            if self.machine.is_closed() {
                return Err(Misuse::Ending.into());
            }
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
    pub(super) fn known_report(&mut self) -> Option<Result<Option<Report>, Error>> {
        if let Some(report) = self.finished.pop_front() {
            return Some(Ok(Some(report)));
        }
        if let Err(failure) = self.check() {
            return Some(Err(failure));
        }
        self.machine.is_idle().then_some(Ok(None))
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
        self.connection.close();
        self.check()
    }

    /// Returns what the server announced in answer to EHLO; empty before that.
    pub fn capabilities(&self) -> &Capabilities {
        self.machine.capabilities()
    }

    /// Returns what carries the session.
    pub fn stream(&self) -> &Stream<T> {
        self.connection.stream()
    }

    /// Returns how many round trips the session has waited for so far, the greeting's included.
    pub fn round_trips(&self) -> u64 {
        self.machine.round_trips()
    }

    /// Takes the oldest entry of the trace, if one is [kept](Config::traced).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.machine.poll_trace()
    }

    /// Hands out the machine and the stream, for those who go on by themselves.
    ///
    /// The content of unfinished messages is lost.
    pub fn into_parts(self) -> Parts<T> {
        let (stream, unread) = self.connection.into_parts();
        Parts {
            machine: self.machine,
            stream,
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
}
