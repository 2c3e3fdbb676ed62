//! One connection's client with the contents that it will ask for, and what became of them.

use alloc::{boxed::Box, vec::Vec};
use core::{
    error::Error as Cause,
    fmt,
    task::{Poll, ready},
    time::Duration,
};

use super::{
    pace::{Pace, Stopwatch},
    parcels::Parcels,
    report::Report,
};
use crate::{
    client::{
        Body, Cancellation, Client, CommandId, Envelope, Event, Learned, MessageId, Observation,
        Outcome,
    },
    framing::Transmit,
    machine::{Driven, Error, Fault, Misuse, TlsInfo, TraceEntry, UnverifiedReason},
    syntax::{Capabilities, Command, ForwardPath, RcptParameters, Reply},
};

/// Is told of what is sent and heard.
type Watcher = Box<dyn Fn(&Observation) + Send + Sync>;

/// How many messages are submitted whose content the machine has not asked for: the next, whose
/// commands leave with the end of the one that is being sent, and one more.
const AHEAD: u64 = 2;

/// Carries messages over one connection: a client machine, the contents that it will ask for, and the
/// reports on those that are finished.
///
/// `B` is whatever a driver reads a content from. What a driver waits for it asks again after each
/// round of its loop: [`Poll::Pending`] says to go round once more. See the [module](super) for that
/// loop.
pub struct Courier<B> {
    session: Session<B>,
}

/// Tells how one session stands, and steers it: all of it that waits for nothing.
///
/// Both adapters' `Client` is one with a connection, and has its methods.
pub struct Session<B> {
    machine: Client,
    parcels: Parcels<B>,
    /// What the last command of the application's own was answered, if it was.
    answer: Option<(CommandId, Option<Reply<'static>>)>,
    /// How the server refused the TLS that it offers, if the session went on without.
    tls_declined: Option<Reply<'static>>,
    /// How many messages were submitted.
    submitted: u64,
    /// How many of them the machine has asked for the content of, or was done with without.
    asked_for: u64,
    is_open: bool,
    /// Something was submitted to a connection on which nothing was awaited, and what has arrived on it
    /// meanwhile was not read.
    must_look: bool,
    stopwatch: Stopwatch,
    watcher: Option<Watcher>,
    failure: Option<Error>,
}

impl<B> Courier<B> {
    /// Takes over a machine to which no message was submitted.
    pub fn new(machine: Client) -> Self {
        let session = Session {
            machine,
            parcels: Parcels::new(),
            answer: None,
            tls_declined: None,
            submitted: 0,
            asked_for: 0,
            is_open: false,
            must_look: false,
            stopwatch: Stopwatch::default(),
            watcher: None,
            failure: None,
        };
        Self { session }
    }

    /// Submits a message with its content. There will be one [`Report`].
    ///
    /// If the size of the content is known it is declared, unless the envelope does so (RFC 1870 3).
    ///
    /// # Errors
    ///
    /// Those of [`Client::submit`].
    pub fn submit(
        &mut self,
        mut envelope: Envelope<'_>,
        size: Option<u64>,
        body: B,
    ) -> Result<MessageId, Misuse> {
        if let (None, Some(size)) = (envelope.declared_size(), size) {
            envelope = envelope.size(size);
        }
        let is_quiet = self.session.is_quiet();
        let message = self.session.machine.submit(&envelope)?;
        self.session.must_look |= is_quiet;
        self.session.expect(message, &envelope);
        self.session.parcels.add_body(message, body);
        Ok(message)
    }

    /// Submits a message whose recipients are added as they come, by
    /// [`add_recipient`](Self::add_recipient), and whose content follows by [`end`](Self::end). There
    /// will be one [`Report`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::begin`].
    pub fn begin(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        let is_quiet = self.session.is_quiet();
        let message = self.session.machine.begin(envelope)?;
        self.session.must_look |= is_quiet;
        self.session.expect(message, envelope);
        Ok(message)
    }

    /// Adds a recipient to an envelope that is open, and returns its position.
    ///
    /// What has become of the message already, its sender being refused for example, becomes of that
    /// recipient, too.
    ///
    /// # Errors
    ///
    /// Those of [`Client::add_recipient`].
    pub fn add_recipient(
        &mut self,
        message: MessageId,
        recipient: ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
    ) -> Result<usize, Misuse> {
        if let Some(position) = self.session.parcels.add_late_recipient(message) {
            return Ok(position);
        }
        let machine = &mut self.session.machine;
        let position = machine.add_recipient(message, recipient, parameters)?;
        self.session.parcels.add_recipient(message);
        self.session.must_look |= self.session.is_open;
        Ok(position)
    }

