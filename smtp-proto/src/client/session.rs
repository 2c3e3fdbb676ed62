//! One session: the parts together, and how what happens in one of them moves the others.

use alloc::boxed::Box;
#[cfg(feature = "auth")]
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    config::{Config, Tls},
    ending::Ending,
    envelope::Envelope,
    event::{Body, BodyRequest, Cancellation, CommandId, Event, MessageId, NotSent, NotSentReason},
    flight::Flight,
    learned::Learned,
    link::Link,
    messages::{Answered, Messages},
    opening::{Cause, Decision, Opening},
    outstanding::{Expected, Settled},
    table::{Choice, Standing, State, Turn, Verb},
    terms::Terms,
    transaction::TransactionId,
    watch::{Observation, Observed},
    writer::Buffers,
};
#[cfg(feature = "auth")]
use crate::sasl::{Attempts, Mechanism};
use crate::{
    framing::{Progress, Transmit},
    machine::{Answer, Error, Fault, Misuse, Timer, TlsInfo, TraceEntry},
    syntax::{Capabilities, Code, Command, ForwardPath, RcptParameters, Reply},
};

/// Everything of a client but the bytes that it wants written.
#[derive(Debug)]
pub(super) struct Session {
    config: Config,
    standing: Standing,
    opening: Opening,
    messages: Messages,
    link: Link,
    failure: Option<Box<Error>>,
    /// The application has said that there is nothing more.
    has_quit: bool,
    /// The error, or the last event, was read.
    has_told_the_end: bool,
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let is_tls_first = config.tls == Tls::Implicit;
        let mut link = Link::new(&config, now);
        match is_tls_first {
            true => link.begin_handshake(),
            false => link.await_greeting(),
        }
        Self {
            standing: Standing::new(is_tls_first),
            opening: Opening::new(),
            messages: Messages::new(),
            link,
            failure: None,
            has_quit: false,
            has_told_the_end: false,
            config,
        }
    }

    // What the application asks for.

    pub(super) fn submit(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        self.takes_more()?;
        if !self.can_submit() {
            return Err(Misuse::QueueFull);
        }
        let (messages, terms) = self.intake();
        messages.submit(envelope, terms)
    }

    /// Takes a message whose recipients are still to come.
    pub(super) fn begin(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        self.takes_more()?;
        if !self.can_submit() {
            return Err(Misuse::QueueFull);
        }
        let (messages, terms) = self.intake();
        Ok(messages.begin(envelope, terms))
    }

    pub(super) fn add_recipient(
        &mut self,
        message: MessageId,
        recipient: &ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
    ) -> Result<usize, Misuse> {
        if self.is_over() {
            return Err(Misuse::UnknownMessage);
        }
        let (messages, terms) = self.intake();
        messages.add_recipient(message, recipient, parameters, terms)
    }

    /// Returns the messages, and what they are fitted to once that is known.
    fn intake(&mut self) -> (&mut Messages, Option<Terms<'_>>) {
        let is_known = self.standing.state() == State::Ready;
        let terms = is_known.then(|| Terms::new(&self.opening, &self.config));
        (&mut self.messages, terms)
    }

    pub(super) fn end_envelope(&mut self, message: MessageId) -> Result<(), Misuse> {
        if self.is_over() {
            return Err(Misuse::UnknownMessage);
        }
        self.messages.end_envelope(message)
    }

    pub(super) fn command(&mut self, command: &Command<'_>) -> Result<CommandId, Misuse> {
        self.takes_more()?;
        if self.standing.state() != State::Ready || self.opening.is_ahead() {
            return Err(Misuse::NotOpen);
        }
        self.messages.command(command, self.opening.capabilities())
    }

    pub(super) fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        let content = self.link.content();
        let (cancellation, is_cut) = self.messages.outcomes().cancel(message, content);
        if is_cut {
            self.link.cut();
        }
        cancellation
    }

    pub(super) fn quit(&mut self) {
        self.has_quit = true;
        self.messages.quit();
    }

    pub(super) fn abort(&mut self) {
        self.ending().fail(Fault::ShutDown, &[]);
    }

    pub(super) fn overdue(&mut self) {
        self.ending().fail(Fault::TimedOut(Timer::Message), &[]);
    }

    #[cfg(feature = "auth")]
    pub(super) fn authenticate(
        &mut self,
        mechanisms: Vec<Box<dyn Mechanism>>,
    ) -> Result<(), Misuse> {
        if matches!(
            self.standing.state(),
            State::Ready | State::Leaving | State::Closed
        ) {
            return Err(Misuse::TooLate);
        }
        let attempts = Attempts::new(mechanisms, self.config.credentials_over)?;
        self.opening.authenticate_by(attempts);
        Ok(())
    }

    // What the driver tells.

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.link.set_now(now);
        if self.is_over() {
            return;
        }
        match self.link.expired(&self.config) {
            Some(_) if self.link.has_failed() => self.ending().fail_lost(Fault::WriteFailed, &[]),
            // Nothing depends on the reply to QUIT.
            Some(Timer::Quit) => self.ending().close(),
            Some(timer) => self.ending().fail(Fault::TimedOut(timer), &[]),
            None => {}
        }
    }

    pub(super) fn handle_eof(&mut self) {
        self.link.end_input();
    }

    pub(super) fn write_failed(&mut self) {
        if !self.is_over() {
            self.link.fail();
        }
    }

    pub(super) fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        self.link.set_now(now);
        self.link.end_handshake();
        if self.link.is_watched() {
            let what = Observed::Tls(Box::new(info.clone()));
            self.link.observe(Verb::StartTls, None, what);
        }
        self.opening.encrypt(info);
        let state = self.opening.after_handshake(&self.config);
        self.standing.choose(Choice::Handshake, state);
        if state == State::Connected {
            self.link.await_greeting();
        }
        Ok(())
    }

    pub(super) fn tls_failed(&mut self, fault: Fault) {
        if self.wants_tls() {
            self.link.observe(Verb::StartTls, None, Observed::TlsFailed);
            self.ending().fail(fault, &[]);
        }
    }

    // What the driver asks.

    pub(super) fn wants_tls(&self) -> bool {
        self.standing.state() == State::Handshake
    }

    pub(super) fn wants_read(&self) -> bool {
        !(self.messages.has_events()
            || self.link.has_stopped()
            || self.link.is_at_eof()
            || self.is_over())
    }

    pub(super) fn wants_body(&self) -> Option<BodyRequest> {
        self.messages.request(self.wanted()?)
    }

    /// Returns the transaction whose content can be used now.
    fn wanted(&self) -> Option<TransactionId> {
        let open = self.link.body();
        let is_open = self.standing.state() == State::Ready;
        if !self.link.is_sound() || self.is_over() || !(is_open || open.is_some()) {
            return None;
        }
        self.messages.wanted(open)
    }

    pub(super) fn can_submit(&self) -> bool {
        !self.is_ending() && self.messages.unfinished() < self.config.queue
    }

    pub(super) fn is_idle(&self) -> bool {
        self.messages.unfinished() == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.has_told_the_end
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.is_over() {
            true => None,
            false => self.link.deadline(&self.config),
        }
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        self.opening.capabilities()
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.link.round_trips()
    }

    pub(super) fn learned(&self) -> Option<Learned> {
        self.opening.is_complete().then(|| Learned {
            capabilities: self.capabilities().clone(),
            refuses_look_ahead: self.messages.refuses_look_ahead(),
        })
    }

    pub(super) fn poll_observation(&mut self) -> Option<Observation> {
        self.link.take_observation()
    }

    pub(super) fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.link.take_trace()
    }

    pub(super) fn shrink(&mut self, buffers: &mut Buffers) {
        self.link.shrink(buffers);
        self.messages.shrink();
    }

    /// Returns why nothing more is taken, if that is so.
    fn takes_more(&self) -> Result<(), Misuse> {
        match self.has_quit && self.failure.is_none() {
            true => Err(Misuse::Quit),
            false if self.is_ending() => Err(Misuse::Ending),
            false => Ok(()),
        }
    }

    fn is_ending(&self) -> bool {
        let is_going = self.link.is_sound() && !self.link.is_at_eof();
        self.messages.is_quitting() || !is_going || self.is_over()
    }

    /// Returns what ends the session.
    #[cold]
    fn ending(&mut self) -> Ending<'_> {
        Ending::new(
            &mut self.standing,
            &mut self.opening,
            &mut self.messages,
            &mut self.link,
            &mut self.failure,
        )
    }

    fn is_over(&self) -> bool {
        self.standing.state() == State::Closed
    }

    // Reading.

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.link.set_now(now);
        loop {
            if let Some(event) = self.next_known() {
                self.has_told_the_end = event == Event::Closed;
                return Ok(Some(event));
            }
            if let Some(error) = &self.failure {
                self.has_told_the_end = true;
                return Err(Error::clone(error));
            }
            match self.standing.state() {
                State::Closed => return Ok(None),
                State::Handshake if input.is_empty() && !self.link.is_at_eof() => return Ok(None),
                State::Handshake => self.on_bytes_before_tls(input),
                _ => match self.link.next_reply(input, &self.config) {
                    Ok(Some(reply)) => {
                        if let Some(event) = self.on_reply(reply) {
                            return Ok(Some(event));
                        }
                    }
                    Ok(None) if self.link.is_at_eof() || self.link.has_stopped() => {
                        self.on_end(input);
                    }
                    Ok(None) => return Ok(None),
                    Err((fault, bytes)) => self.ending().fail_unreadable(fault, bytes, input),
                },
            }
        }
    }

    /// Returns the next event that no reply is needed for.
    fn next_known(&mut self) -> Option<Event<'static>> {
        match self.is_over() {
            true => self.messages.next_last_event(),
            false if self.messages.has_events() => self.messages.next_event(),
            false => None,
        }
    }

    fn on_bytes_before_tls(&mut self, bytes: &[u8]) {
        self.link.leave_unread(bytes);
        let fault = match bytes {
            [] => Fault::ConnectionLost,
            _ => Fault::BytesBeforeTls, // 3207-4-i, TLS-6
        };
        self.ending().fail(fault, bytes);
    }

    /// Accounts for the end of what can be read.
    fn on_end(&mut self, input: &[u8]) {
        if self.link.oldest() == Some(Verb::Quit) && self.is_idle() {
            self.ending().close();
        } else if self.link.is_cut() {
            self.ending().fail(Fault::ContentAbandoned, &[]);
        } else if self.link.has_failed() {
            self.ending().fail_lost(Fault::WriteFailed, &[]);
        } else {
            self.link.leave_unread(input);
            self.ending().fail_lost(Fault::ConnectionLost, input);
        }
    }

    /// Accounts for a reply.
    fn on_reply<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        self.opening.hear();
        let settled = self.link.settle(&reply);
        if self.link.is_watched()
            && let Settled::Answers(expected) = &settled
        {
            let whose = self.messages.whose(&expected.said());
            self.link.observe_reply(expected.verb, whose, &reply);
        }
        if reply.code() == Code::NOT_AVAILABLE {
            return self.on_closing(settled, reply);
        }
        match settled {
            Settled::Answers(expected) => match expected.verb {
                Verb::Own => return self.messages.answer_own(reply),
                Verb::Reset => {
                    if let Some(fault) = self.messages.answer_reset(&reply) {
                        self.ending().fail_desync(fault, Verb::Reset, &reply);
                    }
                }
                verb @ (Verb::ProofMail | Verb::ProofChunk | Verb::ProofReset) => {
                    if let Some(fault) = self.messages.answer_proof(Turn::of(reply.code())) {
                        self.ending().fail_desync(fault, verb, &reply);
                    }
                }
                verb if verb.is_preliminary() || verb == Verb::Quit => {
                    return self.on_opening(verb, reply);
                }
                _ => return self.on_answer(&expected, reply),
            },
            Settled::Surplus => self.ending().fail_surplus(reply),
            Settled::Impossible(verb) => {
                self.ending()
                    .fail_desync(Fault::ImpossibleReply, verb, &reply)
            }
        }
        None
    }

    /// Accounts for the answer to one of the opening's commands, or to QUIT.
    fn on_opening<'i>(&mut self, verb: Verb, reply: Reply<'i>) -> Option<Event<'i>> {
        let turn = Turn::of(reply.code());
        let choice = self.standing.turn(verb, turn);
        if let Some(choice) = choice {
            let decision = self.opening.decide(choice, verb, &reply, &self.config);
            self.carry_out(choice, decision, verb, &reply);
        }
        if verb == Verb::Quit && turn == Turn::Yes {
            // It came in its turn, so no reply is too many.
            self.messages.release();
        }
        match self.standing.state() {
            State::Handshake => self.link.begin_handshake(),
            State::Closed if self.failure.is_none() => self.ending().close(),
            _ => {}
        }
        match choice {
            Some(Choice::Clear) if self.config.tls == Tls::Opportunistic => {
                Some(Event::TlsDeclined { reply })
            }
            _ => (verb == Verb::Connect && turn == Turn::Yes).then_some(Event::Greeting { reply }),
        }
    }

    fn carry_out(&mut self, choice: Choice, decision: Decision, verb: Verb, reply: &Reply<'_>) {
        match decision {
            Decision::Stay => {}
            Decision::To(state) => {
                // What was sent ahead of EHLO's answer was rightly sent.
                if state == State::Ready {
                    self.opening.complete();
                    self.messages.ready();
                }
                self.standing.choose(choice, state);
            }
            Decision::Open => {
                self.opening.complete();
                self.standing.choose(choice, State::Ready);
                self.messages.ready();
                self.messages.open(Terms::new(&self.opening, &self.config));
            }
            Decision::Fail(fault) => self.ending().fail_answered(fault, verb, reply),
            Decision::Refuse(fault, reason, cause) => {
                let (error, reason) = match cause {
                    Cause::Offer(remark) => {
                        let error = Error::new(fault, verb.state(), &[]);
                        (error.remarking(remark), reason.into())
                    }
                    Cause::Answer(verb, answer, remark) => {
                        let error = Error::answered(fault, verb.state(), answer.clone());
                        (error.remarking(remark), NotSent::answered(reason, answer))
                    }
                };
                self.opening.refuse(error);
                self.standing.choose(choice, State::Due(Verb::Quit));
                self.messages.quit();
                if self
                    .messages
                    .outcomes()
                    .abandon_all(&reason, self.link.content())
                {
                    self.link.cut();
                }
            }
        }
    }

    /// Accounts for the answer to one of a transaction's commands.
    // Done for nearly every reply, which is moved once less so.
    #[inline(always)]
    fn on_answer<'i>(&mut self, expected: &Expected, reply: Reply<'i>) -> Option<Event<'i>> {
        let verb = expected.verb;
        match self.messages.answer(expected, reply, &self.config) {
            Answered::Told(event) => return event,
            Answered::Failed(fault, reply) => self.ending().fail_answered(fault, verb, &reply),
            Answered::Desync(fault, reply) => self.ending().fail_desync(fault, verb, &reply),
        }
        None
    }

    /// Accounts for a 421, which answers the oldest unanswered command, or none (RFC 5321 3.8).
    fn on_closing<'i>(&mut self, settled: Settled, reply: Reply<'i>) -> Option<Event<'i>> {
        let Settled::Answers(expected) = settled else {
            self.ending().fail_closing(reply);
            return None;
        };
        let verb = expected.verb;
        if verb == Verb::Quit {
            self.ending().close();
            return None;
        }
        let mut event = None;
        let offered = match verb {
            // Messages after it may have been taken: a server may work ahead, as ours does.
            _ if verb.is_end_of_message() => {
                event = self.on_answer(&expected, reply.clone());
                self.link.offered()
            }
            Verb::Own => {
                event = self.messages.answer_own(reply.clone());
                0
            }
            // Neither this transaction nor what comes after it was taken.
            _ => 0,
        };
        let reason = match verb.is_preliminary() {
            true => NotSentReason::SessionRefused,
            false => NotSentReason::ConnectionEnded,
        };
        let step = verb.step();
        let error = Error::answered(Fault::Closing, verb.state(), Answer { step, reply });
        self.ending().fail_by(error, reason, offered);
        event
    }

    // Writing.

    pub(super) fn transmit<'a>(
        &'a mut self,
        buffers: &'a mut Buffers,
        body: Option<(BodyRequest, Body<'a>)>,
        now: Duration,
    ) -> Option<Transmit<'a>> {
        self.link.set_now(now);
        self.link.tidy(buffers);
        let body = self.wanted().and_then(|id| {
            // What was presented for another request than the one in force counts as nothing.
            let in_force = |request| self.messages.request(id) == Some(request);
            let body = body.and_then(|(request, body)| in_force(request).then_some(body));
            let terms = Terms::new(&self.opening, &self.config);
            match self.messages.contents().look(id, body, terms) {
                Ok(presented) => Some((id, presented?)),
                Err(reason) => {
                    self.messages.outcomes().withdraw(id, reason);
                    None
                }
            }
        });
        let Self {
            config,
            standing,
            opening,
            messages,
            link,
            ..
        } = self;
        let mut flight = Flight::new(config, standing, opening, messages, link);
        let slices = flight.fill(body, buffers);
        Transmit::new(slices, self)
    }
}

impl Progress for Session {
    fn wrote(&mut self, bytes: usize, slices: &[&[u8]], now: Duration) -> usize {
        self.link.set_now(now);
        let Some(consumed) = self.link.wrote(bytes, slices) else {
            return 0;
        };
        let bytes = consumed.bytes;
        self.messages.contents().consumed(consumed);
        bytes
    }

    fn blocked(&mut self, now: Duration) {
        self.link.set_now(now);
        self.link.blocked();
    }

    fn failed(&mut self) {
        self.write_failed();
    }
}