    /// Waits for the answer to a recipient of an envelope that was begun; the answer to its sender, if
    /// that was refused. `None` if there will be none, as the report has it, or if that was returned.
    ///
    /// # Errors
    ///
    /// Why the session has failed, if it did so before the answer.
    pub fn recipient_answer(
        &mut self,
        message: MessageId,
        recipient: usize,
    ) -> Poll<Result<Option<Reply<'static>>, Error>> {
        let answer = ready!(self.session.parcels.answer(message, recipient));
        Poll::Ready(match (answer, &self.session.failure) {
            (None, Some(error)) => Err(error.clone()),
            (answer, _) => Ok(answer.cloned()),
        })
    }

    /// Ends an open envelope, with the content that follows.
    ///
    /// # Errors
    ///
    /// Those of [`Client::end`]. Of a message that is finished already there is the report.
    pub fn end(&mut self, message: MessageId, body: B) -> Result<(), Misuse> {
        let Some(body) = self.session.parcels.add_late_body(message, body) else {
            return Ok(());
        };
        self.session.machine.end(message)?;
        self.session.parcels.add_body(message, body);
        self.session.must_look |= self.session.is_open;
        Ok(())
    }

    /// Queues a command of the application's own.
    ///
    /// # Errors
    ///
    /// Those of [`Client::command`].
    pub fn command(&mut self, command: &Command<'_>) -> Result<CommandId, Misuse> {
        let is_quiet = self.session.is_quiet();
        let command = self.session.machine.command(command)?;
        self.session.must_look |= is_quiet;
        Ok(command)
    }

    /// Takes note of everything that the machine has to tell, and returns whether that was anything.
    ///
    /// Moves `input` past what was used up.
    pub fn receive(&mut self, input: &mut &[u8], now: Duration) -> bool {
        let session = &mut self.session;
        let news = session.take_in(input, now);
        if session.is_open {
            // An envelope that is open takes its time.
            let first = session.parcels.first_ended();
            session.stopwatch.turn(first, now);
        }
        news
    }

    /// Returns what is to be written now.
    ///
    /// `present` returns what there is of a content from an offset on, or `None` if that has to be
    /// waited for.
    pub fn poll_transmit<'a>(
        &'a mut self,
        present: impl FnOnce(&'a mut B, u64) -> Option<Body<'a>>,
        now: Duration,
    ) -> Option<Transmit<'a>> {
        if self.session.must_look {
            return None;
        }
        self.session.asked_for = self.session.asked_for();
        let request = self.session.machine.wants_body();
        let body = request.and_then(|request| {
            let body = self.session.parcels.body_mut(request.message)?;
            Some((request, present(body, request.offset)?))
        });
        self.session.stopwatch.wants(request, body.is_some(), now);
        self.session.machine.poll_transmit(body, now)
    }

    /// Returns whether another message, if there is one, should be submitted before anything else is
    /// written: only then can the machine run as far ahead as its policy lets it.
    pub fn wants_message(&self) -> bool {
        let ahead = self
            .session
            .submitted
            .saturating_sub(self.session.asked_for());
        ahead < AHEAD && self.session.machine.can_submit()
    }

    /// Returns whether the driver has to read what has arrived, without waiting for more, before
    /// anything is written.
    ///
    /// That is so where the connection was idle: a 421 that came meanwhile, or any other reply, must
    /// not be taken for the answer to what is written after it.
    pub fn wants_look(&self) -> bool {
        self.session.must_look
    }

    /// Tells that everything that had arrived was read and [received](Self::receive).
    pub fn looked(&mut self) {
        self.session.must_look = false;
    }

    /// Has somebody told of what is sent and heard, if the machine
    /// [keeps](crate::client::Config::watched) it.
    pub fn set_watcher(&mut self, watcher: impl Fn(&Observation) + Send + Sync + 'static) {
        self.session.watcher = Some(Box::new(watcher));
    }

    /// Bounds how long each message may take.
    pub fn set_pace(&mut self, pace: Pace) {
        self.session.stopwatch.set_pace(pace);
    }

    /// Has the connection given up at a time, unless a message is finished before.
    pub fn finish_by(&mut self, message: MessageId, until: Duration) {
        if self.session.parcels.is_open(message) {
            self.session.stopwatch.finish_by(message, until);
        }
    }

    /// Tells that a content was waited for so long while it was asked for; the server is not to be blamed
    /// for that.
    pub fn excuse(&mut self, waited: Duration) {
        self.session.stopwatch.excuse(waited);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let deadlines = [
            self.session.machine.poll_timeout(),
            self.session.stopwatch.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Has timers fire whose time has come, those of messages that take too long included: then the
    /// connection is given up, with every outcome told
    /// ([`Timer::Message`](crate::machine::Timer::Message)).
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.session.stopwatch.deadline() {
            Some(deadline) if deadline <= now => self.session.machine.overdue(),
            _ => self.session.machine.handle_timeout(now),
        }
    }

    /// Waits for the session to open; messages need not wait for that.
    ///
    /// # Errors
    ///
    /// Why it could not be opened, or has ended since.
    pub fn opened(&self) -> Poll<Result<(), Error>> {
        match &self.session.failure {
            Some(error) => Poll::Ready(Err(error.clone())),
            None if self.session.is_open || self.session.machine.is_closed() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    /// Waits for the report on one message, which comes with its content as it was left. `None` if
    /// that was returned before.
    pub fn report(&mut self, message: MessageId) -> Poll<Option<(Report, Option<B>)>> {
        self.session.parcels.take(message)
    }

    /// Waits for the next report; `None` if every message was reported on.
    ///
    /// # Errors
    ///
    /// Why the session has failed, once every report was returned; from then on always.
    pub fn next_report(&mut self) -> Poll<Result<Option<Report>, Error>> {
        if let Some(report) = self.session.parcels.take_next() {
            return Poll::Ready(Ok(Some(report)));
        }
        match &self.session.failure {
            Some(error) => Poll::Ready(Err(error.clone())),
            None if self.session.parcels.are_finished() => Poll::Ready(Ok(None)),
            None => Poll::Pending,
        }
    }

    /// Waits for the answer to the last command; `None` if the session ended before in good order.
    ///
    /// # Errors
    ///
    /// Why the session has failed, if it did so before the answer.
    pub fn answer(&mut self, command: CommandId) -> Poll<Result<Option<Reply<'static>>, Error>> {
        if let Some((_, Some(reply))) = self.session.answer.take_if(|it| it.0 == command) {
            return Poll::Ready(Ok(Some(reply)));
        }
        match &self.session.failure {
            Some(error) => Poll::Ready(Err(error.clone())),
            None if self.session.machine.is_closed() => Poll::Ready(Ok(None)),
            None => Poll::Pending,
        }
    }

    /// Waits for the end of the session.
    ///
    /// # Errors
    ///
    /// Why it has failed, if it was not ended in good order.
    pub fn ended(&self) -> Poll<Result<(), Error>> {
        match &self.session.failure {
            Some(error) => Poll::Ready(Err(error.clone())),
            None if self.session.machine.is_closed() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    /// Returns the session, for all that its user may ask.
    pub fn session(&self) -> &Session<B> {
        &self.session
    }

    /// Returns the session, for all that its user may do.
    pub fn session_mut(&mut self) -> &mut Session<B> {
        &mut self.session
    }

    /// Returns how many messages were submitted.
    pub fn submitted(&self) -> u64 {
        self.session.submitted
    }

    /// Returns the error that the session has ended with.
    pub fn failure(&self) -> Option<&Error> {
        self.session.failure.as_ref()
    }

    /// Returns whether the connection had ended before the message of a report, which just did not show: it
    /// had carried others, and is lost without an answer to anything of this one.
    pub fn had_ended_before(&self, report: &Report) -> bool {
        let is_lost = matches!(
            self.failure().map(Error::fault),
            Some(Fault::ConnectionLost | Fault::WriteFailed)
        );
        let is_unsent = matches!(&report.outcome, Outcome::NotSent(why) if why.answer.is_none());
        let is_unanswered = report.answers.iter().all(Option::is_none);
        self.submitted() > 1 && is_lost && is_unsent && is_unanswered
    }

    /// Returns whether nothing is awaited from the server: the session is open, every message is
    /// finished, though maybe not every report was taken.
    pub fn is_idle(&self) -> bool {
        self.session.is_quiet() && self.session.failure.is_none() && self.session.machine.is_idle()
    }

    /// Returns the machine, for all that is between it and its transport.
    pub fn machine(&self) -> &Client {
        &self.session.machine
    }

    /// Returns the machine, for all that is between it and its transport. Messages that are submitted
    /// to it directly have no content and no report here.
    pub fn machine_mut(&mut self) -> &mut Client {
        &mut self.session.machine
    }

    /// Gives the machine back. The contents of unfinished messages are lost.
    pub fn into_machine(self) -> Client {
        self.session.machine
    }
}

impl<B> Driven for Courier<B> {
    fn handle_eof(&mut self) {
        self.session.machine.handle_eof();
    }

    fn handle_reset(&mut self) {
        // That is all: what is still to be written fails by itself.
        self.session.machine.handle_eof();
    }

    fn write_failed(&mut self) {
        self.session.machine.write_failed();
    }

    fn tls_established(&mut self, info: TlsInfo, now: Duration) {
        // It can only fail if none was due.
        let _ = self.session.machine.tls_established(info, now);
    }

    fn tls_failed(&mut self, cause: Option<&(dyn Cause + Send + Sync + 'static)>) {
        match cause.and_then(|cause| UnverifiedReason::among_causes(cause)) {
            Some(reason) => self.session.machine.tls_unverified(reason),
            None => self.session.machine.tls_failed(),
        }
    }
}

impl<B> Session<B> {
    /// Returns whether another message could be submitted.
    pub fn can_submit(&self) -> bool {
        self.machine.can_submit()
    }

    /// Returns whether everything submitted is finished, though maybe not reported.
    pub fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    /// Withdraws a message, and tells what that costs. Its report follows.
    ///
    /// # Errors
    ///
    /// Those of [`Client::cancel`].
    pub fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        self.machine.cancel(message)
    }

    /// Has QUIT follow the last message that was submitted. No message can be submitted any more.
    ///
    /// Called while messages are under way, it saves a round trip.
    pub fn announce_quit(&mut self) {
        self.machine.quit();
    }

    /// Gives the connection up at once, and returns the reports on all messages that were not taken,
    /// those that were unfinished among them. From then on there is only the error
    /// ([`Fault::ShutDown`](crate::machine::Fault::ShutDown)).
    pub fn abort(&mut self) -> Vec<Report> {
        self.machine.abort();
        // It needs neither input nor time to tell what is lost.
        self.take_in(&mut &[][..], Duration::ZERO);
        self.parcels.take_all()
    }

    /// Returns what the server announced in answer to EHLO; empty before that.
    pub fn capabilities(&self) -> &Capabilities {
        self.machine.capabilities()
    }

    /// Returns what the session has found out about its server, once it is open: for the
    /// [configuration](crate::client::Config::learned) of the next. An adapter's `Sender` does so by
    /// itself.
    pub fn learned(&self) -> Option<Learned> {
        self.machine.learned()
    }

    /// Returns how the server refused the TLS that it offers, if the session went on in clear, as
    /// [`Tls::Opportunistic`](crate::client::Tls::Opportunistic) has it.
    pub fn tls_declined(&self) -> Option<&Reply<'static>> {
        self.tls_declined.as_ref()
    }

    /// Returns how many round trips the session has waited for so far, the greeting's included.
    pub fn round_trips(&self) -> u64 {
        self.machine.round_trips()
    }

    /// Takes the oldest entry of the trace, if one is [kept](crate::client::Config::traced).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.machine.poll_trace()
    }

    fn expect(&mut self, message: MessageId, envelope: &Envelope<'_>) {
        self.parcels.expect(message, envelope.recipients().len());
        self.submitted = message.index().saturating_add(1);
    }

    /// Returns whether nothing is under way on an open session.
    fn is_quiet(&self) -> bool {
        self.is_open && self.parcels.are_finished()
    }

    fn take_in(&mut self, input: &mut &[u8], now: Duration) -> bool {
        let mut news = false;
        loop {
            match self.machine.poll_event(input, now) {
                Ok(Some(event)) => self.note(event),
                Ok(None) => break,
                Err(error) => {
                    news |= self.failure.is_none();
                    self.failure.get_or_insert(error);
                    break;
                }
            }
            news = true;
        }
        self.tell();
        news
    }

    fn note(&mut self, event: Event<'_>) {
        match event {
            Event::Ready => self.is_open = true,
            Event::TlsDeclined { reply } => self.tls_declined = Some(reply.into_owned()),
            Event::Answered { command, reply } => {
                self.answer = Some((command, Some(reply.into_owned())));
            }
            Event::Unanswered { command } => self.answer = Some((command, None)),
            event => {
                if let Some(message) = self.parcels.observe(event) {
                    self.asked_for = self.asked_for.max(message.index().saturating_add(1));
                    self.stopwatch.finished(message);
                }
            }
        }
    }

    fn asked_for(&self) -> u64 {
        match self.machine.wants_body() {
            Some(request) => self
                .asked_for
                .max(request.message.index().saturating_add(1)),
            None => self.asked_for,
        }
    }

    fn tell(&mut self) {
        if let Some(watcher) = &self.watcher {
            while let Some(observation) = self.machine.poll_observation() {
                watcher(&observation);
            }
        }
    }
}

impl<B> fmt::Debug for Courier<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Courier").field(&self.session).finish()
    }
}

impl<B> fmt::Debug for Session<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("machine", &self.machine)
            .field("unfinished", &self.parcels.bodies())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
